/** Records that should not be there: a whole range of commands again, and poison of many kinds. */
import { endOffsets, readTopic } from '../../../bench/sale-client.ts';
import { TOPICS } from '../../../ticket-sales/records.ts';
import { deadLetters, expectLetters, placeOf } from '../kit/dead-letters.ts';
import type { Stage } from '../kit/stage.ts';
import { type Poison, plant, plantUnknown } from '../load/poisons.ts';
import { type Evidence, expect, type Scenario } from '../scenario.ts';

const BEFORE = 200;
const AFTER = 150;
const ROUNDS = 3;
const READ_WITHIN_MS = 30_000;

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

async function poisoned(stage: Stage, harm: () => Promise<void>): Promise<Evidence> {
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
  expectLetters(await deadLetters(stage), planted);
  return { planted: planted.length, 'dead letters, whole': planted.length };
}

async function unknownCommands(stage: Stage, harm: () => Promise<void>): Promise<Evidence> {
  const before = new Set((await deadLetters(stage)).map(placeOf));
  const planted: Poison[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    planted.push(await plantUnknown(stage, round));
    await harm();
  }
  const later = async () =>
    (await deadLetters(stage)).filter((letter) => !before.has(placeOf(letter)));
  await stage.until('their dead letters', async () => (await later()).length >= ROUNDS);
  expectLetters(await later(), planted);
  return { 'unknown commands, after the judgement': ROUNDS };
}

const unharmed = async () => {};

async function killed(stage: Stage): Promise<void> {
  await (await stage.instance()).kill('SIGKILL');
  await stage.started();
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
    about:
      'records that cannot be used, of 16 kinds: dead letters with bytes and headers, nobody waits',
    on: 'kafka',
    run: (stage) => poisoned(stage, unharmed),
    afterwards: (stage) => unknownCommands(stage, unharmed),
  },
  {
    name: 'poison-and-kill',
    about: 'the same, and a SIGKILL after each round',
    on: 'kafka',
    run: (stage) => poisoned(stage, () => killed(stage)),
    afterwards: (stage) => unknownCommands(stage, () => killed(stage)),
  },
];
