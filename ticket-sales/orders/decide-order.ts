/**
 * The saga of an order: what it does next, as a pure function of what is stored and what it hears.
 *
 * O1. An order that is over has, in the same decision, told every zone that may hold something for it
 *     to take it back. A line's cancellation follows its purchase in the zone's log, so it cannot
 *     come too early, whether the order knows the line's outcome or not.
 * O2. Nothing is confirmed before the whole is paid, and nothing is asked to be paid before every
 *     line is held.
 * O3. Money that pays for nothing goes back: every payment either paid the order or has a refund.
 * O4. Who says the same again changes nothing.
 */
import type { LogPlace } from '../domain/command.ts';
import type { PaymentRequest } from '../domain/payment.ts';
import type { Purchase } from '../domain/purchase.ts';
import { areAllGone, ended, givenBack, isGone } from './end-order.ts';
import { isPending, type Order, type OrderLine } from './order.ts';
import { decided, type OrderChange, type OrderDecision } from './order-decision.ts';
import { lineRefunded, paymentRefunded } from './order-refunds.ts';

/** So much before the first hold ends the order does: what was paid in time can then be confirmed. */
const MARGIN_MS_MAX = 30_000;
const MARGIN_PART = 10;

export function decideCancelOrder(order: Order | undefined, { nowMs }: LogPlace): OrderDecision {
  if (order === undefined) return { kind: 'refused', why: 'there is no such order' };
  switch (order.state) {
    case 'requested':
    case 'held':
      return decided(ended(order, { state: 'released' }, nowMs));
    case 'paid':
    case 'confirmed': {
      const cancelled = ended(order, { state: 'cancelled' }, nowMs);
      return decided(paymentRefunded(cancelled, 'cancelled', nowMs));
    }
    default:
      return { kind: 'repeated', order };
  }
}

/** A zone says how a purchase stands that is a line of this order. */
export function decideLine(
  order: Order | undefined,
  purchase: Purchase,
  { nowMs }: LogPlace,
): OrderDecision {
  const number = order?.lines.findIndex(({ purchaseId }) => purchaseId === purchase.purchaseId);
  if (order === undefined || number === undefined || number < 0) return strayLine(purchase);
  const before = order.lines[number]!;
  if (before.state === purchase.state) return { kind: 'ignored' };
  const line = heard(before, purchase);
  const known = { ...order, lines: order.lines.with(number, line) };
  switch (order.state) {
    case 'requested':
      if (isGone(line.state)) return decided(lost(known, number, nowMs));
      return line.state === 'held' ? decided(lineHeld(known, line, nowMs)) : { kind: 'ignored' };
    case 'held':
      return isGone(line.state) ? decided(lost(known, number, nowMs)) : { kind: 'ignored' };
    case 'paid':
      return decided(
        isGone(line.state) ? compensated(known, number, nowMs) : lineConfirmed(known, nowMs),
      );
    case 'confirmed':
      return isGone(line.state) ? decided(lineLeft(known, number, nowMs)) : { kind: 'ignored' };
    default:
      return decided(givenBack(known));
  }
}

/** The order was not paid in time, or its zones do not answer. Ignored when it is not so. */
export function decideDeadline(order: Order, nowMs: number): OrderDecision {
  if (!isPending(order.state) || order.deadlineMs > nowMs) return { kind: 'ignored' };
  return decided(ended(order, { state: 'expired' }, nowMs));
}

/** Paid, or free: from here on the zones decide, each for its line. */
export function confirmLines(order: Order): OrderChange {
  const { orderId } = order;
  return {
    order: { ...order, state: 'paid', deadlineMs: 0 },
    effects: order.lines.map(({ purchaseId, eventId, zoneId }) => ({
      kind: 'command',
      command: { kind: 'confirmHold', purchaseId, eventId, zoneId, orderId },
    })),
  };
}

function heard(line: OrderLine, purchase: Purchase): OrderLine {
  const { state, reason, seats, price, checkout } = purchase;
  const heldUntilMs = checkout?.heldUntilMs ?? 0;
  return { ...line, state, reason, seatsTaken: seats, price: price ?? line.price, heldUntilMs };
}

/** The order's id was forged, or its purchase's: what is held for nobody is given back. */
function strayLine({ state, purchaseId, eventId, zoneId }: Purchase): OrderDecision {
  if (isGone(state)) return { kind: 'ignored' };
  const command = { kind: 'cancel', purchaseId, eventId, zoneId } as const;
  return { kind: 'stray', effects: [{ kind: 'command', command }] };
}

function lineHeld(order: Order, line: OrderLine, nowMs: number): OrderChange {
  const deadlineMs = Math.min(order.deadlineMs, deadlineOf(line, nowMs));
  const waiting = { ...order, deadlineMs };
  if (order.lines.some(({ state }) => state !== 'held')) return { order: waiting, effects: [] };
  return allHeld(waiting, nowMs);
}

function deadlineOf({ heldUntilMs }: OrderLine, nowMs: number): number {
  const holdMs = Math.max(0, heldUntilMs - nowMs);
  return heldUntilMs - Math.min(MARGIN_MS_MAX, Math.floor(holdMs / MARGIN_PART));
}

function allHeld(order: Order, nowMs: number): OrderChange {
  const [currency, another] = new Set(order.lines.flatMap(({ price }) => price?.currency ?? []));
  if (another !== undefined) {
    return ended(order, { state: 'rejected', reason: 'invalid_command' }, nowMs);
  }
  if (nowMs >= order.deadlineMs) return ended(order, { state: 'expired' }, nowMs);
  const amountMinor = order.lines.reduce((sum, { price }) => sum + (price?.amountMinor ?? 0), 0);
  const price = currency === undefined ? null : { amountMinor, currency };
  const held = { ...order, price, state: 'held', decidedAtMs: nowMs } as const;
  if (price === null || amountMinor === 0) return confirmLines(held);
  const { eventId, zoneId } = order.lines[0]!;
  const request: PaymentRequest = {
    purchaseId: order.orderId,
    eventId,
    zoneId,
    buyerId: order.buyerId,
    ...price,
    dueAtMs: order.deadlineMs,
    requestedAtMs: nowMs,
  };
  return { order: held, effects: [{ kind: 'requestPayment', request }] };
}

function lineConfirmed(order: Order, nowMs: number): OrderChange {
  const isWhole = order.lines.every(({ state }) => state === 'confirmed');
  if (!isWhole) return { order, effects: [] };
  return { order: { ...order, state: 'confirmed', decidedAtMs: nowMs }, effects: [] };
}

/** Not all can be had (any more): none is taken. */
function lost(order: Order, number: number, nowMs: number): OrderChange {
  const { state, reason } = order.lines[number]!;
  const endState = state === 'rejected' || state === 'expired' ? state : 'released';
  return ended(order, { state: endState, reason, decidingLine: number }, nowMs);
}

/** It was paid, and a hold was gone all the same: what the zones confirmed is cancelled. */
function compensated(order: Order, number: number, nowMs: number): OrderChange {
  const failed = ended(order, { state: 'cancelled', decidingLine: number }, nowMs);
  return paymentRefunded(failed, 'order_failed', nowMs);
}

/** A line of a confirmed order was given back alone: its price is, and the order with the last. */
function lineLeft(order: Order, number: number, nowMs: number): OrderChange {
  const refunded = lineRefunded(order, number, nowMs);
  if (!areAllGone(order.lines)) return refunded;
  return { ...refunded, order: { ...refunded.order, state: 'cancelled', decidedAtMs: nowMs } };
}
