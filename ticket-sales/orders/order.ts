/**
 * An order: several purchases, all or nothing, paid as one. Plain data and what follows from it; the
 * same shape is the record, the store's value and the HTTP body's source. No I/O.
 */
import { hash } from 'node:crypto';
import { unreachable } from '../../base/assert.ts';
import type { PurchaseOptions, ZoneAddress } from '../domain/command.ts';
import type { Money } from '../domain/money.ts';
import type { PurchaseState, Reason } from '../domain/purchase.ts';
import { purchaseIdFor } from '../domain/purchase-id.ts';
import type { PlaceOrderCommand } from './order-command.ts';

export const ORDER_STATES = [
  /** The zones have not all said what they can give. */
  'requested',
  /** Every line is held; waits for the payment. */
  'held',
  /** The money is here; the lines are being confirmed. */
  'paid',
  'confirmed',
  'rejected',
  'expired',
  'released',
  'payment_failed',
  'cancelled',
  'refunded',
] as const;
export type OrderState = (typeof ORDER_STATES)[number];

/** What a line asks for: a purchase in one zone. */
export interface OrderLineRequest extends ZoneAddress {
  readonly quantity: number;
  /** Named seats; empty = none is named. */
  readonly seats: readonly string[];
  readonly placement: PurchaseOptions['placement'];
  readonly voucher: string | null;
}

export interface OrderLine extends OrderLineRequest {
  /** Follows from the order's id and the line's number. */
  readonly purchaseId: string;
  /** Of its purchase, as last heard from the zone. */
  readonly state: PurchaseState;
  readonly reason: Reason;
  /** That it has or had; of one that was rejected with seat_taken: those that were not free. */
  readonly seatsTaken: readonly string[];
  readonly price: Money | null;
  /** Log time at which its hold ends; 0 = was never held. */
  readonly heldUntilMs: number;
  /** The zone was told to take it back. */
  readonly isGivenBack: boolean;
}

export interface OrderRefund {
  /** `<orderId>:<paymentId>`, or `<orderId>:line-<number>` of a line that was given back alone. */
  readonly refundId: string;
  readonly paymentId: string;
  readonly amountMinor: number;
  /** The payment side says so. */
  readonly isDone: boolean;
}

export interface Order {
  readonly orderId: string;
  readonly buyerId: string;
  readonly state: OrderState;
  /** Of the line that ended the order, or why the order itself cannot be. */
  readonly reason: Reason;
  /** Number of the line that ended the order, from 0; null = none did. */
  readonly decidingLine: number | null;
  /** Log time of the command. */
  readonly requestedAtMs: number;
  /** Log time of what led to this state. */
  readonly decidedAtMs: number;
  /** Offset, in its partition of the topic of orders, of the command that placed it. */
  readonly commandOffset: number;
  /** Log time at which an order that is not paid ends; 0 = it does not wait any more. */
  readonly deadlineMs: number;
  /** Of all lines; null = not known yet, or nothing to pay. */
  readonly price: Money | null;
  /** The payment that paid it. */
  readonly paymentId: string | null;
  /** Captured for it, all payments together. */
  readonly paidMinor: number;
  readonly refunds: readonly OrderRefund[];
  readonly lines: readonly OrderLine[];
  /** A zone of its lines asks for notifications: the order's buyer is told of the order. */
  readonly notify: boolean;
}

export const LINES_MAX = 20;
/** Refunds of one order, so that it stays small whatever the payment side does. */
export const REFUNDS_MAX = 64;

const PREFIX = 'order-';
const orderIdPattern = /^order-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export const ORDER_ID_PATTERN = orderIdPattern.source;

/** Never the id of a purchase: payments tell them apart. */
export function isOrderId(text: string): boolean {
  return text.startsWith(PREFIX) && orderIdPattern.test(text);
}

/** The same request has the same id wherever it arrives. */
export function orderIdFor(buyerId: string, idempotencyKey: string): string {
  const digest = hash('sha256', JSON.stringify([buyerId, idempotencyKey]), 'buffer');
  digest[6] = (digest[6]! & 0x0f) | 0x80;
  digest[8] = (digest[8]! & 0x3f) | 0x80;
  const hex = digest.toString('hex', 0, 16);
  return `${PREFIX}${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** A line's purchase: its id carries its zone's partition, as every purchase id of ours does. */
export function purchaseIdOfLine(
  { orderId, buyerId }: Pick<PlaceOrderCommand, 'orderId' | 'buyerId'>,
  { eventId, zoneId }: ZoneAddress,
  lineNumber: number,
): string {
  return purchaseIdFor({ buyerId, eventId, zoneId, idempotencyKey: `${orderId}/${lineNumber}` });
}

/** Whether the order waits for something that a deadline ends. */
export function isPending(state: OrderState): boolean {
  return state === 'requested' || state === 'held';
}

/** Whether it has given everything back, or will with what it has sent. */
export function isOver(state: OrderState): boolean {
  switch (state) {
    case 'requested':
    case 'held':
    case 'paid':
    case 'confirmed':
      return false;
    case 'rejected':
    case 'expired':
    case 'released':
    case 'payment_failed':
    case 'cancelled':
    case 'refunded':
      return true;
    default:
      return unreachable(state);
  }
}

export function refundedMinor({ refunds }: Order): number {
  return refunds.reduce((sum, { isDone, amountMinor }) => sum + (isDone ? amountMinor : 0), 0);
}

export function refundRequestedMinor({ refunds }: Order): number {
  return refunds.reduce((sum, { amountMinor }) => sum + amountMinor, 0);
}
