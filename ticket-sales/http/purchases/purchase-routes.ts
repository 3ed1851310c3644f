/**
 * Purchases over HTTP: a command goes into the log, its outcome comes from the log.
 *
 * H1. 202 only after the broker acknowledged the command (acks=all).
 * H2. The id follows from buyer, event, zone and Idempotency-Key: a retry is the same command.
 */
import type { Clock } from '../../../base/clock.ts';
import { forbidden } from '../../../interactive-queries/auth/access.ts';
import type {
  Route,
  RouteRequest,
  RouteResponse,
} from '../../../interactive-queries/http/route.ts';
import type { OwnerRouting } from '../../../interactive-queries/owner-routing.ts';
import { type Peers, waitSeconds } from '../../../interactive-queries/peers.ts';
import { readQuery } from '../../../interactive-queries/positions.ts';
import type {
  PartitionLocation,
  QueryableStreams,
} from '../../../interactive-queries/queryable-streams.ts';
import type { SentRecord } from '../../../kafka/ports.ts';
import type { CommandSender } from '../../command-sender.ts';
import type { DecisionWaiters } from '../../decision-waiters.ts';
import type { PurchaseCommand, TicketCommand } from '../../domain/command.ts';
import { purchaseIdFor } from '../../domain/purchase-id.ts';
import { zoneKey } from '../../domain/zone.ts';
import type { TopicOf } from '../../records.ts';
import { STORES } from '../../sale/sale-stores.ts';
import type { ZoneDirectory } from '../events/zone-directory.ts';
import { idempotencyKeyOf } from '../idempotency-key.ts';
import { BUYERS, mayActFor } from '../roles.ts';
import { seatAlternatives } from '../seats/seat-reads.ts';
import { purchaseIdSchema } from '../views.ts';
import type { IntakeDoor } from './intake-door.ts';
import {
  acceptedAnswer,
  asView,
  type CommandPlace,
  type Decided,
  decidedAnswer,
  placeOf,
  recordName,
  requestedPurchase,
  unlessAmbiguous,
} from './purchase-answers.ts';
import { cancelPurchase, extendHold } from './purchase-changes.ts';
import { readPurchase } from './purchase-reads.ts';
import {
  type PurchaseBody,
  purchaseRequestSchema,
  purchaseSchema,
  purchaseView,
  wantedOf,
} from './purchase-views.ts';

export interface PurchaseRoutesDeps {
  readonly streams: QueryableStreams;
  readonly routing: OwnerRouting;
  readonly peers: Peers;
  readonly waiters: DecisionWaiters;
  readonly sender: CommandSender;
  readonly commands: TopicOf<TicketCommand>;
  readonly zones: ZoneDirectory;
  /** undefined = every purchase goes straight to its zone. */
  readonly intake?: IntakeDoor | undefined;
  readonly clock: Clock;
  /** Told when a request turns out to have been decided before. */
  readonly onReplayed: () => void;
}

/** Through the intake: where the zone's own record will stand is not known yet. */
const NOWHERE: CommandPlace = { positionAfter: undefined, record: undefined };

const preferHeader = {
  prefer: { required: false, about: 'wait=N waits up to N seconds (at most 30) for the decision' },
};

export function purchaseRoutes(deps: PurchaseRoutesDeps): Route[] {
  return [
    {
      method: 'POST',
      path: '/v1/purchases',
      operationId: 'requestPurchase',
      isHot: true,
      summary: 'Ask for tickets',
      tag: 'purchases',
      access: BUYERS,
      body: purchaseRequestSchema,
      requestHeaders: {
        'Idempotency-Key': {
          required: true,
          about: 'the same key, buyer and zone is the same purchase',
        },
        ...preferHeader,
      },
      answers: {
        201: { about: 'Decided: the tickets are yours', body: purchaseSchema },
        202: {
          about: 'Accepted, not decided yet; Location tells where to look',
          body: purchaseSchema,
        },
        400: { about: 'Cannot be read, or no Idempotency-Key' },
        404: { about: 'Unknown event or zone' },
        409: { about: 'Decided: rejected, with the reason' },
        413: { about: 'Body too large' },
        415: { about: 'Not JSON in UTF-8' },
        422: { about: 'Invalid values, or the key belongs to another request' },
        503: { about: 'Not accepted, or unknown; retry with the same key' },
      },
      handle: (request) => requestPurchase(deps, request),
    },
    {
      method: 'GET',
      path: '/v1/purchases/{purchaseId}',
      operationId: 'getPurchase',
      summary: 'A purchase as it stands',
      tag: 'purchases',
      access: BUYERS,
      params: { purchaseId: purchaseIdSchema },
      query: readQuery,
      requestHeaders: preferHeader,
      answers: {
        200: { about: 'The purchase', body: purchaseSchema },
        304: { about: 'Unchanged' },
        404: { about: 'There is no such purchase' },
        503: { about: 'The state is not available now' },
      },
      handle: (request) => readPurchase(deps, request),
    },
    {
      method: 'DELETE',
      path: '/v1/purchases/{purchaseId}',
      operationId: 'cancelPurchase',
      summary: 'Give the tickets back',
      tag: 'purchases',
      access: BUYERS,
      params: { purchaseId: purchaseIdSchema },
      requestHeaders: preferHeader,
      answers: {
        200: { about: 'Released, or cancelled and refunded', body: purchaseSchema },
        202: { about: 'Accepted, not decided yet', body: purchaseSchema },
        404: { about: 'There is no such purchase' },
        409: { about: 'It cannot be given back in its state' },
        503: { about: 'Not accepted, or unknown; retry' },
      },
      handle: (request) => cancelPurchase(deps, request),
    },
    {
      method: 'POST',
      path: '/v1/purchases/{purchaseId}/extension',
      operationId: 'extendHold',
      summary: 'Let a hold begin anew, once',
      tag: 'purchases',
      access: BUYERS,
      params: { purchaseId: purchaseIdSchema },
      requestHeaders: preferHeader,
      answers: {
        200: { about: 'Extended, now or before', body: purchaseSchema },
        202: { about: 'Accepted, not decided yet', body: purchaseSchema },
        404: { about: 'There is no such purchase' },
        409: { about: 'It is not held, or its hold has expired' },
        503: { about: 'Not accepted, or unknown; retry' },
      },
      handle: (request) => extendHold(deps, request),
    },
  ];
}

async function requestPurchase(
  deps: PurchaseRoutesDeps,
  request: RouteRequest,
): Promise<RouteResponse> {
  const body = request.body as PurchaseBody;
  const { eventId, zoneId, buyerId } = body;
  if (!mayActFor(request.caller, buyerId)) {
    throw forbidden('a buyer buys for himself: buyerId must be the sub of the token');
  }
  const idempotencyKey = idempotencyKeyOf(request);
  const wanted = wantedOf(body);
  const checking = deps.zones.check({ eventId, zoneId, quantity: wanted.quantity }, request);
  if (checking !== undefined) await checking;
  const purchaseId = purchaseIdFor({ buyerId, eventId, zoneId, idempotencyKey });
  const requestedAtMs = deps.clock.nowMs();
  const command: PurchaseCommand = {
    kind: 'purchase',
    purchaseId,
    eventId,
    zoneId,
    buyerId,
    requestedAtMs,
    ...wanted,
  };
  const key = zoneKey(eventId, zoneId);
  const location = deps.streams.locateKey(STORES.zones, Buffer.from(key));
  const waitMs = waitSeconds(request.headers['prefer']) * 1_000;
  const deciding =
    waitMs > 0 && location.isLocal ? deps.waiters.wait(purchaseId, waitMs, request) : undefined;
  const pending = requestedPurchase(command);
  deps.waiters.expect(pending);
  const wanting = deps.zones.isIntakeOnly(key) || deps.intake?.wants(eventId, request);
  const isWanted = wanting instanceof Promise ? await wanting : wanting;
  const intake = isWanted === true ? deps.intake?.topic : undefined;
  const sending =
    intake === undefined
      ? deps.sender.send(deps.commands, key, command)
      : deps.sender.send(intake, buyerId, command);
  let sent: SentRecord;
  try {
    sent = await sending;
  } catch (cause) {
    deps.waiters.forget(purchaseId);
    throw unlessAmbiguous(cause, purchaseId);
  }
  const place = intake === undefined ? placeOf(deps.commands.topic, sent) : NOWHERE;
  if (waitMs > 0 && !location.isLocal) return waitAtOwner(deps, request, location, command, place);
  const purchase = await deciding;
  if (purchase === undefined) return acceptedAnswer(purchaseId, purchaseView(pending), place);
  const decidedBy = recordName(deps.commands.topic, location.partition, purchase.commandOffset);
  const digest = purchase.checkout?.requestDigest ?? undefined;
  const answered = { view: purchaseView(purchase), decidedBy, digest };
  return decided(deps, request, answered, command, place);
}

/** The owner announces the decision there: one hop, as the purchase's own resource with Prefer: wait. */
async function waitAtOwner(
  deps: PurchaseRoutesDeps,
  request: RouteRequest,
  { active }: PartitionLocation,
  command: PurchaseCommand,
  place: CommandPlace,
): Promise<RouteResponse> {
  const { purchaseId } = command;
  const pending = purchaseView(requestedPurchase(command));
  if (active === undefined) return acceptedAnswer(purchaseId, pending, place);
  const target = `/v1/purchases/${purchaseId}`;
  const answer = await deps.peers.forward(active, request, { target }).catch(() => undefined);
  const view = answer?.status === 200 ? asView(answer.body) : undefined;
  if (view === undefined || view['state'] === 'requested') {
    return acceptedAnswer(purchaseId, pending, place);
  }
  deps.waiters.forget(purchaseId);
  const decidedBy = answer?.headers?.['decided-by'];
  const digest = answer?.headers?.['request-digest'];
  return decided(deps, request, { view, decidedBy, digest }, command, place);
}

/** A promise only where the seats are to be looked at that are left. */
function decided(
  deps: PurchaseRoutesDeps,
  request: RouteRequest,
  answered: Decided & { readonly decidedBy: string | undefined },
  command: PurchaseCommand,
  place: CommandPlace,
): RouteResponse | Promise<RouteResponse> {
  const { view, decidedBy } = answered;
  const isKnown = decidedBy !== undefined && place.record !== undefined;
  const isReplayed = isKnown && decidedBy !== place.record;
  if (isReplayed) deps.onReplayed();
  const lost = view['lostSeats'] as readonly string[] | undefined;
  // For the whole group: the seats that it could still have are not for it alone.
  const named = command.options?.seats ?? [];
  const answer = (alternatives: readonly string[]) =>
    decidedAnswer(answered, command, place, { isReplayed, alternatives });
  return lost === undefined || named.length === 0
    ? answer([])
    : seatAlternatives(deps, request, command, named).then(answer);
}
