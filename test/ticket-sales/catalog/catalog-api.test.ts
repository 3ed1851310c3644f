/** Venues and customers over HTTP: who may define and see them, and what events make of them. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CATALOG_STORES } from '../../../ticket-sales/catalog/catalog-tables.ts';
import { TOPICS } from '../../../ticket-sales/records.ts';
import { TokenIssuer } from '../../kit/token-issuer.ts';
import { type FakeInstance, FakeSale, partitionOf } from '../http/fake-sale.ts';

let sale: FakeSale;

beforeEach(async () => {
  sale = await FakeSale.start(2);
});

afterEach(() => sale.stop());

const put = (path: string, body: object) => sale.one.ask('PUT', path, { body });

describe('a venue', () => {
  test('is created with 201, shown, and replaced with 200', async () => {
    const created = await put('/v1/venues/hall', { name: 'The Hall', address: '1 Quay' });
    const hall = { venueId: 'hall', name: 'The Hall', address: '1 Quay' };
    expect([created.status, created.headers.get('location'), created.body]).toEqual([
      201,
      '/v1/venues/hall',
      hall,
    ]);
    expect((await sale.one.ask('GET', '/v1/venues/hall')).body).toEqual(hall);
    const changed = await put('/v1/venues/hall', { name: 'The Great Hall' });
    const great = { venueId: 'hall', name: 'The Great Hall' };
    expect([changed.status, changed.body]).toEqual([200, great]);
    for (const instance of sale.instances) {
      expect((await instance.ask('GET', '/v1/venues/hall')).body).toEqual(great);
    }
  });

  test('that nobody defined is 404, and an event there 422 at /venueId, with nothing sent', async () => {
    expect((await sale.one.ask('GET', '/v1/venues/attic')).status).toBe(404);
    const refused = await put('/v1/events/ball', { name: 'Ball', venueId: 'attic' });
    expect([refused.status, refused.body['errors']]).toEqual([
      422,
      [
        {
          pointer: '/venueId',
          detail: 'there is no venue attic: define it first, by PUT /v1/venues/attic',
        },
      ],
    ]);
    expect(sale.sent.filter(({ topic }) => topic === TOPICS.events)).toEqual([]);
  });

  test('has events once it is defined', async () => {
    await put('/v1/venues/attic', { name: 'Attic' });
    const created = await put('/v1/events/ball', { name: 'Ball', venueId: 'attic' });
    expect([created.status, created.body['venueId']]).toEqual([201, 'attic']);
  });

  test.each([
    [{}, '/name'],
    [{ name: '' }, '/name'],
    [{ name: 'x', address: '\u0007' }, '/address'],
    [{ name: 'x', seats: 3 }, '/seats'],
  ])('%j is 422 at %s', async (body, pointer) => {
    const { status, body: problem } = await put('/v1/venues/hall', body);
    expect([status, (problem['errors'] as { pointer: string }[])[0]?.pointer]).toEqual([
      422,
      pointer,
    ]);
  });
});

describe('a customer', () => {
  test('is registered with 201 and changed with 200', async () => {
    const created = await put('/v1/customers/ada', { name: 'Ada', email: 'ada@example.org' });
    const ada = { customerId: 'ada', name: 'Ada', email: 'ada@example.org' };
    expect([created.status, created.body]).toEqual([201, ada]);
    expect((await sale.one.ask('GET', '/v1/customers/ada')).body).toEqual(ada);
    expect((await put('/v1/customers/ada', { name: 'Ada L.' })).status).toBe(200);
    expect((await sale.one.ask('GET', '/v1/customers/eve')).status).toBe(404);
  });

  test('with an address that is none is 422', async () => {
    const { status, body } = await put('/v1/customers/ada', { name: 'Ada', email: 'nowhere' });
    expect([status, (body['errors'] as { pointer: string }[])[0]?.pointer]).toEqual([
      422,
      '/email',
    ]);
  });

  test('an event may be for registered customers only, and says so', async () => {
    const body = { name: 'Members', customers: 'registered' };
    expect((await put('/v1/events/club', body)).status).toBe(201);
    expect((await sale.one.ask('GET', '/v1/events/club')).body).toMatchObject(body);
    expect((await put('/v1/events/club', { name: 'Members' })).status).toBe(409);
    expect((await put('/v1/events/open', { name: 'Open', customers: 'anyone' })).status).toBe(201);
    expect((await sale.one.ask('GET', '/v1/events/open')).body).toEqual({
      eventId: 'open',
      name: 'Open',
      zones: [],
    });
  });
});

describe('a purchase of what there is not', () => {
  const buy = (eventId: string) =>
    sale.one.ask('POST', '/v1/purchases', {
      headers: { 'idempotency-key': 'k' },
      body: { eventId, zoneId: 'roof', buyerId: 'ada', quantity: 1 },
    });

  test('is told whether it is the event or its zone that is unknown, and nothing is sent (T25)', async () => {
    await put('/v1/events/ball', { name: 'Ball' });
    const sent = sale.sent.length;
    const zone = await buy('ball');
    expect([zone.status, zone.body['reason']]).toEqual([404, 'unknown_zone']);
    const event = await buy('feast');
    expect([event.status, event.body['reason']]).toEqual([404, 'unknown_event']);
    expect(sale.sent.length).toBe(sent);
  });

  test('is no more than not found while nobody can say what is defined', async () => {
    const partition = partitionOf('feast');
    const owner = sale.instanceOf('feast', true);
    if (partitionOf('feast/roof') === partition) throw new Error('they must be apart');
    owner.streams.restoring.set(partition, 5);
    const { status, body } = await buy('feast');
    expect([status, body['reason']]).toEqual([404, undefined]);
  });
});

test('operators are told of venues that events name and nobody defined, wherever they are known', async () => {
  const [one, other] = sale.instances as [FakeInstance, FakeInstance];
  const attic = { venueId: 'attic', events: ['ball'] };
  const cellar = { venueId: 'cellar', events: ['feast', 'walk'] };
  one.streams.put(CATALOG_STORES.unknownVenues, 0, 'attic', attic);
  other.streams.put(CATALOG_STORES.unknownVenues, 1, 'cellar', cellar);
  const { status, body } = await one.ask('GET', '/v1/unknown-venues');
  expect(status).toBe(200);
  expect(body['items']).toEqual([attic, cellar]);
});

test('with AUTH=jwt a customer sees himself, operators see everybody, and nobody else does', async () => {
  const issuer = await TokenIssuer.start();
  const secured = await FakeSale.start(1, issuer.env());
  const as = async (subject: string, role: string) => ({
    authorization: `Bearer ${await issuer.token(subject, [role])}`,
  });
  const { one } = secured;
  const path = '/v1/customers/ada';
  const body = { name: 'Ada', email: 'ada@example.org' };
  const own = await one.ask('PUT', path, { body, headers: await as('ada', 'buyer') });
  expect(own.status).toBe(403);
  const defined = await one.ask('PUT', path, { body, headers: await as('olga', 'operator') });
  expect(defined.status).toBe(201);
  const statusFor = async (subject: string, role: string) =>
    (await one.ask('GET', path, { headers: await as(subject, role) })).status;
  expect([
    await statusFor('ada', 'buyer'),
    await statusFor('bob', 'buyer'),
    await statusFor('olga', 'operator'),
  ]).toEqual([200, 404, 200]);
  await secured.stop();
  issuer.stop();
});
