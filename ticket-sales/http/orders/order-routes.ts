/**
 * Orders over HTTP: commands go into the log, what became of them comes from the state.
 *
 * H1. 202 only after the broker acknowledged the command (acks=all).
 * H2. The id follows from buyer and Idempotency-Key: a retry is the same command.
 */
import type { Clock } from '../../../base/clock.ts';
import { forbidden } from '../../../interactive-queries/auth/access.ts';
import {
  changedRequest,
  type Route,
  type RouteRequest,
  type RouteResponse,
} from '../../../interactive-queries/http/route.ts';
import type { OwnerRouting } from '../../../interactive-queries/owner-routing.ts';
import { waitSeconds } from '../../../interactive-queries/peers.ts';
import { positionAfter, readQuery } from '../../../interactive-queries/positions.ts';
import type { QueryableStreams } from '../../../interactive-queries/queryable-streams.ts';
import type { SentRecord } from '../../../kafka/ports.ts';
import type { CommandSender } from '../../command-sender.ts';
import { requestedOrder } from '../../orders/decide-place-order.ts';
import { orderIdFor } from '../../orders/order.ts';
import type { OrderCommand, PlaceOrderCommand } from '../../orders/order-command.ts';
import { ORDER_TOPICS, type OrderSerdes } from '../../orders/order-records.ts';
import { OrderWaiters } from '../../orders/order-waiters.ts';
import type { TopicOf } from '../../records.ts';
import { idempotencyKeyOf } from '../idempotency-key.ts';
import { unlessAmbiguous } from '../purchases/purchase-answers.ts';
import { BUYERS, mayActFor } from '../roles.ts';
import { acceptedOrder, alreadyOver, decidedOrder, isOverView } from './order-answers.ts';
import { readOrder } from './order-reads.ts';
import {
  linesOf,
  type OrderBody,
  orderIdSchema,
  orderRequestSchema,
  orderSchema,
  orderView,
} from './order-views.ts';

export interface OrderRoutesDeps {
  readonly streams: QueryableStreams;
  readonly routing: OwnerRouting;
  readonly waiters: OrderWaiters;
  readonly sender: CommandSender;
  readonly orders: TopicOf<OrderCommand>;
  readonly clock: Clock;
}

const preferHeader = {
  prefer: { required: false, about: 'wait=N waits up to N seconds (at most 30) for the zones' },
};

/** The routes, with whoever waits on them fed from what this instance commits. */
export function orderApi(
  deps: Omit<OrderRoutesDeps, 'waiters' | 'orders'>,
  serdes: OrderSerdes,
): Route[] {
  const waiters = new OrderWaiters({ orderSerde: serdes.order, clock: deps.clock });
  deps.streams.onCommitted(
    [ORDER_TOPICS.orderStatus],
    () => waiters.isAnybodyWaiting,
    (notice) => waiters.onCommitted(notice),
  );
  const orders = { topic: ORDER_TOPICS.orders, serde: serdes.command };
  return orderRoutes({ ...deps, waiters, orders });
}

function orderRoutes(deps: OrderRoutesDeps): Route[] {
  return [
    {
      method: 'POST',
      path: '/v1/orders',
      operationId: 'placeOrder',
      summary: 'Ask for tickets of several zones, all or nothing',
      tag: 'orders',
      access: BUYERS,
      body: orderRequestSchema,
      requestHeaders: {
        'Idempotency-Key': { required: true, about: 'the same key and buyer is the same order' },
        ...preferHeader,
      },
      answers: {
        201: { about: 'Every line is held (then it waits to be paid) or sold', body: orderSchema },
        202: { about: 'Accepted; not all zones have answered yet', body: orderSchema },
        400: { about: 'Cannot be read, or no Idempotency-Key' },
        409: { about: 'Rejected, for the reason of the line that could not be had' },
        413: { about: 'Body too large' },
        415: { about: 'Not JSON in UTF-8' },
        422: { about: 'Invalid values, or the key belongs to another order' },
        503: { about: 'Not accepted, or unknown; retry with the same key' },
      },
      handle: (request) => placeOrder(deps, request),
    },
    {
      method: 'GET',
      path: '/v1/orders/{orderId}',
      operationId: 'getOrder',
      summary: 'An order as it stands',
      tag: 'orders',
      access: BUYERS,
      params: { orderId: orderIdSchema },
      query: readQuery,
      requestHeaders: preferHeader,
      answers: {
        200: { about: 'The order', body: orderSchema },
        304: { about: 'Unchanged' },
        404: { about: 'There is no such order' },
        503: { about: 'The state is not available now' },
      },
      handle: (request) => readOrder(deps, request, request.params['orderId']!),
    },
    {
      method: 'DELETE',
      path: '/v1/orders/{orderId}',
      operationId: 'cancelOrder',
      summary: 'Give everything back: what is paid is refunded',
      tag: 'orders',
      access: BUYERS,
      params: { orderId: orderIdSchema },
      requestHeaders: preferHeader,
      answers: {
        200: { about: 'Given back', body: orderSchema },
        202: { about: 'Accepted, not decided yet', body: orderSchema },
        404: { about: 'There is no such order' },
        409: { about: 'It had ended otherwise' },
        503: { about: 'Not accepted, or unknown; retry' },
      },
      handle: (request) => cancelOrder(deps, request),
    },
  ];
}

async function placeOrder(deps: OrderRoutesDeps, request: RouteRequest): Promise<RouteResponse> {
  const body = request.body as OrderBody;
  if (!mayActFor(request.caller, body.buyerId)) {
    throw forbidden('a buyer buys for himself: buyerId must be the sub of the token');
  }
  const orderId = orderIdFor(body.buyerId, idempotencyKeyOf(request));
  const command: PlaceOrderCommand = {
    kind: 'placeOrder',
    orderId,
    buyerId: body.buyerId,
    requestedAtMs: deps.clock.nowMs(),
    lines: linesOf(body),
  };
  const sent = await send(deps, command);
  const position = positionAfter(deps.orders.topic, sent);
  const place = { nowMs: command.requestedAtMs, offset: sent.offset };
  const accepted = acceptedOrder(orderView(requestedOrder(command, place)), position);
  if (position === undefined || waitSeconds(request.headers['prefer']) === 0) return accepted;
  const answer = await readAfter(deps, request, orderId, position).catch(() => undefined);
  return answer === undefined ? accepted : decidedOrder(answer, command, position);
}

async function cancelOrder(deps: OrderRoutesDeps, request: RouteRequest): Promise<RouteResponse> {
  const orderId = request.params['orderId']!;
  const now = await readOrder(deps, plain(request, orderId), orderId);
  const view = viewOf(now);
  if (view === undefined) return now;
  if (isOverView(view)) return alreadyOver(view);
  const sent = await send(deps, { kind: 'cancelOrder', orderId });
  const position = positionAfter(deps.orders.topic, sent);
  const accepted = acceptedOrder(view, position);
  if (position === undefined || waitSeconds(request.headers['prefer']) === 0) return accepted;
  const answer = await readOrder(deps, plain(request, orderId, position), orderId).catch(
    () => undefined,
  );
  const after = answer && viewOf(answer);
  return after === undefined ? accepted : alreadyOver(after);
}

async function send(deps: OrderRoutesDeps, command: OrderCommand): Promise<SentRecord> {
  return deps.sender.send(deps.orders, command.orderId, command).catch((cause: unknown) => {
    throw unlessAmbiguous(cause, command.orderId);
  });
}

/** Waits for the zones, as the order's own resource does with Prefer: wait. */
async function readAfter(
  deps: OrderRoutesDeps,
  request: RouteRequest,
  orderId: string,
  position: string,
): Promise<Record<string, unknown> | undefined> {
  const { prefer } = request.headers;
  const get = plain(request, orderId, position);
  const headers = { ...get.headers, prefer };
  return viewOf(await readOrder(deps, changedRequest(get, { headers }), orderId));
}

/** The same request as a plain read of the order, here or at its owner. */
function plain(request: RouteRequest, orderId: string, minPosition?: string): RouteRequest {
  const query = minPosition === undefined ? '' : `?minPosition=${encodeURIComponent(minPosition)}`;
  return changedRequest(request, {
    query: minPosition === undefined ? {} : { minPosition },
    headers: { ...request.headers, 'if-none-match': undefined, prefer: undefined },
    body: undefined,
    target: `/v1/orders/${orderId}${query}`,
  });
}

function viewOf({ status, body }: RouteResponse): Record<string, unknown> | undefined {
  return status === 200 ? (JSON.parse(String(body)) as Record<string, unknown>) : undefined;
}
