/**
 * Who may buy for an event, and how much: decided before a purchase goes to its zone. Pure.
 *
 * A1. A purchase counts from its admission until its zone says that it has no tickets (any more).
 * A2. Who asks again is counted once.
 */
import type { PurchaseCommand, RejectPurchaseCommand } from '../domain/command.ts';
import type { EventDefinition } from '../domain/event.ts';
import type { Purchase, Reason } from '../domain/purchase.ts';
import { requestDigest } from '../domain/request-digest.ts';
import { isGone } from '../orders/end-order.ts';

/** What one buyer has of one event, by purchase. */
export interface CustomerTickets {
  readonly buyerId: string;
  readonly eventId: string;
  readonly purchases: readonly CountedPurchase[];
}

export interface CountedPurchase {
  readonly purchaseId: string;
  readonly quantity: number;
}

export type Admission =
  /** Goes to its zone; `tickets` is there when it was not counted before. */
  | { readonly kind: 'admitted'; readonly tickets: CustomerTickets | undefined }
  /** Its zone keeps the outcome, so that whoever asks there finds it. */
  | { readonly kind: 'rejected'; readonly reason: Reason };

export interface AdmissionFacts {
  /** undefined = not defined, as far as is known here. */
  readonly event: EventDefinition | undefined;
  readonly isRegistered: boolean;
  readonly tickets: CustomerTickets | undefined;
}

export function admit(
  { event, isRegistered, tickets }: AdmissionFacts,
  { purchaseId, buyerId, eventId, quantity }: PurchaseCommand,
): Admission {
  const counted = tickets?.purchases ?? [];
  if (counted.some((purchase) => purchase.purchaseId === purchaseId)) {
    return { kind: 'admitted', tickets: undefined };
  }
  if (event === undefined) return { kind: 'rejected', reason: 'unknown_event' };
  if (event.customers === 'registered' && !isRegistered) {
    return { kind: 'rejected', reason: 'unknown_customer' };
  }
  if (event.customerMax === 0) return { kind: 'admitted', tickets: undefined };
  if (quantity < 1) return { kind: 'rejected', reason: 'invalid_command' };
  if (quantityOf(counted) + quantity > event.customerMax) {
    return { kind: 'rejected', reason: 'customer_limit' };
  }
  const purchases = [...counted, { purchaseId, quantity }];
  return { kind: 'admitted', tickets: { buyerId, eventId, purchases } };
}

/**
 * What the buyer has after an outcome; undefined = no change. `isLimited`: the event counts what its
 * buyers have.
 */
export function counted(
  tickets: CustomerTickets | undefined,
  { purchaseId, buyerId, eventId, quantity, state }: Purchase,
  isLimited: boolean,
): CustomerTickets | undefined {
  const purchases = tickets?.purchases ?? [];
  const isCounted = purchases.some((purchase) => purchase.purchaseId === purchaseId);
  if (isGone(state)) {
    if (!isCounted) return undefined;
    const others = purchases.filter((purchase) => purchase.purchaseId !== purchaseId);
    return { buyerId, eventId, purchases: others };
  }
  // Given back and taken again, by a late payment; or there before there was a limit.
  if (isCounted || !isLimited) return undefined;
  return { buyerId, eventId, purchases: [...purchases, { purchaseId, quantity }] };
}

export function rejection(command: PurchaseCommand, reason: Reason): RejectPurchaseCommand {
  const { purchaseId, eventId, zoneId, buyerId, quantity, requestedAtMs, options } = command;
  return {
    kind: 'rejectPurchase',
    purchaseId,
    eventId,
    zoneId,
    buyerId,
    quantity,
    requestedAtMs,
    reason,
    requestDigest: requestDigest(options),
    orderId: options?.orderId ?? null,
  };
}

function quantityOf(purchases: readonly CountedPurchase[]): number {
  return purchases.reduce((sum, { quantity }) => sum + quantity, 0);
}
