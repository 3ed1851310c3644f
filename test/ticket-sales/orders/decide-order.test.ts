/** The saga step by step: what an order does for what it hears. */
import { describe, expect, test } from 'vitest';
import { isPurchaseId, partitionOfPurchase } from '../../../ticket-sales/domain/purchase-id.ts';
import { CAPACITY_MAX } from '../../../ticket-sales/domain/zone.ts';
import {
  decideCancelOrder,
  decideDeadline,
  decideLine,
} from '../../../ticket-sales/orders/decide-order.ts';
import { decideOrderPayment } from '../../../ticket-sales/orders/decide-order-payment.ts';
import {
  decidePlaceOrder,
  REQUESTED_MS_MAX,
} from '../../../ticket-sales/orders/decide-place-order.ts';
import {
  isOrderId,
  LINES_MAX,
  type Order,
  orderIdFor,
  REFUNDS_MAX,
} from '../../../ticket-sales/orders/order.ts';
import { keyPartition } from './key-partition.ts';
import {
  at,
  change,
  commandsOf,
  confirmedOrder,
  HOLD_MS,
  heldOrder,
  lineOf,
  ORDER_ID,
  outcome,
  PLACED_AT_MS,
  paidOrder,
  payment,
  placedOrder,
  placeOrder,
  purchasesOf,
} from './samples.ts';

const LATER_MS = PLACED_AT_MS + 5_000;

describe('placing an order', () => {
  test('asks each zone for its line, as a purchase that is held for the order', () => {
    const seats = lineOf('balcony', { seats: ['A1', 'A2'], voucher: 'EARLY' });
    const command = placeOrder({ lines: [lineOf('floor'), seats] });
    const { order, effects } = change(decidePlaceOrder(undefined, command, at(PLACED_AT_MS)));
    expect(order).toMatchObject({ state: 'requested', commandOffset: 7, price: null });
    const [floor, balcony] = purchasesOf(effects);
    expect(floor).toEqual({
      kind: 'purchase',
      purchaseId: order.lines[0]?.purchaseId,
      eventId: 'gala',
      zoneId: 'floor',
      buyerId: 'ada',
      quantity: 2,
      requestedAtMs: 900_000,
      options: {
        ...{ seats: [], placement: 'any', voucher: null },
        ...{ orderId: ORDER_ID, viaIntake: false },
      },
    });
    expect(balcony?.options).toMatchObject({ seats: ['A1', 'A2'], voucher: 'EARLY' });
  });

  test('gives each line an id that tells its zone’s partition, even twice in one zone', () => {
    const order = placedOrder({ lines: [lineOf('floor'), lineOf('floor'), lineOf('balcony')] });
    const ids = order.lines.map(({ purchaseId }) => purchaseId);
    expect(new Set(ids).size).toBe(3);
    expect(ids.every(isPurchaseId)).toBe(true);
    expect(ids.map((id) => partitionOfPurchase(id, 64))).toEqual([
      keyPartition('gala/floor', 64),
      keyPartition('gala/floor', 64),
      keyPartition('gala/balcony', 64),
    ]);
  });

  test('again is the same order, and another request under its id changes nothing', () => {
    const order = heldOrder();
    expect(decidePlaceOrder(order, placeOrder(), at(LATER_MS))).toEqual({
      kind: 'repeated',
      order,
    });
    const others = [
      placeOrder({ buyerId: 'bob' }),
      placeOrder({ lines: [lineOf('floor')] }),
      placeOrder({ lines: [lineOf('floor'), lineOf('balcony', { quantity: 3 })] }),
      placeOrder({ lines: [lineOf('floor'), lineOf('balcony', { seats: ['A1'] })] }),
    ];
    for (const other of others) {
      expect(decidePlaceOrder(order, other, at(LATER_MS))).toEqual({ kind: 'conflict', order });
    }
  });

  test.each([
    ['no line', placeOrder({ lines: [] })],
    ['too many lines', placeOrder({ lines: Array(LINES_MAX + 1).fill(lineOf('floor')) })],
    ['a buyer of no name', placeOrder({ buyerId: 'a/b' })],
    ['a zone of no name', placeOrder({ lines: [lineOf('floor'), lineOf('')] })],
    ['no tickets', placeOrder({ lines: [lineOf('floor', { quantity: 0 })] })],
    ['too many tickets', placeOrder({ lines: [lineOf('floor', { quantity: CAPACITY_MAX })] })],
  ])('with %s is rejected and asks nobody for anything', (_what, command) => {
    const { order, effects } = change(decidePlaceOrder(undefined, command, at(PLACED_AT_MS)));
    expect(order).toMatchObject({ state: 'rejected', reason: 'invalid_command', deadlineMs: 0 });
    expect(order.lines.every(({ state }) => state === 'rejected')).toBe(true);
    expect(effects).toEqual([]);
    expect(decidePlaceOrder(order, command, at(LATER_MS)).kind).toBe('repeated');
  });

  test('has an id that follows from buyer and key, and is never a purchase’s', () => {
    expect(orderIdFor('ada', 'key-1')).toBe(ORDER_ID);
    expect(orderIdFor('ada', 'key-2')).not.toBe(ORDER_ID);
    expect(orderIdFor('bob', 'key-1')).not.toBe(ORDER_ID);
    expect(isOrderId(ORDER_ID)).toBe(true);
    expect(isPurchaseId(ORDER_ID)).toBe(false);
    expect(isOrderId(placedOrder().lines[0]!.purchaseId)).toBe(false);
  });
});

describe('while the zones answer', () => {
  test('payment is asked for once, when the last line is held', () => {
    const placed = placedOrder();
    const first = change(decideLine(placed, outcome(placed, 1, 'held'), at(LATER_MS)));
    expect(first.order.state).toBe('requested');
    expect(first.effects).toEqual([]);
    const { order, effects } = change(
      decideLine(first.order, outcome(placed, 0, 'held'), at(LATER_MS)),
    );
    expect(order).toMatchObject({
      state: 'held',
      price: { amountMinor: 4_000, currency: 'EUR' },
      decidedAtMs: LATER_MS,
    });
    const request = {
      purchaseId: ORDER_ID,
      eventId: 'gala',
      zoneId: 'floor',
      buyerId: 'ada',
      amountMinor: 4_000,
      currency: 'EUR',
      dueAtMs: order.deadlineMs,
      requestedAtMs: LATER_MS,
    };
    expect(effects).toEqual([{ kind: 'requestPayment', request }]);
  });

  test('the order ends before its first hold does: 30 s, or a tenth of a short hold', () => {
    const endOf = (holdsMs: readonly number[]) => {
      const placed = placedOrder();
      return holdsMs.reduce((order, holdMs, number) => {
        const held = outcome(order, number, 'held', { heldUntilMs: PLACED_AT_MS + holdMs });
        return change(decideLine(order, held, at(PLACED_AT_MS))).order;
      }, placed).deadlineMs;
    };
    expect(endOf([HOLD_MS, HOLD_MS + 60_000])).toBe(PLACED_AT_MS + HOLD_MS - 30_000);
    expect(endOf([HOLD_MS, 10_000])).toBe(PLACED_AT_MS + 9_000);
  });

  test('a refused line rejects the order for its reason, and the others are given back', () => {
    const placed = placedOrder({ lines: [lineOf('a'), lineOf('b'), lineOf('c')] });
    const held = change(decideLine(placed, outcome(placed, 0, 'held'), at(LATER_MS))).order;
    const refusal = outcome(placed, 1, 'rejected', { reason: 'sold_out', price: null });
    const { order, effects } = change(decideLine(held, refusal, at(LATER_MS)));
    expect(order).toMatchObject({ state: 'rejected', reason: 'sold_out', decidingLine: 1 });
    // Of the third one nothing is known yet: its cancellation follows its purchase in the log.
    expect(commandsOf(effects)).toEqual(['cancel a', 'cancel c']);
    expect(order.lines.map(({ isGivenBack }) => isGivenBack)).toEqual([true, false, true]);
  });

  test('what a zone says after the end is remembered, and nothing is cancelled twice', () => {
    const placed = placedOrder();
    const refusal = outcome(placed, 0, 'rejected', { reason: 'seat_taken' });
    let { order } = change(decideLine(placed, refusal, at(LATER_MS)));
    for (const state of ['held', 'released'] as const) {
      const after = change(decideLine(order, outcome(placed, 1, state), at(LATER_MS)));
      expect(after.effects).toEqual([]);
      order = after.order;
    }
    expect(order).toMatchObject({ state: 'rejected', reason: 'seat_taken' });
    expect(order.lines.map(({ state }) => state)).toEqual(['rejected', 'released']);
  });

  test('lines of two currencies cannot be paid as one', () => {
    const placed = placedOrder();
    const one = change(decideLine(placed, outcome(placed, 0, 'held'), at(LATER_MS))).order;
    const dollars = outcome(one, 1, 'held', { price: { amountMinor: 1, currency: 'USD' } });
    const { order, effects } = change(decideLine(one, dollars, at(LATER_MS)));
    expect(order).toMatchObject({ state: 'rejected', reason: 'invalid_command' });
    expect(commandsOf(effects)).toEqual(['cancel floor', 'cancel balcony']);
  });

  test.each([
    ['without a price', null],
    ['that costs nothing', { amountMinor: 0, currency: 'EUR' }],
  ])('an order %s is confirmed without a payment', (_what, price) => {
    const placed = placedOrder();
    const one = change(decideLine(placed, outcome(placed, 0, 'held', { price }), at(LATER_MS)));
    const { order, effects } = change(
      decideLine(one.order, outcome(placed, 1, 'held', { price }), at(LATER_MS)),
    );
    expect(order).toMatchObject({ state: 'paid', deadlineMs: 0, paymentId: null });
    expect(commandsOf(effects)).toEqual(['confirmHold floor', 'confirmHold balcony']);
    expect(effects).toHaveLength(2);
  });

  test('a hold that ended before the last zone answered ends the order', () => {
    const placed = placedOrder();
    const short = outcome(placed, 0, 'held', { heldUntilMs: PLACED_AT_MS + 1_000 });
    const one = change(decideLine(placed, short, at(PLACED_AT_MS))).order;
    const { order, effects } = change(
      decideLine(one, outcome(one, 1, 'held'), at(PLACED_AT_MS + 950)),
    );
    expect(order.state).toBe('expired');
    expect(commandsOf(effects)).toEqual(['cancel floor', 'cancel balcony']);
  });

  test.each(['expired', 'released'] as const)('a line that is %s ends an order', (state) => {
    for (const before of [heldOrder(), placedOrder()]) {
      const { order, effects } = change(
        decideLine(before, outcome(before, 0, state), at(LATER_MS)),
      );
      expect(order).toMatchObject({ state, decidingLine: 0, deadlineMs: 0 });
      expect(commandsOf(effects)).toEqual(['cancel balcony']);
    }
  });

  test('what a zone says again is nothing new', () => {
    const order = heldOrder();
    expect(decideLine(order, outcome(order, 0, 'held'), at(LATER_MS)).kind).toBe('ignored');
  });

  test('a purchase that names an order it is no line of is given back', () => {
    const order = heldOrder();
    const purchaseId = '11111111-2222-8333-8444-555555555555';
    const forged = outcome(order, 0, 'held', { purchaseId });
    for (const known of [order, undefined]) {
      const decision = decideLine(known, forged, at(LATER_MS));
      const command = { kind: 'cancel', purchaseId, eventId: 'gala', zoneId: 'floor' };
      expect(decision).toEqual({ kind: 'stray', effects: [{ kind: 'command', command }] });
      const gone = { ...forged, state: 'released' } as const;
      expect(decideLine(known, gone, at(LATER_MS)).kind).toBe('ignored');
    }
  });
});

describe('the deadline', () => {
  test('expires what is requested or held, not a millisecond early, and gives it back', () => {
    const order = heldOrder();
    expect(decideDeadline(order, order.deadlineMs - 1).kind).toBe('ignored');
    const { order: expired, effects } = change(decideDeadline(order, order.deadlineMs));
    expect(expired).toMatchObject({ state: 'expired', deadlineMs: 0 });
    expect(commandsOf(effects)).toEqual(['cancel floor', 'cancel balcony']);
    const silent = placedOrder();
    expect(silent.deadlineMs).toBe(PLACED_AT_MS + REQUESTED_MS_MAX);
    expect(commandsOf(change(decideDeadline(silent, silent.deadlineMs)).effects)).toEqual([
      'cancel floor',
      'cancel balcony',
    ]);
  });

  test('does not concern what is paid, confirmed or over', () => {
    for (const order of [paidOrder(), confirmedOrder()]) {
      expect(decideDeadline(order, Number.MAX_SAFE_INTEGER).kind).toBe('ignored');
    }
  });
});

describe('the payment', () => {
  test('in time confirms every line; the order is confirmed with the last of them', () => {
    const { order, effects } = change(decideOrderPayment(heldOrder(), payment(), at(LATER_MS)));
    expect(order).toMatchObject({ state: 'paid', paymentId: 'pay-1', paidMinor: 4_000 });
    expect(effects).toEqual(
      order.lines.map(({ purchaseId, zoneId }) => ({
        kind: 'command',
        command: { kind: 'confirmHold', purchaseId, eventId: 'gala', zoneId, orderId: ORDER_ID },
      })),
    );
    const one = change(decideLine(order, outcome(order, 1, 'confirmed'), at(LATER_MS)));
    expect(one.order.state).toBe('paid');
    const both = change(decideLine(one.order, outcome(order, 0, 'confirmed'), at(LATER_MS)));
    expect(both.order).toMatchObject({ state: 'confirmed', refunds: [] });
    expect(both.effects).toEqual([]);
  });

  test('twice is one payment; another one goes back', () => {
    for (const order of [paidOrder(), confirmedOrder()]) {
      expect(decideOrderPayment(order, payment(), at(LATER_MS)).kind).toBe('ignored');
      const second = payment({ paymentId: 'pay-2' });
      const after = change(decideOrderPayment(order, second, at(LATER_MS)));
      expect(after.order).toMatchObject({ state: order.state, paidMinor: 8_000 });
      expect(after.effects).toMatchObject([
        { kind: 'requestRefund', request: { amountMinor: 4_000, reason: 'double_payment' } },
      ]);
      expect(decideOrderPayment(after.order, second, at(LATER_MS)).kind).toBe('ignored');
    }
  });

  test.each([
    ['amount', payment({ amountMinor: 3_999 })],
    ['currency', payment({ currency: 'USD' })],
  ])('of another %s goes back, and the order can still be paid', (_what, update) => {
    const wrong = change(decideOrderPayment(heldOrder(), update, at(LATER_MS)));
    expect(wrong.order.state).toBe('held');
    const { amountMinor, currency } = update;
    expect(wrong.effects).toMatchObject([
      { request: { amountMinor, currency, reason: 'amount_mismatch', paymentId: 'pay-1' } },
    ]);
    const right = payment({ paymentId: 'pay-2' });
    expect(change(decideOrderPayment(wrong.order, right, at(LATER_MS))).order).toMatchObject({
      state: 'paid',
      paymentId: 'pay-2',
    });
  });

  test('after the end goes back', () => {
    const order = change(decideDeadline(heldOrder(), PLACED_AT_MS + HOLD_MS)).order;
    const late = change(decideOrderPayment(order, payment(), at(LATER_MS)));
    expect(late.order.state).toBe('expired');
    expect(late.effects).toMatchObject([
      { request: { refundId: `${ORDER_ID}:pay-1`, amountMinor: 4_000, reason: 'late_payment' } },
    ]);
  });

  test('that failed ends the order; a failure after the end, or of a paid order, does not', () => {
    const failure = payment({ status: 'failed' });
    const { order, effects } = change(decideOrderPayment(heldOrder(), failure, at(LATER_MS)));
    expect(order.state).toBe('payment_failed');
    expect(commandsOf(effects)).toEqual(['cancel floor', 'cancel balcony']);
    for (const other of [order, paidOrder(), undefined]) {
      expect(decideOrderPayment(other, failure, at(LATER_MS)).kind).toBe('ignored');
    }
  });

  test('that failed after it was given back says nothing of what is still to be paid', () => {
    const wrong = payment({ amountMinor: 3_999 });
    const { order } = change(decideOrderPayment(heldOrder(), wrong, at(LATER_MS)));
    const failure = payment({ status: 'failed' });
    expect(decideOrderPayment(order, failure, at(LATER_MS)).kind).toBe('ignored');
  });

  test('of nothing neither pays nor goes back', () => {
    const nothing = payment({ amountMinor: 0 });
    for (const order of [heldOrder(), confirmedOrder(), undefined]) {
      expect(decideOrderPayment(order, nothing, at(LATER_MS)).kind).toBe('ignored');
    }
  });

  test('of an order that nobody knows goes back, the same refund each time', () => {
    const decision = decideOrderPayment(undefined, payment(), at(LATER_MS));
    expect(decision).toMatchObject({
      kind: 'stray',
      effects: [
        {
          kind: 'requestRefund',
          request: {
            purchaseId: ORDER_ID,
            refundId: `${ORDER_ID}:pay-1`,
            reason: 'unknown_purchase',
          },
        },
      ],
    });
  });

  test('once too often is refused: an order does not grow without end', () => {
    let order = confirmedOrder();
    for (let n = 0; n < REFUNDS_MAX; n++) {
      const another = payment({ paymentId: `more-${n}` });
      order = change(decideOrderPayment(order, another, at(LATER_MS))).order;
    }
    const oneMore = payment({ paymentId: 'one-more' });
    expect(decideOrderPayment(order, oneMore, at(LATER_MS)).kind).toBe('refused');
  });
});

describe('compensation', () => {
  test('a hold that was gone when it was to be confirmed cancels the others and the payment', () => {
    const paid = paidOrder();
    const one = change(decideLine(paid, outcome(paid, 0, 'confirmed'), at(LATER_MS))).order;
    const { order, effects } = change(decideLine(one, outcome(one, 1, 'expired'), at(LATER_MS)));
    expect(order).toMatchObject({ state: 'cancelled', decidingLine: 1 });
    expect(commandsOf(effects)).toEqual(['cancel floor']);
    expect(effects.slice(1)).toMatchObject([
      { kind: 'requestRefund', request: { amountMinor: 4_000, reason: 'order_failed' } },
    ]);
  });
});

describe('giving back', () => {
  test('an order that is not paid is released', () => {
    for (const before of [placedOrder(), heldOrder()]) {
      const { order, effects } = change(decideCancelOrder(before, at(LATER_MS)));
      expect(order.state).toBe('released');
      expect(commandsOf(effects)).toEqual(['cancel floor', 'cancel balcony']);
      expect(effects).toHaveLength(2);
    }
  });

  test('an order that is paid is cancelled, and refunded when the payment side says so', () => {
    for (const before of [paidOrder(), confirmedOrder()]) {
      const { order, effects } = change(decideCancelOrder(before, at(LATER_MS)));
      expect(order.state).toBe('cancelled');
      expect(commandsOf(effects)).toEqual(['cancel floor', 'cancel balcony']);
      expect(effects.slice(2)).toMatchObject([
        { kind: 'requestRefund', request: { amountMinor: 4_000, reason: 'cancelled' } },
      ]);
      const refundId = `${ORDER_ID}:pay-1`;
      const done = payment({ status: 'refunded', refundId });
      const refunded = change(decideOrderPayment(order, done, at(LATER_MS))).order;
      expect(refunded).toMatchObject({ state: 'refunded', refunds: [{ isDone: true }] });
      expect(decideOrderPayment(refunded, done, at(LATER_MS)).kind).toBe('ignored');
    }
  });

  test('again says how it is, and of an unknown order there is nothing to say', () => {
    const { order } = change(decideCancelOrder(heldOrder(), at(LATER_MS)));
    expect(decideCancelOrder(order, at(LATER_MS))).toEqual({ kind: 'repeated', order });
    expect(decideCancelOrder(undefined, at(LATER_MS)).kind).toBe('refused');
  });

  test('a line of a confirmed order alone has its price given back, the order with the last', () => {
    const confirmed = confirmedOrder();
    const one = change(decideLine(confirmed, outcome(confirmed, 1, 'cancelled'), at(LATER_MS)));
    expect(one.order.state).toBe('confirmed');
    expect(one.effects).toMatchObject([
      { request: { refundId: `${ORDER_ID}:line-1`, amountMinor: 2_000, reason: 'cancelled' } },
    ]);
    const cancelled = change(decideCancelOrder(one.order, at(LATER_MS)));
    expect(amounts(cancelled.order)).toEqual([2_000, 2_000]);
    const last = change(decideLine(one.order, outcome(one.order, 0, 'cancelled'), at(LATER_MS)));
    expect(last.order.state).toBe('cancelled');
    expect(amounts(last.order)).toEqual([2_000, 2_000]);
  });
});

function amounts(order: Order): readonly number[] {
  return order.refunds.map(({ amountMinor }) => amountMinor);
}
