/** The festival as its other programs meet it: bytes through kcat under any key, answers over HTTP. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { confluentRegistryClient } from '../../../schemas/confluent-registry-client.ts';
import type { AvroSchema } from '../../../schemas/schema-registry.ts';
import { toBytes } from '../../../schemas/serde.ts';
import { TOPICS, ticketSerdes } from '../../../ticket-sales/records.ts';
import { kcat, whyNoKcat } from '../../kit/kcat.ts';
import { type SaleProcess, saleProcess } from '../../kit/sale-process.ts';
import { contractClient } from './contract-client.ts';
import { createZone, HOLD } from './festival-zones.ts';

const whyNot = whyNoKcat();
if (whyNot !== undefined) console.log(`SKIPPED: the festival's records by kcat (${whyNot})`);

const vectors = JSON.parse(
  readFileSync(new URL('../../vectors/festival-avro.json', import.meta.url), 'utf8'),
) as {
  readonly schemas: Readonly<Record<string, AvroSchema>>;
  readonly purchases: readonly { readonly value: { purchaseId: string }; readonly hex: string }[];
  readonly payments: readonly { readonly value: { status: string }; readonly hex: string }[];
};

const directory = mkdtempSync(join(tmpdir(), 'millrace-festival-'));
let sale: SaleProcess;

beforeAll(async () => {
  sale = await saleProcess({ directory, env: { FESTIVAL_EVENT: 'fest' } });
  sale.start();
  await sale.ready();
  await put('/v1/events/fest', { name: 'Festival' });
  const serdes = ticketSerdes(confluentRegistryClient({ url: sale.registryUrl }));
  await serdes.command.prepare?.(TOPICS.commands, 'value');
  const vip = createZone('vip', { terms: HOLD });
  await produceBytes(TOPICS.commands, toBytes(serdes.command, vip), ['-k', 'fest/vip', ...MURMUR2]);
}, 90_000);

/** As Java chooses the partition. */
const MURMUR2 = ['-X', 'partitioner=murmur2_random'];

afterAll(async () => {
  await sale.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

async function put(path: string, body: object): Promise<void> {
  const answer = await fetch(`${sale.httpUrl}${path}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (answer.status !== 201) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
}

/** Registers the schema as its producers do, one subject for each record of a topic. */
async function produce(topic: string, record: string, hex: string, key: string): Promise<void> {
  const registry = confluentRegistryClient({ url: sale.registryUrl });
  const subject = `${topic}-com.festival.tickets.${record}`;
  const header = Buffer.alloc(5);
  header.writeInt32BE(await registry.register(subject, vectors.schemas[record]!), 1);
  const bytes = Buffer.concat([header, Buffer.from(hex, 'hex')]);
  await produceBytes(topic, bytes, key === '' ? [] : ['-k', key]);
}

async function produceBytes(topic: string, bytes: Buffer, more: readonly string[]): Promise<void> {
  const file = join(directory, 'value.bin');
  writeFileSync(file, bytes);
  await kcat(sale.brokers, ['-P', '-t', topic, ...more, file]);
}

const consume = (topic: string, format: string) =>
  kcat(sale.brokers, ['-C', '-t', topic, '-o', 'beginning', '-e', '-q', '-f', format]);

describe.skipIf(whyNot !== undefined)('a producer of the festival', () => {
  const [{ value, hex }] = vectors.purchases as [(typeof vectors.purchases)[number]];
  const { purchaseId } = value;
  const status = async () => {
    const ask = contractClient(`${sale.httpUrl}/festival/v1`);
    return (await ask('purchaseStatus', { params: { purchaseId } })).body;
  };

  test('buys under a key of its own; the purchase waits for its payment', async () => {
    await produce('ticketPurchase', 'PurchaseRequested', hex, 'a key of its own');
    await expect
      .poll(status, { timeout: 20_000 })
      .toEqual({ purchaseId, status: 'PENDING', paymentStatus: 'PENDING' });
  });

  test('pays without any key; the purchase is complete', async () => {
    const [succeeded] = vectors.payments as [(typeof vectors.payments)[number]];
    await produce('paymentStatusUpdate', 'PaymentStatusUpdate', succeeded.hex, '');
    await expect
      .poll(status, { timeout: 20_000 })
      .toEqual({ purchaseId, status: 'COMPLETED', paymentStatus: 'SUCCEEDED' });
  });

  test('with a status that nobody knows finds its own bytes among the dead letters, with the reason', async () => {
    const odd = vectors.payments.find(({ value: { status: word } }) => word.length > 9)!;
    await produce('paymentStatusUpdate', 'PaymentStatusUpdate', odd.hex, 'k');
    await expect
      .poll(() => consume('paymentStatusUpdate.dlq', '%k|%h\n').catch(String), { timeout: 20_000 })
      .toContain('SUCCEEDED or FAILED');
  });

  test('a consumer of the festival reads what is left in its own records', async () => {
    await expect
      .poll(() => consume('festivalInventoryUpdated', '%k %S\n'), { timeout: 20_000 })
      .toMatch(/^vip \d+$/m);
  });
});
