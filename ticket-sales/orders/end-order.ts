/** How an order ends: everything that a zone may hold for it is given back in the same decision. */
import { unreachable } from '../../base/assert.ts';
import type { PurchaseState } from '../domain/purchase.ts';
import type { Order, OrderLine } from './order.ts';
import type { OrderChange, OrderEffect } from './order-decision.ts';

/** `end.state` is one of those that are over. */
export function ended(
  order: Order,
  end: Pick<Order, 'state'> & Partial<Pick<Order, 'reason' | 'decidingLine'>>,
  nowMs: number,
): OrderChange {
  return givenBack({ ...order, ...end, decidedAtMs: nowMs, deadlineMs: 0 });
}

/** Cancels every line that may hold something and was not told so yet. */
export function givenBack(order: Order): OrderChange {
  const effects: OrderEffect[] = [];
  const lines = order.lines.map((line) => {
    if (line.isGivenBack || isGone(line.state)) return line;
    const { purchaseId, eventId, zoneId } = line;
    effects.push({ kind: 'command', command: { kind: 'cancel', purchaseId, eventId, zoneId } });
    return { ...line, isGivenBack: true };
  });
  return { order: { ...order, lines }, effects };
}

export function areAllGone(lines: readonly OrderLine[]): boolean {
  return lines.every(({ state }) => isGone(state));
}

/** Nothing is held or sold to this line, and nothing will be. */
export function isGone(state: PurchaseState): boolean {
  switch (state) {
    case 'requested':
    case 'held':
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
