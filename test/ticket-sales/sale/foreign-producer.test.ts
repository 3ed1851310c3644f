/** Somebody else's client writes a purchase to the topic; HTTP shows its outcome. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSale } from '../../../bench/sale-client.ts';
import { confluentRegistryClient } from '../../../schemas/confluent-registry-client.ts';
import { toBytes } from '../../../schemas/serde.ts';
import { TOPICS, ticketSerdes } from '../../../ticket-sales/records.ts';
import { type SaleProcess, saleProcess } from '../../kit/sale-process.ts';

const hasKcat = spawnSync('kcat', ['-V']).status === 0;
if (!hasKcat) console.log('SKIPPED: a purchase by kcat (no kcat on the PATH)');

const directory = mkdtempSync(join(tmpdir(), 'millrace-foreign-'));
let sale: SaleProcess;

beforeAll(async () => {
  sale = await saleProcess({ directory });
  sale.start();
  await sale.ready();
  await openSale(sale.httpUrl, { eventId: 'gala', zones: [{ zoneId: 'floor', capacity: 3 }] });
}, 90_000);

afterAll(async () => {
  await sale.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

/** kcat partitions as Java does when it is told to. */
function produceWithKcat(key: string, value: Buffer): void {
  const file = join(directory, 'value.bin');
  writeFileSync(file, value);
  const args = [
    '-P',
    '-b',
    sale.brokers,
    '-t',
    TOPICS.commands,
    '-k',
    key,
    '-X',
    'partitioner=murmur2_random',
    file,
  ];
  execFileSync('kcat', args, { stdio: 'inherit' });
}

async function purchaseOverHttp(
  purchaseId: string,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const answer = await fetch(`${sale.httpUrl}/v1/purchases/${purchaseId}`, {
    headers: { prefer: 'wait=20' },
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

describe.skipIf(!hasKcat)('a producer in another language', () => {
  test('buys tickets by writing Avro to the topic; HTTP shows the purchase and what is left', async () => {
    const serdes = ticketSerdes(confluentRegistryClient({ url: sale.registryUrl }));
    await serdes.command.prepare?.(TOPICS.commands, 'value');
    const purchaseId = '6f2c1e1c-0d52-4f0f-9c1c-6b1f6f0f2a11';
    const address = { eventId: 'gala', zoneId: 'floor' };
    const command = {
      kind: 'purchase',
      purchaseId,
      ...address,
      buyerId: 'kcat',
      quantity: 2,
      requestedAtMs: 0,
      options: null,
    } as const;
    produceWithKcat('gala/floor', toBytes(serdes.command, command));
    // The id is nobody's digest: every partition is asked.
    await expect
      .poll(async () => (await purchaseOverHttp(purchaseId)).status, { timeout: 20_000 })
      .toBe(200);
    expect((await purchaseOverHttp(purchaseId)).body).toMatchObject({
      state: 'confirmed',
      quantity: 2,
      buyerId: 'kcat',
    });
    const inventory = await fetch(`${sale.httpUrl}/v1/events/gala/zones/floor/inventory`);
    expect(await inventory.json()).toMatchObject({ capacity: 3, sold: 2, available: 1 });
  });

  test('a JSON value is a dead letter with its own bytes, and the partition goes on', async () => {
    const json = Buffer.from('{"buy":"everything"}');
    produceWithKcat('gala/floor', json);
    const args = [
      '-C',
      '-b',
      sale.brokers,
      '-t',
      `${TOPICS.commands}.dlq`,
      '-o',
      'beginning',
      '-e',
      '-q',
      '-f',
      '%k|%s|%h\n',
    ];
    const letters = () => execFileSync('kcat', args, { encoding: 'utf8' });
    await expect.poll(letters, { timeout: 20_000 }).toContain(`gala/floor|${json}|`);
    expect(letters()).toContain('__streams.errors.exception');
    const again = await fetch(`${sale.httpUrl}/v1/purchases`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'idempotency-key': 'after',
        prefer: 'wait=10',
      },
      body: JSON.stringify({ eventId: 'gala', zoneId: 'floor', buyerId: 'me', quantity: 1 }),
    });
    expect(again.status).toBe(201);
    await again.arrayBuffer();
  });
});
