/**
 * The whole storage, stopped at every single disk operation of a workload: by kill -9 (what was
 * written is there) and by power loss (what was not synced is cut, torn or zeroed).
 */
import { describe, expect, test } from 'vitest';
import { ManualClock } from '../../../base/manual-clock.ts';
import { seededRandom } from '../../../base/random.ts';
import { MemoryDisk, osError } from '../../../embedded-kafka/disk/memory-disk.ts';
import type { Partition } from '../../../embedded-kafka/ports.ts';
import {
  appendTo,
  batchOf,
  openPartition,
  openStorage,
  readAll,
  type SeenRecord,
  START_MS,
  values,
} from '../storage-fixture.ts';

const PRODUCER = 1;
const TRANSACTIONAL = 2;

/** What the workload was told before the crash. */
interface Told {
  /** Values by offset that were acknowledged with acks=-1. */
  readonly acknowledged: Map<number, string>;
  /** What a reader has seen. */
  readonly seen: Map<number, string | null>;
  logStartOffset: number;
  /** Batches of the idempotent producer that were begun; the last may be in the log or not. */
  batchesBegun: number;
  isCreated: boolean;
}

const CONFIGS = {
  'segment.bytes': '1024',
  'index.interval.bytes': '200',
  'retention.bytes': '3000',
};

function textOf(batch: number): string {
  return `batch ${batch} ${'.'.repeat(50 + (batch % 7) * 20)}`;
}

function producerBatch(batch: number): Buffer {
  return batchOf([textOf(batch), textOf(batch)], {
    producerId: PRODUCER,
    baseSequence: batch * 2,
  });
}

/** Appends, transactions, restarts' worth of checkpoints, retention and deletion. Stops at the crash. */
async function run(disk: MemoryDisk, told: Told, batches: number): Promise<void> {
  const clock = new ManualClock(START_MS);
  const storage = await openStorage(disk, { clock });
  const created = storage.topics.createTopic({
    name: 't',
    partitions: 1,
    configs: new Map(Object.entries(CONFIGS)),
  });
  if (created.error !== 0) throw new Error('crashed while creating');
  told.isCreated = true;
  storage.topics.createTopic({ name: 'beside', partitions: 1, configs: new Map() });
  const partition = storage.topics.partition('t', 0)!;
  for (let batch = 0; batch < batches; batch++) {
    told.batchesBegun = batch + 1;
    // Two logs in one turn become durable through the journal, one alone by its own files.
    const beside = batch % 3 === 0 ? undefined : storage.topics.partition('beside', 0);
    if (beside !== undefined) void appendTo(beside, batchOf(['beside']), 1);
    await acknowledge(told, partition, producerBatch(batch), [textOf(batch), textOf(batch)]);
    if (batch % 5 === 2) {
      const epoch = Math.floor(batch / 5);
      const identity = { producerId: TRANSACTIONAL, producerEpoch: epoch, transactional: true };
      await acknowledge(told, partition, batchOf([`txn ${batch}`], identity), [`txn ${batch}`]);
      const marker = {
        producerId: TRANSACTIONAL,
        producerEpoch: epoch + 1,
        coordinatorEpoch: 0,
        committed: batch % 2 === 0,
      };
      if ((await partition.appendMarker(marker)).error !== 0) throw new Error('crashed');
    }
    if (batch % 6 === 5) {
      for (const record of readAll(partition)) told.seen.set(record.offset, record.value);
    }
    if (batch % 8 === 7) {
      await storage.topics.maintain();
      const target = partition.logStartOffset + 1;
      if ((await partition.deleteRecordsBefore(target)) !== 0) throw new Error('crashed');
      told.logStartOffset = target;
    }
    if (batch === 17)
      storage.topics.createTopic({ name: 'other', partitions: 2, configs: new Map() });
    if (batch === 20) storage.topics.deleteTopic('other');
  }
  await storage.topics.close();
}

async function acknowledge(
  told: Told,
  partition: Partition,
  records: Buffer,
  sent: string[],
): Promise<void> {
  const result = await appendTo(partition, records);
  if (result.error !== 0) throw new Error('crashed');
  for (const [index, value] of sent.entries())
    told.acknowledged.set(result.baseOffset + index, value);
}

function newTold(): Told {
  return {
    acknowledged: new Map(),
    seen: new Map(),
    logStartOffset: 0,
    batchesBegun: 0,
    isCreated: false,
  };
}

/** A disk that fails from operation `at` on. */
function doomedDisk(at: number): MemoryDisk {
  return new MemoryDisk({
    beforeOperation: ({ number }) => {
      if (number >= at) throw osError('EIO');
    },
  });
}

async function runUntilCrash(
  at: number,
  batches: number,
): Promise<{ disk: MemoryDisk; told: Told }> {
  const disk = doomedDisk(at);
  const told = newTold();
  await run(disk, told, batches).catch(() => {});
  return { disk, told };
}

async function expectNothingLost(disk: MemoryDisk, told: Told): Promise<void> {
  const { partition, topics } = await openPartition(CONFIGS, disk);
  const found = new Map(
    readAll(partition).map((record: SeenRecord) => [record.offset, record.value]),
  );
  const lost = (promised: ReadonlyMap<number, string | null>) =>
    [...promised].filter(
      ([offset, value]) => offset >= partition.logStartOffset && found.get(offset) !== value,
    );
  expect(lost(told.acknowledged)).toEqual([]);
  expect(lost(told.seen)).toEqual([]);
  expect(partition.logStartOffset).toBeGreaterThanOrEqual(told.logStartOffset);
  for (const [offset, value] of found) expect([offset, typeof value]).toEqual([offset, 'string']);

  // Whatever was begun is sent again, as a client does: once in the log, never twice.
  const last = told.batchesBegun - 1;
  for (const batch of [last, last + 1]) {
    if (batch < 0) continue;
    expect((await appendTo(partition, producerBatch(batch))).error).toBe(0);
  }
  const open = partition.producers().find((producer) => producer.producerId === TRANSACTIONAL);
  if (open !== undefined && open.currentTransactionStartOffset >= 0) {
    const { producerEpoch } = open;
    await partition.appendMarker({
      producerId: TRANSACTIONAL,
      producerEpoch,
      coordinatorEpoch: 0,
      committed: false,
    });
  }
  expect(partition.lastStableOffset).toBe(partition.highWatermark);
  const copies = values(readAll(partition)).filter((value) => value === textOf(Math.max(last, 0)));
  expect(copies).toHaveLength(2);
  expect(topics.topics().map((topic) => topic.name)).toContain('t');
  await topics.close();
}

const BATCHES = 30;

describe('a crash at any disk operation', () => {
  test('loses nothing acknowledged or seen, and leaves a log that goes on', async () => {
    const healthy = new MemoryDisk();
    await run(healthy, newTold(), BATCHES);
    const operations = healthy.operationCount;
    expect(operations).toBeGreaterThan(200);
    for (let at = 1; at <= operations; at++) {
      const { disk: killed, told } = await runUntilCrash(at, BATCHES);
      await expectNothingLost(killed.killProcess(), told);
      for (const seed of [at, at + 10_000]) {
        const { disk, told: toldAgain } = await runUntilCrash(at, BATCHES);
        await expectNothingLost(disk.powerLoss(seededRandom(seed)), toldAgain);
      }
    }
  }, 120_000);

  test('is survived again and again on the same disk', async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = seededRandom(seed);
      let disk = new MemoryDisk();
      const acknowledged: string[] = [];
      for (let life = 0; life < 8; life++) {
        const { partition, topics } = await openPartition(CONFIGS_WITHOUT_RETENTION, disk);
        const kept = values(readAll(partition));
        expect(kept.slice(0, acknowledged.length)).toEqual(acknowledged);
        acknowledged.splice(0, acknowledged.length, ...(kept as string[]));
        const appends = Math.floor(random.next() * 12);
        for (let index = 0; index < appends; index++) {
          const value = `life ${life} record ${index} ${'.'.repeat(100)}`;
          await appendTo(partition, batchOf([value]));
          acknowledged.push(value);
        }
        // Written, but nobody waits for it to be durable.
        for (let index = 0; index < 3; index++)
          void appendTo(partition, batchOf([`unsynced ${life} ${index}`]), 1);
        if (random.next() < 0.2) await topics.close();
        disk = disk.powerLoss(random);
      }
    }
  }, 60_000);
});

const CONFIGS_WITHOUT_RETENTION = { 'segment.bytes': '1024' };
