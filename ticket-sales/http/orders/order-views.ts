/** What the API shows of orders: plain JSON made from domain values, and the schemas of it. */
import Type from 'typebox';
import { PURCHASE_STATES, REASONS } from '../../domain/purchase.ts';
import {
  LINES_MAX,
  ORDER_ID_PATTERN,
  ORDER_STATES,
  type Order,
  type OrderLine,
  type OrderLineRequest,
} from '../../orders/order.ts';
import { type PurchaseBody, wantedOf, wantedSchemas } from '../purchases/purchase-views.ts';
import { amountSchema, idSchema, purchaseIdSchema, timeSchema } from '../views.ts';

export const orderIdSchema = Type.String({
  pattern: ORDER_ID_PATTERN,
  description: '`order-` and a UUID, lower case',
});

const lineRequestSchema = Type.Object(wantedSchemas, {
  additionalProperties: false,
  description: 'one of quantity, seats and bestAdjacent',
});

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
  placement: Type.Optional(Type.Enum(['adjacent', 'adjacent_or_split'])),
  voucher: Type.Optional(idSchema),
  state: Type.Enum([...PURCHASE_STATES]),
  reason: Type.Optional(Type.Enum([...REASONS])),
  seats: Type.Optional(Type.Array(Type.String())),
  lostSeats: Type.Optional(
    Type.Array(Type.String(), { description: 'those of the seats that were not free' }),
  ),
  price: Type.Optional(amountSchema),
});

export const orderSchema = Type.Object({
  orderId: orderIdSchema,
  buyerId: idSchema,
  state: Type.Enum([...ORDER_STATES]),
  reason: Type.Optional(Type.Enum([...REASONS])),
  decidingLine: Type.Optional(Type.Integer({ description: 'the line that ended it, from 0' })),
  price: Type.Optional(amountSchema),
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

export interface OrderBody {
  readonly buyerId: string;
  readonly lines: readonly Omit<PurchaseBody, 'buyerId'>[];
}

/** Throws 422 for a line that does not say in exactly one way how many. */
export function linesOf({ lines }: OrderBody): readonly OrderLineRequest[] {
  return lines.map((line, number) => {
    const { quantity, options } = wantedOf(line, `/lines/${number}`);
    const { eventId, zoneId } = line;
    const { seats = [], placement = 'any', voucher = null } = options ?? {};
    return { eventId, zoneId, quantity, seats, placement, voucher };
  });
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
  const { purchaseId, eventId, zoneId, quantity, placement, voucher, state, reason, price } = line;
  const isRejected = state === 'rejected';
  const seats = line.seats.length > 0 || isRejected ? line.seats : line.seatsTaken;
  const lostSeats = isRejected ? line.seatsTaken : [];
  return {
    purchaseId,
    eventId,
    zoneId,
    quantity,
    ...(placement === 'any' ? {} : { placement }),
    ...(voucher === null ? {} : { voucher }),
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
