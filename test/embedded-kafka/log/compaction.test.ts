import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../base/random.ts';
import { MemoryDisk, osError } from '../../../embedded-kafka/disk/memory-disk.ts';
import { compact } from '../../../embedded-kafka/log/compaction/compactor.ts';
import type { SegmentedPartition } from '../../../embedded-kafka/partitions/partition.ts';
import type { Partition, TopicManager } from '../../../embedded-kafka/ports.ts';
import { readControlMarker } from '../../../kafka/records/control-batch.ts';
import { forEachBatch, isControl, lastOffset } from '../../../kafka/records/record-batch.ts';
import {
  appendTo,
  batchOf,
  openPartition,
  readAll,
  readAt,
  recordsIn,
  type SeenRecord,
  START_MS,
  type Storage,
  type TestRecord,
  values,
} from '../storage-fixture.ts';

const COMPACT = {
  'cleanup.policy': 'compact',
  'segment.bytes': '1024',
  'min.cleanable.dirty.ratio': '0',
  'delete.retention.ms': '1000',
  'message.timestamp.after.max.ms': '9007199254740991',
};
const FILLER = '.'.repeat(120);

function keyed(key: string, value: string | null, timestampMs = START_MS): TestRecord {
  return { key, value: value === null ? null : `${value}${FILLER}`, timestampMs };
}

/** Appends enough of other keys that everything before is in closed segments. */
async function closeSegments(partition: Partition): Promise<void> {
  for (let index = 0; index < 12; index++)
    await appendTo(partition, batchOf([keyed('filler', `${index}`)]));
}

function withoutFiller(seen: readonly SeenRecord[]): (readonly [string | null, string | null])[] {
  return seen
    .filter((record) => record.key !== 'filler')
    .map((record) => [record.key, record.value?.replace(FILLER, '') ?? null]);
}

/** What a table built by a read_committed reader holds. */
function tableOf(partition: Partition): Map<string, string> {
  const table = new Map<string, string>();
  for (let next = partition.logStartOffset; ; ) {
    const { error, records, abortedTransactions } = readAt(partition, next, 'read_committed', 700);
    expect(error).toBe(0);
    if (records.length === 0) return table;
    const pending = [...abortedTransactions!].sort((a, b) => a.firstOffset - b.firstOffset);
    const aborting = new Set<number>();
    forEachBatch(records, (header) => {
      while (pending.length > 0 && pending[0]!.firstOffset <= lastOffset(header)) {
        aborting.add(pending.shift()!.producerId);
      }
      const bytes = records.subarray(header.position, header.position + header.sizeBytes);
      if (isControl(header)) {
        const marker = readControlMarker({ buffer: records, header });
        if (marker?.kind === 'abort') aborting.delete(header.producerId);
      } else if (!aborting.has(header.producerId)) {
        for (const { key, value } of recordsIn(bytes)) {
          if (value === null) table.delete(key!);
          else table.set(key!, value.replace(FILLER, ''));
        }
      }
      next = Math.max(next, lastOffset(header) + 1);
    });
  }
}

describe('compaction', () => {
  test('keeps the last value of every key, at its offset, and the order', async () => {
    const { partition, topics } = await openPartition(COMPACT);
    for (const [key, value] of [
      ['a', '1'],
      ['b', '1'],
      ['a', '2'],
      ['c', '1'],
      ['b', '2'],
    ] as const) {
      await appendTo(partition, batchOf([keyed(key, value)]));
    }
    await closeSegments(partition);
    await topics.maintain();
    expect(withoutFiller(readAll(partition))).toEqual([
      ['a', '2'],
      ['c', '1'],
      ['b', '2'],
    ]);
    expect(
      readAll(partition)
        .map((record) => record.offset)
        .slice(0, 3),
    ).toEqual([2, 3, 4]);
  });

  test('removes records inside a batch and leaves the others of it alone, compressed or not', async () => {
    for (const codec of ['none', 'gzip', 'zstd', 'lz4', 'snappy'] as const) {
      const { partition, topics } = await openPartition(COMPACT);
      const records = [
        keyed('a', '1', START_MS),
        keyed('b', '1', START_MS + 7),
        keyed('c', '1', START_MS + 300_000),
      ];
      await appendTo(partition, batchOf(records, undefined, codec));
      await appendTo(partition, batchOf([keyed('b', '2')]));
      await closeSegments(partition);
      await topics.maintain();
      const seen = readAll(partition).filter((record) => record.key !== 'filler');
      expect(seen.map(({ offset, key, timestampMs }) => [offset, key, timestampMs])).toEqual([
        [0, 'a', START_MS],
        [2, 'c', START_MS + 300_000],
        [3, 'b', START_MS],
      ]);
    }
  });

  test('keeps a tombstone for delete.retention.ms after it was first compacted, then removes it', async () => {
    const { partition, topics, clock } = await openPartition(COMPACT);
    await appendTo(partition, batchOf([keyed('a', '1'), keyed('b', '1', START_MS + 5)]));
    await appendTo(
      partition,
      batchOf([keyed('a', null, START_MS + 9), keyed('c', '1', START_MS + 11)]),
    );
    await closeSegments(partition);
    await topics.maintain();
    const first = readAll(partition).filter((record) => record.key !== 'filler');
    expect(first.map(({ key, timestampMs }) => [key, timestampMs - START_MS])).toEqual([
      ['b', 5],
      ['a', 9],
      ['c', 11],
    ]);
    clock.advance(999);
    await closeSegments(partition);
    await topics.maintain();
    expect(withoutFiller(readAll(partition))).toEqual([
      ['b', '1'],
      ['a', null],
      ['c', '1'],
    ]);
    clock.advance(1);
    await closeSegments(partition);
    await topics.maintain();
    expect(withoutFiller(readAll(partition))).toEqual([
      ['b', '1'],
      ['c', '1'],
    ]);
  });

  test('waits until the dirty part is large enough, unless max.compaction.lag.ms has passed', async () => {
    const lazy = { ...COMPACT, 'min.cleanable.dirty.ratio': '1', 'max.compaction.lag.ms': '60000' };
    const { partition, topics, clock } = await openPartition(lazy);
    await appendTo(partition, batchOf([keyed('a', '1'), keyed('a', '2')]));
    await closeSegments(partition);
    await topics.maintain();
    expect(withoutFiller(readAll(partition))).toHaveLength(2);
    clock.advance(60_001);
    await topics.maintain();
    expect(withoutFiller(readAll(partition))).toEqual([['a', '2']]);
  });

  test('leaves alone what is younger than min.compaction.lag.ms', async () => {
    const { partition, topics, clock } = await openPartition({
      ...COMPACT,
      'min.compaction.lag.ms': '5000',
    });
    await appendTo(partition, batchOf([keyed('a', '1'), keyed('a', '2')]));
    await closeSegments(partition);
    clock.advance(4999);
    await topics.maintain();
    expect(withoutFiller(readAll(partition))).toHaveLength(2);
    clock.advance(1);
    await topics.maintain();
    expect(withoutFiller(readAll(partition))).toEqual([['a', '2']]);
  });

  test('never goes past an open transaction, whose data displace nothing', async () => {
    const { partition, topics } = await openPartition(COMPACT);
    await appendTo(partition, batchOf([keyed('a', 'old')]));
    await closeSegments(partition);
    const identity = { producerId: 5, transactional: true };
    await appendTo(partition, batchOf([keyed('a', 'undecided')], identity));
    await closeSegments(partition);
    await topics.maintain();
    expect(withoutFiller(readAll(partition))).toEqual([
      ['a', 'old'],
      ['a', 'undecided'],
    ]);
    await partition.appendMarker({
      producerId: 5,
      producerEpoch: 1,
      coordinatorEpoch: 0,
      committed: false,
    });
    await closeSegments(partition);
    await topics.maintain();
    expect(withoutFiller(readAll(partition))).toEqual([['a', 'old']]);
  });

  test('keeps the last sequence of a live producer when its records are gone, even from the log alone', async () => {
    const { partition, topics, disk } = await openPartition(COMPACT);
    for (let sequence = 0; sequence < 3; sequence++) {
      await appendTo(
        partition,
        batchOf([keyed('a', `${sequence}`)], {
          producerId: 9,
          producerEpoch: 2,
          baseSequence: sequence,
        }),
      );
    }
    await appendTo(partition, batchOf([keyed('a', 'by somebody else')]));
    await closeSegments(partition);
    await topics.maintain();
    expect(withoutFiller(readAll(partition))).toEqual([['a', 'by somebody else']]);
    await topics.close();
    const bare = disk.killProcess();
    removeAllButSegments(bare, topics);
    const { partition: again } = await openPartition({}, bare);
    expect(again.producers()).toMatchObject([{ producerId: 9, producerEpoch: 2, lastSequence: 2 }]);
  });

  test('removes the markers of a transaction only after its data and a delay', async () => {
    const { partition, topics, clock } = await openPartition(COMPACT, undefined, {
      producerIdExpirationMs: 10,
    });
    for (const committed of [true, false]) {
      const identity = { producerId: committed ? 1 : 2, transactional: true };
      await appendTo(partition, batchOf([keyed('a', '1')], identity));
      await partition.appendMarker({
        ...identity,
        producerEpoch: 1,
        coordinatorEpoch: 0,
        committed,
      });
    }
    await appendTo(partition, batchOf([keyed('a', '2')]));
    const markers = () => {
      let count = 0;
      for (const { header } of partition.batches()) if (isControl(header)) count++;
      return count;
    };
    clock.advance(10);
    const seen: number[] = [];
    for (let round = 0; round < 4; round++) {
      await closeSegments(partition);
      await topics.maintain();
      seen.push(markers());
      clock.advance(1000);
    }
    expect(seen).toEqual([2, 2, 0, 0]);
    expect(tableOf(partition).get('a')).toBe('2');
  });

  test('keeps the marker of an aborted transaction while a batch of it is there, empty as it may be', async () => {
    const { partition, topics, clock, disk } = await openPartition(COMPACT);
    const identity = { producerId: 4, transactional: true };
    await appendTo(partition, batchOf([keyed('a', 'aborted')], identity));
    const marker = { producerId: 4, producerEpoch: 0, coordinatorEpoch: 0, committed: false };
    await partition.appendMarker(marker);
    for (let round = 0; round < 4; round++) {
      await closeSegments(partition);
      await topics.maintain();
      clock.advance(1500);
    }
    const bare = disk.killProcess();
    removeAllButSegments(bare, topics);
    const { partition: again } = await openPartition({}, bare, { clock });
    expect(again.producers()).toMatchObject([
      { producerId: 4, lastSequence: 0, currentTransactionStartOffset: -1 },
    ]);
    expect(again.lastStableOffset).toBe(again.highWatermark);
  });

  test('takes several rounds when the keys do not fit into memory', async () => {
    const { partition, clock } = await openPartition(COMPACT);
    for (const round of [1, 2]) {
      for (let key = 0; key < 400; key++)
        await appendTo(partition, batchOf([keyed(`${key}`, `${round}`)]));
    }
    await closeSegments(partition);
    const { log } = partition as SegmentedPartition;
    const endOffset = log.active.baseOffset;
    const sizes: number[] = [];
    const cleanedTo: number[] = [];
    for (let round = 0; round < 6 && log.cleanedToOffset < endOffset; round++) {
      await compact({
        log,
        range: { firstDirtyOffset: log.cleanedToOffset, endOffset },
        clock,
        segmentBytes: 1024,
        deleteRetentionMs: 0,
        isLastOfProducer: () => false,
        shouldStop: () => false,
        keyBytesMax: 24 * 1024,
      });
      sizes.push(readAll(partition).length);
      cleanedTo.push(log.cleanedToOffset);
      expect(tableOf(partition).get('399')).toBe('2');
      expect(tableOf(partition).size).toBe(401);
    }
    expect(cleanedTo).toEqual([256, 512, 768, endOffset]);
    expect(sizes.at(-1)).toBeLessThan(420);
  });

  test('merges what has become small', async () => {
    const { partition, topics, disk } = await openPartition(COMPACT);
    for (let round = 0; round < 10; round++) await closeSegments(partition);
    const directory = `topics/${topics.topic('t')!.topicId}/0`;
    const segments = () => disk.list(directory).filter((name) => name.endsWith('.log')).length;
    const before = segments();
    await topics.maintain();
    await closeSegments(partition);
    await topics.maintain();
    expect(before).toBeGreaterThan(10);
    expect(segments()).toBeLessThan(6);
    expect(partition.logStartOffset).toBe(0);
    expect(readAt(partition, 0).error).toBe(0);
  });
});

type Step =
  | {
      readonly kind: 'put';
      readonly records: readonly { readonly key: number; readonly isTombstone: boolean }[];
      readonly producer: number;
    }
  | { readonly kind: 'end'; readonly producer: number; readonly committed: boolean }
  | { readonly kind: 'compact'; readonly advanceMs: number }
  | { readonly kind: 'restart'; readonly from: 'killed' | 'power loss' | 'segments only' };

const stepOf: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('put' as const),
      records: fc.array(
        fc.record({ key: fc.integer({ min: 0, max: 5 }), isTombstone: fc.boolean() }),
        { minLength: 1, maxLength: 4 },
      ),
      // 0 writes without a transaction.
      producer: fc.integer({ min: 0, max: 2 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('end' as const),
      producer: fc.integer({ min: 1, max: 2 }),
      committed: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('compact' as const),
      advanceMs: fc.constantFrom(0, 400, 1500),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('restart' as const),
      from: fc.constantFrom('killed' as const, 'power loss' as const, 'segments only' as const),
    }),
  },
);

interface Put {
  readonly key: string;
  readonly value: string | null;
  readonly producer: number;
  fate: 'open' | 'committed' | 'aborted';
}

/** Runs the steps; calls back after each with every record ever written, in order. */
async function play(
  steps: readonly Step[],
  start: Storage & { partition: Partition },
  check: (partition: Partition, puts: readonly Put[]) => void,
): Promise<void> {
  let storage = start;
  const puts: Put[] = [];
  const epochs = [0, 0, 0];
  const sequences = [0, 0, 0];
  let written = 0;
  for (const step of steps) {
    const { partition, topics, clock, disk } = storage;
    switch (step.kind) {
      case 'put': {
        const { producer } = step;
        const records = step.records.map(({ key, isTombstone }) => {
          const value = isTombstone ? null : `v${written++}`;
          puts.push({
            key: `k${key}`,
            value,
            producer,
            fate: producer === 0 ? 'committed' : 'open',
          });
          return keyed(`k${key}`, value, clock.nowMs());
        });
        const identity = {
          producerId: producer,
          producerEpoch: epochs[producer]!,
          baseSequence: sequences[producer]!,
          transactional: true,
        };
        const result = await appendTo(
          partition,
          batchOf(records, producer === 0 ? undefined : identity),
        );
        if (result.error !== 0) throw new Error(`append: ${result.error} ${result.errorMessage}`);
        sequences[producer]! += records.length;
        break;
      }
      case 'end': {
        const { producer, committed } = step;
        // Producer 1 speaks transactions V2 (each marker brings a new epoch), producer 2 speaks V1.
        if (producer === 1) {
          epochs[producer]!++;
          sequences[producer] = 0;
        }
        const producerEpoch = epochs[producer]!;
        const result = await partition.appendMarker({
          producerId: producer,
          producerEpoch,
          coordinatorEpoch: 0,
          committed,
        });
        if (result.error !== 0) throw new Error(`marker: ${result.error}`);
        for (const put of puts) {
          if (put.producer === producer && put.fate === 'open')
            put.fate = committed ? 'committed' : 'aborted';
        }
        break;
      }
      case 'compact':
        clock.advance(step.advanceMs);
        await topics.maintain();
        break;
      case 'restart': {
        const { lastStableOffset } = partition;
        const survivor =
          step.from === 'power loss' ? disk.powerLoss(seededRandom(written)) : disk.killProcess();
        if (step.from === 'segments only') removeAllButSegments(survivor, topics);
        storage = await openPartition({}, survivor, { clock });
        expect(storage.partition.lastStableOffset).toBe(lastStableOffset);
        break;
      }
    }
    check(storage.partition, puts);
  }
}

/** What is left when every file that can be rebuilt is gone. */
function removeAllButSegments(disk: MemoryDisk, topics: TopicManager): void {
  const directory = `topics/${topics.topic('t')!.topicId}/0`;
  for (const name of disk.list(directory)) {
    if (!name.endsWith('.log')) disk.remove(`${directory}/${name}`);
  }
}

function expectInOrder(partition: Partition): void {
  let next = 0;
  for (const { header } of partition.batches()) {
    expect(header.baseOffset).toBeGreaterThanOrEqual(next);
    next = lastOffset(header) + 1;
  }
}

/** The table after all decided puts below the first open one, in log order. */
function expectedTable(puts: readonly Put[]): Map<string, string> {
  const table = new Map<string, string>();
  for (const put of puts) {
    if (put.fate === 'open') break;
    if (put.fate === 'aborted') continue;
    if (put.value === null) table.delete(put.key);
    else table.set(put.key, put.value);
  }
  return table;
}

describe('a table built from a compacted log', () => {
  test('equals the one built from everything ever written, at every moment', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(stepOf, { minLength: 20, maxLength: 120 }), async (steps) => {
        await play(steps, await openPartition(COMPACT), (partition, puts) => {
          expect(tableOf(partition)).toEqual(expectedTable(puts));
        });
      }),
      { numRuns: 120 },
    );
  }, 120_000);

  test('is the same after a crash at any operation of the compaction', async () => {
    const steps = fc.sample(fc.array(stepOf, { minLength: 60, maxLength: 80 }), {
      seed: 42,
      numRuns: 3,
    });
    for (const sequence of steps) {
      const prepared: Step[] = [
        ...sequence.filter((step) => step.kind === 'put' || step.kind === 'end'),
        { kind: 'end', producer: 1, committed: true },
        { kind: 'end', producer: 2, committed: false },
      ];
      const operationsOf = async (failFrom: number) => {
        let isArmed = false;
        let count = 0;
        const disk = new MemoryDisk({
          beforeOperation: () => {
            if (isArmed && ++count >= failFrom) throw osError('EIO');
          },
        });
        const storage = await openPartition(COMPACT, disk);
        let written: readonly Put[] = [];
        await play(prepared, storage, (_partition, puts) => {
          written = puts;
        });
        // From the second round on, what has become small is merged.
        for (let round = 0; round < 2; round++) {
          await storage.topics.maintain();
          await closeSegments(storage.partition);
        }
        isArmed = true;
        await storage.topics.maintain().catch(() => {});
        isArmed = false;
        const expected = expectedTable(written);
        expected.set('filler', '11');
        return { disk, count, expected };
      };
      const { count } = await operationsOf(Number.POSITIVE_INFINITY);
      expect(count).toBeGreaterThan(20);
      for (let at = 1; at <= count; at++) {
        const killed = await operationsOf(at);
        const survivor = await openPartition({}, killed.disk.killProcess());
        expect(tableOf(survivor.partition)).toEqual(killed.expected);
        expectInOrder(survivor.partition);
        const unpowered = await operationsOf(at);
        const second = await openPartition({}, unpowered.disk.powerLoss(seededRandom(at)));
        expect(tableOf(second.partition)).toEqual(unpowered.expected);
        expectInOrder(second.partition);
        await second.topics.maintain();
        expect(tableOf(second.partition)).toEqual(unpowered.expected);
      }
    }
  }, 120_000);
});

describe('retention', () => {
  const fill = async (partition: Partition, count: number, timestampMs: number) => {
    for (let index = 0; index < count; index++) {
      await appendTo(
        partition,
        batchOf([{ value: `${timestampMs} ${index} ${'.'.repeat(200)}`, timestampMs }]),
      );
    }
  };

  test('by time removes what is older, the active segment included, and the log goes on', async () => {
    const { partition, topics, clock } = await openPartition({
      'segment.bytes': '1024',
      'retention.ms': '10000',
    });
    await fill(partition, 10, START_MS);
    clock.advance(6000);
    await fill(partition, 10, clock.nowMs());
    clock.advance(5000);
    await topics.maintain();
    expect(partition.logStartOffset).toBeGreaterThanOrEqual(8);
    expect(partition.logStartOffset).toBeLessThanOrEqual(10);
    clock.advance(10_000);
    await topics.maintain();
    expect(partition.logStartOffset).toBe(20);
    expect(partition.sizeBytes()).toBe(0);
    expect((await appendTo(partition, batchOf(['next']))).baseOffset).toBe(20);
  });

  test('by size keeps at least that much', async () => {
    const { partition, topics } = await openPartition({
      'segment.bytes': '1024',
      'retention.bytes': '3000',
    });
    await fill(partition, 40, START_MS);
    await topics.maintain();
    expect(partition.sizeBytes()).toBeGreaterThanOrEqual(3000);
    expect(partition.sizeBytes()).toBeLessThan(3000 + 1024);
  });

  test('still knows the producers whose records are gone, after a crash too', async () => {
    const { partition, topics, clock, disk } = await openPartition({ 'retention.ms': '1000' });
    await appendTo(
      partition,
      batchOf(['a', 'b'], { producerId: 3, producerEpoch: 1, baseSequence: 0 }),
    );
    clock.advance(2000);
    await topics.maintain();
    expect(partition.logStartOffset).toBe(2);
    const { partition: again } = await openPartition({}, disk.powerLoss(seededRandom(1)), {
      clock,
    });
    expect(again.logStartOffset).toBe(2);
    expect(again.producers()).toMatchObject([{ producerId: 3, lastSequence: 1 }]);
    expect(
      (await appendTo(again, batchOf(['c'], { producerId: 3, producerEpoch: 1, baseSequence: 2 })))
        .baseOffset,
    ).toBe(2);
  });

  test('removes segments below the log start, even of a topic that keeps everything', async () => {
    const { partition, topics } = await openPartition({
      'segment.bytes': '1024',
      'retention.ms': '-1',
    });
    await fill(partition, 40, START_MS);
    const before = partition.sizeBytes();
    expect(await partition.deleteRecordsBefore(30)).toBe(0);
    expect(values(readAll(partition))).toHaveLength(10);
    await topics.maintain();
    expect(partition.sizeBytes()).toBeLessThan(before / 2);
    expect(values(readAll(partition))).toHaveLength(10);
  });
});
