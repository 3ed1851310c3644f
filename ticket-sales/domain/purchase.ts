/** A purchase and its life. The same shape is the record, the store's value and the HTTP body's source. */
import type { Money } from './money.ts';

export const PURCHASE_STATES = [
  'requested',
  'held',
  'confirmed',
  'rejected',
  'expired',
  'released',
  'payment_failed',
  'cancelled',
  'refunded',
] as const;
export type PurchaseState = (typeof PURCHASE_STATES)[number];

/** Why a purchase was not granted: one closed list for record, store and HTTP body. */
export const REASONS = [
  'none',
  'sold_out',
  'seat_taken',
  'not_adjacent',
  'unknown_event',
  'unknown_zone',
  'sale_not_open',
  'sale_closed',
  'quantity_over_limit',
  'customer_limit',
  'duplicate_conflict',
  'invalid_command',
  'invalid_voucher',
  'unknown_customer',
] as const;
export type Reason = (typeof REASONS)[number];

export interface Purchase {
  readonly purchaseId: string;
  readonly eventId: string;
  readonly zoneId: string;
  readonly buyerId: string;
  readonly quantity: number;
  readonly state: PurchaseState;
  readonly reason: Reason;
  /** Log time of the command. */
  readonly requestedAtMs: number;
  /** Log time of the record that led to this state. */
  readonly decidedAtMs: number;
  /** Offset of that record in the command partition. */
  readonly commandOffset: number;
  /** For all tickets together, fees included, discount taken off; fixed when they were taken. */
  readonly price: Money | null;
  /**
   * Numbered seats that it has or had; empty where seats have no numbers. Of one that was rejected with
   * seat_taken: those that were not free.
   */
  readonly seats: readonly string[];
  /** null = decided at once for a number of tickets, without terms, and never paid here. */
  readonly checkout: Checkout | null;
}

/**
 * The way of a purchase that asked for more than a number of tickets, was sold with terms, or was paid.
 * Amounts are in the price's currency.
 */
export interface Checkout {
  /** Log time at which the hold ends; 0 = was never held. */
  readonly heldUntilMs: number;
  readonly isExtended: boolean;
  readonly orderId: string | null;
  readonly voucher: string | null;
  /** Contained in the price. */
  readonly feesMinor: number;
  /** Already taken off the price. */
  readonly discountMinor: number;
  /** The payment that confirmed it. */
  readonly paymentId: string | null;
  /** Captured for it, all payments together. */
  readonly paidMinor: number;
  readonly refundRequestedMinor: number;
  readonly refundedMinor: number;
  /** Offset, in the payment partition, of the last payment record that is contained; -1 = none. */
  readonly paymentOffset: number;
  /** Of what was asked for beyond a number of tickets: the same request has the same; null = nothing. */
  readonly requestDigest: string | null;
  /** It came through the intake. */
  readonly viaIntake: boolean;
}
