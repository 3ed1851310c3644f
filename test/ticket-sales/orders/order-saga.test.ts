/**
 * Orders among zones, a payment side and time, in any order that the logs allow: whatever happens,
 * an order ends whole or leaves nothing behind, and no money is lost.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { assert } from '../../../base/assert.ts';
import type { PaymentUpdate, PurchaseChange } from '../../../ticket-sales/domain/command.ts';
import type {
  PaymentRequest,
  RefundReason,
  RefundRequest,
} from '../../../ticket-sales/domain/payment.ts';
import type { Purchase, PurchaseState } from '../../../ticket-sales/domain/purchase.ts';
import {
  decideCancelOrder,
  decideDeadline,
  decideLine,
} from '../../../ticket-sales/orders/decide-order.ts';
import { decideOrderPayment } from '../../../ticket-sales/orders/decide-order-payment.ts';
import { decidePlaceOrder } from '../../../ticket-sales/orders/decide-place-order.ts';
import { isOver, type Order, orderIdFor } from '../../../ticket-sales/orders/order.ts';
import type { OrderCommand, OrderProgress } from '../../../ticket-sales/orders/order-command.ts';
import type { OrderDecision } from '../../../ticket-sales/orders/order-decision.ts';
import { lineOf, outcome, placedOrder, placeOrder } from './samples.ts';

const ZONES = ['a', 'b', 'c'] as const;
const PRICE_MINOR = 1_000;
const HOLD_MS = 10_000;
const ORDERS = 4;

type Heard = OrderCommand | OrderProgress;

/** A zone that is all its log says: stock, holds that end by log time, one purchase per id. */
class ZoneModel {
  readonly purchases = new Map<string, Purchase>();
  readonly log: PurchaseChange[] = [];
  #left = 5;

  next(nowMs: number): Purchase | undefined {
    const command = this.log.shift();
    if (command === undefined) return undefined;
    const before = this.purchases.get(command.purchaseId);
    switch (command.kind) {
      case 'purchase': {
        if (before !== undefined) return before;
        const isGranted = command.quantity <= this.#left;
        if (isGranted) this.#left -= command.quantity;
        const order = placedOrder({ orderId: command.options?.orderId ?? '' });
        return this.#store({
          ...outcome(order, 0, isGranted ? 'held' : 'rejected', {
            reason: isGranted ? 'none' : 'sold_out',
            price: { amountMinor: PRICE_MINOR * command.quantity, currency: 'EUR' },
            heldUntilMs: nowMs + HOLD_MS,
          }),
          purchaseId: command.purchaseId,
          eventId: command.eventId,
          zoneId: command.zoneId,
          quantity: command.quantity,
        });
      }
      case 'confirmHold':
        return this.#change(this.#settled(before, nowMs), { held: 'confirmed' });
      case 'cancel':
        return this.#change(this.#settled(before, nowMs), {
          held: 'released',
          confirmed: 'cancelled',
        });
      default:
        throw new Error(`an order sent ${command.kind}`);
    }
  }

  /** The holds that log time has passed. */
  expire(nowMs: number): readonly Purchase[] {
    const held = [...this.purchases.values()].filter(({ state }) => state === 'held');
    const settled = held.map((purchase) => this.#settled(purchase, nowMs));
    return settled.filter(({ state }) => state === 'expired');
  }

  #settled(before: Purchase | undefined, nowMs: number): Purchase {
    if (before === undefined) throw new Error('a line came after its confirmation or cancellation');
    const isDue = nowMs >= (before.checkout?.heldUntilMs ?? 0);
    return isDue ? this.#change(before, { held: 'expired' }) : before;
  }

  #change(before: Purchase, changes: Partial<Record<PurchaseState, PurchaseState>>): Purchase {
    const state = changes[before.state];
    if (state === undefined) return before;
    if (state !== 'confirmed') this.#left += before.quantity;
    return this.#store({ ...before, state });
  }

  #store(purchase: Purchase): Purchase {
    this.purchases.set(purchase.purchaseId, purchase);
    return purchase;
  }
}

class World {
  readonly zones = new Map(ZONES.map((zoneId) => [zoneId as string, new ZoneModel()]));
  readonly orders = new Map<string, Order>();
  readonly orderLog: Heard[] = [];
  readonly toPay: PaymentRequest[] = [];
  readonly toRefund: RefundRequest[] = [];
  readonly refundReasons: RefundReason[] = [];
  readonly paid = new Map<string, number>();
  nowMs = 1_000_000;
  #payments = 0;

  place(number: number, size: number): void {
    const lines = ZONES.slice(0, 2 + (number % 2)).map((zoneId) =>
      lineOf(zoneId, { quantity: size }),
    );
    this.orderLog.push(placeOrder({ orderId: idOf(number), lines }));
  }

  /** The order's partition takes its next record. */
  hear(): boolean {
    const heard = this.orderLog.shift();
    if (heard === undefined) return false;
    const orderId = orderIdOf(heard);
    this.#carryOut(this.orders.get(orderId), this.#decide(this.orders.get(orderId), heard));
    return true;
  }

  /** The zone takes its next record. */
  decide(zoneId: string): boolean {
    const zone = this.zones.get(zoneId)!;
    const purchase = zone.next(this.nowMs);
    if (purchase !== undefined) this.orderLog.push({ kind: 'line', purchase, notify: false });
    return purchase !== undefined;
  }

  /** The payment side answers the oldest request, or says again what it said. */
  pay(how: 'right' | 'twice' | 'wrong' | 'failed'): void {
    const request = how === 'twice' ? this.toPay[0] : this.toPay.shift();
    if (request === undefined) return;
    const amountMinor = request.amountMinor + (how === 'wrong' ? 1 : 0);
    const paymentId = `pay-${this.#payments++}`;
    const status = how === 'failed' ? 'failed' : 'succeeded';
    if (status === 'succeeded') this.paid.set(paymentId, amountMinor);
    const update = this.#update(request, { paymentId, amountMinor, status, refundId: null });
    this.orderLog.push(update, update);
  }

  refund(): boolean {
    const request = this.toRefund.shift();
    if (request === undefined) return false;
    const { paymentId, amountMinor, refundId } = request;
    this.paid.set(paymentId, this.paid.get(paymentId)! - amountMinor);
    const update = this.#update(request, { paymentId, amountMinor, refundId, status: 'refunded' });
    this.orderLog.push(update, update);
    return true;
  }

  tick(durationMs: number): void {
    this.nowMs += durationMs;
    for (const zone of this.zones.values()) {
      for (const purchase of zone.expire(this.nowMs))
        this.orderLog.push({ kind: 'line', purchase, notify: false });
    }
    for (const order of this.orders.values()) {
      this.#carryOut(order, decideDeadline(order, this.nowMs));
    }
  }

  /** Until nobody has anything to say; time stands still. */
  settle(): void {
    for (;;) {
      const heard = this.hear();
      const decided = ZONES.map((zoneId) => this.decide(zoneId));
      if (!heard && !decided.includes(true) && !this.refund()) return;
    }
  }

  #update(
    { purchaseId, eventId, zoneId, currency }: PaymentRequest | RefundRequest,
    rest: Pick<PaymentUpdate, 'paymentId' | 'amountMinor' | 'status' | 'refundId'>,
  ): OrderProgress {
    const others = { detail: null, occurredAtMs: 0 };
    const address = { purchaseId, eventId, zoneId, currency };
    return { kind: 'payment', payment: { kind: 'payment', ...address, ...rest, ...others } };
  }

  #decide(order: Order | undefined, heard: Heard): OrderDecision {
    const place = { nowMs: this.nowMs, offset: 0 };
    switch (heard.kind) {
      case 'placeOrder':
        return decidePlaceOrder(order, heard, place);
      case 'cancelOrder':
        return decideCancelOrder(order, place);
      case 'line':
        return decideLine(order, heard.purchase, place);
      case 'payment':
        return decideOrderPayment(order, heard.payment, place);
    }
  }

  #carryOut(before: Order | undefined, decision: OrderDecision): void {
    if (decision.kind !== 'decided') return;
    const from = before?.state ?? 'none';
    assert(ALLOWED[from].includes(decision.order.state), `${from} to ${decision.order.state}`);
    this.orders.set(decision.order.orderId, decision.order);
    for (const effect of decision.effects) {
      if (effect.kind === 'requestPayment') this.toPay.push(effect.request);
      else if (effect.kind === 'requestRefund') {
        this.toRefund.push(effect.request);
        this.refundReasons.push(effect.request.reason);
      } else this.zones.get(effect.command.zoneId)!.log.push(effect.command);
    }
  }
}

const ALLOWED: Readonly<Record<Order['state'] | 'none', readonly Order['state'][]>> = {
  none: ['requested', 'rejected'],
  requested: ['requested', 'held', 'rejected', 'expired', 'released'],
  held: ['held', 'paid', 'expired', 'released', 'payment_failed'],
  paid: ['paid', 'confirmed', 'cancelled'],
  confirmed: ['confirmed', 'cancelled'],
  cancelled: ['cancelled', 'refunded'],
  rejected: ['rejected'],
  expired: ['expired'],
  released: ['released'],
  payment_failed: ['payment_failed'],
  refunded: ['refunded'],
};

function idOf(number: number): string {
  return orderIdFor('ada', `key-${number}`);
}

function orderIdOf(heard: Heard): string {
  switch (heard.kind) {
    case 'line':
      return heard.purchase.checkout?.orderId ?? '';
    case 'payment':
      return heard.payment.purchaseId;
    default:
      return heard.orderId;
  }
}

const number = fc.integer({ min: 0, max: ORDERS - 1 });
const zoneId = fc.constantFrom(...ZONES);
type Step = (world: World) => void;

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: number.map(
      (n): Step =>
        (world) =>
          world.place(n, 1 + (n % 3)),
    ),
  },
  { weight: 10, arbitrary: fc.constant<Step>((world) => world.hear()) },
  {
    weight: 10,
    arbitrary: zoneId.map(
      (zone): Step =>
        (world) =>
          world.decide(zone),
    ),
  },
  {
    weight: 5,
    arbitrary: fc.constantFrom('right', 'right', 'right', 'twice', 'wrong', 'failed' as const).map(
      (how): Step =>
        (world) =>
          world.pay(how),
    ),
  },
  { weight: 1, arbitrary: fc.constant<Step>((world) => world.refund()) },
  {
    weight: 1,
    arbitrary: number.map(
      (n): Step =>
        (world) =>
          world.orderLog.push({ kind: 'cancelOrder', orderId: idOf(n) }),
    ),
  },
  // Less than an order's margin, most of it, or all of a hold: each race is met.
  {
    weight: 2,
    arbitrary: fc.constantFrom(100, 900, 4_000, HOLD_MS).map(
      (durationMs): Step =>
        (world) =>
          world.tick(durationMs),
    ),
  },
);

test('an order ends whole or leaves nothing behind, and no money is lost', () => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 120, size: 'max' }), (steps) => {
      const world = new World();
      for (const each of steps) each(world);
      world.settle();
      for (const order of world.orders.values()) {
        seen.set(order.state, (seen.get(order.state) ?? 0) + 1);
        checkLines(world, order);
      }
      for (const reason of world.refundReasons) seen.set(reason, (seen.get(reason) ?? 0) + 1);
      checkMoney(world);
    }),
    // One seed, so that what must have been seen is seen every time.
    { numRuns: 1_000, seed: 20_261_121 },
  );
  const states = ['held', 'confirmed', 'rejected', 'expired', 'released', 'payment_failed'];
  const refunds = [
    'cancelled',
    'late_payment',
    'double_payment',
    'amount_mismatch',
    'order_failed',
  ];
  for (const each of [...states, 'refunded', ...refunds]) {
    expect([each, (seen.get(each) ?? 0) > 10]).toEqual([each, true]);
  }
}, 120_000);

/** Only what the zones say counts. Time has not moved: no hold was left to expire by itself. */
function checkLines(world: World, order: Order): void {
  const states = order.lines.map(
    ({ zoneId: zone, purchaseId }) => world.zones.get(zone)?.purchases.get(purchaseId)?.state,
  );
  const what = `${order.state} with ${states}, heard ${order.lines.map(({ state }) => state)}`;
  assert(
    order.lines.every(({ state }, line) => state === states[line]),
    what,
  );
  const isWhole = (state: PurchaseState) => states.every((each) => each === state);
  if (isOver(order.state)) assert(!states.includes('held') && !states.includes('confirmed'), what);
  else
    assert((order.state === 'confirmed' || order.state === 'held') && isWhole(order.state), what);
  assert(order.state !== 'cancelled' || order.paymentId === null, 'cancelled, and never refunded');
}

/** What the payment side still has is the price of what was confirmed. */
function checkMoney(world: World): void {
  const kept = [...world.paid].filter(([, amountMinor]) => amountMinor !== 0);
  const confirmed = [...world.orders.values()].filter(({ state }) => state === 'confirmed');
  expect(kept.sort()).toEqual(
    confirmed
      .map(({ paymentId, price }) => [paymentId, price?.amountMinor] as const)
      .toSorted() as typeof kept,
  );
}
