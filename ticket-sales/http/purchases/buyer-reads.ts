/** The purchases of a buyer, newest first, gathered from all partitions. */
import { forbidden, hasRole } from '../../../interactive-queries/auth/access.ts';
import { Problem } from '../../../interactive-queries/http/problem.ts';
import type { RouteRequest, RouteResponse } from '../../../interactive-queries/http/route.ts';
import type { OwnerRouting } from '../../../interactive-queries/owner-routing.ts';
import type { Purchase } from '../../domain/purchase.ts';
import { BUYER_STORE, buyerPrefix, placeOf } from '../../reports/buyer-index.ts';
import { pageAnswer, pageOf, pageRange } from '../paging.ts';
import { mayActFor, OPERATORS } from '../roles.ts';
import { purchaseView } from './purchase-views.ts';

export interface BuyerReadsDeps {
  readonly routing: OwnerRouting;
  /** TICKETS_BUYER_QUERIES. */
  readonly isIndexed: boolean;
}

/** Throws 400 without a buyer, 403 for somebody else's purchases, 501 where there is no index. */
export async function listPurchases(
  { routing, isIndexed }: BuyerReadsDeps,
  request: RouteRequest,
): Promise<RouteResponse> {
  const buyerId = buyerOf(request);
  if (!isIndexed) {
    const detail = 'purchases are not indexed by buyer here (TICKETS_BUYER_QUERIES=off)';
    throw new Problem('not-queryable', { detail });
  }
  const page = pageOf(request);
  const range = pageRange(buyerPrefix(buyerId), page);
  const gathered = await routing.gather(BUYER_STORE, request, async (store) => {
    const views: Record<string, unknown>[] = [];
    for await (const [, purchase] of store.range(range)) {
      views.push(purchaseView(purchase as Purchase));
    }
    return views;
  });
  if (routing.asksForPart(request)) {
    return { status: 200, headers: gathered.headers, body: { items: gathered.items } };
  }
  return pageAnswer(request, page, gathered, ({ requestedAt, purchaseId }) =>
    placeOf(Date.parse(requestedAt as string), purchaseId as string),
  );
}

/** A buyer need not say who he is: his token does. */
function buyerOf({ query, caller }: RouteRequest): string {
  const asked = query['buyerId'];
  if (asked === undefined) {
    if (caller.kind === 'known' && !hasRole(caller, OPERATORS)) return caller.subject;
    throw new Problem('malformed-request', {
      errors: [{ pointer: '?buyerId', detail: 'is required' }],
    });
  }
  if (!mayActFor(caller, asked)) throw forbidden('a buyer sees his own purchases only');
  return asked;
}
