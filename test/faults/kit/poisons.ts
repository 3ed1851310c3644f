/** Records that cannot be used, of every kind: each must become one dead letter. */
import { randomBytes } from 'node:crypto';
import { partitionForKey } from '../../../kafka/murmur2.ts';
import type { RecordHeader } from '../../../kafka/records/types.ts';
import { toBytes } from '../../../schemas/serde.ts';
import type { PurchaseCommand, ZoneCommand } from '../../../ticket-sales/domain/command.ts';
import { zoneKey } from '../../../ticket-sales/domain/zone.ts';
import { TOPICS } from '../../../ticket-sales/records.ts';
import { oddWriter } from './odd-commands.ts';
import type { Stage } from './stage.ts';

export interface Poison {
  readonly name: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly partition?: number;
  readonly headers: readonly RecordHeader[];
}

/** `round`: apart from those planted before. */
async function poisons({ client, sale }: Stage, round: number): Promise<readonly Poison[]> {
  // Of another event: what can be read of them is no purchase of the sale that is proven.
  const eventId = `${sale.eventId}-poisoned`;
  const { zoneId } = sale.zones[round % sale.zones.length]!;
  const key = Buffer.from(zoneKey(eventId, zoneId));
  const buyerId = `poisoner-${round}`;
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
  const purchase: PurchaseCommand = {
    kind: 'purchase',
    ...{ eventId, zoneId, buyerId, quantity: 1 },
    purchaseId: `00000000-0000-8000-8000-${String(round).padStart(12, '0')}`,
    requestedAtMs: Date.now(),
    options: null,
  };
  const good = bytesOf(purchase);
  const unknownSchema = Buffer.from(good);
  unknownSchema.writeInt32BE(999_999, 1);
  const badText = Buffer.from(good);
  badText.fill(0xff, badText.indexOf(buyerId), badText.indexOf(buyerId) + buyerId.length);
  const incompatible = await oddWriter(client, 'incompatible');
  const unknownCommand = await oddWriter(client, 'unknown command');
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
    { name: 'T9 unknown command', key, value: unknownCommand(purchase) },
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
  // What a producer had to say beside its record must come along.
  const headers = [
    { key: 'trace', value: Buffer.from(`round-${round}`) },
    { key: 'trace', value: randomBytes(16) },
    { key: 'nothing', value: null },
  ];
  return kinds.map((kind) => ({ headers, ...kind }));
}

/** Sends one of each kind; resolves when they are in the log. */
export async function plant(stage: Stage, round: number): Promise<readonly Poison[]> {
  const { client, sale } = stage;
  const planted = await poisons(stage, round);
  stage.say(`planting ${planted.length} kinds of poison`);
  for (const { key, value, partition, headers } of planted) {
    const anyKey = key ?? Buffer.from(zoneKey(sale.eventId, sale.zones[0]!.zoneId));
    const usual = partitionForKey(anyKey, 0, anyKey.length, client.partitionCount);
    await client.producer.send(TOPICS.commands, partition ?? usual, { key, value, headers });
  }
  return planted;
}
