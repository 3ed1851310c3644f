/**
 * Where payment providers tell what became of a payment. A callback is believed for its signature
 * alone; what it does to a purchase is decided in the log, where the same payment again has no
 * further effect.
 */
import type { IncomingHttpHeaders } from 'node:http';
import Type from 'typebox';
import type { Clock } from '../../../base/clock.ts';
import {
  Problem,
  type ProblemOptions,
  retryAfter,
} from '../../../interactive-queries/http/problem.ts';
import type {
  Route,
  RouteRequest,
  RouteResponse,
} from '../../../interactive-queries/http/route.ts';
import type { OwnerRouting } from '../../../interactive-queries/owner-routing.ts';
import type { Peers } from '../../../interactive-queries/peers.ts';
import type { QueryableStreams } from '../../../interactive-queries/queryable-streams.ts';
import type { DecisionWaiters } from '../../decision-waiters.ts';
import type { PaymentUpdate, ZoneAddress } from '../../domain/command.ts';
import { AMOUNT_PAID_MAX, CURRENCY_PATTERN } from '../../domain/money.ts';
import type { Purchase } from '../../domain/purchase.ts';
import { partitionOfPurchase } from '../../domain/purchase-id.ts';
import { ID_PATTERN } from '../../domain/zone.ts';
import { isOrderId } from '../../orders/order.ts';
import type { ReportPayment } from '../../payments/payment-provider.ts';
import { STORES } from '../../sale/sale-stores.ts';
import { SIGNATURE_HEADER, verify } from '../../signature.ts';
import { timeOrNull, writtenTimeSchema } from '../times.ts';

export interface PaymentRoutesDeps {
  readonly streams: QueryableStreams;
  readonly routing: OwnerRouting;
  readonly peers: Peers;
  readonly waiters: DecisionWaiters;
  readonly report: ReportPayment;
  /** Empty = no callback can be believed. */
  readonly secrets: readonly string[];
  readonly clock: Clock;
}

const idSchema = Type.String({ pattern: ID_PATTERN });
const textSchema = Type.String({ minLength: 1, maxLength: 200, pattern: '^[\\x21-\\x7e]+$' });

const callbackSchema = Type.Object(
  {
    paymentId: textSchema,
    status: Type.Union([
      Type.Literal('succeeded'),
      Type.Literal('failed'),
      Type.Literal('refunded'),
    ]),
    amountMinor: Type.Integer({ minimum: 0, maximum: AMOUNT_PAID_MAX }),
    currency: Type.String({ pattern: CURRENCY_PATTERN }),
    eventId: Type.Optional(idSchema),
    zoneId: Type.Optional(idSchema),
    refundId: Type.Optional(textSchema),
    detail: Type.Optional(Type.String({ maxLength: 500 })),
    occurredAt: Type.Optional(writtenTimeSchema),
  },
  { additionalProperties: false },
);

interface Callback extends Partial<ZoneAddress> {
  readonly paymentId: string;
  readonly status: PaymentUpdate['status'];
  readonly amountMinor: number;
  readonly currency: string;
  readonly refundId?: string;
  readonly detail?: string;
  readonly occurredAt?: string;
}

/** What can be paid: a purchase, or an order as a whole. */
const payableIdSchema = Type.String({
  pattern: '^(?:order-)?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$',
  description: 'UUID of a purchase, or id of an order; lower case',
});

const acceptedSchema = Type.Object({ purchaseId: payableIdSchema, paymentId: textSchema });

export function paymentRoutes(deps: PaymentRoutesDeps): Route[] {
  return [
    {
      method: 'POST',
      path: '/v1/payments/{purchaseId}',
      operationId: 'reportPayment',
      summary: 'Tell what became of a payment (payment providers)',
      tag: 'payments',
      // The signature says who asks.
      access: 'open',
      params: { purchaseId: payableIdSchema },
      body: callbackSchema,
      checkBytes: (headers, bytes) => checkSignature(deps, headers, bytes),
      requestHeaders: {
        'Millrace-Signature': {
          required: true,
          about: 't=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<body>">, at most 5 minutes old',
        },
      },
      answers: {
        202: { about: 'It is in the log; telling it again changes nothing', body: acceptedSchema },
        400: { about: 'Cannot be read' },
        401: { about: 'The signature is missing, wrong or too old' },
        404: { about: 'There is no such purchase' },
        413: { about: 'Body too large' },
        415: { about: 'Not JSON in UTF-8' },
        422: { about: 'Invalid values' },
        503: { about: 'Not accepted, or unknown; or no callback is believed here: tell it again' },
      },
      handle: (request) => takeCallback(deps, request),
    },
  ];
}

/** Nothing of the body is looked at before. */
function checkSignature(
  { secrets, clock }: PaymentRoutesDeps,
  headers: IncomingHttpHeaders,
  bytes: Buffer,
): void {
  if (secrets.length === 0) {
    const detail = 'no callback is believed here: PAYMENT_CALLBACK_SECRETS is not set';
    throw new Problem('auth-unavailable', { ...retryAfter(60), detail });
  }
  const header = headers[SIGNATURE_HEADER];
  const verdict = verify(
    typeof header === 'string' ? header : undefined,
    secrets,
    bytes,
    clock.nowMs(),
  );
  if (verdict !== 'good') {
    throw new Problem('unauthenticated', {
      detail: `Millrace-Signature is ${verdict.replace('-', ' ')}`,
    });
  }
}

async function takeCallback(
  deps: PaymentRoutesDeps,
  request: RouteRequest,
): Promise<RouteResponse> {
  const purchaseId = request.params['purchaseId']!;
  const callback = request.body as Callback;
  const { status, refundId, eventId, zoneId } = callback;
  if (status === 'refunded' && refundId === undefined) {
    throw invalid('/refundId', 'is required of a refund');
  }
  if ((eventId === undefined) !== (zoneId === undefined)) {
    throw invalid('/eventId', 'goes together with zoneId');
  }
  // The zone decides even of a payment that it knows no purchase for: money is never turned away.
  if (eventId !== undefined && zoneId !== undefined) {
    return take(deps, purchaseId, callback, { eventId, zoneId });
  }
  return takeAtOwner(deps, request, purchaseId, callback);
}

/** Without its zone the purchase must be looked up where it is: there the callback is taken. */
async function takeAtOwner(
  { streams, routing, peers, waiters, ...deps }: PaymentRoutesDeps,
  request: RouteRequest,
  purchaseId: string,
  callback: Callback,
): Promise<RouteResponse> {
  const partition = partitionOfPurchase(purchaseId, routing.partitionCount(STORES.purchases));
  if (partition === undefined) throw invalid('/eventId', 'is required: the id is not one of ours');
  const location = streams.locatePartition(STORES.purchases, partition);
  if (!location.isLocal) {
    if (routing.isForwarded(request)) throw new Problem('misdirected');
    if (location.active === undefined) throw new Problem('rebalancing', retryAfter(1));
    const headers = {
      'content-type': 'application/json',
      [SIGNATURE_HEADER]: String(request.headers[SIGNATURE_HEADER]),
    };
    return peers.forward(location.active, request, { post: { body: request.bodyBytes!, headers } });
  }
  let purchase: Purchase | undefined;
  await routing.answer<Purchase>(STORES.purchases, location, request, (store) => {
    purchase = store.get(purchaseId);
    return { status: 200 };
  });
  const zone: ZoneAddress | undefined = purchase ?? waiters.undecided(purchaseId);
  if (zone === undefined) {
    throw new Problem('not-found', { detail: 'there is no such purchase' });
  }
  return take(deps, purchaseId, callback, zone);
}

async function take(
  { report, clock }: Pick<PaymentRoutesDeps, 'report' | 'clock'>,
  purchaseId: string,
  callback: Callback,
  { eventId, zoneId }: ZoneAddress,
): Promise<RouteResponse> {
  const { paymentId, status, amountMinor, currency, refundId, detail, occurredAt } = callback;
  await report({
    kind: 'payment',
    purchaseId,
    eventId,
    zoneId,
    paymentId,
    status,
    amountMinor,
    currency,
    refundId: refundId ?? null,
    detail: detail ?? null,
    occurredAtMs: timeOrNull(occurredAt, '/occurredAt') ?? clock.nowMs(),
  });
  return {
    status: 202,
    headers: { Location: `/v1/${isOrderId(purchaseId) ? 'orders' : 'purchases'}/${purchaseId}` },
    body: { purchaseId, paymentId },
  };
}

function invalid(pointer: string, detail: string): Problem {
  const options: ProblemOptions = { errors: [{ pointer, detail }] };
  return new Problem('validation-failed', options);
}
