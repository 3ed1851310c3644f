/** Two processes of one application on one broker: each answers for both, and one goes on alone. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { EventSourceClient } from '../../kit/event-source.ts';
import { type SaleProcess, saleProcess } from '../../kit/sale-process.ts';

const directory = mkdtempSync(join(tmpdir(), 'millrace-two-'));
const zones = Array.from({ length: 12 }, (_, index) => `zone-${index}`);
let first: SaleProcess;
let second: SaleProcess;

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
}

async function ask(
  sale: SaleProcess,
  method: string,
  path: string,
  body?: object,
  headers = {},
): Promise<Answer> {
  const answer = await fetch(`${sale.httpUrl}${path}`, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(40_000),
  });
  return {
    status: answer.status,
    headers: answer.headers,
    body: (await answer.json()) as Record<string, unknown>,
  };
}

/** What moves is answered with 503 and when to come back: so do we. */
async function askPatiently(...args: Parameters<typeof ask>): Promise<Answer> {
  const deadlineMs = performance.now() + 60_000;
  for (;;) {
    const answer = await ask(...args);
    if (answer.status < 500 || performance.now() > deadlineMs) return answer;
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([
      503,
      expect.stringMatching(/^\d+$/),
    ]);
    await new Promise((later) => setTimeout(later, 200));
  }
}

/** The store partitions that each process has itself, as `store-partition`. */
async function shares(): Promise<string[][]> {
  const own: string[][] = [];
  for (const sale of [first, second]) {
    const { body } = await ask(sale, 'GET', '/v1/stores');
    const stores = body['items'] as Store[];
    own.push(
      stores.flatMap(({ name, partitions }) =>
        partitions.filter(({ isLocal }) => isLocal).map(({ partition }) => `${name}-${partition}`),
      ),
    );
  }
  return own;
}

interface Store {
  readonly name: string;
  readonly partitions: readonly { readonly partition: number; readonly isLocal: boolean }[];
}

beforeAll(async () => {
  // Unset, these depend on the broker: instances of one application need the same topology.
  const parts = { TICKETS_ORDERS: 'on', TICKETS_INTAKE: 'on' };
  const peers = { ...parts, PEER_TOKEN: 'a-shared-secret-of-peers' };
  first = await saleProcess({ directory: join(directory, 'one'), env: peers });
  first.start();
  await first.ready();
  second = await saleProcess({
    directory: join(directory, 'two'),
    kafkaBrokers: first.brokers,
    env: { ...peers, SCHEMA_REGISTRY_URL: first.registryUrl },
  });
  second.start();
  await second.ready();
  await vi.waitUntil(async () => (await shares()).every(({ length }) => length > 0), {
    timeout: 60_000,
    interval: 100,
  });
  await askPatiently(first, 'PUT', '/v1/events/gala', { name: 'The Gala' });
  for (const zone of zones) {
    const { status } = await askPatiently(second, 'PUT', `/v1/events/gala/zones/${zone}`, {
      capacity: 5,
    });
    expect([200, 201]).toContain(status);
  }
}, 180_000);

afterAll(async () => {
  await second?.kill('SIGKILL');
  await first?.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

const order = (zoneId: string) => ({ eventId: 'gala', zoneId, buyerId: 'ada', quantity: 1 });

describe('two instances of one application', () => {
  test('share the partitions between them, each in one place', async () => {
    const [one = [], two = []] = await shares();
    const all = [...one, ...two];
    expect(new Set(all).size).toBe(all.length);
    for (const store of ['zones', 'purchases', 'events', 'event-sales']) {
      expect(all.filter((name) => name.startsWith(`${store}-`))).toHaveLength(8);
    }
  });

  test('decide every purchase wherever it is asked, and answer it alike', async () => {
    for (const [index, zone] of zones.entries()) {
      const [near, far] = index % 2 === 0 ? [first, second] : [second, first];
      const headers = { 'idempotency-key': `k-${zone}`, prefer: 'wait=20' };
      const bought = await askPatiently(near, 'POST', '/v1/purchases', order(zone), headers);
      expect([bought.status, bought.body['state']]).toEqual([201, 'confirmed']);
      const again = await askPatiently(far, 'POST', '/v1/purchases', order(zone), headers);
      expect([again.status, again.body, again.headers.get('idempotency-replayed')]).toEqual([
        201,
        bought.body,
        'true',
      ]);
      const path = `/v1/purchases/${bought.body['purchaseId']}`;
      for (const sale of [first, second]) {
        expect((await askPatiently(sale, 'GET', path)).body).toEqual(bought.body);
        expect(
          (await askPatiently(sale, 'GET', `/v1/events/gala/zones/${zone}/inventory`)).body,
        ).toMatchObject({ sold: 1 });
      }
    }
    const lists = [
      await askPatiently(first, 'GET', '/v1/events/gala/zones'),
      await askPatiently(second, 'GET', '/v1/events/gala/zones'),
    ];
    for (const { body } of lists) expect(body['items']).toHaveLength(zones.length);
  }, 120_000);

  test('tell what changes, and what was bought, from either of them', async () => {
    await askPatiently(first, 'PUT', '/v1/events/ball', { name: 'The Ball' });
    await askPatiently(second, 'PUT', '/v1/events/ball/zones/hall', { capacity: 9 });
    const path = '/v1/events/ball/inventory/stream';
    const clients = await Promise.all(
      [first, second].map((sale) => EventSourceClient.open(`${sale.httpUrl}${path}`)),
    );
    const headers = { 'idempotency-key': 'ball', prefer: 'wait=20' };
    const wanted = { ...order('hall'), eventId: 'ball', buyerId: 'bea' };
    const bought = await askPatiently(first, 'POST', '/v1/purchases', wanted, headers);
    expect(bought.status).toBe(201);
    const ends = await Promise.all(
      clients.map(async (client) => {
        for (;;) {
          const event = await client.next();
          const zones = event?.data['zones'] as { sold: number }[] | undefined;
          if (event === undefined || zones?.[0]?.sold === 1) return event;
        }
      }),
    );
    expect(ends[0]).toMatchObject({ data: { eventId: 'ball', zones: [{ zoneId: 'hall' }] } });
    expect(ends[1]?.id).toBe(ends[0]?.id);
    for (const client of clients) client.leave();
    for (const sale of [first, second]) {
      const sums = await askPatiently(sale, 'GET', '/v1/events/ball/sales');
      expect(sums.body).toMatchObject({ sold: 1, revenue: [] });
      await vi.waitUntil(
        async () => {
          const { body } = await askPatiently(sale, 'GET', '/v1/purchases?buyerId=bea');
          return (body['items'] as object[]).length === 1;
        },
        { timeout: 20_000, interval: 100 },
      );
    }
  }, 120_000);

  test('when one is killed, the other has everything and goes on', async () => {
    await second.kill('SIGKILL');
    for (const zone of zones) {
      const stock = await askPatiently(first, 'GET', `/v1/events/gala/zones/${zone}/inventory`);
      expect([zone, stock.status, stock.body['sold']]).toEqual([zone, 200, 1]);
      const headers = { 'idempotency-key': `k-${zone}`, prefer: 'wait=30' };
      const again = await askPatiently(first, 'POST', '/v1/purchases', order(zone), headers);
      expect([again.status, again.headers.get('idempotency-replayed')]).toEqual([201, 'true']);
    }
  }, 180_000);
});
