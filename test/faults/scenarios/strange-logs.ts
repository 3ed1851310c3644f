/**
 * What nobody's producer should write: a batch that unfolds to more than memory should hold, and records
 * in a changelog that the sale has not written. After the judgement: audits are not made for such logs.
 */
import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isProven, proveSale } from '../../../bench/sale-proof.ts';
import { partitionForKey } from '../../../kafka/murmur2.ts';
import { BatchBuilder } from '../../../kafka/records/batch-builder.ts';
import { zoneKey } from '../../../ticket-sales/domain/zone.ts';
import { TOPICS } from '../../../ticket-sales/records.ts';
import { STORES } from '../../../ticket-sales/sale/sale-stores.ts';
import { added, deadLetters } from '../kit/dead-letters.ts';
import type { Stage } from '../kit/stage.ts';
import { type Evidence, expect, type Scenario } from '../scenario.ts';

const BEFORE = 200;
/** Above what the engine unfolds, 64 MB; zeros shrink to a thousandth. */
const BOMB_BYTES = 100 * 1024 * 1024;
const DECIDED_WITHIN_MS = 120_000;
const ATTEMPT_MS = 15_000;
const AGAIN_MS = 200;

async function sold(stage: Stage): Promise<Evidence> {
  await stage.started();
  await stage.open();
  await stage.load.decidesMore(BEFORE);
  return { judged: 'before the harm' };
}

/** A purchase in each zone is decided: so no partition stands still. */
async function everyZoneDecides(stage: Stage, buyerId: string): Promise<number> {
  const { eventId, zones } = stage.sale;
  const { httpUrl } = await stage.instance();
  const deadlineMs = performance.now() + DECIDED_WITHIN_MS;
  for (const { zoneId } of zones) {
    for (;;) {
      expect(performance.now() < deadlineMs, `a decision in ${zoneId}`);
      const answer = await fetch(`${httpUrl}/v1/purchases`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'idempotency-key': buyerId,
          prefer: 'wait=5',
        },
        body: JSON.stringify({ eventId, zoneId, buyerId, quantity: 1 }),
        signal: AbortSignal.timeout(ATTEMPT_MS),
      }).catch(() => undefined);
      await answer?.arrayBuffer().catch(() => {});
      if (answer?.status === 201 || answer?.status === 409) break;
      await sleep(AGAIN_MS);
    }
  }
  return zones.length;
}

function firstZone({ sale, client }: Stage): { readonly key: Buffer; readonly partition: number } {
  const key = Buffer.from(zoneKey(sale.eventId, sale.zones[0]!.zoneId));
  return { key, partition: partitionForKey(key, 0, key.length, client.partitionCount) };
}

async function bomb(stage: Stage): Promise<Evidence> {
  const { producer } = stage.client;
  const { key, partition } = firstZone(stage);
  const builder = new BatchBuilder({ sizeBytesMax: 2 * BOMB_BYTES });
  builder.append(Date.now(), key, Buffer.alloc(BOMB_BYTES));
  const batch = builder.finish(TOPICS.commands, partition, 'gzip');
  const before = (await deadLetters(stage)).length;
  await producer.sendBatches([batch]);
  const decided = await everyZoneDecides(stage, 'after-the-bomb');
  const [letter, ...others] = (await deadLetters(stage)).slice(before);
  expect(letter !== undefined && others.length === 0, `one dead letter, and ${others.length} more`);
  const why = added(letter, '__streams.errors.message') ?? '';
  expect(/gzip/.test(why), `a dead letter that says why, not: ${why}`);
  expect(letter.value?.length === batch.bytes.length, 'the whole batch in the dead letter');
  return { 'sent, bytes': batch.bytes.length, 'unfolds to': BOMB_BYTES, 'zones decide': decided };
}

/** As if another program had written into the changelog of zones; without stores it must be read. */
async function intoChangelog(
  stage: Stage,
  record: { readonly key: Buffer; readonly value: Buffer | null },
): Promise<void> {
  const { partition } = firstZone(stage);
  await (await stage.instance()).kill('SIGTERM');
  const topic = `${stage.applicationId}-${STORES.zones}-changelog`;
  await stage.client.producer.send(topic, partition, record);
  rmSync(stage.stateDirectory(), { recursive: true });
}

async function damagedChangelog(stage: Stage): Promise<Evidence> {
  const { key } = firstZone(stage);
  const letters = (await deadLetters(stage)).length;
  await intoChangelog(stage, { key, value: Buffer.from('this is not a zone') });
  const one = await stage.instance();
  one.start();
  await stage.until('the instance to be ready or to end', async () => {
    if (one.hasEnded) return true;
    return (await fetch(`${one.httpUrl}/readyz`).catch(() => undefined))?.ok === true;
  });
  // Where nobody asks for the zone, nobody finds out.
  void stage.load.replay().catch(() => {});
  const endedBy = await stage.ended();
  expect(endedBy === 1, `an end with exit code 1, not ${endedBy}`);
  const told = await stage.logged(/STATE_UNREADABLE[^\n]*/);
  expect(told > 0, 'STATE_UNREADABLE to be told');
  const more = (await deadLetters(stage)).length - letters;
  expect(more === 0, `no command to be put aside for it, not ${more}`);
  return { 'ended with': endedBy, told, 'dead letters': 'none' };
}

async function strangeTombstone(stage: Stage): Promise<Evidence> {
  await intoChangelog(stage, { key: Buffer.from('nobody/nowhere'), value: null });
  await stage.started();
  const replayed = await stage.load.replay();
  const decided = await everyZoneDecides(stage, 'after-the-tombstone');
  const proof = await proveSale(stage.client, stage.sale);
  expect(isProven(proof), `the sale to be proven still: ${proof.problems.join('; ')}`);
  return { replayed, 'zones decide': decided };
}

export const strangeLogScenarios: readonly Scenario[] = [
  {
    name: 'decompression-bomb',
    about: 'a batch of commands that unfolds to 100 MB: one dead letter, and the partition goes on',
    on: 'kafka',
    run: sold,
    afterwards: bomb,
  },
  {
    name: 'changelog-damaged',
    about: 'a value in a changelog that is none: the app ends, and puts no command aside for it',
    on: 'kafka',
    run: sold,
    afterwards: damagedChangelog,
  },
  {
    name: 'changelog-tombstone',
    about: 'a tombstone in a changelog for what never was: nothing comes of it',
    on: 'kafka',
    run: sold,
    afterwards: strangeTombstone,
  },
];
