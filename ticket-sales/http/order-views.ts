/** What the API shows of orders: plain JSON made from domain values, and the schemas of it. */
import Type from 'typebox';
import { PURCHASE_STATES, REASONS } from '../domain/purchase.ts';
import { QUANTITY_MAX } from '../domain/zone.ts';
import {
  LINES_MAX,
  ORDER_ID_PATTERN,
  ORDER_STATES,
  type Order,
  type OrderLine,
  type OrderLineRequest,
} from '../orders/order.ts';
import { idSchema, moneySchema, purchaseIdSchema } from './views.ts';

export const orderIdSchema = Type.String({
  pattern: ORDER_ID_PATTERN,
  description: '`order-` and a UUID, lower case',
});
const timeSchema = Type.String({ description: 'RFC 3339, UTC' });
const seatSchema = Type.String({ pattern: '^[A-Z]{1,3}[1-9][0-9]{0,5}$', description: 'as A1' });

const lineRequestSchema = Type.Object(
  {
    eventId: idSchema,
    zoneId: idSchema,
    quantity: Type.Optional(Type.Integer({ minimum: 1, maximum: QUANTITY_MAX })),
    seats: Type.Optional(
      Type.Array(seatSchema, { minItems: 1, maxItems: QUANTITY_MAX, uniqueItems: true }),
    ),
    placement: Type.Optional(Type.Enum(['any', 'adjacent', 'adjacent_or_split'])),
    voucher: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9._~-]{1,64}$' })),
  },
  { additionalProperties: false, description: 'either quantity or seats' },
);

export const orderRequestSchema = Type.Object(
  {
    buyerId: idSchema,
    lines: Type.Array(lineRequestSchema, { minItems: 1, maxItems: LINES_MAX }),
  },
  { additionalProperties: false },
);

const lineSchema = Type.Object({
  purchaseId: purchaseIdSchema,
  eventId: idSchema,
  zoneId: idSchema,
  quantity: Type.Integer(),
  state: Type.Enum([...PURCHASE_STATES]),
  reason: Type.Optional(Type.Enum([...REASONS])),
  seats: Type.Optional(Type.Array(Type.String())),
  lostSeats: Type.Optional(
    Type.Array(Type.String(), { description: 'those of the seats that were not free' }),
  ),
  price: Type.Optional(moneySchema),
});

export const orderSchema = Type.Object({
  orderId: orderIdSchema,
  buyerId: idSchema,
  state: Type.Enum([...ORDER_STATES]),
  reason: Type.Optional(Type.Enum([...REASONS])),
  decidingLine: Type.Optional(Type.Integer({ description: 'the line that ended it, from 0' })),
  price: Type.Optional(moneySchema),
  payBy: Type.Optional(timeSchema),
  requestedAt: timeSchema,
  decidedAt: Type.Optional(timeSchema),
  lines: Type.Array(lineSchema),
  refunds: Type.Optional(
    Type.Array(
      Type.Object({
        refundId: Type.String(),
        amountMinor: Type.Integer(),
        isDone: Type.Boolean(),
      }),
    ),
  ),
});

type LineBody = Pick<OrderLineRequest, 'eventId' | 'zoneId'> &
  Partial<Omit<OrderLineRequest, 'voucher'>> & { readonly voucher?: string };

export interface OrderBody {
  readonly buyerId: string;
  readonly lines: readonly LineBody[];
}

/** undefined: neither a quantity nor seats, or seats that are not as many. */
export function lineOf(body: LineBody): OrderLineRequest | undefined {
  const { eventId, zoneId, seats = [], placement = 'any', voucher = null } = body;
  const quantity = body.quantity ?? seats.length;
  if (quantity === 0 || (seats.length > 0 && seats.length !== quantity)) return undefined;
  return { eventId, zoneId, quantity, seats, placement, voucher };
}

export function orderView(order: Order): Record<string, unknown> {
  const { orderId, buyerId, state, reason, decidingLine, price, refunds } = order;
  return {
    orderId,
    buyerId,
    state,
    ...(reason === 'none' ? {} : { reason }),
    ...(decidingLine === null ? {} : { decidingLine }),
    ...(price === null ? {} : { price: { ...price } }),
    ...(state === 'held' ? { payBy: timeText(order.deadlineMs) } : {}),
    requestedAt: timeText(order.requestedAtMs),
    ...(state === 'requested' ? {} : { decidedAt: timeText(order.decidedAtMs) }),
    lines: order.lines.map(lineView),
    ...(refunds.length === 0
      ? {}
      : {
          refunds: refunds.map(({ refundId, amountMinor, isDone }) => {
            return { refundId, amountMinor, isDone };
          }),
        }),
  };
}

function lineView(line: OrderLine): Record<string, unknown> {
  const { purchaseId, eventId, zoneId, quantity, state, reason, price } = line;
  const isRejected = state === 'rejected';
  const seats = line.seats.length > 0 || isRejected ? line.seats : line.seatsTaken;
  const lostSeats = isRejected ? line.seatsTaken : [];
  return {
    purchaseId,
    eventId,
    zoneId,
    quantity,
    state,
    ...(reason === 'none' ? {} : { reason }),
    ...(seats.length === 0 ? {} : { seats }),
    ...(lostSeats.length === 0 ? {} : { lostSeats }),
    ...(price === null ? {} : { price: { ...price } }),
  };
}

function timeText(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
