/**
 * Decides what befalls a purchase after it was granted, payments apart: cancellation, extension,
 * confirmation by its order, expiry; and the refusal of one that never reached its zone.
 *
 * C1. A hold ends at heldUntilMs, log time: whatever finds it later finds it expired, whether or not
 *     somebody has come by to say so.
 */
import { unreachable } from '../../../base/assert.ts';
import type {
  CancelCommand,
  ConfirmHoldCommand,
  ExtendHoldCommand,
  LogPlace,
  RejectPurchaseCommand,
} from '../command.ts';
import { type Refund, type RefundReason, refundIdFor } from '../payment.ts';
import { type Checkout, type Purchase, REASONS } from '../purchase.ts';
import type { Zone } from '../zone.ts';
import { holdMsOf } from '../zone-terms.ts';
import { type Cause, type Decided, decided } from './consequences.ts';
import { isOfZone, outcome, type PurchaseDecision } from './decide-purchase.ts';
import { NO_CHECKOUT } from './decide-request.ts';
import type { ZoneFacts } from './facts.ts';

export function decideChange(
  zone: Zone | undefined,
  previous: Purchase | undefined,
  command: CancelCommand | ExtendHoldCommand | ConfirmHoldCommand,
  place: LogPlace,
  facts: ZoneFacts,
): PurchaseDecision {
  // Another zone of this partition may have it: that zone's stock is not ours to give back.
  if (previous === undefined || !isOfZone(previous, command)) {
    return { kind: 'refused', why: 'the zone has no such purchase' };
  }
  // Refused since there was no zone: it has nothing to give back, and refused it stays.
  if (zone === undefined) return { kind: 'repeated', purchase: previous };
  const { nowMs, offset: commandOffset } = place;
  const cause = { nowMs, commandOffset };
  if (isDue(previous, nowMs)) return decideExpiry(zone, previous, cause, facts);
  const checkout = previous.state === 'held' ? previous.checkout : null;
  const now = { decidedAtMs: nowMs, commandOffset };
  switch (command.kind) {
    case 'cancel': {
      if (previous.state === 'held') {
        return decided(zone, previous, { ...previous, ...now, state: 'released' }, cause, facts);
      }
      if (previous.state !== 'confirmed') return { kind: 'repeated', purchase: previous };
      return cancelled(zone, { ...previous, ...now, state: 'cancelled' }, previous, cause, facts);
    }
    case 'extendHold': {
      if (checkout === null || checkout.isExtended) return { kind: 'repeated', purchase: previous };
      const extended = { ...checkout, isExtended: true, heldUntilMs: nowMs + holdMsOf(zone) };
      return decided(zone, previous, { ...previous, ...now, checkout: extended }, cause, facts);
    }
    case 'confirmHold': {
      if (checkout?.orderId !== command.orderId) return { kind: 'repeated', purchase: previous };
      return decided(zone, previous, { ...previous, ...now, state: 'confirmed' }, cause, facts);
    }
    default:
      return unreachable(command);
  }
}

/** A hold that log time has passed. */
export function isDue({ state, checkout }: Purchase, nowMs: number): boolean {
  return state === 'held' && checkout !== null && nowMs >= checkout.heldUntilMs;
}

/** `purchase` is held, and due by `cause.nowMs`. It has ended when the hold did. */
export function decideExpiry(
  zone: Zone,
  purchase: Purchase,
  cause: Cause,
  facts: ZoneFacts,
): Decided {
  return decided(zone, purchase, expired(purchase, cause), cause, facts);
}

export function expired(purchase: Purchase, { commandOffset }: Pick<Cause, 'commandOffset'>) {
  return {
    ...purchase,
    state: 'expired',
    decidedAtMs: purchase.checkout?.heldUntilMs ?? purchase.decidedAtMs,
    commandOffset: commandOffset ?? purchase.commandOffset,
  } satisfies Purchase;
}

/** Refused before it came here. What the zone knows already stays as it is. */
export function decideRejection(
  zone: Zone | undefined,
  previous: Purchase | undefined,
  command: RejectPurchaseCommand,
  place: LogPlace,
  facts: ZoneFacts,
): PurchaseDecision {
  if (previous !== undefined) return { kind: 'repeated', purchase: previous };
  const { reason, requestDigest, orderId } = command;
  if (reason === 'none' || !REASONS.includes(reason)) {
    return { kind: 'refused', why: 'the reason is not one of the known ones' };
  }
  const checkout = { ...NO_CHECKOUT, requestDigest, orderId, viaIntake: true };
  const purchase = outcome(command, place, { state: 'rejected', reason, checkout });
  if (zone === undefined) return { kind: 'decided', purchase };
  const cause = { nowMs: place.nowMs, commandOffset: place.offset };
  return decided(zone, undefined, purchase, cause, facts);
}

/** With what was paid for it and is not on its way back already. */
function cancelled(
  zone: Zone,
  purchase: Purchase,
  previous: Purchase,
  cause: Cause,
  facts: ZoneFacts,
): Decided {
  const { checkout, price } = purchase;
  const owedMinor = checkout === null ? 0 : checkout.paidMinor - checkout.refundRequestedMinor;
  if (checkout === null || checkout.paymentId === null || price === null || owedMinor === 0) {
    return decided(zone, previous, purchase, cause, facts);
  }
  const paid = { paymentId: checkout.paymentId, amountMinor: owedMinor, currency: price.currency };
  const refund = newRefund(purchase, paid, 'cancelled', cause.nowMs);
  const refunding = { ...purchase, checkout: withRefund(checkout, owedMinor) };
  return decided(zone, previous, refunding, cause, facts, { refund });
}

export function withRefund(checkout: Checkout, amountMinor: number): Checkout {
  return { ...checkout, refundRequestedMinor: checkout.refundRequestedMinor + amountMinor };
}

export function newRefund(
  { purchaseId, eventId, zoneId }: Pick<Purchase, 'purchaseId' | 'eventId' | 'zoneId'>,
  payment: Pick<Refund, 'paymentId' | 'amountMinor' | 'currency'>,
  reason: RefundReason,
  nowMs: number,
): Refund {
  const { paymentId, amountMinor, currency } = payment;
  return {
    purchaseId,
    eventId,
    zoneId,
    refundId: refundIdFor(purchaseId, paymentId),
    paymentId,
    amountMinor,
    currency,
    reason,
    requestedAtMs: nowMs,
    refundedAtMs: null,
  };
}
