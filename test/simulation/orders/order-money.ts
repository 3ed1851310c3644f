/**
 * The money of orders, to the cent: what was captured for an order either pays for the lines that are
 * confirmed, or it was asked back; each of it once.
 */
import type { PaymentUpdate } from '../../../ticket-sales/domain/command.ts';
import type { PaymentRequest, RefundRequest } from '../../../ticket-sales/domain/payment.ts';
import type { Purchase } from '../../../ticket-sales/domain/purchase.ts';
import type { Order } from '../../../ticket-sales/orders/order.ts';
import type { OrderTrail } from './order-trail.ts';

export interface OrderMoneyLogs {
  /** What the payment side has said, of orders only. */
  readonly payments: readonly PaymentUpdate[];
  readonly requests: readonly PaymentRequest[];
  readonly refunds: readonly RefundRequest[];
  readonly purchases: ReadonlyMap<string, Purchase>;
}

export function moneyOf(
  trails: ReadonlyMap<string, OrderTrail>,
  { payments, requests, refunds, purchases }: OrderMoneyLogs,
): string[] {
  const violations: string[] = [];
  const captured = capturedBy(payments);
  const left = new Map([...captured].map(([id, { amountMinor }]) => [id, amountMinor]));
  for (const [refundId, asked] of Map.groupBy(refunds, (refund) => refund.refundId)) {
    const { paymentId, purchaseId, amountMinor, currency, reason } = asked[0]!;
    const payment = captured.get(paymentId);
    const isRight = payment?.purchaseId === purchaseId && payment.currency === currency;
    if (!isRight) violations.push(`${refundId} gives back what nobody has paid`);
    // Of nobody's order nothing is kept: it is the same refund each time that it is told.
    const isNobodys = reason === 'unknown_purchase' && !trails.has(purchaseId);
    const isSame = asked.every((other) => other.amountMinor === amountMinor);
    if (asked.length > 1 && !(isNobodys && isSame)) {
      violations.push(`${refundId} is asked for ${asked.length} times`);
    }
    left.set(paymentId, (left.get(paymentId) ?? 0) - amountMinor);
  }
  for (const [paymentId, { purchaseId }] of captured) {
    const owedMinor = owedTo(paymentId, trails.get(purchaseId)?.last, purchases);
    const keptMinor = left.get(paymentId)!;
    if (keptMinor === owedMinor) continue;
    violations.push(`of ${paymentId} ${keptMinor} is kept and ${owedMinor} is owed`);
  }
  return [...violations, ...askedOnce(trails, requests), ...paidRightly(trails, captured)];
}

/** A payment counts once, however often it is told. */
function capturedBy(payments: readonly PaymentUpdate[]): ReadonlyMap<string, PaymentUpdate> {
  const captured = new Map<string, PaymentUpdate>();
  for (const payment of payments) {
    if (payment.status === 'succeeded') captured.set(payment.paymentId, payment);
  }
  return captured;
}

function owedTo(
  paymentId: string,
  order: Order | undefined,
  purchases: ReadonlyMap<string, Purchase>,
): number {
  if (order?.state !== 'confirmed' || order.paymentId !== paymentId) return 0;
  return priceOf(order, purchases, (purchase) => purchase.state === 'confirmed');
}

function priceOf(
  { lines }: Order,
  purchases: ReadonlyMap<string, Purchase>,
  isCounted: (purchase: Purchase) => boolean,
): number {
  const counted = lines.flatMap(({ purchaseId }) => purchases.get(purchaseId) ?? []);
  return counted.filter(isCounted).reduce((sum, { price }) => sum + (price?.amountMinor ?? 0), 0);
}

/** Whatever is held as a whole, and costs something, is asked to be paid: once, all of it. */
function askedOnce(
  trails: ReadonlyMap<string, OrderTrail>,
  requests: readonly PaymentRequest[],
): string[] {
  const violations: string[] = [];
  const asked = Map.groupBy(requests, ({ purchaseId }) => purchaseId);
  for (const [orderId, { held }] of trails) {
    const all = asked.get(orderId) ?? [];
    if (all.length !== (held === undefined ? 0 : 1)) {
      violations.push(`${orderId} asks to be paid ${all.length} times`);
    }
    const [request] = all;
    if (request === undefined || held === undefined) continue;
    const owedMinor = held.lines.reduce((sum, { price }) => sum + (price?.amountMinor ?? 0), 0);
    const isRight = request.amountMinor === owedMinor && request.dueAtMs === held.deadlineMs;
    if (!isRight) violations.push(`${orderId} asks for ${JSON.stringify(request)}`);
  }
  return violations;
}

function paidRightly(
  trails: ReadonlyMap<string, OrderTrail>,
  captured: ReadonlyMap<string, PaymentUpdate>,
): string[] {
  return [...trails].flatMap(([orderId, { states, held, last }]) => {
    if (!states.has('paid')) return [];
    if (held === undefined) {
      const isFree = last?.lines.every(({ price }) => (price?.amountMinor ?? 0) === 0);
      return isFree ? [] : [`${orderId} is paid, and was never held`];
    }
    const payment = captured.get(last?.paymentId ?? '');
    const isRight =
      payment?.purchaseId === orderId &&
      payment.amountMinor === held.price?.amountMinor &&
      payment.currency === held.price.currency;
    return isRight ? [] : [`${orderId} is paid by ${JSON.stringify(payment)}`];
  });
}
