/**
 * Decides purchases and cancellations: pure functions of what is stored and the command.
 *
 * D1. A purchase id is decided once; the same command again is answered with the purchase as it is.
 * D2. A decision that changes the stock changes zone and purchase together, or neither.
 */
import type { CancelCommand, LogPlace, PurchaseCommand } from './command.ts';
import { times } from './money.ts';
import type { Purchase, Reason } from './purchase.ts';
import { available, changed, type Zone } from './zone.ts';

export type PurchaseDecision =
  /** Something new is known of the purchase; `zone` is there when the stock changed. */
  | { readonly kind: 'decided'; readonly purchase: Purchase; readonly zone?: Zone }
  /** Known already: say it again, change nothing. */
  | { readonly kind: 'repeated'; readonly purchase: Purchase }
  /** The id belongs to another request: that one stays as it is. */
  | { readonly kind: 'conflict'; readonly purchase: Purchase }
  /** Nothing of this zone to act on: no purchase may look changed by it. Why, for the dead letter. */
  | { readonly kind: 'refused'; readonly why: string };

export function decidePurchase(
  zone: Zone | undefined,
  previous: Purchase | undefined,
  command: PurchaseCommand,
  place: LogPlace,
): PurchaseDecision {
  if (previous !== undefined) {
    return { kind: isSameRequest(previous, command) ? 'repeated' : 'conflict', purchase: previous };
  }
  const reason = reasonToReject(zone, command);
  if (zone === undefined || reason !== 'none') {
    return { kind: 'decided', purchase: outcome(command, place, { state: 'rejected', reason }) };
  }
  const price = zone.price === null ? null : times(zone.price, command.quantity);
  return {
    kind: 'decided',
    purchase: outcome(command, place, { state: 'confirmed', reason: 'none', price }),
    zone: changed(zone, place, { sold: zone.sold + command.quantity }),
  };
}

export function decideCancel(
  zone: Zone | undefined,
  previous: Purchase | undefined,
  command: CancelCommand,
  place: LogPlace,
): PurchaseDecision {
  // Another zone of this partition may have it: that zone's stock is not ours to give back.
  if (zone === undefined || previous === undefined || !isOfZone(previous, command)) {
    return { kind: 'refused', why: 'the zone has no such purchase' };
  }
  if (previous.state !== 'confirmed') return { kind: 'repeated', purchase: previous };
  return {
    kind: 'decided',
    purchase: {
      ...previous,
      state: 'cancelled',
      decidedAtMs: place.nowMs,
      commandOffset: place.offset,
    },
    zone: changed(zone, place, { sold: zone.sold - previous.quantity }),
  };
}

export function isSameRequest(
  purchase: Purchase,
  request: Pick<PurchaseCommand, 'eventId' | 'zoneId' | 'buyerId' | 'quantity'>,
): boolean {
  return (
    purchase.quantity === request.quantity &&
    purchase.buyerId === request.buyerId &&
    isOfZone(purchase, request)
  );
}

function isOfZone(purchase: Purchase, address: Pick<CancelCommand, 'eventId' | 'zoneId'>): boolean {
  return purchase.zoneId === address.zoneId && purchase.eventId === address.eventId;
}

function reasonToReject(zone: Zone | undefined, command: PurchaseCommand): Reason {
  if (command.quantity < 1) return 'invalid_command';
  if (zone === undefined) return 'unknown_zone';
  if (zone.sale === 'closed') return 'sale_closed';
  if (command.quantity > zone.quantityMax) return 'quantity_over_limit';
  if (command.quantity > available(zone)) return 'sold_out';
  return 'none';
}

function outcome(
  command: Omit<PurchaseCommand, 'kind' | 'requestedAtMs'>,
  place: LogPlace,
  result: Pick<Purchase, 'state' | 'reason'> & Partial<Pick<Purchase, 'price'>>,
): Purchase {
  return {
    purchaseId: command.purchaseId,
    eventId: command.eventId,
    zoneId: command.zoneId,
    buyerId: command.buyerId,
    quantity: command.quantity,
    state: result.state,
    reason: result.reason,
    requestedAtMs: place.nowMs,
    decidedAtMs: place.nowMs,
    commandOffset: place.offset,
    price: result.price ?? null,
    seats: [],
    checkout: null,
  };
}
