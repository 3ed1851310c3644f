/** Holds, seats, vouchers and the running of a sale over HTTP, on a log in memory. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { PaymentUpdate } from '../../../ticket-sales/domain/command.ts';
import { TOPICS } from '../../../ticket-sales/records.ts';
import { settle } from '../../kit/drive.ts';
import { payment } from '../sale/driven-sale.ts';
import { type Answer, FakeSale } from './fake-sale.ts';

let sale: FakeSale;

const zonePath = '/v1/events/gala/zones/floor';
const wait = { prefer: 'wait=5' };
const price = { amountMinor: 1_000, currency: 'EUR' };

/** On the instance that owns the zone, and on one that does not. */
describe.each([1, 2])('%i instance(s)', (instanceCount) => {
  beforeEach(async () => {
    sale = await FakeSale.start(instanceCount);
    await ask('PUT', '/v1/events/gala', { name: 'The Gala' });
  });

  afterEach(() => sale.stop());

  function ask(
    method: string,
    path: string,
    body?: object,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const instance = sale.instanceOf('gala/floor', instanceCount === 1);
    return instance.ask(method, path, { headers, ...(body === undefined ? {} : { body }) });
  }

  async function open(zone: object = {}): Promise<void> {
    const body = { capacity: 10, checkout: 'hold', price, ...zone };
    expect((await ask('PUT', zonePath, body)).status).toBe(201);
  }

  function buy(wanted: object = { quantity: 2 }, key = 'k1'): Promise<Answer> {
    const body = { eventId: 'gala', zoneId: 'floor', buyerId: 'ada', ...wanted };
    return ask('POST', '/v1/purchases', body, { ...wait, 'idempotency-key': key });
  }

  async function pay(properties: Partial<PaymentUpdate>): Promise<void> {
    const target = { topic: TOPICS.payments, serde: sale.serdes.payment };
    await sale.sender.send(target, 'gala/floor', payment(properties));
    await settle();
  }

  const slugOf = ({ body }: Answer) => String(body['type']).replace('urn:millrace:problem:', '');

  describe('a purchase', () => {
    test('is 201 and held where the zone holds, with the end of the hold', async () => {
      await open();
      const { status, body } = await buy();
      expect([status, body]).toEqual([
        201,
        expect.objectContaining({
          state: 'held',
          price: { amountMinor: 2_000, currency: 'EUR' },
          heldUntil: new Date(Date.parse(String(body['decidedAt'])) + 600_000).toISOString(),
          isExtended: false,
        }),
      ]);
    });

    test('shows who paid what, and is refunded when it is given back', async () => {
      await open();
      const purchaseId = String((await buy()).body['purchaseId']);
      await pay({ purchaseId });
      const paid = await ask('GET', `/v1/purchases/${purchaseId}`);
      expect(paid.body).toMatchObject({
        state: 'confirmed',
        payment: { paymentId: 'pay-1', paidMinor: 2_000, refundRequestedMinor: 0 },
      });
      expect(paid.body).not.toHaveProperty('heldUntil');
      const back = await ask('DELETE', `/v1/purchases/${purchaseId}`, undefined, wait);
      expect([back.status, back.body['state']]).toEqual([200, 'cancelled']);
      expect(back.body['payment']).toMatchObject({ refundRequestedMinor: 2_000 });
      await pay({ purchaseId, status: 'refunded', refundId: `${purchaseId}:pay-1` });
      const again = await ask('DELETE', `/v1/purchases/${purchaseId}`, undefined, wait);
      expect([again.status, again.body['state']]).toEqual([200, 'refunded']);
    });

    test('that is held is released, and that again is the same', async () => {
      await open();
      const path = `/v1/purchases/${(await buy()).body['purchaseId']}`;
      for (let time = 0; time < 2; time++) {
        const { status, body } = await ask('DELETE', path, undefined, wait);
        expect([status, body['state']]).toEqual([200, 'released']);
      }
      expect((await ask('GET', zonePath)).body).toMatchObject({ held: 0, available: 10 });
    });

    test('is extended once, and that again is the same', async () => {
      await open();
      const { purchaseId, heldUntil } = (await buy()).body;
      const path = `/v1/purchases/${purchaseId}/extension`;
      const first = await ask('POST', path, undefined, wait);
      expect([first.status, first.body['isExtended']]).toEqual([200, true]);
      expect(Date.parse(String(first.body['heldUntil']))).toBeGreaterThan(
        Date.parse(String(heldUntil)),
      );
      const sent = sale.sent.length;
      expect((await ask('POST', path, undefined, wait)).body).toEqual(first.body);
      expect(sale.sent).toHaveLength(sent);
    });

    test('that nobody waits for is extended later', async () => {
      await open();
      const path = `/v1/purchases/${(await buy()).body['purchaseId']}/extension`;
      expect((await ask('POST', path)).status).toBe(202);
      expect((await ask('POST', `${path.replace('/extension', '/extensions')}`)).status).toBe(404);
    });

    test('that is not held cannot be extended', async () => {
      await open({ checkout: 'immediate' });
      const path = `/v1/purchases/${(await buy()).body['purchaseId']}/extension`;
      const answer = await ask('POST', path, undefined, wait);
      expect([answer.status, slugOf(answer)]).toEqual([409, 'already-final']);
      const missing = '/v1/purchases/00000000-0000-8000-8000-000000000000/extension';
      expect((await ask('POST', missing, undefined, wait)).status).toBe(404);
    });

    test('that has expired is neither extended nor given back', async () => {
      await open({ holdMs: 1_000 });
      const purchaseId = String((await buy()).body['purchaseId']);
      // Log time goes with the offsets here: it takes as many records to let the hold end.
      const target = { topic: TOPICS.payments, serde: sale.serdes.payment };
      for (let count = 0; count < 1_100; count++) {
        await sale.sender.send(target, 'gala/floor', payment({ status: 'failed' }));
      }
      await settle();
      await pay({ purchaseId });
      const path = `/v1/purchases/${purchaseId}`;
      expect((await ask('GET', path)).body).toMatchObject({
        state: 'expired',
        payment: { paidMinor: 2_000, refundRequestedMinor: 2_000 },
      });
      for (const [method, resource] of [
        ['DELETE', path],
        ['POST', `${path}/extension`],
      ] as const) {
        const answer = await ask(method, resource, undefined, wait);
        expect([answer.status, slugOf(answer)]).toEqual([409, 'hold-expired']);
      }
    });

    test.each([
      [{}],
      [{ quantity: 2, seats: ['A1', 'A2'] }],
      [{ quantity: 2, bestAdjacent: { quantity: 2 } }],
      [{ seats: [] }],
      [{ seats: ['A1', 'A1'] }],
      [{ seats: ['a1'] }],
      [{ seats: ['Ａ1'] }],
      [{ seats: ['A01'] }],
      [{ bestAdjacent: { quantity: 0 } }],
      [{ bestAdjacent: {} }],
      [{ quantity: 2, voucher: 'not a code' }],
      [{ quantity: 2, orderId: 'order-1' }],
    ])('that asks for %j is 422', async (wanted) => {
      await open();
      expect((await buy(wanted)).status).toBe(422);
    });

    test.each([
      [{ voucher: 'HALF', quantity: 2 }],
      [{ seats: ['A1', 'A2'] }],
      [{ bestAdjacent: { quantity: 2 } }],
    ])('under a key that another request has is 422: %j', async (other) => {
      await open({ capacity: undefined, layout: { rows: 2, columns: 5 } });
      expect((await buy({ quantity: 2 })).status).toBe(201);
      const answer = await buy(other);
      expect([answer.status, slugOf(answer)]).toEqual([422, 'duplicate-conflict']);
      await buy(other, 'k2');
      expect((await buy({ quantity: 2 }, 'k2')).status).toBe(422);
    });
  });

  describe('numbered seats', () => {
    const layout = { rows: 3, columns: 4, blocked: ['C4'] };

    beforeEach(() => open({ capacity: undefined, layout }));

    test('are bought by name, the same ones whichever order they are named in', async () => {
      const first = await buy({ seats: ['B2', 'B1'] });
      expect([first.status, first.body['seats']]).toEqual([201, ['B2', 'B1']]);
      const again = await buy({ seats: ['B1', 'B2'] });
      expect([again.status, again.body]).toEqual([201, first.body]);
    });

    test('that somebody has are named, with others nearby', async () => {
      await buy({ seats: ['B1', 'B2'] });
      const answer = await buy({ seats: ['B2', 'B3'] }, 'k2');
      expect([answer.status, slugOf(answer)]).toEqual([409, 'rejected']);
      expect(answer.body).toMatchObject({ reason: 'seat_taken', lostSeats: ['B2'] });
      expect(answer.body['alternatives']).toEqual(['B3', 'B4']);
      const path = answer.body['purchaseId'];
      expect((await ask('GET', `/v1/purchases/${path}`)).body).toMatchObject({
        state: 'rejected',
        lostSeats: ['B2'],
      });
    });

    test('are chosen side by side, or split where that is allowed', async () => {
      for (const row of ['A', 'B', 'C']) await buy({ seats: [`${row}2`] }, row);
      const whole = await buy({ bestAdjacent: { quantity: 3 } }, 'k2');
      expect([whole.status, whole.body['reason']]).toEqual([409, 'not_adjacent']);
      const split = await buy({ bestAdjacent: { quantity: 3, allowSplit: true } }, 'k3');
      expect([split.status, split.body['seats']]).toEqual([201, expect.any(Array)]);
    });

    test('are the capacity of their zone', async () => {
      expect((await ask('GET', zonePath)).body).toMatchObject({
        capacity: 11,
        layout: { rows: 3, columns: 4 },
      });
      const answer = await ask('POST', `${zonePath}/capacity`, { capacity: 5 });
      expect([answer.status, slugOf(answer)]).toEqual([409, 'conflict']);
    });
  });

  describe('a zone', () => {
    const terms = {
      checkout: 'hold',
      holdMs: 30_000,
      latePayment: 'retake',
      customerMax: 4,
      opensAt: '2020-01-01T00:00:00.000Z',
      closesAt: '2030-01-01T00:00:00.000Z',
      fees: { perTicketMinor: 10, perPurchaseMinor: 100 },
      tiers: [{ fromSoldPermille: 500, amountMinor: 2_000 }],
      layout: { rows: 2, columns: 5 },
      notify: true,
      intakeOnly: true,
    };
    const zone = { price, quantityMax: 6, ...terms };

    test('shows the terms that it was created with', async () => {
      const created = await ask('PUT', zonePath, zone);
      expect([created.status, created.body]).toEqual([
        201,
        expect.objectContaining({ ...zone, capacity: 10, available: 10, sale: 'open' }),
      ]);
      expect((await ask('GET', zonePath)).body).toEqual(created.body);
    });

    test.each([
      [{ holdMs: 30_001 }],
      [{ customerMax: 5 }],
      [{ latePayment: 'refund' }],
      [{ tiers: [] }],
      [{ notify: false }],
      [{ intakeOnly: false }],
      [{ fees: { perTicketMinor: 10, perPurchaseMinor: 101 } }],
      [{ layout: { rows: 5, columns: 2 } }],
      [{ closesAt: '2030-01-01T00:00:01Z' }],
      [{ price: undefined, fees: undefined, tiers: undefined }],
      [{ quantityMax: 7 }],
    ])('that exists is the same or another: %j', async (other) => {
      await ask('PUT', zonePath, zone);
      expect((await ask('PUT', zonePath, zone)).status).toBe(200);
      const answer = await ask('PUT', zonePath, { ...zone, ...other });
      expect([answer.status, slugOf(answer)]).toEqual([409, 'conflict']);
    });

    test.each([
      [{ layout: undefined }],
      [{ capacity: 9 }],
      [{ holdMs: 999 }],
      [{ holdMs: 86_400_001 }],
      [{ customerMax: -1 }],
      [{ opensAt: '2030-01-01T00:00:00Z' }],
      [{ opensAt: '2029-02-30T00:00:00Z' }],
      [{ opensAt: 'tomorrow' }],
      [{ price: undefined }],
      [{ fees: { perTicketMinor: -1, perPurchaseMinor: 0 } }],
      [{ tiers: [{ fromSoldPermille: 0, amountMinor: 1 }] }],
      [
        {
          tiers: [
            { fromSoldPermille: 500, amountMinor: 1 },
            { fromSoldPermille: 500, amountMinor: 2 },
          ],
        },
      ],
      [{ layout: { rows: 1_000, columns: 101 } }],
      [{ layout: { rows: 0, columns: 10 } }],
      [{ layout: { rows: 2, columns: 5, blocked: ['C1'] } }],
      [{ layout: { rows: 2, columns: 5, blocked: ['A1', 'A1'] } }],
      [{ checkout: 'later' }],
      [{ latePayment: 'keep' }],
    ])('with %j is 422, and no command', async (wrong) => {
      const before = sale.sent.length;
      const answer = await ask('PUT', zonePath, { ...zone, ...wrong });
      expect([answer.status, sale.sent.length]).toEqual([422, before]);
    });
  });

  describe('an operator', () => {
    beforeEach(() => open());

    test.each([
      ['paused', 'sale_not_open'],
      ['closed', 'sale_closed'],
    ] as const)('has the sale %s, and open again', async (state, reason) => {
      const { status, body } = await ask('POST', `${zonePath}/sale`, { state });
      expect([status, body['sale']]).toEqual([200, state]);
      const refused = await buy();
      expect([refused.status, refused.body['reason']]).toEqual([409, reason]);
      await ask('POST', `${zonePath}/sale`, { state: 'open' });
      expect((await buy({ quantity: 1 }, 'k2')).status).toBe(201);
    });

    test('says when the sale opens and closes', async () => {
      const window = { opensAt: '2030-01-01T00:00:00.000Z', closesAt: '2030-01-02T00:00:00.000Z' };
      expect((await ask('POST', `${zonePath}/sale`, window)).body).toMatchObject(window);
      expect((await buy()).body['reason']).toBe('sale_not_open');
      const { body } = await ask('POST', `${zonePath}/sale`, { opensAt: null });
      expect(body).not.toHaveProperty('opensAt');
      expect(body).not.toHaveProperty('closesAt');
    });

    test.each([
      [{}],
      [{ state: 'open', opensAt: null }],
      [{ state: 'ajar' }],
      [{ opensAt: '2030-01-02T00:00:00Z', closesAt: '2030-01-01T00:00:00Z' }],
      [{ opensAt: '2030-02-31T00:00:00Z' }],
    ])('cannot ask for %j', async (body) => {
      expect((await ask('POST', `${zonePath}/sale`, body)).status).toBe(422);
    });

    test('closes the zones of an event one by one', async () => {
      await ask('PUT', '/v1/events/gala/zones/stalls', { capacity: 5 });
      const { status, body } = await ask('POST', '/v1/events/gala/sale', { state: 'closed' });
      expect([status, body['isAtomic']]).toEqual([202, false]);
      const items = body['items'] as readonly { zoneId: string; position: string }[];
      expect(items.map(({ zoneId }) => zoneId).sort()).toEqual(['floor', 'stalls']);
      for (const { zoneId, position } of items) {
        const path = `/v1/events/gala/zones/${zoneId}`;
        const after = await ask('GET', `${path}?minPosition=${position}`);
        expect(after.body['sale']).toBe('closed');
      }
      expect((await ask('POST', '/v1/events/ball/sale', { state: 'closed' })).status).toBe(404);
    });

    test('changes the capacity, not below what is taken', async () => {
      await buy({ quantity: 4 });
      const more = await ask('POST', `${zonePath}/capacity`, { capacity: 12 });
      expect([more.status, more.body['available']]).toEqual([200, 8]);
      const less = await ask('POST', `${zonePath}/capacity`, { capacity: 3 });
      expect([less.status, less.body]).toEqual([
        409,
        expect.objectContaining({ capacity: 12, held: 4, sold: 0 }),
      ]);
    });

    test('gives out vouchers, and sees how often they are used', async () => {
      const path = `${zonePath}/vouchers/HALF`;
      expect((await ask('GET', path)).status).toBe(404);
      const created = await ask('PUT', path, { percentOff: 50, usesMax: 1 });
      expect([created.status, created.body]).toEqual([
        200,
        {
          eventId: 'gala',
          zoneId: 'floor',
          code: 'HALF',
          percentOff: 50,
          amountOffMinor: 0,
          uses: 0,
          usesMax: 1,
        },
      ]);
      const bought = await buy({ quantity: 2, voucher: 'HALF' });
      expect(bought.body).toMatchObject({
        price: { amountMinor: 1_000 },
        discount: { amountMinor: 1_000 },
        voucher: 'HALF',
      });
      expect((await ask('GET', path)).body['uses']).toBe(1);
      const refused = await buy({ quantity: 2, voucher: 'HALF' }, 'k2');
      expect([refused.status, refused.body['reason']]).toEqual([409, 'invalid_voucher']);
      expect((await ask('PUT', path, { percentOff: 101, usesMax: 1 })).status).toBe(422);
    });

    test.each([
      ['POST', 'sale', { state: 'open' }],
      ['POST', 'capacity', { capacity: 5 }],
      ['PUT', 'vouchers/HALF', { usesMax: 1 }],
    ] as const)('does nothing to a zone that does not exist: %s %s', async (method, what, body) => {
      const answer = await ask(method, `/v1/events/gala/zones/nowhere/${what}`, body);
      expect(answer.status).toBe(404);
    });
  });
});
