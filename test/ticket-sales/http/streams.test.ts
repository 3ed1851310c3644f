/** Streams of the sale over HTTP, asked of the owner and of another instance: both must tell the same. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CommitNotice } from '../../../interactive-queries/queryable-streams.ts';
import { BatchBuilder } from '../../../kafka/records/batch-builder.ts';
import type { Purchase } from '../../../ticket-sales/domain/purchase.ts';
import { zoneKey } from '../../../ticket-sales/domain/zone.ts';
import { REPORT_STORES } from '../../../ticket-sales/reports/report-stores.ts';
import { STORES } from '../../../ticket-sales/sale/sale-stores.ts';
import { EventSourceClient } from '../../kit/event-source.ts';
import { TokenIssuer } from '../../kit/token-issuer.ts';
import { purchaseWith } from '../domain/samples.ts';
import { type FakeInstance, FakeSale, partitionOf } from './fake-sale.ts';
import { statusNotice } from './status-notice.ts';

/** Of forwards: nothing here is to be late. */
const PATIENT = { QUERY_TIMEOUT_MS: '30000' };
let sale: FakeSale;
let clients: EventSourceClient[];

beforeEach(async () => {
  clients = [];
  sale = await FakeSale.start(2, PATIENT);
});

afterEach(async () => {
  for (const client of clients) client.leave();
  await sale.stop();
});

const ownerOf = (partition: number): FakeInstance =>
  sale.instances.find(({ streams }) => !streams.elsewhere.has(partition))!;

async function open(
  instance: FakeInstance,
  path: string,
  headers: Record<string, string> = {},
): Promise<EventSourceClient> {
  const client = await EventSourceClient.open(`http://127.0.0.1:${instance.port}${path}`, headers);
  clients.push(client);
  return client;
}

const WHO = [
  ['the owner', true],
  ['another instance', false],
] as const;

describe('the stock of an event', () => {
  const PATH = '/v1/events/gala/inventory/stream';
  const partition = partitionOf('gala');
  let version: number;

  beforeEach(() => {
    version = 0;
    define('gala');
  });

  function define(eventId: string): void {
    const event = { eventId, name: eventId, venueId: null, startsAtMs: null, customers: 'anyone' };
    ownerOf(partition).streams.put(REPORT_STORES.events, partition, eventId, event);
  }

  /** As one commit. */
  function sell(...zones: readonly (readonly [zoneId: string, sold: number])[]): void {
    const { streams } = ownerOf(partition);
    for (const [zoneId, sold] of zones) {
      version++;
      streams.put(REPORT_STORES.zones, partition, `gala/${zoneId}`, {
        ...zoneView(zoneId, sold),
        updatedAtMs: 0,
        commandOffset: 0,
        revenueMinor: 0,
        currency: null,
        eventVersion: version,
      });
    }
    const builder = new BatchBuilder({ sizeBytesMax: 100_000 });
    builder.append(0, Buffer.from('gala'), Buffer.from('sums'));
    const topic = 'test-event-sales-changelog';
    const { bytes: batch } = builder.finish(topic, partition, 'none');
    const notice: CommitNotice = {
      taskPartitions: [partition],
      outputs: [{ topic, partition, batch }],
      committedAtMs: 0,
    };
    streams.commit(notice);
  }

  const zoneView = (zoneId: string, sold: number) => ({
    eventId: 'gala',
    zoneId,
    capacity: 10,
    available: 10 - sold,
    held: 0,
    sold,
    version: sold + 1,
  });

  const told = (event: string, at: number, ...zones: readonly (readonly [string, number])[]) => ({
    event,
    id: String(at),
    data: {
      eventId: 'gala',
      version: at,
      zones: zones.map(([zoneId, sold]) => zoneView(zoneId, sold)),
    },
  });

  const open_ = (isOwner: boolean, headers: Record<string, string> = {}) =>
    open(
      isOwner ? ownerOf(partition) : sale.instances.find((each) => each !== ownerOf(partition))!,
      PATH,
      headers,
    );

  test.each(WHO)(
    'comes whole first, then zone by zone as it changes, from %s',
    async (_, isOwner) => {
      sell(['a', 0], ['b', 0]);
      const client = await open_(isOwner);
      expect([client.response.status, client.response.headers.get('content-type')]).toEqual([
        200,
        'text/event-stream',
      ]);
      expect(await client.next()).toEqual(told('snapshot', 2, ['a', 0], ['b', 0]));
      sell(['b', 1]);
      expect(await client.next()).toEqual(told('update', 3, ['b', 1]));
      sell(['a', 1], ['b', 2]);
      expect(await client.next()).toEqual(told('update', 5, ['a', 1], ['b', 2]));
    },
  );

  test.each(WHO)(
    'goes on after Last-Event-ID with what the client lacks, from %s',
    async (_, isOwner) => {
      sell(['a', 0], ['b', 0], ['c', 0]);
      sell(['b', 1]);
      sell(['a', 1]);
      const client = await open_(isOwner, { 'last-event-id': '4' });
      expect(await client.next()).toEqual(told('update', 5, ['a', 1]));
      const upToDate = await open_(isOwner, { 'last-event-id': '5' });
      sell(['c', 1]);
      expect(await upToDate.next()).toEqual(told('update', 6, ['c', 1]));
      expect(await client.next()).toEqual(told('update', 6, ['c', 1]));
    },
  );

  test.each(['7', 'x', '-1', ''])('is told anew to who comes with the id %o', async (id) => {
    sell(['a', 0]);
    const client = await open_(true, { 'last-event-id': id });
    expect(await client.next()).toEqual(told('snapshot', 1, ['a', 0]));
  });

  test('of one without zones is empty, of one that nobody defined is 404', async () => {
    const client = await open_(true);
    expect(await client.next()).toEqual(told('snapshot', 0));
    sell(['a', 0]);
    expect(await client.next()).toEqual(told('update', 1, ['a', 0]));
    const { status } = await sale.one.ask('GET', '/v1/events/none/inventory/stream');
    expect(status).toBe(404);
  });

  test('ends when the partition leaves, and goes on from its new owner', async () => {
    sell(['a', 0]);
    const client = await open_(true);
    expect((await client.next())?.id).toBe('1');
    const [old, other] = [
      ownerOf(partition),
      sale.instances.find((each) => each !== ownerOf(partition))!,
    ];
    sale.assign((each) => sale.instances.indexOf(each === partition ? other : ownerOf(each)));
    old.streams.commit({ taskPartitions: [], outputs: [], committedAtMs: 0 });
    define('gala');
    sell(['a', 1]);
    const again = await open(old, PATH, { 'last-event-id': '1' });
    expect(await again.next()).toEqual(told('update', 2, ['a', 1]));
  });

  test('is read once for all that follow it', async () => {
    sell(['a', 0]);
    const many = await Promise.all(Array.from({ length: 10 }, () => open_(true)));
    await Promise.all(many.map((client) => client.next()));
    const { streams } = ownerOf(partition);
    const before = streams.opened;
    sell(['a', 1]);
    const news = await Promise.all(many.map((client) => client.next()));
    expect(new Set(news.map((event) => JSON.stringify(event))).size).toBe(1);
    expect(streams.opened - before).toBe(1);
  });
});

describe('a purchase', () => {
  const purchaseId = '11111111-2222-8333-8444-555555555555';
  const PATH = `/v1/purchases/${purchaseId}/stream`;
  const partition = partitionOf(zoneKey('gala', 'floor'));

  function decide(state: Purchase['state']): void {
    const purchase = purchaseWith({ purchaseId, buyerId: 'ada', state });
    const { streams } = ownerOf(partition);
    streams.put(STORES.purchases, partition, purchaseId, purchase);
    streams.commit(statusNotice(sale.serdes.purchase, [purchase]));
  }

  /** Its id tells no partition: it is looked for, as one that another program has made. */
  const open_ = (isOwner: boolean, headers: Record<string, string> = {}) =>
    open(sale.instances.find((each) => (each === ownerOf(partition)) === isOwner)!, PATH, headers);

  test.each(WHO)('comes as it stands, then in each state, from %s', async (_, isOwner) => {
    decide('held');
    const client = await open_(isOwner);
    const first = await client.next();
    expect(first).toMatchObject({ event: 'snapshot', data: { purchaseId, state: 'held' } });
    decide('confirmed');
    const second = await client.next();
    expect(second).toMatchObject({ event: 'update', data: { purchaseId, state: 'confirmed' } });
    expect(second?.id).not.toBe(first?.id);
  });

  test.each(WHO)('goes on after Last-Event-ID, from %s', async (_, isOwner) => {
    decide('held');
    const { id } = (await (await open_(isOwner)).next())!;
    const again = await open_(isOwner, { 'last-event-id': id });
    decide('held');
    decide('expired');
    expect(await again.next()).toMatchObject({ event: 'update', data: { state: 'expired' } });
    const later = await open_(isOwner, { 'last-event-id': id });
    expect(await later.next()).toMatchObject({ event: 'update', data: { state: 'expired' } });
  });

  test('that nobody knows is 404, wherever it is asked for', async () => {
    for (const instance of sale.instances) {
      expect((await instance.ask('GET', PATH)).status).toBe(404);
      expect((await instance.ask('GET', `${PATH}?partition=${partition}`)).status).toBe(404);
      expect((await instance.ask('GET', `${PATH}?partition=99`)).status).toBe(404);
    }
  });

  test('that is not decided yet is told as soon as it is, from any instance', async () => {
    sale.isDeciding = false;
    const key = { 'idempotency-key': 'k1' };
    const body = { eventId: 'gala', zoneId: 'floor', buyerId: 'ada', quantity: 1 };
    const zone = { eventId: 'gala', zoneId: 'floor' };
    await sale.sender.send({ topic: 'eventDefined' } as never, 'gala', {
      eventId: 'gala',
      name: 'gala',
      venueId: null,
      startsAtMs: null,
      customers: 'anyone',
    });
    await sale.sender.send({ topic: 'ticketPurchase' } as never, 'gala/floor', {
      kind: 'createZone',
      ...zone,
      capacity: 5,
      quantityMax: 5,
      price: null,
      terms: null,
      blockedSeats: [],
    });
    sale.decide();
    for (const [index, instance] of sale.instances.entries()) {
      const headers = { 'idempotency-key': `${key['idempotency-key']}-${index}` };
      const taken = await instance.ask('POST', '/v1/purchases', { body, headers });
      expect(taken.status).toBe(202);
      const client = await open(instance, `/v1/purchases/${taken.body['purchaseId']}/stream`);
      expect(client.response.status).toBe(200);
      sale.decide();
      let event = await client.next();
      if (event?.data['state'] === 'requested') event = await client.next();
      expect(event?.data).toMatchObject({ state: 'confirmed', quantity: 1 });
    }
  });

  test('of somebody else does not exist', async () => {
    const issuer = await TokenIssuer.start();
    await sale.stop();
    sale = await FakeSale.start(2, { ...PATIENT, ...issuer.env() });
    decide('held');
    const bearer = async (sub: string, role: string) => ({
      authorization: `Bearer ${await issuer.token(sub, [role])}`,
    });
    for (const { ask } of sale.instances.map((instance) => ({
      ask: async (sub: string, role: string) =>
        (await open(instance, PATH, await bearer(sub, role))).response.status,
    }))) {
      expect(await ask('ada', 'buyer')).toBe(200);
      expect(await ask('olga', 'operator')).toBe(200);
      expect(await ask('bob', 'buyer')).toBe(404);
    }
    issuer.stop();
  });
});
