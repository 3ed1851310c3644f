/**
 * Purchases over HTTP: a command goes into the log, its outcome comes from the log.
 *
 * H1. 202 only after the broker acknowledged the command (acks=all).
 * H2. The id follows from buyer, event, zone and Idempotency-Key: a retry is the same command.
 */
import type { Clock } from '../../base/clock.ts';
import { forbidden } from '../../interactive-queries/auth/access.ts';
import { Problem } from '../../interactive-queries/http/problem.ts';
import {
  changedRequest,
  type Route,
  type RouteRequest,
  type RouteResponse,
} from '../../interactive-queries/http/route.ts';
import type { OwnerRouting } from '../../interactive-queries/owner-routing.ts';
import { type Peers, waitSeconds } from '../../interactive-queries/peers.ts';
import { positionAfter, readQuery } from '../../interactive-queries/positions.ts';
import type {
  PartitionLocation,
  QueryableStreams,
} from '../../interactive-queries/queryable-streams.ts';
import type { SentRecord } from '../../kafka/ports.ts';
import type { CommandSender } from '../command-sender.ts';
import type { DecisionWaiters } from '../decision-waiters.ts';
import type { PurchaseCommand, TicketCommand } from '../domain/command.ts';
import { purchaseIdFor } from '../domain/purchase-id.ts';
import { zoneKey } from '../domain/zone.ts';
import type { TopicOf } from '../records.ts';
import { STORES } from '../sale-stores.ts';
import { idempotencyKeyOf } from './idempotency-key.ts';
import {
  acceptedAnswer,
  type CommandPlace,
  decidedAnswer,
  recordName,
  requestedPurchase,
  unlessAmbiguous,
} from './purchase-answers.ts';
import { readPurchase } from './purchase-reads.ts';
import { BUYERS, mayActFor } from './roles.ts';
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
  /** Told when a request turns out to have been decided before. */
  readonly onReplayed: () => void;
}

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

type PurchaseRequest = Pick<PurchaseCommand, 'eventId' | 'zoneId' | 'buyerId' | 'quantity'>;

async function requestPurchase(
  deps: PurchaseRoutesDeps,
  request: RouteRequest,
): Promise<RouteResponse> {
  const body = request.body as PurchaseRequest;
  if (!mayActFor(request.caller, body.buyerId)) {
    throw forbidden('a buyer buys for himself: buyerId must be the sub of the token');
  }
  const idempotencyKey = idempotencyKeyOf(request);
  await deps.zones.check(body, request);
  const purchaseId = purchaseIdFor({ ...body, idempotencyKey });
  const requestedAtMs = deps.clock.nowMs();
  const command: PurchaseCommand = {
    kind: 'purchase',
    purchaseId,
    requestedAtMs,
    ...body,
    options: null,
  };
  const key = zoneKey(body.eventId, body.zoneId);
  const location = deps.streams.locateKey(STORES.zones, Buffer.from(key));
  const waitMs = waitSeconds(request.headers['prefer']) * 1_000;
  const deciding =
    waitMs > 0 && location.isLocal
      ? deps.waiters.wait(purchaseId, waitMs, request.signal)
      : undefined;
  const pending = requestedPurchase(command);
  deps.waiters.expect(pending);
  const sent = await deps.sender.send(deps.commands, key, command).catch((cause: unknown) => {
    deps.waiters.forget(purchaseId);
    throw unlessAmbiguous(cause, purchaseId);
  });
  const place = placeOf(deps, sent);
  if (waitMs > 0 && !location.isLocal) return waitAtOwner(deps, request, location, command, place);
  const purchase = await deciding;
  if (purchase === undefined) return acceptedAnswer(purchaseId, purchaseView(pending), place);
  const decidedBy = recordName(deps.commands.topic, sent.partition, purchase.commandOffset);
  return decided(deps, purchaseView(purchase), command, place, decidedBy);
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
  return decided(deps, view, command, place, answer?.headers?.['decided-by']);
}

function decided(
  deps: PurchaseRoutesDeps,
  view: Record<string, unknown>,
  command: PurchaseCommand,
  place: CommandPlace,
  decidedBy: string | undefined,
): RouteResponse {
  const isKnown = decidedBy !== undefined && place.record !== undefined;
  const isReplayed = isKnown && decidedBy !== place.record;
  if (isReplayed) deps.onReplayed();
  return decidedAnswer(view, command, place, isReplayed);
}

async function cancelPurchase(
  deps: PurchaseRoutesDeps,
  request: RouteRequest,
): Promise<RouteResponse> {
  const headers = { ...request.headers, 'if-none-match': undefined };
  const now = await readPurchase(
    deps,
    changedRequest(request, { query: {}, headers: { ...headers, prefer: undefined } }),
  );
  const view = now.status === 200 ? asView(now.body) : undefined;
  if (view === undefined) return now;
  if (view['state'] === 'cancelled') return { status: 200, body: view };
  // What is requested is decided before its cancellation is: the log orders them.
  if (view['state'] !== 'confirmed' && view['state'] !== 'requested') throw alreadyFinal(view);
  const [purchaseId, eventId, zoneId] = [
    view['purchaseId'] as string,
    view['eventId'] as string,
    view['zoneId'] as string,
  ];
  const command = { kind: 'cancel', purchaseId, eventId, zoneId } as const;
  const sent = await deps.sender
    .send(deps.commands, zoneKey(eventId, zoneId), command)
    .catch((cause: unknown) => {
      throw unlessAmbiguous(cause, purchaseId);
    });
  const place = placeOf(deps, sent);
  const minPosition = place.positionAfter;
  if (minPosition === undefined || waitSeconds(request.headers['prefer']) === 0) {
    return acceptedAnswer(purchaseId, view, place);
  }
  const target = `${request.target}?minPosition=${encodeURIComponent(minPosition)}`;
  const later = changedRequest(request, { query: { minPosition }, headers, target });
  const answer = await readPurchase(deps, later).catch(() => undefined);
  const after = answer?.status === 200 ? asView(answer.body) : undefined;
  if (after === undefined) return acceptedAnswer(purchaseId, view, place);
  if (after['state'] !== 'cancelled') throw alreadyFinal(after);
  return { status: 200, headers: { 'Store-Position': minPosition }, body: after };
}

function alreadyFinal(view: Record<string, unknown>): Problem {
  const { state, reason, purchaseId } = view;
  const members = { state, purchaseId, ...(reason === undefined ? {} : { reason }) };
  return new Problem('already-final', { detail: `the purchase is ${state}`, members });
}

function placeOf(deps: PurchaseRoutesDeps, sent: SentRecord): CommandPlace {
  const { topic } = deps.commands;
  return {
    positionAfter: positionAfter(topic, sent),
    record: sent.offset < 0 ? undefined : recordName(topic, sent.partition, sent.offset),
  };
}

/** A body that was made here or came from a peer. */
function asView(body: unknown): Record<string, unknown> | undefined {
  try {
    const isText = typeof body === 'string' || Buffer.isBuffer(body);
    return (isText ? JSON.parse(String(body)) : body) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
