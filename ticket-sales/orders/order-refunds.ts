/** Money that an order gives back. A refund is asked for once, and known by its id from then on. */
import type { RefundReason } from '../domain/payment.ts';
import type { Order, OrderRefund } from './order.ts';
import type { OrderChange } from './order-decision.ts';

export interface RefundWanted extends Omit<OrderRefund, 'isDone'> {
  readonly currency: string;
  readonly reason: RefundReason;
}

/** What is left of the payment that paid the order. */
export function paymentRefunded(
  change: OrderChange,
  reason: RefundReason,
  nowMs: number,
): OrderChange {
  const { orderId, paymentId, price, refunds } = change.order;
  if (paymentId === null || price === null) return change;
  const amountMinor = price.amountMinor - refundedOf(paymentId, refunds);
  if (amountMinor <= 0) return change;
  const { currency } = price;
  const refundId = `${orderId}:${paymentId}`;
  return withRefund(change, { refundId, paymentId, amountMinor, currency, reason }, nowMs);
}

/** The price of a line of a paid order that was given back alone; never more than is left. */
export function lineRefunded(order: Order, number: number, nowMs: number): OrderChange {
  const unchanged = { order, effects: [] };
  const { orderId, paymentId, price, refunds } = order;
  if (paymentId === null || price === null) return unchanged;
  const refundId = `${orderId}:line-${number}`;
  if (refunds.some((refund) => refund.refundId === refundId)) return unchanged;
  const left = price.amountMinor - refundedOf(paymentId, refunds);
  const amountMinor = Math.min(order.lines[number]!.price?.amountMinor ?? 0, left);
  if (amountMinor <= 0) return unchanged;
  const { currency } = price;
  const wanted = { refundId, paymentId, amountMinor, currency, reason: 'cancelled' } as const;
  return withRefund(unchanged, wanted, nowMs);
}

export function withRefund(
  { order, effects }: OrderChange,
  { currency, reason, ...refund }: RefundWanted,
  nowMs: number,
): OrderChange {
  const { orderId: purchaseId } = order;
  const { eventId, zoneId } = order.lines[0]!;
  const request = {
    purchaseId,
    eventId,
    zoneId,
    ...refund,
    currency,
    reason,
    requestedAtMs: nowMs,
  };
  return {
    order: { ...order, refunds: [...order.refunds, { ...refund, isDone: false }] },
    effects: [...effects, { kind: 'requestRefund', request }],
  };
}

function refundedOf(paymentId: string, refunds: readonly OrderRefund[]): number {
  return refunds.reduce(
    (sum, refund) => sum + (refund.paymentId === paymentId ? refund.amountMinor : 0),
    0,
  );
}
