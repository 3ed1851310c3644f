/**
 * What the buyer of an order hears, in the place of its lines, whose zones tell nothing of their own: of
 * each new state of the order, once, and of a line of a confirmed one that was given back alone. Pure.
 */
import type { NotificationRequest } from '../domain/notification.ts';
import { isGone } from './end-order.ts';
import type { Order, OrderLine } from './order.ts';

/** `before`: undefined = it was not there. */
export function notificationsOf(
  before: Order | undefined,
  after: Order,
  nowMs: number,
): readonly NotificationRequest[] {
  if (!after.notify) return [];
  if (after.state !== before?.state) return ofOrder(after, nowMs);
  if (after.state !== 'confirmed') return [];
  return after.lines.flatMap((line, number) => {
    const isLeaving = isGone(line.state) && !isGone(before.lines[number]!.state);
    return isLeaving ? [ofLine(after, line, nowMs)] : [];
  });
}

/** Seats are in the lines: their names are of their zones. */
function ofOrder(order: Order, nowMs: number): readonly NotificationRequest[] {
  const { orderId, buyerId, state, price, lines } = order;
  if (state === 'requested' || state === 'paid') return [];
  const { eventId, zoneId } = lines[0]!;
  return [
    {
      notificationId: `${orderId}:${state}`,
      what: state,
      purchaseId: orderId,
      eventId,
      zoneId,
      buyerId,
      quantity: lines.reduce((sum, { quantity }) => sum + quantity, 0),
      seats: [],
      amountMinor: price?.amountMinor ?? null,
      currency: price?.currency ?? null,
      requestedAtMs: nowMs,
    },
  ];
}

function ofLine({ buyerId }: Order, line: OrderLine, nowMs: number): NotificationRequest {
  const { purchaseId, eventId, zoneId, quantity, seatsTaken, price } = line;
  return {
    notificationId: `${purchaseId}:cancelled`,
    what: 'cancelled',
    purchaseId,
    eventId,
    zoneId,
    buyerId,
    quantity,
    seats: seatsTaken,
    amountMinor: price?.amountMinor ?? null,
    currency: price?.currency ?? null,
    requestedAtMs: nowMs,
  };
}
