/** What a purchase asked for beyond a number of tickets, in few characters: to know the same request again. */
import { hash } from 'node:crypto';
import type { PurchaseOptions } from './command.ts';

const DIGEST_CHARACTERS = 22;

/** null = nothing. The order in which seats are named does not matter. */
export function requestDigest(options: PurchaseOptions | null): string | null {
  if (options === null) return null;
  const { seats, placement, voucher, orderId } = options;
  if (seats.length === 0 && placement === 'any' && voucher === null && orderId === null)
    return null;
  const text = JSON.stringify([[...seats].sort(), placement, voucher, orderId]);
  return hash('sha256', text, 'base64url').slice(0, DIGEST_CHARACTERS);
}
