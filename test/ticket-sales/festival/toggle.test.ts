/** The festival is turned on and off on the same data: nothing of the sale is lost. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openSale } from '../../../bench/sale-client.ts';
import { type SaleProcess, saleProcess } from '../../kit/sale-process.ts';

const directory = mkdtempSync(join(tmpdir(), 'millrace-toggle-'));
let sale: SaleProcess;

afterAll(async () => {
  await sale.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

async function startWith(env: Record<string, string>, signal: NodeJS.Signals): Promise<void> {
  await sale.kill(signal);
  sale.start(env);
  await sale.ready();
}

async function get(path: string): Promise<Record<string, unknown>> {
  const answer = await fetch(`${sale.httpUrl}${path}`);
  return { status: answer.status, ...((await answer.json()) as object) };
}

async function buy(key: string): Promise<string> {
  const answer = await fetch(`${sale.httpUrl}/v1/purchases`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': key, prefer: 'wait=10' },
    body: JSON.stringify({ eventId: 'gala', zoneId: 'vip', buyerId: 'ada', quantity: 1 }),
  });
  const body = (await answer.json()) as { purchaseId: string };
  expect(answer.status).toBe(201);
  return body.purchaseId;
}

test('a sale that becomes the festival, and is none again, keeps what it sold', {
  timeout: 300_000,
}, async () => {
  sale = await saleProcess({ directory });
  sale.start();
  await sale.ready();
  await openSale(sale.httpUrl, { eventId: 'gala', zones: [{ zoneId: 'vip', capacity: 9 }] });
  const first = await buy('1');
  await startWith({ FESTIVAL_EVENT: 'gala' }, 'SIGTERM');
  expect(await get(`/v1/purchases/${first}`)).toMatchObject({ status: 200, state: 'confirmed' });
  expect(await get(`/festival/v1/purchases/${first}`)).toMatchObject({ status: 'COMPLETED' });
  expect(await get('/festival/v1/tickets/vip/inventory')).toMatchObject({ availableCount: 8 });
  const second = await buy('2');
  await expect
    .poll(() => get('/v1/events/gala/sales'), { timeout: 10_000 })
    .toMatchObject({ sold: 2 });
  await startWith({}, 'SIGKILL');
  for (const id of [first, second]) {
    expect(await get(`/v1/purchases/${id}`)).toMatchObject({ status: 200, state: 'confirmed' });
  }
  await buy('3');
  expect(await get('/v1/events/gala/zones/vip/inventory')).toMatchObject({ sold: 3, available: 6 });
  expect(await get('/v1/events/gala')).toMatchObject({ status: 200 });
});
