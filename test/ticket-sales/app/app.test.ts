/**
 * The sale as a user starts it: one process with broker, registry, engine and API, asked over HTTP,
 * killed and started again on the same folders.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { exchange, requestText } from '../../interactive-queries/raw-http.ts';
import { checkMetrics } from '../../kit/check-metrics.ts';
import { checkOpenApi, type OpenApiDocument } from '../../kit/check-openapi.ts';
import { type SaleProcess, saleProcess } from '../../kit/sale-process.ts';

const root = resolve(import.meta.dirname, '../../..');
const directory = mkdtempSync(join(tmpdir(), 'millrace-app-'));
let sale: SaleProcess;
let port: number;

beforeAll(async () => {
  sale = await saleProcess({ directory });
  port = Number(new URL(sale.httpUrl).port);
  sale.start();
  await sale.ready();
  await untilPut('/v1/events/gala', { name: 'The Gala' });
  await untilPut('/v1/events/gala/zones/floor', { capacity: 10 });
}, 90_000);

afterAll(async () => {
  await sale.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
}

async function ask(
  method: string,
  path: string,
  options: { readonly body?: unknown; readonly headers?: Record<string, string> } = {},
): Promise<Answer> {
  const { body, headers } = options;
  const answer = await fetch(`${sale.httpUrl}${path}`, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await answer.text();
  const isJson = answer.headers.get('content-type')?.includes('json') === true;
  return {
    status: answer.status,
    headers: answer.headers,
    body: (isJson ? JSON.parse(text) : { text }) as Record<string, unknown>,
  };
}

/** A start may still be assigning partitions: 503 says to come back. */
async function untilPut(path: string, body: object): Promise<void> {
  for (;;) {
    const { status, headers } = await ask('PUT', path, { body });
    if (status < 300) return;
    if (status !== 503) throw new Error(`PUT ${path}: ${status}`);
    await new Promise((later) => setTimeout(later, 1_000 * Number(headers.get('retry-after'))));
  }
}

const order = { eventId: 'gala', zoneId: 'floor', buyerId: 'ada', quantity: 2 };

function buy(
  key: string,
  body: object = {},
  headers: Record<string, string> = { prefer: 'wait=20' },
) {
  return ask('POST', '/v1/purchases', {
    headers: { 'idempotency-key': key, ...headers },
    body: { ...order, ...body },
  });
}

const inventory = async () => (await ask('GET', '/v1/events/gala/zones/floor/inventory')).body;

describe('a running sale', () => {
  test('sells, replays, refuses what conflicts, and takes back', async () => {
    const first = await buy('k1');
    expect([first.status, first.body['state']]).toEqual([201, 'confirmed']);
    const again = await buy('k1');
    expect([again.status, again.body, again.headers.get('idempotency-replayed')]).toEqual([
      201,
      first.body,
      'true',
    ]);
    expect((await buy('k1', { quantity: 3 })).status).toBe(422);
    expect((await buy('k2', { quantity: 9 })).body).toMatchObject({
      status: 409,
      reason: 'sold_out',
    });
    expect(await inventory()).toMatchObject({ capacity: 10, available: 8, sold: 2 });
    const path = `/v1/purchases/${first.body['purchaseId']}`;
    const cancelled = await ask('DELETE', path, { headers: { prefer: 'wait=20' } });
    expect([cancelled.status, cancelled.body['state']]).toEqual([200, 'cancelled']);
    expect(await inventory()).toMatchObject({ available: 10, sold: 0 });
  });

  test('lets a client read its own writes by their position', async () => {
    const accepted = await buy('k3', {}, {});
    expect(accepted.status).toBe(202);
    const position = encodeURIComponent(accepted.headers.get('store-position')!);
    const read = await ask(
      'GET',
      `/v1/purchases/${accepted.body['purchaseId']}?minPosition=${position}`,
    );
    expect([read.status, read.body['state']]).toEqual([200, 'confirmed']);
    const stock = await ask('GET', `/v1/events/gala/zones/floor/inventory?minPosition=${position}`);
    expect(stock.body['sold']).toBe(2);
  });

  test('sums up its events', async () => {
    // The sums are off the path of the sale: they follow.
    await expect
      .poll(async () => (await ask('GET', '/v1/events/gala/sales')).body['sold'], {
        timeout: 20_000,
      })
      .toBe((await inventory())['sold']);
  });

  const json = { 'Content-Type': 'application/json', 'Idempotency-Key': 'bad' };
  const raw = (body: string, headers: Record<string, string> = json) =>
    exchange(
      port,
      requestText(
        'POST /v1/purchases',
        { ...headers, 'Content-Length': String(Buffer.byteLength(body)) },
        body,
      ),
    );
  const valid = JSON.stringify(order);

  test.each<[string, () => Promise<{ readonly status: number }>, number]>([
    ['H1 empty body', () => raw(''), 400],
    ['H2 broken JSON', () => raw('{'), 400],
    ['H3 duplicate keys', () => raw(valid.replace('{', '{"quantity":1,')), 400],
    ['H4 not JSON', () => raw(valid, { ...json, 'Content-Type': 'text/plain' }), 415],
    [
      'H5 other charset',
      () => raw(valid, { ...json, 'Content-Type': 'application/json; charset=utf-16' }),
      415,
    ],
    ['H5 gzip', () => raw(valid, { ...json, 'Content-Encoding': 'gzip' }), 415],
    ['H6 too large', () => raw(JSON.stringify({ ...order, buyerId: 'x'.repeat(20_000) })), 413],
    ['H8 array', () => raw('[]'), 422],
    ['H8 null', () => raw('null'), 422],
    ['H9 missing field', () => raw('{"eventId":"gala"}'), 422],
    ['H10 unknown field', () => raw(valid.replace('{', '{"vip":true,')), 422],
    ['H11 text for a number', () => raw(valid.replace('2}', '"2"}')), 422],
    ['H12 zero', () => raw(valid.replace('2}', '0}')), 422],
    ['H12 1e400', () => raw(valid.replace('2}', '1e400}')), 422],
    ['H13 over the limit', () => raw(valid.replace('2}', '11}')), 422],
    ['H14 empty string', () => raw(JSON.stringify({ ...order, buyerId: '' })), 422],
    [
      'H15 10,000 characters',
      () => raw(JSON.stringify({ ...order, buyerId: 'x'.repeat(10_000) })),
      422,
    ],
    ['H16 NUL', () => raw(JSON.stringify({ ...order, buyerId: 'a\u0000' })), 422],
    ['H17 look-alike', () => raw(JSON.stringify({ ...order, buyerId: '\uff21' })), 422],
    ['H18 __proto__', () => raw(valid.replace('{', '{"__proto__":{"a":1},')), 422],
    ['H19 nested', () => raw('['.repeat(10_000)), 400],
    ['H21 unknown event', () => buy('bad', { eventId: 'none' }), 404],
    ['H21 unknown zone', () => buy('bad', { zoneId: 'none' }), 404],
    ['H26 malformed id', () => ask('GET', '/v1/purchases/..%2fx'), 404],
    [
      'H27 repeated query',
      () => ask('GET', '/v1/events/gala?minPosition=a-1:1&minPosition=a-1:1'),
      400,
    ],
    ['H28 no key', () => raw(valid, { 'Content-Type': 'application/json' }), 400],
    ['H31 wrong method', () => ask('PUT', '/v1/purchases'), 405],
  ])('answers %s as the table says', async (_, send, status) => {
    expect((await send()).status).toBe(status);
  });

  test('has made no command of all that', async () => {
    const { body } = await ask('GET', '/v1/stores/purchases/count');
    expect(body['approximateCount']).toBeLessThan(10);
    expect(await inventory()).toMatchObject({ sold: 2 });
  });

  test('tells what it is: documents, metrics, probes, stores', async () => {
    expect(
      checkOpenApi((await ask('GET', '/openapi.json')).body as unknown as OpenApiDocument),
    ).toEqual([]);
    const { text } = (await ask('GET', '/metrics')).body as { text: string };
    expect(checkMetrics(text)).toEqual([]);
    expect(text).toContain('tickets_oversold_seats 0\n');
    expect(text).toContain('tickets_seats{event="gala",zone="floor",status="sold"} 2\n');
    for (const path of ['/livez', '/readyz', '/startupz', '/docs'])
      expect((await ask('GET', path)).status).toBe(200);
    const stores = (await ask('GET', '/v1/stores')).body['items'] as { name: string }[];
    expect(stores.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['zones', 'purchases', 'events', 'event-sales']),
    );
  });
});

describe('killed and started again on its folders', () => {
  test('it has every purchase, every seat and every key as it was', async () => {
    const before = await buy('survivor', { buyerId: 'grace', quantity: 3 });
    expect(before.status).toBe(201);
    const stock = await inventory();
    await sale.kill('SIGKILL');
    sale.start();
    await sale.ready();
    await expect
      .poll(async () => (await ask('GET', `/v1/purchases/${before.body['purchaseId']}`)).body, {
        timeout: 30_000,
      })
      .toEqual(before.body);
    expect(await inventory()).toEqual(stock);
    const again = await buy('survivor', { buyerId: 'grace', quantity: 3 });
    expect([again.status, again.body, again.headers.get('idempotency-replayed')]).toEqual([
      201,
      before.body,
      'true',
    ]);
    expect((await buy('survivor', { buyerId: 'grace', quantity: 4 })).status).toBe(422);
    expect(await inventory()).toEqual(stock);
    expect((await buy('next', { quantity: 5 })).body).toMatchObject({ state: 'confirmed' });
    expect(await inventory()).toMatchObject({ available: 0 });
  }, 120_000);

  test('commands that were acknowledged just before the kill are decided once, and only once', async () => {
    await untilPut('/v1/events/gala/zones/rush', { capacity: 50 });
    const keys = Array.from({ length: 40 }, (_, index) => `rush-${index}`);
    const rush = (key: string) => buy(key, { zoneId: 'rush', buyerId: key, quantity: 1 }, {});
    const accepted = await Promise.all(keys.map(rush));
    expect(accepted.map(({ status }) => status)).toEqual(keys.map(() => 202));
    await sale.kill('SIGKILL');
    sale.start();
    await sale.ready();
    const again = await Promise.all(
      keys.map((key) => buy(key, { zoneId: 'rush', buyerId: key, quantity: 1 })),
    );
    expect(again.map(({ status }) => status)).toEqual(keys.map(() => 201));
    const { body } = await ask('GET', '/v1/events/gala/zones/rush/inventory');
    expect(body).toMatchObject({ sold: 40, available: 10 });
  }, 120_000);

  test('stopped orderly and started again, it is as it was as well', async () => {
    const stock = await inventory();
    await sale.kill('SIGTERM');
    sale.start();
    await sale.ready();
    await expect.poll(inventory, { timeout: 30_000 }).toEqual(stock);
  }, 120_000);
});

describe('a start that cannot succeed', () => {
  function start(env: Record<string, string>): Promise<{ code: unknown; text: string }> {
    const folder = mkdtempSync(join(directory, 'refused-'));
    const all = {
      ...process.env,
      EMBEDDED_DATA_DIR: join(folder, 'kafka'),
      STREAMS_STATE_DIR: join(folder, 'state'),
      ...env,
    };
    return new Promise((done) => {
      execFile(
        process.execPath,
        ['cli/main.ts', 'start'],
        { cwd: root, env: all, timeout: 60_000 },
        (error, stdout, stderr) => done({ code: error?.code ?? 0, text: stdout + stderr }),
      );
    });
  }

  test('for wrong settings names each of them, and exits 1', async () => {
    const { code, text } = await start({ HTTP_PORT: 'x', LOG_LEVEL: 'loud' });
    expect([code, text]).toEqual([
      1,
      expect.stringMatching(/CONFIG_INVALID.*LOG_LEVEL|CONFIG_INVALID.*HTTP_PORT/s),
    ]);
    expect(text).toContain('docs/configuration.md');
  });

  test('for a port that is taken names the setting to change, and exits 1', async () => {
    const holder = createServer();
    await new Promise<void>((listening) => holder.listen(0, '127.0.0.1', listening));
    const taken = String((holder.address() as { port: number }).port);
    const free = { EMBEDDED_LISTEN: '127.0.0.1:0', EMBEDDED_REGISTRY_PORT: '0', HTTP_PORT: '0' };
    for (const [setting, env] of [
      ['EMBEDDED_LISTEN', { ...free, EMBEDDED_LISTEN: `127.0.0.1:${taken}` }],
      ['EMBEDDED_REGISTRY_PORT', { ...free, EMBEDDED_REGISTRY_PORT: taken }],
      ['HTTP_PORT', { ...free, HTTP_PORT: taken }],
    ] as const) {
      const { code, text } = await start(env);
      expect([code, text]).toEqual([1, expect.stringContaining('PORT_TAKEN')]);
      expect(text).toContain(setting);
    }
    holder.close();
  }, 120_000);
});
