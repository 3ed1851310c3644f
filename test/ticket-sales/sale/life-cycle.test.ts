/** The life of a purchase in the real topology: holds, payments and time, in every order. */
import { beforeEach, describe, expect, test } from 'vitest';
import { PLAIN_TERMS } from '../../../ticket-sales/domain/zone-terms.ts';
import { STORES } from '../../../ticket-sales/sale/sale-stores.ts';
import {
  createZone,
  DrivenSale,
  HOLD_MS,
  HOLD_TERMS,
  idOf,
  NO_OPTIONS,
  payment,
  ZONE,
} from './driven-sale.ts';

let sale: DrivenSale;

beforeEach(async () => {
  sale = await DrivenSale.start();
});

const EUR = (amountMinor: number) => ({ amountMinor, currency: 'EUR' });

async function held(terms = HOLD_TERMS): Promise<void> {
  await sale.send(createZone({ terms }));
  await sale.buy(1);
  sale.announced();
}

function stock() {
  const { held, sold, revenueMinor } = sale.zone;
  return { held, sold, revenueMinor };
}

describe('a hold', () => {
  test('keeps tickets at a fixed price, and asks to be paid', async () => {
    await sale.send(createZone());
    const until = sale.nowMs + HOLD_MS;
    expect(await sale.buy(1)).toMatchObject({
      state: 'held',
      price: EUR(2_000),
      checkout: { heldUntilMs: until, paymentId: null, paidMinor: 0 },
    });
    expect(stock()).toEqual({ held: 2, sold: 0, revenueMinor: 0 });
    expect(sale.paymentRequests()).toEqual([
      {
        ...ZONE,
        purchaseId: idOf(1),
        buyerId: 'ada',
        ...EUR(2_000),
        dueAtMs: until,
        requestedAtMs: sale.nowMs,
      },
    ]);
    expect(await sale.holds()).toEqual([`${until}/${idOf(1)}`]);
  });

  test('counts as taken for those who come later', async () => {
    await sale.send(createZone({ capacity: 3 }));
    await sale.buy(1);
    expect(await sale.buy(2)).toMatchObject({ state: 'rejected', reason: 'sold_out' });
  });

  test('that is paid in time and exactly is confirmed', async () => {
    await held();
    sale.nowMs += HOLD_MS - 1;
    await sale.pay();
    expect(sale.purchase(1)).toMatchObject({
      state: 'confirmed',
      decidedAtMs: sale.nowMs,
      commandOffset: 1,
      checkout: { paymentId: 'pay-1', paidMinor: 2_000, paymentOffset: 0 },
    });
    expect(stock()).toEqual({ held: 0, sold: 2, revenueMinor: 2_000 });
    expect(sale.zone.commandOffset).toBe(1);
    expect([await sale.holds(), sale.refundRequests()]).toEqual([[], []]);
  });

  test('whose payment fails gives its tickets back', async () => {
    await held();
    await sale.pay({ status: 'failed', amountMinor: 0 });
    expect(sale.purchase(1).state).toBe('payment_failed');
    expect(stock()).toEqual({ held: 0, sold: 0, revenueMinor: 0 });
    expect(await sale.holds()).toEqual([]);
  });

  test('that nobody pays expires, a second of grace later, without any record coming in', async () => {
    await held();
    const until = sale.nowMs + HOLD_MS;
    await sale.idle(HOLD_MS + 750);
    expect(sale.announced()).toEqual([]);
    await sale.idle(1_000);
    expect(sale.announced()).toEqual(['expired']);
    expect(sale.purchase(1)).toMatchObject({ state: 'expired', decidedAtMs: until });
    expect(stock()).toEqual({ held: 0, sold: 0, revenueMinor: 0 });
    expect(await sale.holds()).toEqual([]);
  });

  test('is extended once', async () => {
    await held();
    sale.nowMs += 40_000;
    const extension = { kind: 'extendHold', ...ZONE, purchaseId: idOf(1) } as const;
    await sale.send(extension);
    const until = sale.nowMs + HOLD_MS;
    const { checkout } = sale.purchase(1);
    expect(checkout).toMatchObject({ heldUntilMs: until, isExtended: true });
    sale.nowMs += 10_000;
    await sale.send(extension);
    expect(sale.purchase(1).checkout).toEqual(checkout);
    expect(await sale.holds()).toEqual([`${until}/${idOf(1)}`]);
    await sale.idle(HOLD_MS - 11_000);
    expect(sale.purchase(1).state).toBe('held');
    await sale.idle(5_000);
    expect(sale.announced()).toEqual(['held', 'held', 'expired']);
  });

  test('that is cancelled is released', async () => {
    await held();
    await sale.send({ kind: 'cancel', ...ZONE, purchaseId: idOf(1) });
    expect(sale.purchase(1).state).toBe('released');
    expect(stock()).toEqual({ held: 0, sold: 0, revenueMinor: 0 });
    expect([await sale.holds(), sale.refundRequests()]).toEqual([[], []]);
  });

  test('of what costs nothing is a sale at once', async () => {
    await sale.send(createZone({ price: EUR(0) }));
    expect(await sale.buy(1)).toMatchObject({ state: 'confirmed', price: EUR(0) });
    expect(sale.paymentRequests()).toEqual([]);
  });

  test('is found expired by whatever comes after its end, though nobody has come by to say so', async () => {
    const late = [
      { kind: 'cancel', ...ZONE, purchaseId: idOf(1) },
      { kind: 'extendHold', ...ZONE, purchaseId: idOf(1) },
    ] as const;
    for (const command of late) {
      sale = await DrivenSale.start();
      await held();
      sale.nowMs += HOLD_MS;
      await sale.send(command);
      expect(sale.purchase(1)).toMatchObject({ state: 'expired', commandOffset: 2 });
      expect(stock()).toMatchObject({ held: 0 });
    }
  });

  test('goes on, and is paid, while the sale is paused or closed', async () => {
    await held();
    await sale.send({ kind: 'closeSale', ...ZONE });
    expect(await sale.buy(2)).toMatchObject({ reason: 'sale_closed' });
    await sale.pay();
    expect(sale.purchase(1).state).toBe('confirmed');
  });
});

describe('money', () => {
  test('told twice counts once', async () => {
    await held();
    await sale.pay();
    const before = sale.purchase(1);
    await sale.pay();
    expect(sale.purchase(1)).toEqual(before);
    expect(sale.announced()).toEqual(['confirmed', 'confirmed']);
    expect(sale.refundRequests()).toEqual([]);
  });

  test('paid twice goes back once', async () => {
    await held();
    await sale.pay();
    await sale.pay({ paymentId: 'pay-2' });
    await sale.pay({ paymentId: 'pay-2' });
    expect(sale.refundRequests()).toMatchObject([
      { paymentId: 'pay-2', reason: 'double_payment', amountMinor: 2_000 },
    ]);
    expect(sale.purchase(1)).toMatchObject({
      state: 'confirmed',
      checkout: { paymentId: 'pay-1', paidMinor: 4_000, refundRequestedMinor: 2_000 },
    });
  });

  test.each([
    ['too little', { amountMinor: 1_999 }, 1_999],
    ['too much', { amountMinor: 2_001 }, 2_001],
    ['in another currency', { currency: 'USD' }, 0],
  ])('%s goes back, and the hold lives on', async (_, wrong, counted) => {
    await held();
    await sale.pay({ paymentId: 'wrong', ...wrong });
    await sale.pay({ paymentId: 'wrong', ...wrong });
    expect(sale.purchase(1)).toMatchObject({
      state: 'held',
      checkout: { paidMinor: counted, refundRequestedMinor: counted, paymentId: null },
    });
    expect(sale.refundRequests()).toMatchObject([{ reason: 'amount_mismatch', ...wrong }]);
    await sale.pay();
    expect(sale.purchase(1).state).toBe('confirmed');
  });

  test.each([false, true])(
    'that comes after the end goes back; somebody came by before: %j',
    async (isSwept) => {
      await held();
      if (isSwept) await sale.idle(HOLD_MS + 2_000);
      else sale.nowMs += HOLD_MS;
      await sale.pay();
      expect(sale.purchase(1)).toMatchObject({
        state: 'expired',
        checkout: { paidMinor: 2_000, refundRequestedMinor: 2_000, paymentId: null },
      });
      expect(sale.refundRequests()).toMatchObject([
        { refundId: `${idOf(1)}:pay-1`, reason: 'late_payment', amountMinor: 2_000 },
      ]);
      expect(stock()).toEqual({ held: 0, sold: 0, revenueMinor: 0 });
    },
  );

  test.each([false, true])(
    'that comes late takes free tickets again where the zone says so; somebody came by before: %j',
    async (isSwept) => {
      await held({ ...HOLD_TERMS, latePayment: 'retake' });
      if (isSwept) await sale.idle(HOLD_MS + 2_000);
      else sale.nowMs += HOLD_MS;
      await sale.pay();
      expect(sale.purchase(1).state).toBe('confirmed');
      expect(stock()).toEqual({ held: 0, sold: 2, revenueMinor: 2_000 });
      expect([await sale.holds(), sale.refundRequests()]).toEqual([[], []]);
    },
  );

  test('that comes late finds the tickets gone, and goes back', async () => {
    await sale.send(createZone({ capacity: 2, terms: { ...HOLD_TERMS, latePayment: 'retake' } }));
    await sale.buy(1);
    await sale.idle(HOLD_MS + 2_000);
    await sale.buy(2);
    await sale.pay();
    expect(sale.purchase(1).state).toBe('expired');
    expect(sale.refundRequests()).toMatchObject([{ reason: 'late_payment' }]);
  });

  test.each(['released', 'payment_failed', 'rejected'] as const)(
    'for a purchase that is %s goes back',
    async (state) => {
      if (state === 'rejected') {
        await sale.send(createZone({ capacity: 1 }));
        await sale.buy(1);
      } else {
        await held({ ...HOLD_TERMS, latePayment: 'retake' });
        if (state === 'released') await sale.send({ kind: 'cancel', ...ZONE, purchaseId: idOf(1) });
        else await sale.pay({ paymentId: 'declined', status: 'failed' });
      }
      await sale.pay();
      await sale.pay();
      expect(sale.purchase(1).state).toBe(state);
      expect(sale.refundRequests()).toMatchObject([{ reason: 'late_payment' }]);
    },
  );

  test('for a purchase that nobody asked for, or not yet, goes back once', async () => {
    await sale.send(createZone());
    for (let time = 0; time < 2; time++) await sale.pay({ purchaseId: idOf(9) });
    expect(sale.refundRequests()).toMatchObject([
      { refundId: `${idOf(9)}:pay-1`, reason: 'unknown_purchase', purchaseId: idOf(9) },
    ]);
    await sale.pay({ purchaseId: idOf(9), paymentId: 'pay-2', status: 'failed' });
    expect(sale.announced()).toEqual([]);
  });

  test('for an unknown zone goes back once, whether or not the zone comes later', async () => {
    for (let time = 0; time < 2; time++) await sale.pay();
    expect(sale.refundRequests()).toMatchObject([
      { refundId: `${idOf(1)}:pay-1`, reason: 'unknown_purchase', ...ZONE, amountMinor: 2_000 },
    ]);
    await sale.pay({ paymentId: 'pay-2', status: 'failed' });
    await sale.send(createZone());
    await sale.buy(1);
    await sale.pay();
    expect([sale.purchase(1).state, sale.refundRequests()]).toEqual(['held', []]);
  });

  test('for a purchase that was refused because its zone is unknown goes back, and back once', async () => {
    expect((await sale.buy(1)).reason).toBe('unknown_zone');
    await sale.pay();
    const refundId = `${idOf(1)}:pay-1`;
    expect(sale.refundRequests()).toMatchObject([{ refundId, reason: 'unknown_purchase' }]);
    await sale.pay({ status: 'refunded', refundId });
    await sale.pay({ status: 'refunded', refundId });
    await sale.pay();
    expect([sale.purchase(1).state, sale.refundRequests()]).toEqual(['rejected', []]);
  });

  test.each([
    [{ paymentId: '' }, 'paymentId'],
    [{ paymentId: 'with space' }, 'paymentId'],
    [{ amountMinor: -1 }, 'amount'],
    [{ amountMinor: 1e15 }, 'amount'],
    [{ currency: 'euro' }, 'currency'],
    [{ status: 'refunded' as const, refundId: 'never-asked' }, 'not asked for such a refund'],
    [{ status: 'refunded' as const }, 'not asked for such a refund'],
  ])('that cannot be is a dead letter: %j', async (properties, why) => {
    await held();
    await expect(sale.pay(properties)).rejects.toThrow(why);
  });

  test('of a cancelled purchase goes back, and back once', async () => {
    await held();
    await sale.pay();
    await sale.send({ kind: 'cancel', ...ZONE, purchaseId: idOf(1) });
    const refundId = `${idOf(1)}:pay-1`;
    expect(sale.refundRequests()).toMatchObject([{ refundId, reason: 'cancelled' }]);
    expect(stock()).toEqual({ held: 0, sold: 0, revenueMinor: 0 });
    const refunded = { status: 'refunded', refundId } as const;
    await expect(sale.pay({ ...refunded, amountMinor: 1_000 })).rejects.toThrow('refund');
    await sale.pay(refunded);
    const after = sale.purchase(1);
    expect(after).toMatchObject({ state: 'refunded', checkout: { refundedMinor: 2_000 } });
    await sale.pay(refunded);
    expect(sale.purchase(1)).toEqual(after);
    expect(sale.announced()).toEqual(['confirmed', 'cancelled', 'refunded', 'refunded']);
    expect(sale.refundRequests()).toEqual([]);
  });

  test('that was never paid is not given back', async () => {
    await sale.send(createZone({ terms: PLAIN_TERMS }));
    await sale.buy(1);
    expect(stock()).toEqual({ held: 0, sold: 2, revenueMinor: 2_000 });
    await sale.send({ kind: 'cancel', ...ZONE, purchaseId: idOf(1) });
    expect(sale.purchase(1).state).toBe('cancelled');
    expect(stock()).toEqual({ held: 0, sold: 0, revenueMinor: 0 });
    expect(sale.refundRequests()).toEqual([]);
  });

  test('is counted in zones without terms, too', async () => {
    await sale.send(createZone({ terms: null }));
    await sale.buy(1);
    expect(sale.zone.revenueMinor).toBe(2_000);
    expect(sale.purchase(1).checkout).toBeNull();
    await sale.pay();
    expect(sale.refundRequests()).toMatchObject([{ reason: 'double_payment' }]);
    await sale.send({ kind: 'cancel', ...ZONE, purchaseId: idOf(1) });
    expect(sale.zone.revenueMinor).toBe(0);
    expect(sale.refundRequests()).toEqual([]);
  });
});

describe('expiry', () => {
  test('takes many holds that fall due at once in pieces, and forgets none', async () => {
    const capacity = 2_500;
    await sale.send(createZone({ capacity }));
    for (let number = 0; number < capacity; number++) await sale.buy(number, { quantity: 1 });
    sale.announced();
    await sale.idle(HOLD_MS + 1_250);
    expect(sale.announced()).toHaveLength(1_000);
    // The sale goes on between the pieces, with what the first one has given back.
    expect((await sale.buy(capacity, { quantity: 1 })).state).toBe('held');
    await sale.driver.advanceWallClockTime(250);
    await sale.driver.advanceWallClockTime(250);
    expect(sale.announced()).toHaveLength(1 + 1_500);
    expect([stock().held, (await sale.holds()).length]).toEqual([1, 1]);
  });

  test('finds a hold that ends before those it has looked for', async () => {
    await sale.send(createZone({ terms: { ...HOLD_TERMS, holdMs: 500_000 } }));
    await sale.buy(1);
    await sale.idle(1_000);
    await sale.send(createZone({ zoneId: 'stalls' }));
    await sale.buy(2, { zoneId: 'stalls' });
    await sale.idle(HOLD_MS + 2_000);
    expect([sale.purchase(1).state, sale.purchase(2).state]).toEqual(['held', 'expired']);
    await sale.idle(500_000);
    expect(sale.purchase(1).state).toBe('expired');
  });

  test('ends nothing because of the index alone', async () => {
    await held();
    await sale.pay();
    const holds = sale.driver.getKeyValueStore<string, string>(STORES.holds);
    holds.put(`${sale.nowMs}/${idOf(1)}`, '');
    await sale.idle(HOLD_MS);
    expect([sale.purchase(1).state, stock().sold]).toEqual(['confirmed', 2]);
  });

  test('waits for log time: before the first record nothing is late', async () => {
    await sale.idle(10_000);
    expect(sale.announced()).toEqual([]);
  });
});

describe('lines of orders', () => {
  const line = { ...NO_OPTIONS, orderId: 'order-7' };
  const confirm = {
    kind: 'confirmHold',
    ...ZONE,
    purchaseId: idOf(1),
    orderId: 'order-7',
  } as const;

  test.each([null, PLAIN_TERMS, HOLD_TERMS])(
    'are held whatever the terms, and not asked to be paid: %j',
    async (terms) => {
      await sale.send(createZone({ terms }));
      expect(await sale.buy(1, { options: line })).toMatchObject({
        state: 'held',
        checkout: { orderId: 'order-7' },
      });
      expect(sale.paymentRequests()).toEqual([]);
      await sale.send({ ...confirm, orderId: 'order-8' });
      expect(sale.purchase(1).state).toBe('held');
      await sale.send(confirm);
      expect(sale.purchase(1).state).toBe('confirmed');
      expect(stock()).toEqual({ held: 0, sold: 2, revenueMinor: 2_000 });
    },
  );

  test('are not confirmed after their end, and not paid by themselves', async () => {
    await sale.send(createZone());
    await sale.buy(1, { options: line });
    await sale.pay();
    expect(sale.purchase(1).state).toBe('held');
    expect(sale.refundRequests()).toMatchObject([{ reason: 'amount_mismatch' }]);
    await sale.pay({ paymentId: 'pay-2', status: 'failed' });
    expect(sale.purchase(1).state).toBe('held');
    sale.nowMs += HOLD_MS;
    await sale.send(confirm);
    expect(sale.purchase(1).state).toBe('expired');
  });
});

describe('terms of a sale', () => {
  test('limit what a customer has in a zone, and count what was given back', async () => {
    await sale.send(createZone({ terms: { ...HOLD_TERMS, customerMax: 4 } }));
    await sale.buy(1);
    await sale.buy(2);
    expect(await sale.buy(3, { quantity: 1 })).toMatchObject({ reason: 'customer_limit' });
    expect(await sale.buy(4, { buyerId: 'bob' })).toMatchObject({ state: 'held' });
    await sale.send({ kind: 'cancel', ...ZONE, purchaseId: idOf(1) });
    expect(sale.ticketsOf('ada')).toBe(2);
    expect(await sale.buy(5, { quantity: 1 })).toMatchObject({ state: 'held' });
    await sale.idle(HOLD_MS + 2_000);
    expect(sale.ticketsOf('ada')).toBeUndefined();
  });

  test('may ask for the intake: what did not come through it is refused', async () => {
    await sale.send(createZone({ terms: { ...HOLD_TERMS, intakeOnly: true } }));
    expect(await sale.buy(1)).toMatchObject({ state: 'rejected', reason: 'invalid_command' });
    const options = { ...NO_OPTIONS, viaIntake: true };
    expect(await sale.buy(2, { options })).toMatchObject({ state: 'held' });
  });

  test('open and close the sale in log time', async () => {
    const [opensAtMs, closesAtMs] = [sale.nowMs + 1_000, sale.nowMs + 2_000];
    await sale.send(createZone({ terms: { ...HOLD_TERMS, opensAtMs, closesAtMs } }));
    expect(await sale.buy(1)).toMatchObject({ reason: 'sale_not_open' });
    sale.nowMs += 1_000;
    expect(await sale.buy(2)).toMatchObject({ state: 'held' });
    sale.nowMs += 1_000;
    expect(await sale.buy(3)).toMatchObject({ reason: 'sale_closed' });
    await sale.send({ kind: 'setSaleWindow', ...ZONE, opensAtMs: null, closesAtMs: null });
    await sale.send({ kind: 'pauseSale', ...ZONE });
    expect(await sale.buy(4)).toMatchObject({ reason: 'sale_not_open' });
    await sale.send({ kind: 'openSale', ...ZONE });
    expect(await sale.buy(5)).toMatchObject({ state: 'held' });
  });

  test('give a zone without terms a sale window', async () => {
    await sale.send(createZone({ terms: null }));
    const closesAtMs = sale.nowMs;
    await sale.send({ kind: 'setSaleWindow', ...ZONE, opensAtMs: null, closesAtMs });
    expect(await sale.buy(1)).toMatchObject({ reason: 'sale_closed' });
  });

  test('raise the price by what is taken, and fix it when the tickets are', async () => {
    const tiers = [
      { fromSoldPermille: 200, amountMinor: 1_500 },
      { fromSoldPermille: 500, amountMinor: 3_000 },
    ];
    const fees = { perTicketMinor: 50, perPurchaseMinor: 100 };
    await sale.send(createZone({ terms: { ...HOLD_TERMS, tiers, fees } }));
    const prices = [];
    for (const number of [1, 2, 3, 4]) prices.push((await sale.buy(number)).price?.amountMinor);
    expect(prices).toEqual([2_200, 3_200, 3_200, 6_200]);
    expect(sale.purchase(4).checkout?.feesMinor).toBe(200);
    sale.nowMs += 1_000;
    await sale.pay({ amountMinor: 2_200 });
    expect(sale.purchase(1).state).toBe('confirmed');
  });

  test('take vouchers, so many times, and give a use back with the tickets', async () => {
    await sale.send(createZone());
    const define = { kind: 'defineVoucher', ...ZONE, code: 'HALF', usesMax: 1 } as const;
    await sale.send({ ...define, percentOff: 33, amountOffMinor: 1 });
    const options = { ...NO_OPTIONS, voucher: 'HALF' };
    expect(await sale.buy(1, { quantity: 1, options })).toMatchObject({
      state: 'held',
      price: EUR(669),
      checkout: { voucher: 'HALF', discountMinor: 331 },
    });
    expect(await sale.buy(2, { options })).toMatchObject({ reason: 'invalid_voucher' });
    const unknown = { ...NO_OPTIONS, voucher: 'FREE' };
    expect(await sale.buy(3, { options: unknown })).toMatchObject({ reason: 'invalid_voucher' });
    await sale.idle(HOLD_MS + 2_000);
    expect(sale.voucher('HALF')?.uses).toBe(0);
    await sale.send({ ...define, percentOff: 0, amountOffMinor: 5_000 });
    expect(await sale.buy(4, { options })).toMatchObject({ state: 'confirmed', price: EUR(0) });
    expect(sale.voucher('HALF')).toMatchObject({ uses: 1, amountOffMinor: 5_000 });
  });

  test('tell the buyer of every change, and of each once', async () => {
    await sale.send(createZone({ capacity: 2, terms: { ...HOLD_TERMS, notify: true } }));
    await sale.buy(1);
    await sale.buy(1);
    await sale.buy(2);
    await sale.pay();
    await sale.pay();
    await sale.send({ kind: 'cancel', ...ZONE, purchaseId: idOf(1) });
    await sale.pay({ status: 'refunded', refundId: `${idOf(1)}:pay-1` });
    expect(sale.notifications().map(({ notificationId }) => notificationId)).toEqual([
      `${idOf(1)}:held`,
      `${idOf(2)}:rejected`,
      `${idOf(1)}:confirmed`,
      `${idOf(1)}:cancelled`,
      `${idOf(1)}:refunded`,
    ]);
  });
});

describe('numbered seats', () => {
  const terms = { ...HOLD_TERMS, layout: { rows: 2, columns: 4 } };
  const seats = (...names: string[]) => ({
    quantity: names.length,
    options: { ...NO_OPTIONS, seats: names },
  });

  test('are taken all or none, and the lost ones named', async () => {
    await sale.send(createZone({ capacity: 7, terms, blockedSeats: ['B4'] }));
    expect(await sale.buy(1, seats('A1', 'A2'))).toMatchObject({ seats: ['A1', 'A2'] });
    expect(await sale.buy(2, seats('A2', 'A3', 'B4'))).toMatchObject({
      state: 'rejected',
      reason: 'seat_taken',
      seats: ['A2', 'B4'],
    });
    expect(await sale.buy(3, seats('A3', 'Z9'))).toMatchObject({ reason: 'invalid_command' });
    expect(await sale.buy(4, seats('A3', 'A3'))).toMatchObject({ reason: 'invalid_command' });
    expect(stock().held).toBe(2);
  });

  test('are free again when their hold ends, and stay taken when it is paid', async () => {
    await sale.send(createZone({ capacity: 8, terms }));
    await sale.buy(1, seats('A1', 'A2'));
    await sale.buy(2, seats('A3', 'A4'));
    await sale.pay();
    await sale.idle(HOLD_MS + 2_000);
    expect(await sale.buy(3, seats('A3', 'A4'))).toMatchObject({ state: 'held' });
    expect(await sale.buy(4, seats('A1'))).toMatchObject({ reason: 'seat_taken' });
  });

  test('that were sold meanwhile are not retaken by a late payment', async () => {
    await sale.send(createZone({ capacity: 8, terms: { ...terms, latePayment: 'retake' } }));
    await sale.buy(1, seats('A1', 'A2'));
    await sale.idle(HOLD_MS + 2_000);
    await sale.buy(2, seats('A2'));
    await sale.pay();
    expect(sale.purchase(1).state).toBe('expired');
    expect(await sale.buy(3, seats('A1'))).toMatchObject({ state: 'held' });
  });

  test('are chosen side by side when that is asked', async () => {
    await sale.send(createZone({ capacity: 8, terms }));
    await sale.buy(1, seats('A2', 'B2'));
    const adjacent = (placement: 'adjacent' | 'adjacent_or_split') => ({
      quantity: 3,
      options: { ...NO_OPTIONS, placement },
    });
    expect(await sale.buy(2, adjacent('adjacent'))).toMatchObject({ reason: 'not_adjacent' });
    const split = await sale.buy(3, adjacent('adjacent_or_split'));
    expect([split.state, split.seats.length]).toEqual(['held', 3]);
  });

  test('are blocked and unblocked, and the capacity follows', async () => {
    await sale.send(createZone({ capacity: 8, terms }));
    await sale.buy(1, seats('A1', 'A2'));
    await sale.send({ kind: 'blockSeats', ...ZONE, seats: ['B1', 'B2'] });
    expect(sale.zone.capacity).toBe(6);
    expect(await sale.buy(2, seats('B1'))).toMatchObject({ reason: 'seat_taken' });
    for (const [command, why] of [
      [{ kind: 'blockSeats', ...ZONE, seats: ['A1', 'B3'] }, 'held, sold or blocked: A1'],
      [{ kind: 'unblockSeats', ...ZONE, seats: ['B1', 'B3'] }, 'not blocked: B3'],
      [{ kind: 'changeCapacity', ...ZONE, capacity: 3 }, 'that of the seats'],
    ] as const) {
      await expect(sale.send(command)).rejects.toThrow(why);
    }
    await sale.send({ kind: 'unblockSeats', ...ZONE, seats: ['B1'] });
    expect(sale.zone.capacity).toBe(7);
    expect(await sale.buy(3, seats('B1'))).toMatchObject({ state: 'held' });
  });

  test('are asked for only where there are any', async () => {
    await sale.send(createZone());
    expect(await sale.buy(1, seats('A1'))).toMatchObject({ reason: 'invalid_command' });
    const options = { ...NO_OPTIONS, placement: 'adjacent' as const };
    expect(await sale.buy(2, { options })).toMatchObject({ reason: 'invalid_command' });
  });
});

describe('a request under a known id', () => {
  test.each([
    ['other seats', { seats: ['A1', 'A3'] }],
    ['another placement', { placement: 'adjacent' }],
    ['a voucher', { voucher: 'HALF' }],
    ['an order', { orderId: 'order-7' }],
  ] as const)('is another one with %s', async (_, different) => {
    await sale.send(createZone({ terms: { ...HOLD_TERMS, layout: { rows: 2, columns: 5 } } }));
    const options = { ...NO_OPTIONS, seats: ['A1', 'A2'] };
    const first = await sale.buy(1, { options });
    await sale.buy(1, { options: { ...options, seats: ['A2', 'A1'] } });
    await sale.buy(1, { options: { ...options, ...different } });
    await sale.buy(1);
    expect(sale.purchase(1)).toEqual(first);
  });

  test('that was refused before it came here is answered with that', async () => {
    await sale.send(createZone());
    const { kind: _, options: __, ...refused } = { ...ZONE, kind: 0, options: 0, quantity: 2 };
    await sale.send({
      kind: 'rejectPurchase',
      ...refused,
      purchaseId: idOf(1),
      buyerId: 'ada',
      requestedAtMs: 0,
      reason: 'unknown_event',
      requestDigest: null,
      orderId: null,
    });
    expect(await sale.buy(1)).toMatchObject({ state: 'rejected', reason: 'unknown_event' });
    expect(stock()).toMatchObject({ held: 0 });
  });
});

test('payments of orders are for the orders, where there are any', async () => {
  await sale.send(createZone());
  const { purchaseId: _, ...rest } = payment();
  await sale.pay({ ...rest, purchaseId: 'order-00000000-0000-8000-8000-000000000001' });
  expect(sale.refundRequests()).toMatchObject([{ reason: 'unknown_purchase' }]);
});
