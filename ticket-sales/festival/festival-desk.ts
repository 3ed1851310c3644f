/**
 * Serves the festival's operations by asking ours: the same handlers that stand behind /v1, with the
 * same checks, routing and waiting. Only the words are translated here.
 */
import { Problem, retryAfter } from '../../interactive-queries/http/problem.ts';
import {
  changedRequest,
  type Route,
  type RouteRequest,
  type RouteResponse,
} from '../../interactive-queries/http/route.ts';
import type { TokenBuckets } from '../../interactive-queries/http/token-buckets.ts';
import type { OwnerRouting } from '../../interactive-queries/owner-routing.ts';
import { positionAfter } from '../../interactive-queries/positions.ts';
import type { QueryableStreams } from '../../interactive-queries/queryable-streams.ts';
import type { CommandSender } from '../command-sender.ts';
import type { PurchaseState, Reason } from '../domain/purchase.ts';
import { asGet, read } from '../http/own-reads.ts';
import type { TopicOf } from '../records.ts';
import {
  canonicalUuid,
  type FestivalPurchaseStatus,
  festivalStatus,
  purchaseIdPrefix,
  TICKET_TYPES,
  type TicketInventory,
  type TicketType,
  ticketIdOf,
} from './festival.ts';
import { type FestivalAddress, festivalUrl } from './public-url.ts';
import {
  inventoryEntry,
  inventoryKey,
  loadedPurchase,
  purchaseEntry,
  purchaseKey,
  READ_MODEL_STORE,
  type ReadModelEntry,
} from './read-model.ts';

export interface FestivalDeps {
  /** The event that is the festival. */
  readonly eventId: string;
  readonly address: FestivalAddress;
  /** Ours, that do the work. */
  readonly own: Readonly<Record<'requestPurchase' | 'getPurchase' | 'getInventory', Route>>;
  readonly streams: QueryableStreams;
  readonly routing: OwnerRouting;
  readonly sender: CommandSender;
  readonly readModel: TopicOf<ReadModelEntry>;
  /** A key for a purchase that came without one. */
  readonly newKey: () => string;
  /** How many purchases each client may ask for; undefined = any number. */
  readonly limit: TokenBuckets | undefined;
}

interface PurchaseRequest {
  readonly userId: string;
  readonly quantity: number;
  readonly ticketType: TicketType;
}

type Answer = RouteResponse | Promise<RouteResponse>;

export class FestivalDesk {
  readonly #deps: FestivalDeps;
  readonly #ticketIds: Readonly<Record<TicketType, string>>;
  /** How the ids of purchases begin that were asked for here or over /v1. */
  readonly #prefixes: readonly string[];

  constructor(deps: FestivalDeps) {
    const { eventId } = deps;
    this.#deps = deps;
    this.#ticketIds = {
      normal: ticketIdOf(eventId, 'normal'),
      vip: ticketIdOf(eventId, 'vip'),
    };
    this.#prefixes = TICKET_TYPES.map((type) => purchaseIdPrefix(eventId, type));
  }

  tickets(): RouteResponse {
    const items = TICKET_TYPES.map((ticketType) => ({
      ticketType,
      ticketId: this.#ticketIds[ticketType],
    }));
    return { status: 200, body: { items } };
  }

  /** Each request is a purchase of its own, unless it has an Idempotency-Key. */
  async purchase(request: RouteRequest): Promise<RouteResponse> {
    const { eventId, own, newKey } = this.#deps;
    this.#admit(request);
    const { userId, quantity, ticketType } = request.body as PurchaseRequest;
    if (canonicalUuid(request.params['ticketId']!) !== this.#ticketIds[ticketType]) {
      const detail = `is not the id of ticketType ${ticketType}`;
      throw new Problem('malformed-request', { errors: [{ pointer: '{ticketId}', detail }] });
    }
    const { 'idempotency-key': key = newKey() } = request.headers;
    const asked = changedRequest(request, {
      params: {},
      headers: { ...request.headers, 'idempotency-key': key, prefer: undefined },
      body: { eventId, zoneId: ticketType, buyerId: canonicalUuid(userId), quantity },
      target: '/v1/purchases',
    });
    const { body } = await inItsTerms(() => own.requestPurchase.handle(asked));
    const { purchaseId } = body as { purchaseId: string };
    const statusUrl = `${this.#url(request)}/purchases/${purchaseId}`;
    return { status: 202, headers: { Location: statusUrl }, body: { purchaseId, statusUrl } };
  }

  async purchaseStatus(request: RouteRequest): Promise<RouteResponse> {
    const purchaseId = canonicalUuid(request.params['purchaseId']!);
    const isPeers = this.#deps.routing.isForwarded(request);
    const status = isPeers ? undefined : await this.#statusOf(purchaseId, request);
    if (status !== undefined) return { status: 200, body: status };
    return this.#loaded(request, purchaseKey(purchaseId), loadedPurchase, 'purchase');
  }

  async ticketInventory(request: RouteRequest): Promise<RouteResponse> {
    const ticketType = request.params['ticketType']!;
    const isPeers = this.#deps.routing.isForwarded(request);
    const inventory = isPeers ? undefined : await this.#inventoryOf(ticketType, request);
    if (inventory !== undefined) return { status: 200, body: inventory };
    const view = ({ inventory: loaded }: ReadModelEntry) => loaded ?? undefined;
    return this.#loaded(request, inventoryKey(ticketType), view, 'ticket type');
  }

  async loadPurchaseStatus(request: RouteRequest): Promise<RouteResponse> {
    const loaded = request.body as FestivalPurchaseStatus;
    const purchaseId = canonicalUuid(loaded.purchaseId);
    const entry = purchaseEntry({ ...loaded, purchaseId });
    await this.#load(request, purchaseKey(purchaseId), entry, `purchases/${purchaseId}`);
    return { status: 201, body: loaded };
  }

  async loadTicketInventory(request: RouteRequest): Promise<RouteResponse> {
    const loaded = request.body as TicketInventory;
    const path = `tickets/${loaded.ticketType}/inventory`;
    await this.#load(request, inventoryKey(loaded.ticketType), inventoryEntry(loaded), path);
    return { status: 201, body: loaded };
  }

  /** Throws 429. */
  #admit({ caller, raw }: RouteRequest): void {
    const { limit } = this.#deps;
    if (limit === undefined) return;
    const client =
      caller.kind === 'known' ? `sub ${caller.subject}` : raw.request.socket.remoteAddress;
    const waitMs = limit.take(client ?? '');
    if (waitMs === 0) return;
    throw new Problem('quota-exceeded', retryAfter(Math.ceil(waitMs / 1_000)));
  }

  /** undefined: the sale knows nothing of it, or it is of another event. */
  async #statusOf(
    purchaseId: string,
    request: RouteRequest,
  ): Promise<FestivalPurchaseStatus | undefined> {
    const asked = changedRequest(request, { params: { purchaseId } });
    const { minPosition } = request.query;
    const get = asGet(asked, `/v1/purchases/${purchaseId}`, minPosition);
    let view = await this.#ask('getPurchase', get);
    if (view === undefined && this.#prefixes.some((prefix) => purchaseId.startsWith(prefix))) {
      // Accepted by another instance, it may seem, and not decided yet: no stranger's id looks so.
      view = await this.#ask(
        'getPurchase',
        changedRequest(get, { headers: { ...get.headers, prefer: 'wait=1' } }),
      );
    }
    if (view === undefined || view['eventId'] !== this.#deps.eventId) return undefined;
    const { state, reason = 'none' } = view as { state: PurchaseState; reason?: Reason };
    return festivalStatus(purchaseId, state, reason);
  }

  async #inventoryOf(
    ticketType: string,
    request: RouteRequest,
  ): Promise<TicketInventory | undefined> {
    const { eventId } = this.#deps;
    const params = { eventId, zoneId: ticketType };
    const target = `/v1/events/${eventId}/zones/${ticketType}/inventory`;
    const asked = changedRequest(request, { params });
    const view = await this.#ask(
      'getInventory',
      asGet(asked, target, request.query['minPosition']),
    );
    return view && { ticketType, availableCount: view['available'] as number };
  }

  /** What one of our own resources shows; undefined = there is none. */
  #ask(
    operation: 'getPurchase' | 'getInventory',
    request: RouteRequest,
  ): Promise<Record<string, unknown> | undefined> {
    return read(() => this.#deps.own[operation].handle(request) as Answer);
  }

  #loaded(
    request: RouteRequest,
    key: string,
    view: (entry: ReadModelEntry) => object | undefined,
    what: string,
  ): Answer {
    const { streams, routing } = this.#deps;
    const location = streams.locateKey(READ_MODEL_STORE, Buffer.from(key));
    return routing.answer<ReadModelEntry>(READ_MODEL_STORE, location, request, (store) => {
      const entry = store.get(key);
      const body = entry === undefined ? undefined : view(entry);
      if (body === undefined)
        throw new Problem('not-found', { detail: `there is no such ${what}` });
      return { status: 200, body: JSON.stringify(body), headers: JSON_TYPE };
    });
  }

  /** Returns when the table shows it. */
  async #load(
    request: RouteRequest,
    key: string,
    entry: ReadModelEntry,
    path: string,
  ): Promise<void> {
    const { sender, readModel, address } = this.#deps;
    const sent = await sender.send(readModel, key, entry);
    const target = `${address.basePath}/${path}`;
    const later = asGet(request, target, positionAfter(readModel.topic, sent));
    await read(() => this.#loaded(later, key, (loaded) => loaded, 'entry'));
  }

  #url({ headers, raw }: RouteRequest): string {
    const { localPort } = raw.request.socket;
    return festivalUrl(this.#deps.address, { host: headers.host, localPort });
  }
}

const JSON_TYPE = { 'Content-Type': 'application/json' } as const;

/** What we call 404 or 422 of a purchase, its contract calls 400. */
async function inItsTerms(ask: () => ReturnType<Route['handle']>): Promise<RouteResponse> {
  try {
    return (await ask()) as RouteResponse;
  } catch (error) {
    const isInvalid = error instanceof Problem && [404, 422].includes(error.status);
    throw isInvalid ? new Problem('malformed-request', error.options) : error;
  }
}
