/**
 * Purchase ids: UUIDv8 (RFC 9562) whose first 32 bits are murmur2 of the routing key, so that any
 * instance knows the partition of a purchase without a lookup. The other bits are a digest of buyer,
 * event, zone and idempotency key: the same request has the same id wherever it arrives.
 */
import { hash } from 'node:crypto';
import { murmur2 } from '../../kafka/murmur2.ts';
import { zoneKey } from './zone.ts';

export interface PurchaseIdentity {
  readonly buyerId: string;
  readonly eventId: string;
  readonly zoneId: string;
  readonly idempotencyKey: string;
}

export function purchaseIdFor(identity: PurchaseIdentity): string {
  const { buyerId, eventId, zoneId, idempotencyKey } = identity;
  const identityText = JSON.stringify([buyerId, eventId, zoneId, idempotencyKey]);
  const digest = hash('sha256', identityText, 'hex');
  const routingKey = Buffer.from(zoneKey(eventId, zoneId));
  const hashed = murmur2(routingKey, 0, routingKey.length) >>> 0;
  const prefix = hashed.toString(16).padStart(8, '0');
  const variant = VARIANTS[Number.parseInt(digest[16]!, 16) & 0x3];
  return `${prefix}-${digest.slice(8, 12)}-8${digest.slice(13, 16)}-${variant}${digest.slice(17, 20)}-${digest.slice(20, 32)}`;
}

/** First digit of the fourth group: its upper two bits are 10. */
const VARIANTS = ['8', '9', 'a', 'b'] as const;

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Lower-case hexadecimal with hyphens: the only spelling that is one key. */
export function isPurchaseId(text: string): boolean {
  return uuidPattern.test(text);
}

/** The partition that decides this purchase, or undefined for an id that is not one of ours (any UUID but v8). */
export function partitionOfPurchase(
  purchaseId: string,
  partitionCount: number,
): number | undefined {
  if (purchaseId[14] !== '8') return undefined;
  const hash = Number.parseInt(purchaseId.slice(0, 8), 16);
  return (hash & 0x7fffffff) % partitionCount;
}
