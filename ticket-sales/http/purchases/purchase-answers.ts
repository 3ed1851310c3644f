/** What a purchase is answered with: accepted, decided, or the problem that its reason is. Pure. */
import { Problem, retryAfter } from '../../../interactive-queries/http/problem.ts';
import type { RouteResponse } from '../../../interactive-queries/http/route.ts';
import { positionAfter } from '../../../interactive-queries/positions.ts';
import type { SentRecord } from '../../../kafka/ports.ts';
import type { PurchaseCommand } from '../../domain/command.ts';
import type { Purchase } from '../../domain/purchase.ts';
import { requestDigest } from '../../domain/request-digest.ts';

/** Where the command of this request stands in the log; undefined when the broker did not say. */
export interface CommandPlace {
  /** For reading what follows from it: `Store-Position`. */
  readonly positionAfter: string | undefined;
  /** As `Decided-By` tells it. */
  readonly record: string | undefined;
}

type Request = Pick<PurchaseCommand, 'buyerId' | 'quantity' | 'purchaseId' | 'options'>;

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

export function placeOf(topic: string, sent: SentRecord): CommandPlace {
  return {
    positionAfter: positionAfter(topic, sent),
    record: sent.offset < 0 ? undefined : recordName(topic, sent.partition, sent.offset),
  };
}

/** A body that was made here or came from a peer. */
export function asView(body: unknown): Record<string, unknown> | undefined {
  try {
    const isText = typeof body === 'string' || Buffer.isBuffer(body);
    return (isText ? JSON.parse(String(body)) : body) as Record<string, unknown>;
  } catch {
    return undefined;
  }
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

/** A purchase as it was read, here or at its owner. */
export interface Decided {
  readonly view: Readonly<Record<string, unknown>>;
  /** Of what it asked for beyond a number of tickets. */
  readonly digest: string | undefined;
}

/**
 * 201 with the purchase; throws the problem that its reason is, or 422 when it answers another
 * request under the same key.
 */
export function decidedAnswer(
  answered: Decided,
  request: Request,
  place: CommandPlace,
  more: { readonly isReplayed: boolean; readonly alternatives: readonly string[] },
): RouteResponse {
  const { view } = answered;
  if (!isAnswerTo(answered, request)) throw duplicateConflict(request.purchaseId);
  const headers = {
    ...headersOf(request.purchaseId, place),
    'Preference-Applied': 'wait',
    ...(more.isReplayed ? { 'Idempotency-Replayed': 'true' } : {}),
  };
  if (view['state'] === 'rejected') throw rejection(view, more.alternatives, headers);
  return { status: 201, headers, body: view };
}

function isAnswerTo({ view, digest }: Decided, request: Request): boolean {
  if (view['quantity'] !== request.quantity || view['buyerId'] !== request.buyerId) return false;
  return (digest ?? null) === requestDigest(request.options);
}

function headersOf(purchaseId: string, { positionAfter }: CommandPlace): Record<string, string> {
  return {
    Location: `/v1/purchases/${purchaseId}`,
    ...(positionAfter === undefined ? {} : { 'Store-Position': positionAfter }),
  };
}

function rejection(
  { reason, purchaseId, lostSeats }: Decided['view'],
  alternatives: readonly string[],
  headers: Readonly<Record<string, string>>,
): Problem {
  const seats = lostSeats === undefined ? {} : { lostSeats, alternatives };
  const options = { members: { reason, purchaseId, ...seats }, headers };
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
    case 'invalid_command': {
      const detail =
        'asks for seats that this zone does not have, or in a way that it does not sell';
      const errors = [{ pointer: '', detail }];
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
