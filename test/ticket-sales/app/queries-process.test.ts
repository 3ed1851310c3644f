/**
 * What is asked and followed of a running sale: the real process, killed and started again under its
 * readers, who must miss nothing, be told nothing twice, and find sums that are exact.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { EventSourceClient, type SentEvent } from '../../kit/event-source.ts';
import { type SaleProcess, saleProcess } from '../../kit/sale-process.ts';

const directory = mkdtempSync(join(tmpdir(), 'millrace-queries-'));
const PRICE_MINOR = 2_500;
const CAPACITY = 50;
const INVENTORY = '/v1/events/gala/inventory';
let sale: SaleProcess;
let bought = 0;

type Body = Record<string, unknown>;

async function ask(
  method: string,
  path: string,
  body?: object,
  headers: Record<string, string> = {},
): Promise<{ status: number; headers: Headers; body: Body }> {
  const answer = await fetch(`${sale.httpUrl}${path}`, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Body };
}

/** Waits for what follows the sale by a commit or two. */
async function untilBody(path: string, expected: object): Promise<Headers> {
  let found = await ask('GET', path);
  await vi
    .waitUntil(
      async () => {
        found = await ask('GET', path);
        try {
          expect(found.body).toMatchObject(expected);
          return true;
        } catch {
          return false;
        }
      },
      { timeout: 20_000, interval: 50 },
    )
    .catch(() => expect(found.body).toMatchObject(expected));
  return found.headers;
}

async function buy(zoneId: string, quantity: number, buyerId = 'ada'): Promise<string> {
  const key = `k-${bought++}`;
  const order = { eventId: 'gala', zoneId, buyerId, quantity };
  const headers = { 'idempotency-key': key, prefer: 'wait=20' };
  const answer = await ask('POST', '/v1/purchases', order, headers);
  expect([answer.status, answer.body['state']]).toEqual([201, 'confirmed']);
  return answer.body['purchaseId'] as string;
}

const follow = (path: string, headers?: Record<string, string>) =>
  EventSourceClient.open(`${sale.httpUrl}${path}/stream`, headers);

/** Reads on until every zone is as it should be; what is told on the way must only ever grow. */
async function readUntil(
  client: EventSourceClient,
  sold: Record<string, number>,
  from = -1,
): Promise<readonly SentEvent[]> {
  const events: SentEvent[] = [];
  const left = new Map(Object.entries(sold));
  let version = from;
  while (left.size > 0) {
    const event = await client.next();
    if (event === undefined) throw new Error('the stream has ended');
    events.push(event);
    expect(Number(event.id)).toBeGreaterThan(version);
    version = Number(event.id);
    for (const zone of event.data['zones'] as { zoneId: string; sold: number }[]) {
      if (left.get(zone.zoneId) === zone.sold) left.delete(zone.zoneId);
    }
  }
  return events;
}

beforeAll(async () => {
  // A busy machine is to be no reason for a stop that is not orderly.
  sale = await saleProcess({ directory, env: { SHUTDOWN_GRACE_MS: '60000' } });
  sale.start();
  await sale.ready();
  expect((await ask('PUT', '/v1/venues/hall', { name: 'The Hall' })).status).toBe(201);
  const event = { name: 'The Gala', venueId: 'hall' };
  expect((await ask('PUT', '/v1/events/gala', event)).status).toBe(201);
  const price = { amountMinor: PRICE_MINOR, currency: 'EUR' };
  for (const [zoneId, more] of [
    ['floor', { price }],
    ['stand', { price: { ...price, currency: 'CHF' } }],
    ['free', {}],
  ] as const) {
    const zone = { capacity: CAPACITY, ...more };
    expect((await ask('PUT', `/v1/events/gala/zones/${zoneId}`, zone)).status).toBe(201);
  }
}, 120_000);

afterAll(async () => {
  await sale.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

describe('a running sale', () => {
  let lastId: string;
  let purchaseId: string;

  test('tells the stock of an event as it changes', async () => {
    await untilBody(INVENTORY, { zones: [{}, {}, {}] });
    const client = await follow(INVENTORY);
    const [snapshot] = await readUntil(client, { floor: 0, stand: 0, free: 0 });
    expect(snapshot?.event).toBe('snapshot');
    purchaseId = await buy('floor', 2);
    await buy('stand', 1, 'bob');
    const updates = await readUntil(client, { floor: 2, stand: 1 }, Number(snapshot!.id));
    expect(updates.map(({ event }) => event)).toEqual(updates.map(() => 'update'));
    expect(updates.flatMap(({ data }) => data['zones'])).not.toContainEqual(
      expect.objectContaining({ zoneId: 'free' }),
    );
    lastId = updates.at(-1)!.id;
    client.leave();
  });

  test('tells a purchase as it stands, and when it changes', async () => {
    const client = await follow(`/v1/purchases/${purchaseId}`);
    expect(await client.next()).toMatchObject({ event: 'snapshot', data: { state: 'confirmed' } });
    const given = await buy('free', 1);
    const other = await follow(`/v1/purchases/${given}`);
    expect((await other.next())?.data).toMatchObject({ quantity: 1, state: 'confirmed' });
    const cancelled = await ask('DELETE', `/v1/purchases/${given}`, undefined, {
      prefer: 'wait=20',
    });
    expect(cancelled.status).toBe(200);
    const update = await other.next();
    expect(update).toMatchObject({ event: 'update' });
    expect((await ask('GET', `/v1/purchases/${given}`)).body).toEqual(update?.data);
    purchaseId = given;
    client.leave();
    other.leave();
  });

  test('that is killed ends its streams; started again it goes on where they left off', async () => {
    const streams = [await follow(INVENTORY), await follow(`/v1/purchases/${purchaseId}`)];
    for (const client of streams) await client.next();
    await sale.kill('SIGKILL');
    for (const client of streams) expect(await client.next()).toBeUndefined();
    sale.start();
    await sale.ready();
    // Bought while nobody follows.
    await buy('stand', 2, 'bob');
    const client = await follow(INVENTORY, { 'last-event-id': lastId });
    const events = await readUntil(client, { free: 0, stand: 3 }, Number(lastId));
    expect(events.map(({ event }) => event)).toEqual(events.map(() => 'update'));
    const zones = events.flatMap(({ data }) => data['zones'] as { zoneId: string }[]);
    expect(zones.map(({ zoneId }) => zoneId)).not.toContain('floor');
    await buy('floor', 1);
    await readUntil(client, { floor: 3 }, Number(events.at(-1)!.id));
    client.leave();
  }, 120_000);

  test('has sums to the cent, in the event, in its venue and over time', async () => {
    const revenue = [
      { amountMinor: 3 * PRICE_MINOR, currency: 'CHF' },
      { amountMinor: 3 * PRICE_MINOR, currency: 'EUR' },
    ];
    const sums = { zones: 3, capacity: 3 * CAPACITY, held: 0, sold: 6, revenue };
    const headers = await untilBody('/v1/events/gala/sales', {
      eventId: 'gala',
      venueId: 'hall',
      ...sums,
    });
    expect(headers.get('store-position')).toMatch(/stock-by-event-repartition-\d+:\d+/);
    await untilBody('/v1/venues/hall/sales', { venueId: 'hall', events: 1, ...sums });
    const { body } = await ask('GET', '/v1/events/gala/sales/timeline?bucket=1d');
    const items = body['items'] as { sold: number; revenue: { amountMinor: number }[] }[];
    expect(items.reduce((sum, { sold }) => sum + sold, 0)).toBe(6);
    const taken = items.flatMap((item) => item.revenue);
    expect(taken.reduce((sum, { amountMinor }) => sum + amountMinor, 0)).toBe(6 * PRICE_MINOR);
    await untilBody('/v1/events?venueId=hall', { items: [{ eventId: 'gala' }] });
  });

  test('lists the purchases of a buyer, newest first, the cancelled one as it is now', async () => {
    await untilBody('/v1/purchases?buyerId=ada', {
      items: [
        { zoneId: 'floor', quantity: 1, state: 'confirmed' },
        { zoneId: 'free', quantity: 1, purchaseId },
        { zoneId: 'floor', quantity: 2, state: 'confirmed' },
      ],
    });
    const { body } = await ask('GET', '/v1/purchases?buyerId=bob&limit=1');
    expect(body['items']).toMatchObject([{ zoneId: 'stand', quantity: 2 }]);
    const next = await ask('GET', `/v1/purchases?buyerId=bob&limit=1&cursor=${body['nextCursor']}`);
    expect(next.body).toMatchObject({ items: [{ zoneId: 'stand', quantity: 1 }] });
    expect(next.body['nextCursor']).toBeUndefined();
  });

  test('stops orderly while it is followed', async () => {
    const client = await follow(INVENTORY);
    await client.next();
    const ended = client.next();
    await sale.kill('SIGTERM');
    expect(await ended).toBeUndefined();
    expect(sale.endedBy).toBe(0);
  }, 90_000);
});
