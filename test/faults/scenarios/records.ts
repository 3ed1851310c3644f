/** Records that should not be there: a whole range of commands again, and poison of many kinds. */

import { randomBytes } from 'node:crypto';
import { endOffsets, readTopic } from '../../../bench/sale-client.ts';
import { partitionForKey } from '../../../kafka/murmur2.ts';
import { toBytes } from '../../../schemas/serde.ts';
import type { PurchaseCommand, ZoneCommand } from '../../../ticket-sales/domain/command.ts';
import { zoneKey } from '../../../ticket-sales/domain/zone.ts';
import { TOPICS } from '../../../ticket-sales/records.ts';
import type { Stage } from '../kit/stage.ts';
import { expect, type Scenario } from '../scenario.ts';

const BEFORE = 200;
const AFTER = 150;
const ROUNDS = 3;
const TOLD_BYTES = 500;
const READ_WITHIN_MS = 30_000;
const DEAD_LETTERS = `${TOPICS.commands}.dlq`;

/** Every command so far, byte by byte, to the partition where it was. */
async function resendEverything({ client }: Stage): Promise<number> {
  const { kafka, producer } = client;
  const ends = await endOffsets(kafka, TOPICS.commands, 'read_committed');
  const reader = await readTopic(kafka, TOPICS.commands);
  const sends: Promise<unknown>[] = [];
  const isComplete = await reader.read(
    (record, partition) => {
      const { buffer, keyStart, keyEnd, valueStart, valueEnd } = record;
      const key = keyStart < 0 ? null : Buffer.from(buffer.subarray(keyStart, keyEnd));
      const value = valueStart < 0 ? null : Buffer.from(buffer.subarray(valueStart, valueEnd));
      sends.push(producer.send(TOPICS.commands, partition, { key, value }));
    },
    () => [...ends].every(([key, end]) => (reader.positions.get(key) ?? 0) >= end),
    READ_WITHIN_MS,
  );
  await reader.close();
  expect(isComplete, 'the commands to be read to their end');
  await Promise.all(sends);
  return sends.length;
}

interface Poison {
  readonly name: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly partition?: number;
  readonly headers?: readonly { readonly key: string; readonly value: Buffer }[];
}

/** The rows of the table of bad input that exist so far; each must become one dead letter. */
function poisons({ client, sale }: Stage, round: number): readonly Poison[] {
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
  const elsewhere = partitionForKey(key, 0, key.length, client.partitionCount) + 1;
  return [
    { name: 'T1 no key', key: null, value: good },
    { name: 'T2 no value', key, value: null },
    { name: 'T3 empty value', key, value: Buffer.alloc(0) },
    { name: 'T4 random bytes', key, value: randomBytes(200) },
    { name: 'T4 truncated', key, value: good.subarray(0, good.length - 6) },
    { name: 'T5 unknown schema', key, value: unknownSchema },
    { name: 'T5 JSON', key, value: Buffer.from(JSON.stringify({ eventId, zoneId, buyerId })) },
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
}

async function plant(stage: Stage, round: number): Promise<readonly Poison[]> {
  const { client, sale } = stage;
  const planted = poisons(stage, round);
  stage.say(`planting ${planted.length} kinds of poison`);
  for (const { key, value, partition, headers } of planted) {
    const anyKey = key ?? Buffer.from(zoneKey(sale.eventId, sale.zones[0]!.zoneId));
    const usual = partitionForKey(anyKey, 0, anyKey.length, client.partitionCount);
    await client.producer.send(TOPICS.commands, partition ?? usual, {
      key,
      value,
      ...(headers === undefined ? {} : { headers }),
    });
  }
  return planted;
}

/** What each dead letter is about: how often these keys and values are there. */
async function deadLetters({ client }: Stage): Promise<ReadonlyMap<string, number>> {
  const ends = await endOffsets(client.kafka, DEAD_LETTERS, 'read_committed');
  const reader = await readTopic(client.kafka, DEAD_LETTERS);
  const counts = new Map<string, number>();
  const isComplete = await reader.read(
    ({ buffer, keyStart, keyEnd, valueStart, valueEnd }) => {
      const key = keyStart < 0 ? null : buffer.subarray(keyStart, keyEnd);
      const value = valueStart < 0 ? null : buffer.subarray(valueStart, valueEnd);
      const name = contentOf({ key, value });
      counts.set(name, (counts.get(name) ?? 0) + 1);
    },
    () => [...ends].every(([key, end]) => (reader.positions.get(key) ?? 0) >= end),
    READ_WITHIN_MS,
  );
  await reader.close();
  expect(isComplete, 'the dead letters to be read to their end');
  return counts;
}

/** A dead letter of a big record has only its beginning. */
function contentOf({ key, value }: { key: Buffer | null; value: Buffer | null }): string {
  return `${key?.toString('latin1') ?? 'null'} ${value?.toString('latin1', 0, TOLD_BYTES) ?? 'null'}`;
}

async function poisoned(stage: Stage, harm: () => Promise<void>) {
  await stage.started();
  await stage.open();
  await stage.load.decidesMore(BEFORE);
  const planted: Poison[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    planted.push(...(await plant(stage, round)));
    await harm();
    await stage.load.decidesMore(AFTER);
  }
  await stage.load.pause();
  const letters = await deadLetters(stage);
  const expected = new Map<string, string[]>();
  for (const poison of planted) {
    const content = contentOf(poison);
    expected.set(content, [...(expected.get(content) ?? []), poison.name]);
  }
  for (const [content, names] of expected) {
    const count = letters.get(content) ?? 0;
    expect(count === names.length, `${names.length} dead letters for ${names}, not ${count}`);
  }
  const count = [...letters.values()].reduce((sum, one) => sum + one, 0);
  expect(count === planted.length, `${planted.length} dead letters, not ${count}`);
  return { planted: planted.length, 'dead letters': count };
}

export const recordScenarios: readonly Scenario[] = [
  {
    name: 'commands-replayed',
    about: 'every command of the topic sent again, byte by byte, twice',
    on: 'kafka',
    run: async (stage) => {
      await stage.started();
      await stage.open();
      await stage.load.decidesMore(BEFORE);
      const first = await resendEverything(stage);
      await stage.load.decidesMore(AFTER);
      const second = await resendEverything(stage);
      await stage.load.decidesMore(AFTER);
      return { 'sent again': first + second };
    },
  },
  {
    name: 'poison',
    about: 'records that cannot be used, of 14 kinds: dead letters, and nobody waits',
    on: 'kafka',
    run: (stage) => poisoned(stage, async () => {}),
  },
  {
    name: 'poison-and-kill',
    about: 'the same, and a SIGKILL after each round',
    on: 'kafka',
    run: (stage) =>
      poisoned(stage, async () => {
        await (await stage.instance()).kill('SIGKILL');
        await stage.started();
      }),
  },
];
