/**
 * What a payment does to an order. The order's own log decides: what is heard after the deadline was
 * decided is late, whatever the provider's clock says.
 */
import { unreachable } from '../../base/assert.ts';
import type { LogPlace, PaymentUpdate } from '../domain/command.ts';
import type { RefundReason } from '../domain/payment.ts';
import { confirmLines } from './decide-order.ts';
import { ended } from './end-order.ts';
import { type Order, type OrderState, REFUNDS_MAX } from './order.ts';
import { decided, type OrderDecision } from './order-decision.ts';
import { withRefund } from './order-refunds.ts';

export function decideOrderPayment(
  order: Order | undefined,
  update: PaymentUpdate,
  { nowMs }: LogPlace,
): OrderDecision {
  switch (update.status) {
    case 'succeeded':
      return order === undefined ? strayPayment(update, nowMs) : paid(order, update, nowMs);
    case 'failed':
      // The failure of one that was given back already says nothing of what is still to be paid.
      if (order?.state !== 'held' || isKnown(order, update)) return { kind: 'ignored' };
      return decided(ended(order, { state: 'payment_failed' }, nowMs));
    case 'refunded':
      return order === undefined ? { kind: 'ignored' } : refunded(order, update, nowMs);
    default:
      return unreachable(update.status);
  }
}

function paid(order: Order, update: PaymentUpdate, nowMs: number): OrderDecision {
  const { paymentId, amountMinor, currency } = update;
  // Nothing is never owed, and nothing is not given back.
  if (amountMinor === 0 || isKnown(order, update)) return { kind: 'ignored' };
  // An order that was refused as a whole has no line to name in a refund: it never asked to be paid.
  if (order.lines.length === 0) return strayPayment(update, nowMs);
  if (order.refunds.length >= REFUNDS_MAX) {
    return { kind: 'refused', why: `more than ${REFUNDS_MAX} payments of one order` };
  }
  const known = { ...order, paidMinor: order.paidMinor + amountMinor };
  const isRight = order.price?.amountMinor === amountMinor && order.price.currency === currency;
  if (order.state === 'held' && isRight) {
    return decided(confirmLines({ ...known, paymentId, decidedAtMs: nowMs }));
  }
  const refundId = `${order.orderId}:${paymentId}`;
  const reason = reasonToRefund(order.state);
  const wanted = { refundId, paymentId, amountMinor, currency, reason };
  return decided(withRefund({ order: known, effects: [] }, wanted, nowMs));
}

/** It has paid the order, or has a refund. */
function isKnown(order: Order, { paymentId }: PaymentUpdate): boolean {
  return order.paymentId === paymentId || order.refunds.some((it) => it.paymentId === paymentId);
}

function reasonToRefund(state: OrderState): RefundReason {
  switch (state) {
    case 'requested':
    case 'held':
      return 'amount_mismatch';
    case 'paid':
    case 'confirmed':
      return 'double_payment';
    default:
      return 'late_payment';
  }
}

/** The same refund each time that it is told. */
function strayPayment(update: PaymentUpdate, nowMs: number): OrderDecision {
  const { purchaseId, eventId, zoneId, paymentId, amountMinor, currency } = update;
  if (amountMinor === 0) return { kind: 'ignored' };
  const request = {
    purchaseId,
    eventId,
    zoneId,
    refundId: `${purchaseId}:${paymentId}`,
    paymentId,
    amountMinor,
    currency,
    reason: 'unknown_purchase',
    requestedAtMs: nowMs,
  } as const;
  return { kind: 'stray', effects: [{ kind: 'requestRefund', request }] };
}

function refunded(order: Order, { refundId }: PaymentUpdate, nowMs: number): OrderDecision {
  const index = order.refunds.findIndex((refund) => refund.refundId === refundId);
  const refund = order.refunds[index];
  if (refund === undefined || refund.isDone) return { kind: 'ignored' };
  const refunds = order.refunds.with(index, { ...refund, isDone: true });
  const known = { ...order, refunds };
  const isWhole = order.state === 'cancelled' && refunds.every(({ isDone }) => isDone);
  const after = isWhole ? ({ ...known, state: 'refunded', decidedAtMs: nowMs } as const) : known;
  return decided({ order: after, effects: [] });
}
