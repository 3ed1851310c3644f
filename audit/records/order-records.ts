/** The records of orders as the auditor reads them, and what their ids may be. */
import type { CheckoutRecord, Price, PurchaseOptions } from './sale-records.ts';

export interface LineRequest extends Pick<PurchaseOptions, 'seats' | 'placement' | 'voucher'> {
  readonly eventId: string;
  readonly zoneId: string;
  readonly quantity: number;
}

export interface PlaceOrder {
  readonly orderId: string;
  readonly buyerId: string;
  readonly lines: readonly LineRequest[];
}

/** As the union of the topic's schema is read: one of the two is there. */
export interface OrderCommandRecord {
  readonly command: {
    readonly 'millrace.tickets.PlaceOrder'?: PlaceOrder;
    readonly 'millrace.tickets.CancelOrder'?: { readonly orderId: string };
  };
}

export interface LineRecord extends LineRequest {
  readonly purchaseId: string;
  readonly state: string;
  readonly reason: string;
  readonly price: Price | null;
  readonly heldUntilMs: CheckoutRecord['heldUntilMs'];
  readonly isGivenBack: boolean;
}

export interface OrderRefundRecord {
  readonly refundId: string;
  readonly paymentId: string;
  readonly amountMinor: number;
  readonly isDone: boolean;
}

export interface OrderRecord {
  readonly orderId: string;
  readonly buyerId: string;
  readonly state: string;
  readonly reason: string;
  readonly decidingLine: number | null;
  readonly requestedAtMs: number;
  readonly decidedAtMs: number;
  readonly commandOffset: number;
  readonly deadlineMs: number;
  readonly price: Price | null;
  readonly paymentId: string | null;
  readonly paidMinor: number;
  readonly refunds: readonly OrderRefundRecord[];
  readonly lines: readonly LineRecord[];
}

const ORDER_ID = /^order-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._~-]{0,63}$/;
const LINES_MAX = 20;
const TICKETS_MAX = 1_000;
const GONE: ReadonlySet<string> = new Set([
  'rejected',
  'expired',
  'released',
  'payment_failed',
  'cancelled',
  'refunded',
]);

/** Payments tell orders from purchases by it. */
export function isOrderId(text: string): boolean {
  return text.startsWith('order-') && ORDER_ID.test(text);
}

/** Of an order or a line: nothing is held or sold to it, and nothing will be. */
export function isGone(state: string): boolean {
  return GONE.has(state);
}

/** Of an order: it waits for its zones or its payment, and not for ever. */
export function isPending(state: string): boolean {
  return state === 'requested' || state === 'held';
}

/** It can be asked of the zones at all; else it is refused as a whole. */
export function isAskable({ buyerId, lines }: PlaceOrder): boolean {
  if (!NAME.test(buyerId) || lines.length < 1 || lines.length > LINES_MAX) return false;
  return lines.every(
    ({ eventId, zoneId, quantity, seats }) =>
      NAME.test(eventId) &&
      NAME.test(zoneId) &&
      quantity >= 1 &&
      quantity <= TICKETS_MAX &&
      seats.length <= TICKETS_MAX,
  );
}

/** What it says of its lines; more than so many are not even kept. */
export function requestedLines({ lines }: PlaceOrder): readonly LineRequest[] {
  return lines.slice(0, LINES_MAX);
}

export function isSameRequest(one: LineRequest, other: LineRequest): boolean {
  return (
    one.eventId === other.eventId &&
    one.zoneId === other.zoneId &&
    one.quantity === other.quantity &&
    one.placement === other.placement &&
    one.voucher === other.voucher &&
    one.seats.join() === other.seats.join()
  );
}
