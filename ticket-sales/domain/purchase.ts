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
  /** For all tickets together. */
  readonly price: Money | null;
}
