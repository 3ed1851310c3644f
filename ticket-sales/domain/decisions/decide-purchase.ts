/**
 * Decides the plain purchase, so many tickets of a zone without terms, which nearly all are; and what
 * a decision is. The others are decided in decide-request.ts.
 *
 * D1. A purchase id is decided once; the same command again is answered with the purchase as it is.
 * D2. A decision that changes the stock changes zone and purchase together, or neither.
 */
import type { LogPlace, PurchaseCommand, ZoneAddress } from '../command.ts';
import { times } from '../money.ts';
import type { Purchase, Reason } from '../purchase.ts';
import { requestDigest } from '../request-digest.ts';
import { available, changed, type Zone } from '../zone.ts';
import type { Consequences, Decided } from './consequences.ts';

export type PurchaseDecision =
  /** Something new is known of the purchase. */
  | Decided
  /** Known already: say it again, change nothing. */
  | { readonly kind: 'repeated'; readonly purchase: Purchase }
  /** The id belongs to another request: that one stays as it is. */
  | { readonly kind: 'conflict'; readonly purchase: Purchase }
  /** Of no purchase of this zone: nobody is told, but money may have to go back. */
  | { readonly kind: 'unclaimed'; readonly consequences?: Consequences }
  /** Nothing of this zone to act on: no purchase may look changed by it. Why, for the dead letter. */
  | { readonly kind: 'refused'; readonly why: string };

export function decidePurchase(
  zone: Zone | undefined,
  previous: Purchase | undefined,
  command: PurchaseCommand,
  place: LogPlace,
): PurchaseDecision {
  if (previous !== undefined) return decidedBefore(previous, command);
  const reason = reasonToReject(zone, command);
  if (zone === undefined || reason !== 'none') {
    return { kind: 'decided', purchase: outcome(command, place, { state: 'rejected', reason }) };
  }
  const price = zone.price === null ? null : times(zone.price, command.quantity);
  return {
    kind: 'decided',
    purchase: outcome(command, place, { state: 'confirmed', reason: 'none', price }),
    zone: changed(zone, place, {
      sold: zone.sold + command.quantity,
      revenueMinor: zone.revenueMinor + (price === null ? 0 : price.amountMinor),
    }),
  };
}

export function decidedBefore(
  previous: Purchase,
  command: Pick<PurchaseCommand, 'eventId' | 'zoneId' | 'buyerId' | 'quantity' | 'options'>,
): PurchaseDecision {
  return { kind: isSameRequest(previous, command) ? 'repeated' : 'conflict', purchase: previous };
}

function isSameRequest(
  purchase: Purchase,
  request: Pick<PurchaseCommand, 'eventId' | 'zoneId' | 'buyerId' | 'quantity' | 'options'>,
): boolean {
  return (
    purchase.quantity === request.quantity &&
    purchase.buyerId === request.buyerId &&
    isOfZone(purchase, request) &&
    (purchase.checkout?.requestDigest ?? null) === requestDigest(request.options)
  );
}

export function isOfZone(purchase: Purchase, { eventId, zoneId }: ZoneAddress): boolean {
  return purchase.zoneId === zoneId && purchase.eventId === eventId;
}

function reasonToReject(zone: Zone | undefined, command: PurchaseCommand): Reason {
  if (command.quantity < 1) return 'invalid_command';
  if (zone === undefined) return 'unknown_zone';
  if (zone.sale !== 'open') return zone.sale === 'closed' ? 'sale_closed' : 'sale_not_open';
  if (command.quantity > zone.quantityMax) return 'quantity_over_limit';
  if (command.quantity > available(zone)) return 'sold_out';
  return 'none';
}

/** A purchase as its first decision leaves it. */
export function outcome(
  command: Pick<PurchaseCommand, 'purchaseId' | 'eventId' | 'zoneId' | 'buyerId' | 'quantity'>,
  place: LogPlace,
  result: Pick<Purchase, 'state' | 'reason'> &
    Partial<Pick<Purchase, 'price' | 'seats' | 'checkout'>>,
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
    seats: result.seats ?? [],
    checkout: result.checkout ?? null,
  };
}
