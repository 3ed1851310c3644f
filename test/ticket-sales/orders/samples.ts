/** Orders, lines and what they hear, of which a test names only what matters to it. */
import type { PaymentUpdate, PurchaseCommand } from '../../../ticket-sales/domain/command.ts';
import { NO_CHECKOUT } from '../../../ticket-sales/domain/decisions/decide-request.ts';
import type { Purchase } from '../../../ticket-sales/domain/purchase.ts';
import { decideLine } from '../../../ticket-sales/orders/decide-order.ts';
import { decideOrderPayment } from '../../../ticket-sales/orders/decide-order-payment.ts';
import { decidePlaceOrder } from '../../../ticket-sales/orders/decide-place-order.ts';
import {
  type Order,
  type OrderLineRequest,
  orderIdFor,
} from '../../../ticket-sales/orders/order.ts';
import type { PlaceOrderCommand } from '../../../ticket-sales/orders/order-command.ts';
import type { OrderDecision, OrderEffect } from '../../../ticket-sales/orders/order-decision.ts';

export const PLACED_AT_MS = 1_000_000;
export const HOLD_MS = 600_000;
export const ORDER_ID = orderIdFor('ada', 'key-1');

export function lineOf(zoneId: string, properties: Partial<OrderLineRequest> = {}) {
  const seats: readonly string[] = [];
  const placement = 'any' as const;
  return { eventId: 'gala', zoneId, quantity: 2, seats, placement, voucher: null, ...properties };
}

export function placeOrder(properties: Partial<PlaceOrderCommand> = {}): PlaceOrderCommand {
  return {
    kind: 'placeOrder',
    orderId: ORDER_ID,
    buyerId: 'ada',
    requestedAtMs: 900_000,
    lines: [lineOf('floor'), lineOf('balcony')],
    ...properties,
  };
}

export const at = (nowMs: number, offset = 7) => ({ nowMs, offset });

/** The order and the effects of a decision that has both. */
export function change(decision: OrderDecision): {
  order: Order;
  effects: readonly OrderEffect[];
} {
  if (decision.kind !== 'decided') throw new Error(`the decision is ${decision.kind}`);
  return decision;
}

export function placedOrder(properties: Partial<PlaceOrderCommand> = {}): Order {
  return change(decidePlaceOrder(undefined, placeOrder(properties), at(PLACED_AT_MS))).order;
}

/** How the zone says that a line of the order stands. */
export function outcome(
  order: Order,
  number: number,
  state: Purchase['state'],
  properties: Partial<Purchase> & { readonly heldUntilMs?: number } = {},
): Purchase {
  const { heldUntilMs = PLACED_AT_MS + HOLD_MS, ...others } = properties;
  const { purchaseId, eventId, zoneId, quantity } = order.lines[number]!;
  return {
    purchaseId,
    eventId,
    zoneId,
    buyerId: order.buyerId,
    quantity,
    state,
    reason: 'none',
    requestedAtMs: PLACED_AT_MS,
    decidedAtMs: PLACED_AT_MS,
    commandOffset: 3,
    price: { amountMinor: 2_000, currency: 'EUR' },
    seats: [],
    checkout: { ...NO_CHECKOUT, heldUntilMs, orderId: order.orderId },
    ...others,
  };
}

export function heldOrder(): Order {
  const placed = placedOrder();
  const one = change(decideLine(placed, outcome(placed, 0, 'held'), at(PLACED_AT_MS))).order;
  return change(decideLine(one, outcome(one, 1, 'held'), at(PLACED_AT_MS))).order;
}

export function paidOrder(): Order {
  return change(decideOrderPayment(heldOrder(), payment(), at(PLACED_AT_MS + 1))).order;
}

export function confirmedOrder(): Order {
  const paid = paidOrder();
  const one = change(decideLine(paid, outcome(paid, 0, 'confirmed'), at(PLACED_AT_MS + 2))).order;
  return change(decideLine(one, outcome(one, 1, 'confirmed'), at(PLACED_AT_MS + 3))).order;
}

export function payment(properties: Partial<PaymentUpdate> = {}): PaymentUpdate {
  return {
    kind: 'payment',
    purchaseId: ORDER_ID,
    eventId: 'gala',
    zoneId: 'floor',
    paymentId: 'pay-1',
    status: 'succeeded',
    amountMinor: 4_000,
    currency: 'EUR',
    refundId: null,
    detail: null,
    occurredAtMs: 0,
    ...properties,
  };
}

/** The commands among the effects, as `<kind> <zone>`. */
export function commandsOf(effects: readonly OrderEffect[]): readonly string[] {
  return effects.flatMap((effect) =>
    effect.kind === 'command' ? [`${effect.command.kind} ${effect.command.zoneId}`] : [],
  );
}

export function purchasesOf(effects: readonly OrderEffect[]): readonly PurchaseCommand[] {
  return effects.flatMap((effect) =>
    effect.kind === 'command' && effect.command.kind === 'purchase' ? [effect.command] : [],
  );
}
