/** Records that cannot be used, of every kind: each must become one dead letter. */
import { randomBytes } from 'node:crypto';
import { partitionForKey } from '../../../kafka/murmur2.ts';
import type { RecordHeader } from '../../../kafka/records/types.ts';
import { toBytes } from '../../../schemas/serde.ts';
import type { PurchaseCommand, ZoneCommand } from '../../../ticket-sales/domain/command.ts';
import { zoneKey } from '../../../ticket-sales/domain/zone.ts';
import { TOPICS } from '../../../ticket-sales/records.ts';
import type { Stage } from '../kit/stage.ts';
import { oddWriter } from './odd-commands.ts';

export interface Poison {
  readonly name: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly partition?: number;
  readonly headers: readonly RecordHeader[];
}

/** Of another event: what can be read of it is no purchase of the sale that is proven. */
function poisonedPurchase({ sale }: Stage, round: number): PurchaseCommand {
  const { zoneId } = sale.zones[round % sale.zones.length]!;
  return {
    kind: 'purchase',
    ...{ eventId: `${sale.eventId}-poisoned`, zoneId, buyerId: `poisoner-${round}`, quantity: 1 },
    purchaseId: `00000000-0000-8000-8000-${String(round).padStart(12, '0')}`,
    requestedAtMs: Date.now(),
    options: null,
  };
}

/** `round`: apart from those planted before. */
async function poisons(stage: Stage, round: number): Promise<readonly Poison[]> {
  const { client } = stage;
  const purchase = poisonedPurchase(stage, round);
  const { eventId, zoneId, buyerId } = purchase;
  const key = Buffer.from(zoneKey(eventId, zoneId));
  const bytesOf = (command: PurchaseCommand | ZoneCommand) =>
    Buffer.from(toBytes(client.serdes.command, command));
  const elsewhereKey = Buffer.from(zoneKey(eventId, `poisoned-${round}`));
  const zoneOf = (capacity: number): ZoneCommand => ({
    kind: 'createZone',
    ...{
      eventId,
      zoneId: `poisoned-${round}`,
      capacity,
      quantityMax: 1,
      price: null,
      terms: null,
      blockedSeats: [],
    },
  });
  const good = bytesOf(purchase);
  const unknownSchema = Buffer.from(good);
  unknownSchema.writeInt32BE(999_999, 1);
  const badText = Buffer.from(good);
  badText.fill(0xff, badText.indexOf(buyerId), badText.indexOf(buyerId) + buyerId.length);
  const incompatible = await oddWriter(client, 'incompatible');
  const elsewhere = partitionForKey(key, 0, key.length, client.partitionCount) + 1;
  const kinds: readonly (Omit<Poison, 'headers'> & Partial<Poison>)[] = [
    { name: 'T1 no key', key: null, value: good },
    { name: 'T2 no value', key, value: null },
    { name: 'T3 empty value', key, value: Buffer.alloc(0) },
    { name: 'T4 random bytes', key, value: randomBytes(200) },
    { name: 'T4 truncated', key, value: good.subarray(0, good.length - 6) },
    { name: 'T5 unknown schema', key, value: unknownSchema },
    { name: 'T5 JSON', key, value: Buffer.from(JSON.stringify({ eventId, zoneId, buyerId })) },
    { name: 'T8 incompatible type', key, value: incompatible(purchase) },
    { name: 'T10 key of another zone', key: Buffer.from(`${eventId}/nowhere`), value: good },
    { name: 'T10 wrong partition', key, value: good, partition: elsewhere % client.partitionCount },
    { name: 'T14 900 kB', key, value: randomBytes(900_000) },
    {
      name: 'T14 1,000 headers',
      key,
      value: randomBytes(10),
      headers: Array.from({ length: 1_000 }, (_, index) => ({
        key: `header-${index}`,
        value: Buffer.from('x'),
      })),
    },
    { name: 'T16 negative capacity', key: elsewhereKey, value: bytesOf(zoneOf(-1)) },
    { name: 'T16 capacity beyond all', key: elsewhereKey, value: bytesOf(zoneOf(2 ** 31 - 1)) },
    { name: 'T26 invalid UTF-8', key, value: badText },
  ];
  const headers = someHeaders(round);
  return kinds.map((kind) => ({ headers, ...kind }));
}

/** What a producer had to say beside its record must come along. */
function someHeaders(round: number): readonly RecordHeader[] {
  return [
    { key: 'trace', value: Buffer.from(`round-${round}`) },
    { key: 'trace', value: randomBytes(16) },
    { key: 'nothing', value: null },
  ];
}

/** Sends one of each kind; resolves when they are in the log. */
export async function plant(stage: Stage, round: number): Promise<readonly Poison[]> {
  const planted = await poisons(stage, round);
  stage.say(`planting ${planted.length} kinds of poison`);
  await sendAll(stage, planted);
  return planted;
}

/**
 * T9, a kind of command that nobody knows. Apart from the others, for no audit is valid behind it: a
 * version of the sale that the auditor does not know may have carried it out.
 */
export async function plantUnknown(stage: Stage, round: number): Promise<Poison> {
  const write = await oddWriter(stage.client, 'unknown command');
  const purchase = poisonedPurchase(stage, round);
  const key = Buffer.from(zoneKey(purchase.eventId, purchase.zoneId));
  const headers = someHeaders(round);
  const poison = { name: 'T9 unknown command', key, value: write(purchase), headers };
  await sendAll(stage, [poison]);
  return poison;
}

async function sendAll({ client, sale }: Stage, planted: readonly Poison[]): Promise<void> {
  for (const { key, value, partition, headers } of planted) {
    const anyKey = key ?? Buffer.from(zoneKey(sale.eventId, sale.zones[0]!.zoneId));
    const usual = partitionForKey(anyKey, 0, anyKey.length, client.partitionCount);
    await client.producer.send(TOPICS.commands, partition ?? usual, { key, value, headers });
  }
}
