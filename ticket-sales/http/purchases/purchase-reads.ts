/**
 * A purchase as it stands: from its owner's store, else from what was accepted here, else by asking
 * all. One that the caller has no part in is no purchase at all, wherever it is found.
 */

import { jsonWithEtag } from '../../../interactive-queries/http/etag.ts';
import { Problem } from '../../../interactive-queries/http/problem.ts';
import type { RouteRequest, RouteResponse } from '../../../interactive-queries/http/route.ts';
import { waitSeconds } from '../../../interactive-queries/peers.ts';
import type { Purchase } from '../../domain/purchase.ts';
import { partitionOfPurchase } from '../../domain/purchase-id.ts';
import { STORES } from '../../sale/sale-stores.ts';
import { mayActFor } from '../roles.ts';
import { recordName } from './purchase-answers.ts';
import type { PurchaseRoutesDeps } from './purchase-routes.ts';
import { purchaseView } from './purchase-views.ts';

/** Throws 404 when its owner does not know it and nobody else does; 503 while that cannot be told. */
export async function readPurchase(
  deps: PurchaseRoutesDeps,
  request: RouteRequest,
): Promise<RouteResponse> {
  const { streams, routing, waiters } = deps;
  const purchaseId = request.params['purchaseId']!;
  const partition = partitionOfPurchase(purchaseId, routing.partitionCount(STORES.purchases));
  if (partition === undefined || routing.asksForPart(request)) return search(deps, request);
  const location = streams.locatePartition(STORES.purchases, partition);
  const waitMs = waitSeconds(request.headers['prefer']) * 1_000;
  // Registered before the store is read: a decision in between is not missed.
  const deciding =
    waitMs > 0 && location.isLocal ? waiters.wait(purchaseId, waitMs, request) : undefined;
  const answer = await routing.answer<Purchase>(
    STORES.purchases,
    location,
    request,
    async (store) => {
      const purchase = store.get(purchaseId) ?? (await deciding);
      if (purchase === undefined || !isFor(request, purchase)) return { status: 404 };
      const decidedBy = recordName(deps.commands.topic, partition, purchase.commandOffset);
      const digest = purchase.checkout?.requestDigest ?? null;
      return jsonWithEtag(request, purchaseView(purchase), undefined, {
        'Decided-By': decidedBy,
        ...(digest === null ? {} : { 'Request-Digest': digest }),
      });
    },
  );
  if (answer.status !== 404) {
    if (answer.status < 400) waiters.forget(purchaseId);
    return answer;
  }
  const undecided = waiters.undecided(purchaseId);
  if (undecided !== undefined && isFor(request, undecided))
    return jsonWithEtag(request, purchaseView(undecided));
  if (routing.isForwarded(request)) throw noSuchPurchase();
  return search(deps, request);
}

/** An id that somebody else made tells no partition, or the wrong one: ask all. */
async function search(deps: PurchaseRoutesDeps, request: RouteRequest): Promise<RouteResponse> {
  const purchaseId = request.params['purchaseId']!;
  const { items, headers } = await deps.routing.search(STORES.purchases, request, async (store) => {
    const purchase = store.get(purchaseId) as Purchase | undefined;
    return purchase === undefined || !isFor(request, purchase) ? [] : [purchaseView(purchase)];
  });
  if (deps.routing.asksForPart(request)) return { status: 200, headers, body: { items } };
  if (items[0] === undefined) throw noSuchPurchase();
  return jsonWithEtag(request, items[0], undefined, headers);
}

/** As if it did not exist, otherwise: who guesses ids learns nothing. */
function isFor({ caller }: RouteRequest, purchase: Purchase): boolean {
  return mayActFor(caller, purchase.buyerId);
}

function noSuchPurchase(): Problem {
  return new Problem('not-found', { detail: 'there is no such purchase' });
}
