import { describe, expect, test } from 'vitest';
import { Errors } from '../../../kafka/protocol/error-codes.ts';
import { sealBatch } from '../../../kafka/records/batch-builder.ts';
import { BATCH_LAYOUT, TIMESTAMP_TYPE_FLAG } from '../../../kafka/records/record-batch.ts';
import {
  appendTo,
  batchOf,
  openPartition,
  readAll,
  readAt,
  recordsIn,
  START_MS,
  values,
} from '../storage-fixture.ts';

describe('appending', () => {
  test('gives consecutive offsets and shows the records to readers', async () => {
    const { partition } = await openPartition();
    expect(await appendTo(partition, batchOf(['a', 'b']))).toMatchObject({
      error: 0,
      baseOffset: 0,
    });
    expect(await appendTo(partition, batchOf(['c']))).toMatchObject({ error: 0, baseOffset: 2 });
    expect(partition.highWatermark).toBe(3);
    expect(values(readAll(partition))).toEqual(['a', 'b', 'c']);
  });

  test('does not touch the bytes of the caller', async () => {
    const { partition } = await openPartition();
    const sent = batchOf(['a', 'b']);
    const before = Buffer.from(sent);
    await appendTo(partition, batchOf(['x']));
    await appendTo(partition, sent);
    expect(sent).toEqual(before);
  });

  test('keeps what is not yet durable from readers, even after acks=1 was answered', async () => {
    let finishSync = () => {};
    let isSyncing = false;
    const { MemoryDisk } = await import('../../../embedded-kafka/disk/memory-disk.ts');
    const disk = new MemoryDisk({
      syncDelay: () => {
        isSyncing = true;
        return new Promise((resolve) => (finishSync = resolve));
      },
    });
    const { partition } = await openPartition({}, disk);
    const answered = await appendTo(partition, batchOf(['a']), 1);
    expect(answered).toMatchObject({ error: 0, baseOffset: 0 });
    await expect.poll(() => isSyncing).toBe(true);
    expect(partition.highWatermark).toBe(0);
    expect(readAt(partition, 0).records.length).toBe(0);
    const becameReadable = new Promise<void>((resolve) => partition.onAppend(resolve));
    finishSync();
    await becameReadable;
    expect(values(readAll(partition))).toEqual(['a']);
  });

  test('answers acks=-1 only after a sync that began after the append', async () => {
    const syncs: (() => void)[] = [];
    const { MemoryDisk } = await import('../../../embedded-kafka/disk/memory-disk.ts');
    const disk = new MemoryDisk({ syncDelay: () => new Promise((resolve) => syncs.push(resolve)) });
    const { partition } = await openPartition({}, disk);
    const order: string[] = [];
    const first = appendTo(partition, batchOf(['a'])).then(() => order.push('first'));
    await expect.poll(() => syncs.length).toBe(1);
    const second = appendTo(partition, batchOf(['b'])).then(() => order.push('second'));
    syncs[0]!();
    await first;
    expect(order).toEqual(['first']);
    expect(partition.highWatermark).toBe(1);
    await expect.poll(() => syncs.length).toBe(2);
    syncs[1]!();
    await second;
    expect(order).toEqual(['first', 'second']);
  });

  test('stamps the append time where the topic says so', async () => {
    const { partition, clock } = await openPartition({ 'message.timestamp.type': 'LogAppendTime' });
    clock.advance(5000);
    const result = await appendTo(partition, batchOf([{ value: 'a', timestampMs: 1 }]));
    expect(result.logAppendTimeMs).toBe(START_MS + 5000);
    expect(readAll(partition)[0]!.timestampMs).toBe(START_MS + 5000);
  });

  test.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)(
    'keeps %s batches as they are',
    async (codec) => {
      const { partition } = await openPartition();
      const records = Array.from({ length: 50 }, (_, index) => `the same words again ${index}`);
      await appendTo(partition, batchOf(records, undefined, codec));
      expect(values(readAll(partition))).toEqual(records);
      expect(readAt(partition, 0).records[BATCH_LAYOUT.attributes + 1]! & 7).not.toBe(0);
    },
  );
});

describe('what a client may not append', () => {
  const damaged = (change: (bytes: Buffer) => void) => {
    const bytes = batchOf(['a', 'b']);
    change(bytes);
    return bytes;
  };

  test.each([
    ['no batch at all', Buffer.alloc(0), Errors.INVALID_RECORD],
    ['half a header', batchOf(['a']).subarray(0, 40), Errors.INVALID_RECORD],
    ['a cut batch', batchOf(['a']).subarray(0, -1), Errors.INVALID_RECORD],
    ['two batches', Buffer.concat([batchOf(['a']), batchOf(['b'])]), Errors.INVALID_RECORD],
    ['a flipped bit', damaged((bytes) => (bytes[70]! ^= 1)), Errors.CORRUPT_MESSAGE],
    ['an old message format', damaged((bytes) => (bytes[16] = 1)), Errors.INVALID_RECORD],
    ['a batch over max.message.bytes', batchOf(['x'.repeat(2000)]), Errors.MESSAGE_TOO_LARGE],
    [
      'a timestamp an hour ahead',
      batchOf([{ value: 'a', timestampMs: START_MS + 3_600_001 }]),
      Errors.INVALID_TIMESTAMP,
    ],
  ])('%s', async (_what, bytes, error) => {
    const { partition } = await openPartition({ 'max.message.bytes': '1000' });
    expect(await appendTo(partition, bytes)).toMatchObject({ error, baseOffset: -1 });
    expect(partition.highWatermark).toBe(0);
  });

  test('a control batch', async () => {
    const { buildControlBatch } = await import('../../../kafka/records/control-batch.ts');
    const { partition } = await openPartition();
    const marker = buildControlBatch({
      kind: 'commit',
      coordinatorEpoch: 0,
      producerId: 1,
      producerEpoch: 0,
      timestampMs: START_MS,
    });
    expect((await appendTo(partition, marker)).error).toBe(Errors.INVALID_RECORD);
  });

  test('a record without a key in a compacted topic, and it is told which one', async () => {
    const { partition } = await openPartition({ 'cleanup.policy': 'compact' });
    const result = await appendTo(partition, batchOf(['a', { key: null, value: 'b' }]));
    expect(result.error).toBe(Errors.INVALID_RECORD);
    expect(result.recordErrors).toMatchObject([{ batchIndex: 1 }]);
  });

  test('a batch whose count is not that of its records', async () => {
    const { partition } = await openPartition();
    const bytes = batchOf(['a', 'b']);
    bytes.writeInt32BE(1, BATCH_LAYOUT.recordCount);
    bytes.writeInt32BE(0, BATCH_LAYOUT.lastOffsetDelta);
    sealBatch(bytes);
    expect((await appendTo(partition, bytes)).error).toBe(Errors.INVALID_RECORD);
  });
});

describe('what is put right', () => {
  test('more replicas demanded than there are: the one that is there is enough', async () => {
    const { partition } = await openPartition({ 'min.insync.replicas': '2' });
    expect((await appendTo(partition, batchOf(['a']))).error).toBe(0);
  });

  test('a producer that sets LogAppendTime: its records keep their own times', async () => {
    const { partition } = await openPartition();
    const bytes = batchOf([
      { value: 'a', timestampMs: START_MS },
      { value: 'b', timestampMs: START_MS + 5 },
    ]);
    bytes.writeInt16BE(TIMESTAMP_TYPE_FLAG, BATCH_LAYOUT.attributes);
    sealBatch(bytes);
    expect((await appendTo(partition, bytes)).error).toBe(0);
    expect(readAll(partition).map(({ timestampMs }) => timestampMs)).toEqual([
      START_MS,
      START_MS + 5,
    ]);
  });

  test('a wrong maximum timestamp: time lookups can trust the header', async () => {
    const { partition } = await openPartition();
    const bytes = batchOf([{ value: 'a', timestampMs: START_MS }]);
    bytes.writeBigInt64BE(BigInt(START_MS + 500), BATCH_LAYOUT.maxTimestamp);
    sealBatch(bytes);
    await appendTo(partition, bytes);
    expect(partition.maxTimestamp()).toEqual({ offset: 0, timestampMs: START_MS });
  });
});

describe('reading', () => {
  test('starts at the batch that holds the offset and goes over segment borders', async () => {
    const { partition } = await openPartition({ 'segment.bytes': '1024' });
    const sent = Array.from({ length: 100 }, (_, index) => `value ${index} ${'.'.repeat(40)}`);
    for (let at = 0; at < sent.length; at += 4)
      await appendTo(partition, batchOf(sent.slice(at, at + 4)));
    for (const offset of [0, 1, 5, 50, 98, 99]) {
      expect(values(readAll(partition, offset))).toEqual(sent.slice(offset));
    }
  });

  test('gives whole batches within the limit, and one batch even beyond it', async () => {
    const { partition } = await openPartition();
    for (const value of ['a', 'b', 'c']) await appendTo(partition, batchOf([value]));
    const one = readAt(partition, 0, 'read_uncommitted', 1).records;
    expect(values(recordsIn(one))).toEqual(['a']);
    const two = readAt(partition, 0, 'read_uncommitted', one.length * 2 + 1).records;
    expect(values(recordsIn(two))).toEqual(['a', 'b']);
    const strict = partition.read({
      fetchOffset: 0,
      maxBytes: 1,
      isolation: 'read_uncommitted',
      currentLeaderEpoch: -1,
      lastFetchedEpoch: -1,
      atLeastOneBatch: false,
    });
    expect(strict.records.length).toBe(0);
  });

  test('is out of range below the start and beyond the end, and empty at the end', async () => {
    const { partition } = await openPartition();
    await appendTo(partition, batchOf(['a', 'b', 'c']));
    await partition.deleteRecordsBefore(2);
    expect(readAt(partition, 1).error).toBe(Errors.OFFSET_OUT_OF_RANGE);
    expect(readAt(partition, 4).error).toBe(Errors.OFFSET_OUT_OF_RANGE);
    expect(readAt(partition, 3)).toMatchObject({ error: 0, highWatermark: 3, logStartOffset: 2 });
    expect(readAt(partition, 3).records.length).toBe(0);
  });

  test('refuses another leader epoch and tells where an older one ended', async () => {
    const { partition } = await openPartition();
    await appendTo(partition, batchOf(['a']));
    const read = (currentLeaderEpoch: number, lastFetchedEpoch: number) =>
      partition.read({
        fetchOffset: 1,
        maxBytes: 1000,
        isolation: 'read_uncommitted',
        currentLeaderEpoch,
        lastFetchedEpoch,
        atLeastOneBatch: true,
      });
    expect(read(1, -1).error).toBe(Errors.UNKNOWN_LEADER_EPOCH);
    expect(read(0, 0).error).toBe(0);
    expect(read(0, 5).error).toBe(Errors.OFFSET_OUT_OF_RANGE);
    expect(partition.endOffsetForEpoch(0)).toEqual({ leaderEpoch: 0, endOffset: 1 });
  });

  test('serves the same bytes from disk as from memory', async () => {
    const { partition, disk } = await openPartition();
    const sent = Array.from({ length: 30 }, (_, index) => `v${index}`);
    for (const value of sent) await appendTo(partition, batchOf([value]));
    const fromMemory = readAt(partition, 0).records;
    const reads = disk.operationCount;
    const cold = await openPartition({}, disk.killProcess());
    expect(readAt(cold.partition, 0).records).toEqual(fromMemory);
    expect(reads).toBeGreaterThan(0);
  });

  test('tail reads do not touch the disk', async () => {
    const { partition, disk } = await openPartition();
    await appendTo(partition, batchOf(['a']));
    const before = disk.operationCount;
    expect(values(readAll(partition))).toEqual(['a']);
    expect(disk.operationCount).toBe(before);
  });

  test('never hands out a batch that went bad on the disk', async () => {
    const { partition, disk, topics } = await openPartition({}, undefined, { recentBytesMax: 0 });
    await appendTo(partition, batchOf(['a']));
    const path = `topics/${topics.topic('t')!.topicId}/0/00000000000000000000.log`;
    disk.flipBit(path, 65);
    expect(readAt(partition, 0)).toMatchObject({ error: Errors.CORRUPT_MESSAGE });
    expect(readAt(partition, 0).records.length).toBe(0);
  });
});

describe('time lookups', () => {
  test('find the first record at or after a time, and the first one with the largest time', async () => {
    const { partition } = await openPartition({
      'segment.bytes': '1024',
      'index.interval.bytes': '100',
    });
    const times = [5, 3, 9, 9, 4, 20, 1, 20, 8].map((offset) => START_MS + offset * 1000);
    for (const [index, timestampMs] of times.entries()) {
      await appendTo(partition, batchOf([{ value: `${index}${'.'.repeat(200)}`, timestampMs }]));
    }
    const at = (seconds: number) => partition.offsetForTimestamp(START_MS + seconds * 1000)?.offset;
    expect([0, 5, 6, 9, 10, 20, 21].map(at)).toEqual([0, 0, 2, 2, 5, 5, undefined]);
    expect(partition.maxTimestamp()).toEqual({ offset: 5, timestampMs: START_MS + 20_000 });
  });

  test('look inside a batch', async () => {
    const { partition } = await openPartition();
    const records = [1, 2, 3].map((second) => ({ value: 'v', timestampMs: START_MS + second }));
    await appendTo(partition, batchOf(records));
    expect(partition.offsetForTimestamp(START_MS + 2)).toEqual({
      offset: 1,
      timestampMs: START_MS + 2,
    });
  });

  test('of an empty partition find nothing', async () => {
    const { partition } = await openPartition();
    expect(partition.offsetForTimestamp(0)).toBeUndefined();
    expect(partition.maxTimestamp()).toEqual({ offset: -1, timestampMs: -1 });
  });
});
