/** What the sale asks the payment side for. Its answers are `PaymentUpdate` (command.ts). */
import type { ZoneAddress } from './command.ts';

/** A hold that waits to be paid. */
export interface PaymentRequest extends ZoneAddress {
  readonly purchaseId: string;
  readonly buyerId: string;
  readonly amountMinor: number;
  readonly currency: string;
  /** Log time at which the hold ends. */
  readonly dueAtMs: number;
  readonly requestedAtMs: number;
}

export const REFUND_REASONS = [
  'cancelled',
  'late_payment',
  'double_payment',
  'amount_mismatch',
  'unknown_purchase',
  'order_failed',
] as const;
export type RefundReason = (typeof REFUND_REASONS)[number];

/** Money to be given back. The same refundId again is the same refund. */
export interface RefundRequest extends ZoneAddress {
  readonly purchaseId: string;
  readonly refundId: string;
  readonly paymentId: string;
  readonly amountMinor: number;
  readonly currency: string;
  readonly reason: RefundReason;
  readonly requestedAtMs: number;
}

/** A refund as the sale remembers it, so that neither a payment nor a refund counts twice. */
export interface Refund extends RefundRequest {
  /** Log time at which the payment side said so; null = not yet. */
  readonly refundedAtMs: number | null;
}

/** A payment is refunded as a whole, and once. */
export function refundIdFor(purchaseId: string, paymentId: string): string {
  return `${purchaseId}:${paymentId}`;
}
