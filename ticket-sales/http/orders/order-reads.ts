/** An order as it stands, from its owner. One that the caller has no part in is no order at all. */
import { jsonWithEtag } from '../../../interactive-queries/http/etag.ts';
import { Problem } from '../../../interactive-queries/http/problem.ts';
import type { RouteRequest, RouteResponse } from '../../../interactive-queries/http/route.ts';
import { waitSeconds } from '../../../interactive-queries/peers.ts';
import type { Order } from '../../orders/order.ts';
import { ORDER_STORES } from '../../orders/order-processor.ts';
import { mayActFor } from '../roles.ts';
import type { OrderRoutesDeps } from './order-routes.ts';
import { orderView } from './order-views.ts';

type Deps = Pick<OrderRoutesDeps, 'streams' | 'routing' | 'waiters'>;

/** With Prefer: wait, when its zones have answered. Throws 404; 503 while it cannot be told. */
export async function readOrder(
  deps: Deps,
  request: RouteRequest,
  orderId: string,
): Promise<RouteResponse> {
  const waitMs = waitSeconds(request.headers['prefer']) * 1_000;
  const first = await readNow(deps, request, orderId);
  if (waitMs === 0 || !first.isUnanswered) return first.response;
  const answered = deps.waiters.wait(orderId, waitMs, request.signal);
  // What was decided before anybody waited for it is not missed.
  const second = await readNow(deps, request, orderId);
  if (!second.isUnanswered) return second.response;
  await answered;
  return (await readNow(deps, request, orderId)).response;
}

async function readNow(
  { streams, routing }: Deps,
  request: RouteRequest,
  orderId: string,
): Promise<{ readonly response: RouteResponse; readonly isUnanswered: boolean }> {
  const location = streams.locateKey(ORDER_STORES.orders, Buffer.from(orderId));
  let isUnanswered = false;
  const response = await routing.answer<Order>(ORDER_STORES.orders, location, request, (store) => {
    const order = store.get(orderId);
    if (order === undefined || !mayActFor(request.caller, order.buyerId)) {
      throw new Problem('not-found', { detail: 'there is no such order' });
    }
    isUnanswered = order.state === 'requested';
    return jsonWithEtag(request, orderView(order));
  });
  return { response, isUnanswered };
}
