/**
 * Purchases over HTTP: a command goes into the log, its outcome comes from the log.
 *
 * H1. 202 only after the broker acknowledged the command (acks=all).
 * H2. The id follows from buyer, event, zone and Idempotency-Key: a retry is the same command.
 */

import Type from 'typebox';
import type { Clock } from '../../base/clock.ts';
import { Problem, retryAfter } from '../../interactive-queries/http/problem.ts';
import type { Route, RouteRequest, RouteResponse } from '../../interactive-queries/http/route.ts';
import {
  jsonWithEtag,
  MIN_POSITION_PATTERN,
  type OwnerRouting,
} from '../../interactive-queries/owner-routing.ts';
import { type Peers, waitSeconds } from '../../interactive-queries/peers.ts';
import type {
  PartitionLocation,
  QueryableStreams,
} from '../../interactive-queries/queryable-streams.ts';
import type { CommandSender } from '../command-sender.ts';
import type { DecisionWaiters } from '../decision-waiters.ts';
import type { PurchaseCommand, TicketCommand } from '../domain/command.ts';
import { isSameRequest } from '../domain/decide-purchase.ts';
import type { Purchase } from '../domain/purchase.ts';
import { partitionOfPurchase, purchaseIdFor } from '../domain/purchase-id.ts';
import { zoneKey } from '../domain/zone.ts';
import type { TopicOf } from '../records.ts';
import { STORES } from '../ticket-processor.ts';
import { purchaseIdSchema, purchaseRequestSchema, purchaseSchema, purchaseView } from './views.ts';
import type { ZoneDirectory } from './zone-directory.ts';

export interface PurchaseRoutesDeps {
  readonly streams: QueryableStreams;
  readonly routing: OwnerRouting;
  readonly peers: Peers;
  readonly waiters: DecisionWaiters;
  readonly sender: CommandSender;
  readonly commands: TopicOf<TicketCommand>;
  readonly zones: ZoneDirectory;
  readonly clock: Clock;
}

const IDEMPOTENCY_KEY =
  /^(?:"([\x20-\x21\x23-\x5b\x5d-\x7e]{1,255})"|([\x21\x23-\x5b\x5d-\x7e]{1,255}))$/;
const preferHeader = {
  prefer: { required: false, about: 'wait=N waits up to N seconds (at most 30) for the decision' },
};

export function purchaseRoutes(deps: PurchaseRoutesDeps): Route[] {
  return [
    {
      method: 'POST',
      path: '/v1/purchases',
      operationId: 'requestPurchase',
      summary: 'Ask for tickets',
      tag: 'purchases',
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
      params: { purchaseId: purchaseIdSchema },
      query: { minPosition: Type.String({ pattern: MIN_POSITION_PATTERN }) },
      requestHeaders: preferHeader,
      answers: {
        200: { about: 'The purchase', body: purchaseSchema },
        304: { about: 'Unchanged' },
        404: { about: 'There is no such purchase' },
        503: { about: 'The state is not available now' },
      },
      handle: (request) => getPurchase(deps, request),
    },
    {
      method: 'DELETE',
      path: '/v1/purchases/{purchaseId}',
      operationId: 'cancelPurchase',
      summary: 'Give the tickets back',
      tag: 'purchases',
      params: { purchaseId: purchaseIdSchema },
      requestHeaders: preferHeader,
      answers: {
        200: { about: 'Cancelled', body: purchaseSchema },
        202: { about: 'Accepted, not decided yet', body: purchaseSchema },
        404: { about: 'There is no such purchase' },
        409: { about: 'It cannot be cancelled in its state' },
        503: { about: 'Not accepted, or unknown; retry' },
      },
      handle: (request) => cancelPurchase(deps, request),
    },
  ];
}

async function requestPurchase(
  deps: PurchaseRoutesDeps,
  request: RouteRequest,
): Promise<RouteResponse> {
  const body = request.body as Pick<PurchaseCommand, 'eventId' | 'zoneId' | 'buyerId' | 'quantity'>;
  const idempotencyKey = idempotencyKeyOf(request);
  await deps.zones.mustExist(body.eventId, body.zoneId, request);
  const purchaseId = purchaseIdFor({ ...body, idempotencyKey });
  const requestedAtMs = deps.clock.nowMs();
  const command: PurchaseCommand = { kind: 'purchase', purchaseId, requestedAtMs, ...body };
  const location = deps.streams.locateKey(
    STORES.zones,
    Buffer.from(zoneKey(body.eventId, body.zoneId)),
  );
  const waitMs = waitSeconds(request.headers['prefer']) * 1_000;
  const deciding =
    waitMs > 0 && location.isLocal
      ? deps.waiters.wait(purchaseId, waitMs, request.signal)
      : undefined;
  const sent = await deps.sender
    .send(deps.commands, zoneKey(body.eventId, body.zoneId), command)
    .catch((cause: unknown) => {
      throw withPurchaseId(cause, purchaseId);
    });
  const pending = requested(command);
  if (location.isLocal && deciding === undefined) deps.waiters.accepted(pending);
  if (waitMs > 0 && !location.isLocal) return waitAtOwner(deps, request, location, pending);
  const purchase = await deciding;
  if (purchase === undefined) return acceptedAnswer(pending);
  const replayed = sent.offset >= 0 && purchase.commandOffset !== sent.offset;
  return decidedAnswer(purchase, command, replayed);
}

/** The owner announces the decision there: one hop, as the purchase's own resource with Prefer: wait. */
async function waitAtOwner(
  deps: PurchaseRoutesDeps,
  request: RouteRequest,
  location: PartitionLocation,
  pending: Purchase,
): Promise<RouteResponse> {
  if (location.active === undefined) return acceptedAnswer(pending);
  const answer = await deps.peers
    .forward(location.active, request, `/v1/purchases/${pending.purchaseId}`)
    .catch(() => undefined);
  if (answer?.status !== 200) return acceptedAnswer(pending);
  const view = JSON.parse(String(answer.body)) as Record<string, unknown>;
  if (view['state'] === 'requested') return acceptedAnswer(pending);
  return answerOfView(view, pending);
}

async function getPurchase(
  deps: PurchaseRoutesDeps,
  request: RouteRequest,
): Promise<RouteResponse> {
  const purchaseId = request.params['purchaseId']!;
  const partition = partitionOfPurchase(purchaseId, partitionCount(deps));
  if (partition === undefined) return searchEverywhere(deps, request, purchaseId);
  const location = deps.streams.locatePartition(STORES.purchases, partition);
  const waitMs = waitSeconds(request.headers['prefer']) * 1_000;
  // Registered before the store is read: a decision in between is not missed.
  const deciding =
    waitMs > 0 && location.isLocal
      ? deps.waiters.wait(purchaseId, waitMs, request.signal)
      : undefined;
  const answer = await deps.routing.answer<Purchase>(
    STORES.purchases,
    location,
    request,
    async (store) => {
      const purchase =
        store.get(purchaseId) ?? (await deciding) ?? deps.waiters.undecided(purchaseId);
      if (purchase === undefined)
        throw new Problem('not-found', { detail: 'there is no such purchase' });
      return jsonWithEtag(request, purchaseView(purchase));
    },
  );
  const undecided = answer.status === 404 ? deps.waiters.undecided(purchaseId) : undefined;
  return undecided === undefined ? answer : { status: 200, body: purchaseView(undecided) };
}

/** An id that somebody else made tells no partition: ask all. */
async function searchEverywhere(
  deps: PurchaseRoutesDeps,
  request: RouteRequest,
  purchaseId: string,
): Promise<RouteResponse> {
  const partitions = Array.from({ length: partitionCount(deps) }, (_, partition) => partition);
  const forwarded = deps.peers.isForwarded(request);
  const others = new Map(
    partitions
      .map((partition) => deps.streams.locatePartition(STORES.purchases, partition))
      .filter((location) => !location.isLocal && location.active !== undefined)
      .map((location) => [`${location.active!.host}:${location.active!.port}`, location.active!]),
  );
  let unavailable = false;
  for (const partition of partitions) {
    const location = deps.streams.locatePartition(STORES.purchases, partition);
    if (!location.isLocal) {
      unavailable ||= location.active === undefined;
      continue;
    }
    const answer = await deps.routing.answer<Purchase>(
      STORES.purchases,
      location,
      request,
      (store) => {
        const purchase = store.get(purchaseId);
        return purchase === undefined
          ? { status: 404 }
          : jsonWithEtag(request, purchaseView(purchase));
      },
    );
    if (answer.status !== 404) return answer;
  }
  if (!forwarded) {
    const answers = await Promise.all(
      [...others.values()].map((owner) => deps.peers.forward(owner, request)),
    );
    const found = answers.find((answer) => answer.status === 200 || answer.status === 304);
    if (found !== undefined) return found;
    unavailable ||= answers.some((answer) => answer.status >= 500);
  }
  if (unavailable) throw new Problem('rebalancing', retryAfter(1));
  throw new Problem('not-found', { detail: 'there is no such purchase' });
}

async function cancelPurchase(
  deps: PurchaseRoutesDeps,
  request: RouteRequest,
): Promise<RouteResponse> {
  const found = await getPurchase(deps, withoutPreference(request));
  if (found.status !== 200) return found;
  const view = (
    typeof found.body === 'string' || Buffer.isBuffer(found.body)
      ? JSON.parse(String(found.body))
      : found.body
  ) as Record<string, string>;
  if (view['state'] === 'cancelled') return { status: 200, body: view };
  if (view['state'] !== 'confirmed') {
    throw new Problem('already-final', { detail: `the purchase is ${view['state']}` });
  }
  const [purchaseId, eventId, zoneId] = [view['purchaseId']!, view['eventId']!, view['zoneId']!];
  const waitMs = waitSeconds(request.headers['prefer']) * 1_000;
  const deciding = waitMs > 0 ? deps.waiters.wait(purchaseId, waitMs, request.signal) : undefined;
  await deps.sender.send(deps.commands, zoneKey(eventId, zoneId), {
    kind: 'cancel',
    purchaseId,
    eventId,
    zoneId,
  });
  const decided = await deciding;
  return decided === undefined
    ? { status: 202, headers: { Location: `/v1/purchases/${purchaseId}` }, body: view }
    : { status: 200, body: purchaseView(decided) };
}

function withoutPreference(request: RouteRequest): RouteRequest {
  return {
    params: request.params,
    query: {},
    headers: { ...request.headers, prefer: undefined, 'if-none-match': undefined },
    body: undefined,
    target: request.target,
    signal: request.signal,
    raw: request.raw,
  };
}

function partitionCount(deps: PurchaseRoutesDeps): number {
  const store = deps.streams.stores().find(({ spec }) => spec.name === STORES.purchases);
  if (store === undefined || store.partitionCount === 0)
    throw new Problem('rebalancing', retryAfter(1));
  return store.partitionCount;
}

function idempotencyKeyOf(request: RouteRequest): string {
  const header = request.headers['idempotency-key'];
  if (header === undefined) throw new Problem('idempotency-key-missing');
  const match = typeof header === 'string' ? IDEMPOTENCY_KEY.exec(header) : null;
  if (match === null) {
    throw new Problem('malformed-request', {
      detail: 'Idempotency-Key must be 1 to 255 visible ASCII characters',
    });
  }
  return match[1] ?? match[2]!;
}

function requested(command: PurchaseCommand): Purchase {
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
  };
}

function acceptedAnswer(pending: Purchase): RouteResponse {
  return {
    status: 202,
    headers: { Location: `/v1/purchases/${pending.purchaseId}`, 'Retry-After': '1' },
    body: purchaseView(pending),
  };
}

function decidedAnswer(
  purchase: Purchase,
  command: PurchaseCommand,
  replayed: boolean,
): RouteResponse {
  if (!isSameRequest(purchase, command)) throw otherRequest(purchase.purchaseId);
  const answer = answerOfView(purchaseView(purchase), command);
  return replayed
    ? { ...answer, headers: { ...answer.headers, 'Idempotency-Replayed': 'true' } }
    : answer;
}

/** 201 with the purchase, or the problem that its reason is. */
function answerOfView(
  view: Record<string, unknown>,
  request: Pick<PurchaseCommand, 'buyerId' | 'quantity' | 'purchaseId'>,
): RouteResponse {
  if (view['quantity'] !== request.quantity || view['buyerId'] !== request.buyerId)
    throw otherRequest(request.purchaseId);
  const location = `/v1/purchases/${request.purchaseId}`;
  if (view['state'] !== 'rejected') {
    return {
      status: 201,
      headers: { Location: location, 'Preference-Applied': 'wait' },
      body: view,
    };
  }
  const reason = view['reason'];
  const options = {
    members: { reason, purchaseId: request.purchaseId },
    headers: { Location: location },
  };
  switch (reason) {
    case 'sold_out':
      throw new Problem('sold-out', options);
    case 'sale_closed':
    case 'sale_not_open':
      throw new Problem('sale-closed', options);
    case 'unknown_zone':
    case 'unknown_event':
      throw new Problem('not-found', { ...options, detail: 'unknown event or zone' });
    case 'quantity_over_limit':
      throw new Problem('validation-failed', {
        ...options,
        errors: [{ pointer: '/quantity', detail: 'is over the limit of this zone' }],
      });
    default:
      throw new Problem('rejected', options);
  }
}

function otherRequest(purchaseId: string): Problem {
  return new Problem('duplicate-conflict', {
    detail: 'this Idempotency-Key was used for another request',
    members: { reason: 'duplicate_conflict', purchaseId },
  });
}

/** No acknowledgement: the command may be in the log. The same key asks again safely. */
function withPurchaseId(cause: unknown, purchaseId: string): unknown {
  const code = (cause as { code?: unknown }).code;
  if (code !== 'KAFKA_AMBIGUOUS') return cause;
  return new Problem('outcome-unknown', { ...retryAfter(1), members: { purchaseId }, cause });
}
