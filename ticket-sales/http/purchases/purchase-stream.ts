/**
 * A purchase, as it changes: how it stands first, then each state that it is found in. An event's id
 * is the tag of what it tells, so that `Last-Event-ID` resumes with what the client does not have;
 * a later state stands for those before it.
 */

import { tagOf } from '../../../interactive-queries/http/etag.ts';
import { Problem } from '../../../interactive-queries/http/problem.ts';
import type { ResponseStream } from '../../../interactive-queries/http/response-streams.ts';
import {
  changedRequest,
  type RouteRequest,
  type RouteResponse,
} from '../../../interactive-queries/http/route.ts';
import {
  EVENT_STREAM_HEADERS,
  HEARTBEAT,
  HEARTBEAT_MS,
  OPENING,
  serverSentEvent,
} from '../../../interactive-queries/http/server-sent-events.ts';
import { CommittedKeys } from '../../committed-keys.ts';
import type { Purchase } from '../../domain/purchase.ts';
import { zoneKey } from '../../domain/zone.ts';
import { TOPICS } from '../../records.ts';
import { STORES } from '../../sale/sale-stores.ts';
import { asGet, read } from '../own-reads.ts';
import { mayActFor } from '../roles.ts';
import { readPurchase } from './purchase-reads.ts';
import type { PurchaseRoutesDeps } from './purchase-routes.ts';
import { purchaseView } from './purchase-views.ts';

export class PurchaseStreams {
  readonly #deps: PurchaseRoutesDeps;
  readonly #purchases: CommittedKeys;

  constructor(deps: PurchaseRoutesDeps) {
    const { streams, clock } = deps;
    this.#deps = deps;
    this.#purchases = new CommittedKeys({ clock });
    streams.onCommitted(
      [TOPICS.purchaseStatus],
      () => this.#purchases.isWatched,
      (notice) => this.#purchases.onCommitted(notice),
    );
  }

  /** Answered by the owner of the purchase's zone, here or there. Throws 404, 503. */
  async answer(request: RouteRequest): Promise<RouteResponse> {
    const { streams, routing } = this.#deps;
    // Who forwards it has found it already, or has taken it itself: then nobody else knows it yet.
    const { partition: told } = request.query;
    const isFound = routing.isForwarded(request) && told !== undefined;
    const partition = isFound ? Number(told) : await this.#find(request);
    if (partition >= routing.partitionCount(STORES.purchases)) throw noSuchPurchase();
    const location = streams.locatePartition(STORES.purchases, partition);
    const target = `/v1/purchases/${request.params['purchaseId']}/stream?partition=${partition}`;
    const there = changedRequest(request, { query: { partition: String(partition) }, target });
    return routing.answer<Purchase>(STORES.purchases, location, there, (store) => {
      const purchase = store.get(request.params['purchaseId']!);
      if (!isFor(request, purchase)) throw noSuchPurchase();
      const stream: ResponseStream = (signal) => this.#follow(there, partition, signal);
      return { status: 200, headers: EVENT_STREAM_HEADERS, stream };
    });
  }

  /** The partition of its zone, from wherever the purchase is known. Throws 404. */
  async #find(request: RouteRequest): Promise<number> {
    const target = `/v1/purchases/${request.params['purchaseId']}`;
    const found = await read(() => readPurchase(this.#deps, asGet(request, target)));
    if (found === undefined) throw noSuchPurchase();
    const key = zoneKey(found['eventId'] as string, found['zoneId'] as string);
    return this.#deps.streams.locateKey(STORES.zones, Buffer.from(key)).partition;
  }

  /** Ends when the partition leaves: the client comes again, and finds its new owner. */
  async *#follow(
    request: RouteRequest,
    partition: number,
    signal: AbortSignal,
  ): AsyncGenerator<string> {
    const purchaseId = request.params['purchaseId']!;
    const { routing, waiters } = this.#deps;
    const watch = this.#purchases.watch(purchaseId);
    try {
      yield OPENING;
      let told = request.headers['last-event-id'];
      for (let kind = told === undefined ? 'snapshot' : 'update'; !signal.aborted; ) {
        const purchase = await routing.alongside<Purchase, Purchase | undefined>(
          STORES.purchases,
          partition,
          request,
          (store) => store.get(purchaseId) ?? waiters.undecided(purchaseId),
        );
        const view =
          purchase !== undefined && isFor(request, purchase) ? purchaseView(purchase) : undefined;
        const tag = view && tagOf(JSON.stringify(view));
        if (tag !== undefined && tag !== told) {
          yield serverSentEvent(kind, tag, view);
          told = tag;
          kind = 'update';
        }
        if (!(await watch.changed(HEARTBEAT_MS, signal)) && !signal.aborted) yield HEARTBEAT;
      }
    } finally {
      watch.close();
    }
  }
}

/** As if it did not exist, otherwise: who guesses ids learns nothing. */
function isFor({ caller }: RouteRequest, purchase: Purchase | undefined): boolean {
  return purchase === undefined || mayActFor(caller, purchase.buyerId);
}

function noSuchPurchase(): Problem {
  return new Problem('not-found', { detail: 'there is no such purchase' });
}
