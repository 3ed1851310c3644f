/** Orders in a process that is killed in the middle: each ends whole, or leaves nothing behind. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type SaleProcess, saleProcess } from '../../kit/sale-process.ts';

const ZONES = ['a', 'b', 'c', 'd'] as const;
const CAPACITY = 60;
const ORDERS = 90;
const START_MS_MAX = 120_000;

interface OrderView {
  readonly orderId: string;
  readonly state: string;
  readonly lines: readonly { readonly zoneId: string; readonly quantity: number; state: string }[];
}

let directory: string;
let sale: SaleProcess;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'killed-orders-'));
  sale = await saleProcess({
    directory,
    env: {
      TICKETS_ORDERS: 'on',
      TICKETS_PARTITIONS: '4',
      PAYMENTS: 'simulated',
      PAYMENT_SIM_DELAY_MS: '300',
      PAYMENT_SIM_DECLINED_PERCENT: '10',
    },
  });
  sale.start();
  await sale.ready(START_MS_MAX);
}, START_MS_MAX);

afterAll(async () => {
  await sale.kill('SIGKILL');
  await rm(directory, { recursive: true, force: true });
});

async function ask(method: string, path: string, body?: unknown, headers: object = {}) {
  const answer = await fetch(sale.httpUrl + path, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

/** Until it answers so: the process may be away. */
async function eventually<T>(attempt: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await attempt().catch(() => undefined);
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** The same key each time: however often it is sent, it is one order. */
function place(number: number): Promise<string> {
  const lines = ZONES.filter((_, index) => (number + index) % 3 !== 0).map((zoneId) => {
    return { eventId: 'gala', zoneId, quantity: 1 + (number % 3) };
  });
  return eventually(async () => {
    const order = { buyerId: `buyer-${number}`, lines };
    const { status, body } = await ask('POST', '/v1/orders', order, { 'idempotency-key': 'k' });
    return status === 202 ? (body['orderId'] as string) : undefined;
  });
}

function settled(orderId: string): Promise<OrderView> {
  return eventually(async () => {
    const { status, body } = await ask('GET', `/v1/orders/${orderId}`);
    const isMoving = ['requested', 'held', 'paid'].includes(body['state'] as string);
    return status === 200 && !isMoving ? (body as unknown as OrderView) : undefined;
  });
}

function inventory(zoneId: string): Promise<{ held: number; sold: number }> {
  return eventually(async () => {
    const { status, body } = await ask('GET', `/v1/events/gala/zones/${zoneId}/inventory`);
    return status === 200 ? (body as { held: number; sold: number }) : undefined;
  });
}

test('no order is sold in part and no hold is left, however often the process is killed', async () => {
  expect((await ask('PUT', '/v1/events/gala', { name: 'Gala' })).status).toBe(201);
  for (const zoneId of ZONES) {
    const zone = { capacity: CAPACITY, price: { amountMinor: 1_000, currency: 'EUR' } };
    expect((await ask('PUT', `/v1/events/gala/zones/${zoneId}`, zone)).status).toBe(201);
  }
  const ids: string[] = [];
  for (let number = 0; number < ORDERS; number++) {
    ids.push(await place(number));
    // In the middle of whatever became of the orders before.
    if (number % 30 === 20) {
      await sale.kill('SIGKILL');
      sale.start();
    }
  }
  await sale.ready(START_MS_MAX);
  const orders = await Promise.all(ids.map(settled));
  const sold = new Map<string, number>(ZONES.map((zoneId) => [zoneId, 0]));
  for (const { state, lines } of orders.filter((order) => order.state === 'confirmed')) {
    expect([state, new Set(lines.map((line) => line.state))]).toEqual([
      state,
      new Set(['confirmed']),
    ]);
    for (const { zoneId, quantity } of lines) sold.set(zoneId, sold.get(zoneId)! + quantity);
  }
  // The last cancellations may still be on their way into the zones.
  for (const zoneId of ZONES) {
    const { held, sold: soldInZone } = await eventually(async () => {
      const stock = await inventory(zoneId);
      return stock.held === 0 ? stock : undefined;
    });
    expect([zoneId, held, soldInZone]).toEqual([zoneId, 0, sold.get(zoneId)]);
  }
  const states = new Set(orders.map(({ state }) => state));
  expect(new Set(ids).size).toBe(ORDERS);
  // Sold, sold out and not paid: each way was gone.
  for (const state of ['confirmed', 'rejected', 'payment_failed']) expect(states).toContain(state);
}, 400_000);
