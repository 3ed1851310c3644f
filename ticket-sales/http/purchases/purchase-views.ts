/** Purchases as they are asked for and shown: plain JSON, and the schemas of it. Pure. */
import Type from 'typebox';
import { Problem } from '../../../interactive-queries/http/problem.ts';
import type { PurchaseCommand, PurchaseOptions } from '../../domain/command.ts';
import { CURRENCY_PATTERN } from '../../domain/money.ts';
import { type Checkout, PURCHASE_STATES, type Purchase, REASONS } from '../../domain/purchase.ts';
import { QUANTITY_MAX } from '../../domain/zone.ts';
import { seatNameSchema } from '../seats/seat-views.ts';
import { amountSchema, idSchema, moneyView, purchaseIdSchema, timeSchema } from '../views.ts';

const quantitySchema = Type.Integer({ minimum: 1, maximum: QUANTITY_MAX });

/** One purchase, or a line of an order: where, and how many. */
export const wantedSchemas = {
  eventId: idSchema,
  zoneId: idSchema,
  quantity: Type.Optional(quantitySchema),
  seats: Type.Optional(
    Type.Array(seatNameSchema, {
      minItems: 1,
      maxItems: QUANTITY_MAX,
      uniqueItems: true,
      description: 'these, all of them or none',
    }),
  ),
  bestAdjacent: Type.Optional(
    Type.Object(
      {
        quantity: quantitySchema,
        allowSplit: Type.Optional(
          Type.Boolean({ description: 'in groups, if there are no such seats; default false' }),
        ),
      },
      { additionalProperties: false, description: 'the best seats side by side' },
    ),
  ),
  voucher: Type.Optional(idSchema),
};

export const purchaseRequestSchema = Type.Object(
  { ...wantedSchemas, buyerId: idSchema },
  { additionalProperties: false, description: 'one of quantity, seats and bestAdjacent' },
);

export const purchaseSchema = Type.Object({
  purchaseId: purchaseIdSchema,
  eventId: idSchema,
  zoneId: idSchema,
  buyerId: idSchema,
  quantity: Type.Integer(),
  state: Type.Enum([...PURCHASE_STATES]),
  reason: Type.Optional(Type.Enum([...REASONS])),
  seats: Type.Optional(
    Type.Array(Type.String(), { description: 'numbered seats, in their zones' }),
  ),
  lostSeats: Type.Optional(
    Type.Array(Type.String(), { description: 'of one rejected with seat_taken: not free' }),
  ),
  price: Type.Optional(amountSchema),
  fees: Type.Optional(
    Type.Object(
      { amountMinor: Type.Integer(), currency: Type.String({ pattern: CURRENCY_PATTERN }) },
      { description: 'contained in the price' },
    ),
  ),
  discount: Type.Optional(
    Type.Object(
      { amountMinor: Type.Integer(), currency: Type.String({ pattern: CURRENCY_PATTERN }) },
      { description: 'taken off the price already' },
    ),
  ),
  voucher: Type.Optional(idSchema),
  orderId: Type.Optional(Type.String()),
  heldUntil: Type.Optional(timeSchema),
  isExtended: Type.Optional(
    Type.Boolean({ description: 'of a hold: it cannot be extended again' }),
  ),
  payment: Type.Optional(
    Type.Object({
      paymentId: Type.Optional(Type.String({ description: 'the one that paid for it' })),
      paidMinor: Type.Integer({ description: 'all payments together' }),
      refundRequestedMinor: Type.Integer(),
      refundedMinor: Type.Integer(),
    }),
  ),
  requestedAt: timeSchema,
  decidedAt: Type.Optional(timeSchema),
});

export interface PurchaseBody {
  readonly eventId: string;
  readonly zoneId: string;
  readonly buyerId: string;
  readonly quantity?: number;
  readonly seats?: readonly string[];
  readonly bestAdjacent?: { readonly quantity: number; readonly allowSplit?: boolean };
  readonly voucher?: string;
}

/**
 * What a body asks for. Throws 422 unless it says in exactly one way how many. `pointer`: where it
 * stands in the request.
 */
export function wantedOf(
  body: Omit<PurchaseBody, 'buyerId'>,
  pointer = '',
): Pick<PurchaseCommand, 'quantity' | 'options'> {
  const { quantity, seats, bestAdjacent, voucher = null } = body;
  const ways = [quantity, seats, bestAdjacent].filter((way) => way !== undefined);
  if (ways.length !== 1) {
    const detail = 'needs one of quantity, seats and bestAdjacent';
    throw new Problem('validation-failed', { errors: [{ pointer, detail }] });
  }
  const plain: PurchaseOptions = {
    seats: [],
    placement: 'any',
    voucher,
    orderId: null,
    viaIntake: false,
  };
  if (seats !== undefined) return { quantity: seats.length, options: { ...plain, seats } };
  if (bestAdjacent !== undefined) {
    const placement = bestAdjacent.allowSplit === true ? 'adjacent_or_split' : 'adjacent';
    return { quantity: bestAdjacent.quantity, options: { ...plain, placement } };
  }
  return { quantity: quantity!, options: voucher === null ? null : plain };
}

export function purchaseView(purchase: Purchase): Record<string, unknown> {
  const { seats, reason, state } = purchase;
  const decided = state !== 'requested';
  return {
    purchaseId: purchase.purchaseId,
    eventId: purchase.eventId,
    zoneId: purchase.zoneId,
    buyerId: purchase.buyerId,
    quantity: purchase.quantity,
    state,
    ...(reason === 'none' ? {} : { reason }),
    ...(seats.length === 0 ? {} : { [state === 'rejected' ? 'lostSeats' : 'seats']: seats }),
    ...(purchase.price === null ? {} : { price: moneyView(purchase.price) }),
    ...(purchase.checkout === null ? {} : checkoutView(purchase, purchase.checkout)),
    requestedAt: new Date(purchase.requestedAtMs).toISOString(),
    ...(decided ? { decidedAt: new Date(purchase.decidedAtMs).toISOString() } : {}),
  };
}

function checkoutView({ price, state }: Purchase, checkout: Checkout): Record<string, unknown> {
  const { feesMinor, discountMinor, voucher, orderId, heldUntilMs, isExtended } = checkout;
  const part = (amountMinor: number) => ({ amountMinor, currency: price?.currency });
  return {
    ...(feesMinor === 0 ? {} : { fees: part(feesMinor) }),
    ...(discountMinor === 0 ? {} : { discount: part(discountMinor) }),
    ...(voucher === null ? {} : { voucher }),
    ...(orderId === null ? {} : { orderId }),
    ...(state === 'held' ? { heldUntil: new Date(heldUntilMs).toISOString(), isExtended } : {}),
    ...(checkout.paidMinor === 0 ? {} : { payment: paymentView(checkout) }),
  };
}

function paymentView(checkout: Checkout): Record<string, unknown> {
  const { paymentId, paidMinor, refundRequestedMinor, refundedMinor } = checkout;
  const amounts = { paidMinor, refundRequestedMinor, refundedMinor };
  return paymentId === null ? amounts : { paymentId, ...amounts };
}
