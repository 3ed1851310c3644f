/** The API of the sale over HTTP, on a log in memory: every outcome, every way to ask, one and two instances. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MillraceError } from '../../../base/errors.ts';
import type { PurchaseCommand } from '../../../ticket-sales/domain/command.ts';
import { purchaseIdFor } from '../../../ticket-sales/domain/purchase-id.ts';
import { STORES } from '../../../ticket-sales/sale/sale-stores.ts';
import { checkMetrics } from '../../kit/check-metrics.ts';
import { checkOpenApi, type OpenApiDocument, undocumented } from '../../kit/check-openapi.ts';
import { settle } from '../../kit/drive.ts';
import { purchaseWith } from '../domain/samples.ts';
import { type Answer, type FakeInstance, FakeSale, PARTITIONS, partitionOf } from './fake-sale.ts';
import { statusNotice } from './status-notice.ts';

let sale: FakeSale;

afterEach(() => sale.stop());

const zonePath = '/v1/events/gala/zones/floor';
const order = { eventId: 'gala', zoneId: 'floor', buyerId: 'ada', quantity: 2 };

function buy(
  instance: FakeInstance,
  headers: Record<string, string> = {},
  body: object = {},
): Promise<Answer> {
  return instance.ask('POST', '/v1/purchases', {
    headers: { 'idempotency-key': 'k1', ...headers },
    body: { ...order, ...body },
  });
}

const idOf = (key = 'k1', body: Partial<typeof order> = {}) =>
  purchaseIdFor({ ...order, ...body, idempotencyKey: key });

async function openGala(capacity = 10): Promise<void> {
  const { one } = sale;
  expect((await one.ask('PUT', '/v1/events/gala', { body: { name: 'The Gala' } })).status).toBe(
    201,
  );
  expect((await one.ask('PUT', zonePath, { body: { capacity } })).status).toBe(201);
}

const wait = { prefer: 'wait=5' };

describe('one instance', () => {
  beforeEach(async () => {
    sale = await FakeSale.start();
    await openGala();
  });

  describe('POST /v1/purchases', () => {
    test('is 202 when the command is in the log, with where to look and from which position', async () => {
      sale.isDeciding = false;
      const { status, headers, body } = await buy(sale.one);
      const { offset, partition } = sale.sent.at(-1)!;
      expect([status, body]).toEqual([
        202,
        {
          purchaseId: idOf(),
          ...order,
          state: 'requested',
          requestedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        },
      ]);
      expect(headers.get('location')).toBe(`/v1/purchases/${idOf()}`);
      expect(headers.get('retry-after')).toBe('1');
      expect(headers.get('store-position')).toBe(`ticketPurchase-${partition}:${offset + 1}`);
    });

    test('is 201 with the purchase for a client that waits', async () => {
      const { status, headers, body } = await buy(sale.one, wait);
      expect([status, body['state'], body['decidedAt']]).toEqual([
        201,
        'confirmed',
        '2023-11-14T22:13:20.001Z',
      ]);
      expect(headers.get('preference-applied')).toBe('wait');
      expect(headers.get('store-position')).toMatch(/^ticketPurchase-\d:2$/);
      expect(headers.has('idempotency-replayed')).toBe(false);
    });

    test('is 202 when the decision does not come in time, and pending from then on', async () => {
      sale.isDeciding = false;
      const { status } = await buy(sale.one, { prefer: 'wait=1' });
      expect(status).toBe(202);
      expect((await sale.one.ask('GET', `/v1/purchases/${idOf()}`)).body['state']).toBe(
        'requested',
      );
      sale.decide();
      expect((await sale.one.ask('GET', `/v1/purchases/${idOf()}`)).body['state']).toBe(
        'confirmed',
      );
    });

    test.each([
      ['more than is left', { quantity: 9 }, 409, 'sold-out', 'sold_out'],
      ['over the limit of the zone', { quantity: 11 }, 422, 'validation-failed', undefined],
    ])('%s: %j is %i %s', async (_, body, status, type, reason) => {
      await buy(sale.one, wait);
      const answer = await buy(sale.one, { ...wait, 'idempotency-key': 'k2' }, body);
      expect([answer.status, answer.body['type'], answer.body['reason']]).toEqual([
        status,
        `urn:millrace:problem:${type}`,
        reason,
      ]);
    });

    test('over the limit of the zone is known before a command is sent', async () => {
      const before = sale.sent.length;
      const { body } = await buy(sale.one, {}, { quantity: 11 });
      expect(body['errors']).toEqual([
        { pointer: '/quantity', detail: 'is over the limit of this zone, 10' },
      ]);
      expect(sale.sent).toHaveLength(before);
    });

    test.each([[{ zoneId: 'roof' }], [{ eventId: 'ball' }]])(
      'of an unknown zone is 404 without a command: %j (H21)',
      async (body) => {
        const before = sale.sent.length;
        expect((await buy(sale.one, {}, body)).status).toBe(404);
        expect(sale.sent).toHaveLength(before);
      },
    );

    test('of a zone that is closed is 409 sale-closed', async () => {
      const partition = partitionOf('gala/floor');
      const zone = sale.one.streams.valueOf(STORES.zones, partition, 'gala/floor') as object;
      sale.one.streams.put(STORES.zones, partition, 'gala/floor', { ...zone, sale: 'closed' });
      const { status, body } = await buy(sale.one, wait);
      expect([status, body['type']]).toEqual([409, 'urn:millrace:problem:sale-closed']);
    });

    test('goes ahead when nobody can say whether the zone exists: the topology decides', async () => {
      await sale.stop();
      sale = await FakeSale.start();
      await openGala();
      sale.assign(() => undefined);
      const { status, body } = await buy(sale.one, {}, {});
      expect([status, body['state']]).toEqual([202, 'requested']);
    });

    test.each([
      [{}, 400, 'idempotency-key-missing'],
      [{ 'idempotency-key': '' }, 400, 'malformed-request'],
      [{ 'idempotency-key': 'two words' }, 400, 'malformed-request'],
      [{ 'idempotency-key': '"unclosed' }, 400, 'malformed-request'],
      [{ 'idempotency-key': '"a"b"' }, 400, 'malformed-request'],
      [{ 'idempotency-key': 'x'.repeat(256) }, 400, 'malformed-request'],
      [{ 'idempotency-key': 'schl\u00fcssel' }, 400, 'malformed-request'],
    ])('with the key %j is %i (H28)', async (headers, status, type) => {
      const answer = await sale.one.ask('POST', '/v1/purchases', {
        headers: headers as Record<string, string>,
        body: order,
      });
      expect([answer.status, answer.body['type']]).toEqual([
        status,
        `urn:millrace:problem:${type}`,
      ]);
    });

    test('takes a key with or without quotes for the same', async () => {
      const bare = await buy(sale.one, { 'idempotency-key': 'abc-123' });
      const quoted = await buy(sale.one, { 'idempotency-key': '"abc-123"' });
      expect(bare.body['purchaseId']).toBe(quoted.body['purchaseId']);
      expect((await buy(sale.one, { 'idempotency-key': '"a b"' })).status).toBe(202);
    });

    test.each([
      [{ eventId: '../x' }, '/eventId'],
      [{ zoneId: '' }, '/zoneId'],
      [{ buyerId: 'a b' }, '/buyerId'],
      [{ quantity: 0 }, '/quantity'],
      [{ quantity: 1.5 }, '/quantity'],
      [{ quantity: 1_001 }, '/quantity'],
      [{ price: 1 }, '/price'],
      [{ state: 'confirmed' }, '/state'],
    ])('with %j is 422 at %s, and no command (H9-H18)', async (body, pointer) => {
      const before = sale.sent.length;
      const answer = await buy(sale.one, {}, body);
      expect([answer.status, answer.body['errors']]).toEqual([
        422,
        [{ pointer, detail: expect.any(String) }],
      ]);
      expect(sale.sent).toHaveLength(before);
    });
  });

  describe('the same Idempotency-Key', () => {
    test('is the same purchase: same answer, no second effect, marked as replayed', async () => {
      const first = await buy(sale.one, wait);
      const again = await buy(sale.one, wait);
      expect([again.status, again.body]).toEqual([201, first.body]);
      expect(again.headers.get('idempotency-replayed')).toBe('true');
      expect((await sale.one.ask('GET', `${zonePath}/inventory`)).body['sold']).toBe(2);
    });

    test('replays a rejection, too', async () => {
      await buy(sale.one, { ...wait, 'idempotency-key': 'k0' }, { quantity: 9 });
      const first = await buy(sale.one, wait);
      const again = await buy(sale.one, wait);
      expect([first.status, again.status, again.body['reason']]).toEqual([409, 409, 'sold_out']);
      expect(again.headers.get('idempotency-replayed')).toBe('true');
    });

    test('that was rejected is another request with a voucher: 422', async () => {
      await buy(sale.one, { ...wait, 'idempotency-key': 'k0' }, { quantity: 9 });
      expect((await buy(sale.one, wait)).status).toBe(409);
      const other = await buy(sale.one, wait, { voucher: 'HALF' });
      expect([other.status, other.body['reason']]).toEqual([422, 'duplicate_conflict']);
    });

    test.each([{ quantity: 3 }, { voucher: 'HALF' }])(
      'with another body is 422, and the first stays as it is: %j (H29)',
      async (body) => {
        const first = await buy(sale.one, wait);
        const other = await buy(sale.one, wait, body);
        expect([other.status, other.body['type'], other.body['reason']]).toEqual([
          422,
          'urn:millrace:problem:duplicate-conflict',
          'duplicate_conflict',
        ]);
        expect(other.body['purchaseId']).toBe(first.body['purchaseId']);
        const { body: now } = await sale.one.ask('GET', `/v1/purchases/${idOf()}`);
        expect(now['quantity']).toBe(2);
      },
    );

    test('of another buyer or zone is another purchase', async () => {
      const mine = await buy(sale.one, wait);
      const theirs = await buy(sale.one, wait, { buyerId: 'bob' });
      expect([theirs.status, theirs.body['purchaseId'] === mine.body['purchaseId']]).toEqual([
        201,
        false,
      ]);
    });

    test('while the first is in flight has the same 202 (H30)', async () => {
      sale.isDeciding = false;
      const [first, second] = await Promise.all([buy(sale.one), buy(sale.one)]);
      expect([first.status, second.status, second.body['purchaseId']]).toEqual([
        202,
        202,
        first.body['purchaseId'],
      ]);
    });
  });

  describe('when Kafka does not acknowledge', () => {
    test('in time, the outcome is unknown: 503 with the id, and nothing is claimed', async () => {
      sale.nextSendError = new MillraceError('KAFKA_AMBIGUOUS', 'no answer');
      const { status, headers, body } = await buy(sale.one, wait);
      expect([status, body['type'], body['purchaseId'], headers.get('retry-after')]).toEqual([
        503,
        'urn:millrace:problem:outcome-unknown',
        idOf(),
        '1',
      ]);
      expect((await sale.one.ask('GET', `/v1/purchases/${idOf()}`)).status).toBe(404);
      expect((await buy(sale.one, wait)).status).toBe(201);
    });

    test('at all, nothing was accepted: 503 (H39)', async () => {
      sale.nextSendError = new MillraceError('KAFKA_UNAVAILABLE', 'nobody');
      const { status, headers, body } = await buy(sale.one);
      expect([status, body['type']]).toEqual([503, 'urn:millrace:problem:broker-unavailable']);
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    });

    test('with an offset, no position is told, and no replay is claimed', async () => {
      sale.isOffsetUnknown = true;
      const { status, headers } = await buy(sale.one, wait);
      expect([status, headers.has('store-position'), headers.has('idempotency-replayed')]).toEqual([
        201,
        false,
        false,
      ]);
    });
  });

  describe('GET /v1/purchases/{id}', () => {
    test('shows the purchase with its tag, its position and the record that decided it', async () => {
      await buy(sale.one, wait);
      const { status, headers, body } = await sale.one.ask('GET', `/v1/purchases/${idOf()}`);
      const partition = partitionOf('gala/floor');
      expect([status, body['state']]).toEqual([200, 'confirmed']);
      expect(headers.get('store-position')).toBe(`ticketPurchase-${partition}:2`);
      expect(headers.get('decided-by')).toBe(`ticketPurchase-${partition}@1`);
      const unchanged = await sale.one.ask('GET', `/v1/purchases/${idOf()}`, {
        headers: { 'if-none-match': headers.get('etag')! },
      });
      expect([unchanged.status, unchanged.body]).toEqual([304, {}]);
    });

    test('waits for the decision when it is asked to', async () => {
      sale.isDeciding = false;
      await buy(sale.one);
      const asking = sale.one.ask('GET', `/v1/purchases/${idOf()}`, { headers: wait });
      await settle();
      sale.decide();
      expect((await asking).body['state']).toBe('confirmed');
    });

    test('reads what a 202 promised, with its position as minPosition', async () => {
      sale.isDeciding = false;
      const { headers } = await buy(sale.one);
      const position = encodeURIComponent(headers.get('store-position')!);
      const early = await sale.one.ask('GET', `/v1/purchases/${idOf()}?minPosition=${position}`);
      expect([early.status, early.body['type']]).toEqual([
        503,
        'urn:millrace:problem:store-restoring',
      ]);
      const asking = sale.one.ask('GET', `/v1/purchases/${idOf()}?minPosition=${position}`, {
        headers: wait,
      });
      await settle();
      sale.decide();
      expect((await asking).body['state']).toBe('confirmed');
    });

    test('finds a purchase that somebody else named, in any partition', async () => {
      const purchaseId = crypto.randomUUID();
      const v8 = `${purchaseId.slice(0, 14)}8${purchaseId.slice(15)}`;
      for (const [partition, id] of [
        [3, purchaseId],
        [6, v8],
      ] as const) {
        sale.one.streams.put(STORES.purchases, partition, id, purchaseWith({ purchaseId: id }));
        expect((await sale.one.ask('GET', `/v1/purchases/${id}`)).status).toBe(200);
      }
      expect((await sale.one.ask('GET', `/v1/purchases/${crypto.randomUUID()}`)).status).toBe(404);
    });

    test.each(['x', 'AAAAAAAA-0000-8000-8000-000000000000', '..%2fx', idOf().replaceAll('-', '')])(
      'of the malformed id %s is 404 (H26)',
      async (id) => {
        expect((await sale.one.ask('GET', `/v1/purchases/${id}`)).status).toBe(404);
      },
    );

    test('is 503 while the state is restored or nobody has it, never 404', async () => {
      await buy(sale.one, wait);
      const partition = partitionOf('gala/floor');
      sale.one.streams.restoring.set(partition, 5);
      expect((await sale.one.ask('GET', `/v1/purchases/${idOf()}`)).status).toBe(503);
      sale.one.streams.restoring.clear();
      sale.one.streams.elsewhere.set(partition, undefined);
      expect((await sale.one.ask('GET', `/v1/purchases/${idOf()}`)).status).toBe(503);
    });
  });

  describe('DELETE /v1/purchases/{id}', () => {
    const cancel = (headers: Record<string, string> = {}) =>
      sale.one.ask('DELETE', `/v1/purchases/${idOf()}`, { headers });

    test('gives the tickets back: 202, or 200 for a client that waits; again is 200', async () => {
      await buy(sale.one, wait);
      const { status, body, headers } = await cancel(wait);
      expect([status, body['state']]).toEqual([200, 'cancelled']);
      expect(headers.get('store-position')).toMatch(/:3$/);
      expect((await sale.one.ask('GET', `${zonePath}/inventory`)).body['available']).toBe(10);
      const before = sale.sent.length;
      expect((await cancel()).status).toBe(200);
      expect(sale.sent).toHaveLength(before);
    });

    test('is 202 when it is not decided yet', async () => {
      await buy(sale.one, wait);
      sale.isDeciding = false;
      const quick = await cancel();
      expect([quick.status, quick.headers.get('location')]).toEqual([
        202,
        `/v1/purchases/${idOf()}`,
      ]);
      expect((await cancel({ prefer: 'wait=1' })).status).toBe(202);
    });

    test('of a purchase that is not decided yet follows it in the log', async () => {
      sale.isDeciding = false;
      await buy(sale.one);
      const cancelling = cancel(wait);
      await settle();
      sale.decide();
      expect((await cancelling).body['state']).toBe('cancelled');
    });

    test('of a rejected purchase is 409, also when that turns out meanwhile (H24)', async () => {
      await buy(sale.one, { ...wait, 'idempotency-key': 'k0' }, { quantity: 9 });
      sale.isDeciding = false;
      await buy(sale.one);
      const cancelling = cancel(wait);
      await settle();
      sale.decide();
      const late = await cancelling;
      expect([late.status, late.body['type'], late.body['reason']]).toEqual([
        409,
        'urn:millrace:problem:already-final',
        'sold_out',
      ]);
      expect((await cancel()).status).toBe(409);
    });

    test('of nothing is 404, and 503 with the id when the outcome is unknown', async () => {
      expect((await cancel()).status).toBe(404);
      await buy(sale.one, wait);
      sale.nextSendError = new MillraceError('KAFKA_AMBIGUOUS', 'no answer');
      const { status, body } = await cancel();
      expect([status, body['type'], body['purchaseId']]).toEqual([
        503,
        'urn:millrace:problem:outcome-unknown',
        idOf(),
      ]);
    });
  });

  describe('events and zones', () => {
    test('an event is created once: 201, same 200, different 409', async () => {
      const body = { name: 'Ball', venueId: 'hall', startsAt: '2027-01-01T20:00:00+01:00' };
      const put = (changes: object = {}) =>
        sale.one.ask('PUT', '/v1/events/ball', { body: { ...body, ...changes } });
      await sale.one.ask('PUT', '/v1/venues/hall', { body: { name: 'The Hall' } });
      const created = await put();
      const view = {
        eventId: 'ball',
        name: 'Ball',
        venueId: 'hall',
        startsAt: '2027-01-01T19:00:00.000Z',
      };
      expect([created.status, created.headers.get('location'), created.body]).toEqual([
        201,
        '/v1/events/ball',
        view,
      ]);
      expect([
        (await put()).status,
        (await put({ startsAt: '2027-01-01T19:00:00Z' })).status,
      ]).toEqual([200, 200]);
      expect((await put({ name: 'Other' })).status).toBe(409);
      expect((await sale.one.ask('GET', '/v1/events/ball')).body).toEqual({ ...view, zones: [] });
      const { body: list } = await sale.one.ask('GET', '/v1/events');
      expect((list['items'] as { eventId: string }[]).map(({ eventId }) => eventId).sort()).toEqual(
        ['ball', 'gala'],
      );
    });

    test.each([
      [{}, '/name'],
      [{ name: ' ' }, '/name'],
      [{ name: 'a\u0000b' }, '/name'],
      [{ name: 'x'.repeat(201) }, '/name'],
      [{ name: 'x', startsAt: 'tomorrow' }, '/startsAt'],
      [{ name: 'x', startsAt: '2027-13-01T00:00Z' }, '/startsAt'],
      [{ name: 'x', startsAt: '2027-02-30T00:00Z' }, '/startsAt'],
      [{ name: 'x', venueId: '' }, '/venueId'],
    ])('an event %j is 422 at %s', async (body, pointer) => {
      const answer = await sale.one.ask('PUT', '/v1/events/bad', { body });
      expect([answer.status, (answer.body['errors'] as { pointer: string }[])[0]?.pointer]).toEqual(
        [422, pointer],
      );
    });

    test('a zone is created once: 201, same 200, different 409, unknown event 404', async () => {
      const price = { amountMinor: 4_900, currency: 'EUR' };
      const put = (path: string, body: object) => sale.one.ask('PUT', path, { body });
      const path = '/v1/events/gala/zones/balcony';
      const created = await put(path, {
        capacity: 5,
        quantityMax: 2,
        price,
        checkout: 'immediate',
      });
      const view = {
        eventId: 'gala',
        zoneId: 'balcony',
        capacity: 5,
        available: 5,
        held: 0,
        sold: 0,
        version: 1,
        sale: 'open',
        quantityMax: 2,
        checkout: 'immediate',
        price,
      };
      expect([created.status, created.body]).toEqual([201, view]);
      expect((await put(path, { capacity: 5, quantityMax: 2, price })).status).toBe(200);
      expect((await put(path, { capacity: 6, quantityMax: 2, price })).status).toBe(409);
      expect((await put('/v1/events/none/zones/floor', { capacity: 5 })).status).toBe(404);
      expect((await sale.one.ask('GET', path)).body).toEqual(view);
      const { body } = await sale.one.ask('GET', '/v1/events/gala/zones');
      expect(body['items']).toHaveLength(2);
    });

    test.each([
      [{ capacity: -1 }],
      [{ capacity: '5' }],
      [{ capacity: 1e9 }],
      [{ capacity: 5, checkout: 'later' }],
      [{ capacity: 5, price: { amountMinor: -1, currency: 'EUR' } }],
      [{ capacity: 5, price: { amountMinor: 1, currency: 'eur' } }],
      [{ capacity: 5, quantityMax: 0 }],
    ])('a zone %j is 422', async (body) => {
      expect((await sale.one.ask('PUT', '/v1/events/gala/zones/bad', { body })).status).toBe(422);
    });

    test('the stock is told with a tag that changes with it', async () => {
      const before = await sale.one.ask('GET', `${zonePath}/inventory`);
      expect(before.body).toEqual({
        eventId: 'gala',
        zoneId: 'floor',
        capacity: 10,
        available: 10,
        held: 0,
        sold: 0,
        version: 1,
      });
      await buy(sale.one, wait);
      const after = await sale.one.ask('GET', `${zonePath}/inventory`, {
        headers: { 'if-none-match': before.headers.get('etag')! },
      });
      expect([after.status, after.body['available'], after.body['version']]).toEqual([200, 8, 2]);
    });

    test.each([
      '/v1/events/none',
      '/v1/events/gala/zones/none',
      '/v1/events/none/zones/floor/inventory',
      '/v1/events/none/sales',
    ])('%s is 404', async (path) => {
      expect((await sale.one.ask('GET', path)).status).toBe(404);
    });

    test('an event that was acknowledged and cannot be read yet is 503, and 200 or 201 later', async () => {
      sale.isDeciding = false;
      const body = { name: 'Ball' };
      expect((await sale.one.ask('PUT', '/v1/events/ball', { body })).status).toBe(503);
      sale.decide();
      expect((await sale.one.ask('PUT', '/v1/events/ball', { body })).status).toBe(200);
    });
  });

  describe('documents', () => {
    test('the OpenAPI document is one, and has every route', async () => {
      const document = (await sale.one.ask('GET', '/openapi.json'))
        .body as unknown as OpenApiDocument;
      expect(checkOpenApi(document)).toEqual([]);
      const operations = Object.values(document.paths).flatMap((path) => Object.keys(path));
      expect(operations.length).toBeGreaterThan(20);
      expect(document.info['version']).toBe('1.2.3');
    }, 120_000);

    test('answers are what the document promises', async () => {
      const document = (await sale.one.ask('GET', '/openapi.json'))
        .body as unknown as OpenApiDocument;
      const deviations: unknown[] = [];
      const check = async (method: string, template: string, path: string, options = {}) => {
        const { status, headers, body } = await sale.one.ask(method, path, options);
        const deviation = undocumented(document, template, method, {
          status,
          mediaType: headers.get('content-type'),
          body,
        });
        if (deviation !== undefined) deviations.push(deviation);
      };
      const purchases = '/v1/purchases';
      const key = { 'idempotency-key': 'doc' };
      await check('POST', purchases, purchases, { body: order, headers: key });
      await check('POST', purchases, purchases, { body: order, headers: { ...key, ...wait } });
      await check('POST', purchases, purchases, {
        body: { ...order, quantity: 3 },
        headers: { ...key, ...wait },
      });
      await check('POST', purchases, purchases, {
        body: { ...order, quantity: 9 },
        headers: { ...wait, 'idempotency-key': 'x' },
      });
      await check('POST', purchases, purchases, { body: {}, headers: key });
      await check('POST', purchases, purchases, { body: order });
      await check('GET', `${purchases}/{purchaseId}`, `${purchases}/${idOf('doc')}`);
      await check('GET', `${purchases}/{purchaseId}`, `${purchases}/x`);
      await check('DELETE', `${purchases}/{purchaseId}`, `${purchases}/${idOf('doc')}`, {
        headers: wait,
      });
      const event = '/v1/events/{eventId}';
      for (const suffix of ['', '/zones'])
        await check('GET', event + suffix, `/v1/events/gala${suffix}`);
      await check('GET', `${event}/zones/{zoneId}`, zonePath);
      await check('GET', `${event}/zones/{zoneId}/inventory`, `${zonePath}/inventory`);
      await check('PUT', event, '/v1/events/gala', { body: { name: 'The Gala' } });
      await check('PUT', event, '/v1/events/gala', { body: { name: 'Other' } });
      await check('PUT', event, '/v1/events/gala', { body: { name: '' } });
      await check('PUT', `${event}/zones/{zoneId}`, zonePath, { body: { capacity: 10 } });
      await check('GET', '/v1/events', '/v1/events');
      for (const path of ['/livez', '/readyz', '/startupz', '/openapi.json'])
        await check('GET', path, path);
      sale.one.streams.currentState = 'REBALANCING';
      await check('GET', '/readyz', '/readyz');
      expect(deviations).toEqual([]);
    });

    test('the page for people names every operation and loads nothing', async () => {
      const answer = await fetch(`http://127.0.0.1:${sale.one.port}/docs`);
      const page = await answer.text();
      const document = (await sale.one.ask('GET', '/openapi.json'))
        .body as unknown as OpenApiDocument;
      for (const path of Object.keys(document.paths))
        expect(page).toContain(`<code>${path}</code>`);
      expect(page).not.toMatch(/<script|src=|@import|url\(/);
      expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
      expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
    });

    test('the metrics are well named, and count decisions, replays, stock and problems', async () => {
      await buy(sale.one, wait);
      await buy(sale.one, wait);
      await buy(sale.one, { ...wait, 'idempotency-key': 'k2' }, { quantity: 9 });
      const text = await (await fetch(`http://127.0.0.1:${sale.one.port}/metrics`)).text();
      expect(checkMetrics(text)).toEqual([]);
      for (const sample of [
        'tickets_purchase_decisions_total{outcome="confirmed",reason="none"} 2',
        'tickets_purchase_decisions_total{outcome="rejected",reason="sold_out"} 1',
        'tickets_idempotent_replays_total 1',
        'tickets_oversold_seats 0',
        'tickets_seats{event="gala",zone="floor",status="sold"} 2',
        'tickets_seats{event="gala",zone="floor",status="available"} 8',
        'tickets_waiting_requests 0',
        'tickets_pending_purchases 0',
        'http_server_problems_total{type="sold-out"} 1',
      ]) {
        expect(text).toContain(`${sample}\n`);
      }
      expect(text).not.toMatch(/ada|k2/);
    });

    test('dead letters are counted, none as none', async () => {
      const scrape = async () => (await fetch(`http://127.0.0.1:${sale.one.port}/metrics`)).text();
      expect(await scrape()).toContain('kstream_dlq_records_total{topic="ticketPurchase.dlq"} 0\n');
      const { outputs } = statusNotice(sale.serdes.purchase, [purchaseWith(), purchaseWith()]);
      const letters = outputs.map((output) => ({ ...output, topic: 'ticketPurchase.dlq' }));
      sale.one.streams.commit({ taskPartitions: [0], outputs: letters, committedAtMs: 0 });
      expect(await scrape()).toContain('kstream_dlq_records_total{topic="ticketPurchase.dlq"} 2\n');
    });

    test('a zone that is oversold shows', async () => {
      const partition = partitionOf('gala/floor');
      const zone = sale.one.streams.valueOf(STORES.zones, partition, 'gala/floor') as object;
      sale.one.streams.put(STORES.zones, partition, 'gala/floor', { ...zone, sold: 13 });
      const text = await (await fetch(`http://127.0.0.1:${sale.one.port}/metrics`)).text();
      expect(text).toContain('tickets_oversold_seats 3\n');
    });
  });

  test('stopping makes readiness say no, and nothing else', async () => {
    sale.one.api.stopping();
    expect((await sale.one.ask('GET', '/readyz')).status).toBe(503);
    expect((await sale.one.ask('GET', '/livez')).status).toBe(200);
  });
});

describe('two instances', () => {
  let owner: FakeInstance;
  let other: FakeInstance;

  beforeEach(async () => {
    sale = await FakeSale.start(2);
    await openGala();
    owner = sale.instanceOf('gala/floor', true);
    other = sale.instanceOf('gala/floor', false);
  });

  test('both answer every read alike', async () => {
    await buy(owner, wait);
    for (const path of [
      '/v1/events',
      '/v1/events/gala',
      '/v1/events/gala/zones',
      zonePath,
      `${zonePath}/inventory`,
      `/v1/purchases/${idOf()}`,
    ]) {
      const [here, there] = [await owner.ask('GET', path), await other.ask('GET', path)];
      expect([path, there.status, there.body]).toEqual([path, 200, here.body]);
      expect(there.headers.get('etag')).toBe(here.headers.get('etag'));
    }
  });

  test('a purchase at the one that does not own the zone is 202, and pending there at once', async () => {
    sale.isDeciding = false;
    const { status, headers } = await buy(other);
    expect([status, headers.get('store-position')]).toEqual([
      202,
      expect.stringMatching(/^ticketPurchase-\d:2$/),
    ]);
    expect((await other.ask('GET', `/v1/purchases/${idOf()}`)).body['state']).toBe('requested');
    sale.decide();
    expect((await other.ask('GET', `/v1/purchases/${idOf()}`)).body['state']).toBe('confirmed');
  });

  test('a client that waits there waits at the owner: 201, then replayed', async () => {
    const first = await buy(other, wait);
    expect([first.status, first.body['state'], first.headers.has('idempotency-replayed')]).toEqual([
      201,
      'confirmed',
      false,
    ]);
    const again = await buy(other, wait);
    expect([again.status, again.headers.get('idempotency-replayed')]).toEqual([201, 'true']);
    expect([again.headers.get('location'), again.body]).toEqual([
      `/v1/purchases/${idOf()}`,
      first.body,
    ]);
  });

  test('rejections and conflicts are the same there', async () => {
    await buy(other, wait);
    const conflict = await buy(other, wait, { quantity: 3 });
    expect([conflict.status, conflict.body['type']]).toEqual([
      422,
      'urn:millrace:problem:duplicate-conflict',
    ]);
    const soldOut = await buy(other, { ...wait, 'idempotency-key': 'k2' }, { quantity: 9 });
    expect([soldOut.status, soldOut.body['reason']]).toEqual([409, 'sold_out']);
    expect((await buy(other, {}, { quantity: 11 })).status).toBe(422);
    expect((await buy(other, {}, { zoneId: 'none' })).status).toBe(404);
  });

  test('is cancelled from anywhere', async () => {
    await buy(owner, wait);
    const { status, body } = await other.ask('DELETE', `/v1/purchases/${idOf()}`, {
      headers: wait,
    });
    expect([status, body['state']]).toEqual([200, 'cancelled']);
    expect((await other.ask('DELETE', `/v1/purchases/${idOf()}`)).status).toBe(200);
  });

  test('a foreign id is found from anywhere', async () => {
    const purchaseId = crypto.randomUUID();
    const partition = partitionOf('gala/floor');
    owner.streams.put(STORES.purchases, partition, purchaseId, purchaseWith({ purchaseId }));
    for (const instance of [owner, other]) {
      expect((await instance.ask('GET', `/v1/purchases/${purchaseId}`)).body['purchaseId']).toBe(
        purchaseId,
      );
    }
    expect((await other.ask('GET', `/v1/purchases/${crypto.randomUUID()}`)).status).toBe(404);
  });

  test('while the owner is away: reads 503, commands still 202', async () => {
    await buy(other, wait);
    await owner.api.app.close(0);
    const read = await other.ask('GET', `/v1/purchases/${idOf()}`);
    expect([read.status, read.body['type'], read.headers.get('retry-after')]).toEqual([
      503,
      'urn:millrace:problem:owner-unavailable',
      '1',
    ]);
    expect((await other.ask('GET', '/v1/events/gala/zones')).status).toBe(503);
    const bought = await buy(other, { ...wait, 'idempotency-key': 'k3' });
    expect(bought.status).toBe(202);
  });

  test('after the partition moved, the new owner answers and the old one asks it', async () => {
    await buy(owner, wait);
    const partition = partitionOf('gala/floor');
    for (const store of [STORES.zones, STORES.purchases]) {
      for (const key of ['gala/floor', idOf()]) {
        const value = owner.streams.valueOf(store, partition, key);
        if (value !== undefined) other.streams.put(store, partition, key, value);
      }
    }
    const newOwner = sale.instances.indexOf(other);
    sale.assign((each) => (each === partition ? newOwner : each % 2));
    for (const instance of [owner, other]) {
      expect((await instance.ask('GET', `/v1/purchases/${idOf()}`)).body['state']).toBe(
        'confirmed',
      );
    }
  });

  test('what a peer says to itself is not for clients', async () => {
    for (const headers of [
      { 'millrace-hop': '1' },
      { 'millrace-hop': '1', 'millrace-peer-token': 'guessed-guessed-guessed' },
    ]) {
      expect(
        (await owner.ask('GET', zonePath, { headers: headers as Record<string, string> })).status,
      ).toBe(403);
    }
    const peer = { 'millrace-hop': '1', 'millrace-peer-token': 'a-shared-secret-of-peers' };
    expect((await other.ask('GET', zonePath, { headers: peer })).status).toBe(421);
    expect(
      (await owner.ask('GET', zonePath, { headers: { ...peer, 'millrace-hop': '2' } })).status,
    ).toBe(508);
  });
});

test('a purchase command carries what was asked, and the time it was asked', async () => {
  sale = await FakeSale.start();
  await openGala();
  const before = Date.now();
  await buy(sale.one);
  const { key, value, partition } = sale.sent.at(-1)!;
  const command = value as PurchaseCommand;
  expect([key, partition < PARTITIONS]).toEqual(['gala/floor', true]);
  expect(command).toEqual({
    kind: 'purchase',
    purchaseId: idOf(),
    ...order,
    requestedAtMs: expect.any(Number),
    options: null,
  });
  expect(command.requestedAtMs).toBeGreaterThanOrEqual(before);
});
