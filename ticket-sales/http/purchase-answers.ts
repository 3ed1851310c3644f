/** What a purchase is answered with: accepted, decided, or the problem that its reason is. Pure. */
import { Problem, retryAfter } from '../../interactive-queries/http/problem.ts';
import type { RouteResponse } from '../../interactive-queries/http/route.ts';
import type { PurchaseCommand } from '../domain/command.ts';
import type { Purchase } from '../domain/purchase.ts';

/** Where the command of this request stands in the log; undefined when the broker did not say. */
export interface CommandPlace {
  /** For reading what follows from it: `Store-Position`. */
  readonly positionAfter: string | undefined;
  /** As `Decided-By` tells it. */
  readonly record: string | undefined;
}

type Request = Pick<PurchaseCommand, 'buyerId' | 'quantity' | 'purchaseId'>;

/** A purchase of which nothing is known but its command. */
export function requestedPurchase(command: PurchaseCommand): Purchase {
  const { purchaseId, eventId, zoneId, buyerId, quantity, requestedAtMs } = command;
  return {
    purchaseId,
    eventId,
    zoneId,
    buyerId,
    quantity,
    state: 'requested',
    reason: 'none',
    requestedAtMs,
    decidedAtMs: requestedAtMs,
    commandOffset: -1,
    price: null,
    seats: [],
    checkout: null,
  };
}

/** `<topic>-<partition>@<offset>` of the record that led to a state: the value of `Decided-By`. */
export function recordName(topic: string, partition: number, offset: number): string {
  return `${topic}-${partition}@${offset}`;
}

export function acceptedAnswer(
  purchaseId: string,
  view: Record<string, unknown>,
  place: CommandPlace,
): RouteResponse {
  return {
    status: 202,
    headers: { ...headersOf(purchaseId, place), 'Retry-After': '1' },
    body: view,
  };
}

/**
 * 201 with the purchase; throws the problem that its reason is, or 422 when it answers another
 * request under the same key.
 */
export function decidedAnswer(
  view: Record<string, unknown>,
  request: Request,
  place: CommandPlace,
  isReplayed: boolean,
): RouteResponse {
  if (view['quantity'] !== request.quantity || view['buyerId'] !== request.buyerId) {
    throw duplicateConflict(request.purchaseId);
  }
  const headers = {
    ...headersOf(request.purchaseId, place),
    'Preference-Applied': 'wait',
    ...(isReplayed ? { 'Idempotency-Replayed': 'true' } : {}),
  };
  if (view['state'] === 'rejected') throw rejection(view['reason'], request.purchaseId, headers);
  return { status: 201, headers, body: view };
}

function headersOf(purchaseId: string, { positionAfter }: CommandPlace): Record<string, string> {
  return {
    Location: `/v1/purchases/${purchaseId}`,
    ...(positionAfter === undefined ? {} : { 'Store-Position': positionAfter }),
  };
}

function rejection(
  reason: unknown,
  purchaseId: string,
  headers: Readonly<Record<string, string>>,
): Problem {
  const options = { members: { reason, purchaseId }, headers };
  switch (reason) {
    case 'sold_out':
      return new Problem('sold-out', options);
    case 'sale_closed':
    case 'sale_not_open':
      return new Problem('sale-closed', options);
    case 'unknown_zone':
    case 'unknown_event':
      return new Problem('not-found', { ...options, detail: 'unknown event or zone' });
    case 'quantity_over_limit': {
      const errors = [{ pointer: '/quantity', detail: 'is over the limit of this zone' }];
      return new Problem('validation-failed', { ...options, errors });
    }
    default:
      return new Problem('rejected', options);
  }
}

function duplicateConflict(purchaseId: string): Problem {
  return new Problem('duplicate-conflict', {
    detail: 'this Idempotency-Key was used for another request',
    members: { reason: 'duplicate_conflict', purchaseId },
  });
}

/** No acknowledgement: the command may be in the log. The same key asks again safely. */
export function unlessAmbiguous(cause: unknown, purchaseId: string): unknown {
  if ((cause as { code?: unknown }).code !== 'KAFKA_AMBIGUOUS') return cause;
  return new Problem('outcome-unknown', { ...retryAfter(1), members: { purchaseId }, cause });
}
