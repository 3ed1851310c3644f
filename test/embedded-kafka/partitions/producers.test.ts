import { describe, expect, test } from 'vitest';
import { Errors } from '../../../kafka/protocol/error-codes.ts';
import {
  appendTo,
  batchOf,
  openPartition,
  readAt,
  recordsIn,
  START_MS,
  values,
} from '../storage-fixture.ts';

const PRODUCER = 7;

function from(baseSequence: number, records: string[], producerEpoch = 0): Buffer {
  return batchOf(records, { producerId: PRODUCER, producerEpoch, baseSequence });
}

describe('an idempotent producer', () => {
  test('that sends one of its last five batches again gets the first answer and no second copy', async () => {
    const { partition } = await openPartition();
    for (let sequence = 0; sequence < 7; sequence++) {
      await appendTo(partition, from(sequence, [`v${sequence}`]));
    }
    for (const sequence of [2, 3, 4, 5, 6]) {
      const again = await appendTo(partition, from(sequence, [`v${sequence}`]));
      expect(again).toMatchObject({ error: 0, baseOffset: sequence });
    }
    const tooOld = await appendTo(partition, from(1, ['v1']));
    expect(tooOld.error).toBe(Errors.OUT_OF_ORDER_SEQUENCE_NUMBER);
    expect(partition.highWatermark).toBe(7);
  });

  test('hears of a repeated batch only once the first copy is durable', async () => {
    let finishSync = () => {};
    const { MemoryDisk } = await import('../../../embedded-kafka/disk/memory-disk.ts');
    const disk = new MemoryDisk({
      syncDelay: () => new Promise((resolve) => (finishSync = resolve)),
    });
    const { partition } = await openPartition({}, disk);
    const done: string[] = [];
    const first = appendTo(partition, from(0, ['a'])).then(() => done.push('first'));
    const again = appendTo(partition, from(0, ['a'])).then(() => done.push('again'));
    await new Promise((resolve) => setImmediate(resolve));
    expect(done).toEqual([]);
    finishSync();
    await Promise.all([first, again]);
    expect(done).toEqual(['first', 'again']);
  });

  test('may not leave a gap', async () => {
    const { partition } = await openPartition();
    await appendTo(partition, from(0, ['a', 'b']));
    expect((await appendTo(partition, from(3, ['d']))).error).toBe(
      Errors.OUT_OF_ORDER_SEQUENCE_NUMBER,
    );
    expect((await appendTo(partition, from(2, ['c']))).error).toBe(0);
  });

  test('begins every new epoch at sequence 0, and an older epoch is refused', async () => {
    const { partition } = await openPartition();
    await appendTo(partition, from(0, ['a'], 3));
    expect((await appendTo(partition, from(1, ['b'], 4))).error).toBe(
      Errors.OUT_OF_ORDER_SEQUENCE_NUMBER,
    );
    expect((await appendTo(partition, from(0, ['b'], 4))).error).toBe(0);
    expect((await appendTo(partition, from(1, ['c'], 3))).error).toBe(
      Errors.INVALID_PRODUCER_EPOCH,
    );
  });

  test('that nothing is known of may go on anywhere, but not in a transaction of version 2', async () => {
    const { partition } = await openPartition();
    const records = batchOf(['a'], { producerId: 8, baseSequence: 5, transactional: true });
    const refused = await partition.append({
      records,
      acks: -1,
      transactionalId: 'x',
      supportsEpochBump: true,
    });
    expect(refused.error).toBe(Errors.OUT_OF_ORDER_SEQUENCE_NUMBER);
    expect((await appendTo(partition, from(5, ['a']))).error).toBe(0);
  });

  test('wraps its sequence from 2^31 - 1 to 0', async () => {
    const { partition } = await openPartition();
    const last = 2 ** 31 - 1;
    expect((await appendTo(partition, from(last - 1, ['a', 'b', 'c']))).error).toBe(0);
    expect((await appendTo(partition, from(1, ['d']))).error).toBe(0);
    expect((await appendTo(partition, from(last - 1, ['a', 'b', 'c']))).baseOffset).toBe(0);
  });

  test('is forgotten when it has been silent for producer.id.expiration.ms', async () => {
    const { partition, topics, clock } = await openPartition({}, undefined, {
      producerIdExpirationMs: 1000,
    });
    await appendTo(partition, from(0, ['a']));
    clock.advance(999);
    await topics.maintain();
    expect(partition.producers()).toHaveLength(1);
    clock.advance(1);
    await topics.maintain();
    expect(partition.producers()).toHaveLength(0);
  });

  test('is remembered over a restart, clean or not', async () => {
    for (const isClean of [true, false]) {
      const { partition, disk, topics } = await openPartition();
      await appendTo(partition, from(0, ['a', 'b'], 2));
      if (isClean) await topics.close();
      const reopened = await openPartition({}, disk.killProcess());
      expect(reopened.partition.producers()).toMatchObject([
        { producerId: PRODUCER, producerEpoch: 2, lastSequence: 1, lastTimestampMs: START_MS },
      ]);
      expect(await appendTo(reopened.partition, from(0, ['a', 'b'], 2))).toMatchObject({
        baseOffset: 0,
      });
      expect((await appendTo(reopened.partition, from(2, ['c'], 2))).baseOffset).toBe(2);
    }
  });
});

describe('a transaction', () => {
  const inTransaction = (
    producerId: number,
    baseSequence: number,
    records: string[],
    producerEpoch = 0,
  ) => batchOf(records, { producerId, producerEpoch, baseSequence, transactional: true });
  const marker = (
    producerId: number,
    committed: boolean,
    producerEpoch = 0,
    coordinatorEpoch = 0,
  ) => ({
    producerId,
    producerEpoch,
    coordinatorEpoch,
    committed,
  });
  const committed = (partition: Parameters<typeof readAt>[0], offset = 0) =>
    readAt(partition, offset, 'read_committed');

  test('holds the last stable offset at its first record until its marker is durable', async () => {
    const { partition } = await openPartition();
    await appendTo(partition, batchOf(['before']));
    await appendTo(partition, inTransaction(1, 0, ['a', 'b']));
    await appendTo(partition, batchOf(['after']));
    expect(partition.lastStableOffset).toBe(1);
    expect(values(recordsIn(committed(partition).records))).toEqual(['before']);
    const ended = await partition.appendMarker(marker(1, true));
    expect(ended).toMatchObject({ error: 0, baseOffset: 4 });
    expect(partition.lastStableOffset).toBe(5);
    expect(values(recordsIn(committed(partition).records))).toEqual(['before', 'a', 'b', 'after']);
    expect(committed(partition).abortedTransactions).toEqual([]);
  });

  test('whose marker is not durable yet is still undecided', async () => {
    const syncs: (() => void)[] = [];
    const { MemoryDisk } = await import('../../../embedded-kafka/disk/memory-disk.ts');
    const disk = new MemoryDisk({ syncDelay: () => new Promise((resolve) => syncs.push(resolve)) });
    const { partition } = await openPartition({}, disk);
    const appended = appendTo(partition, inTransaction(1, 0, ['a']));
    await expect.poll(() => syncs.length).toBe(1);
    const ended = partition.appendMarker(marker(1, true));
    syncs[0]!();
    await appended;
    expect(partition.highWatermark).toBe(1);
    expect(partition.lastStableOffset).toBe(0);
    await expect.poll(() => syncs.length).toBe(2);
    syncs[1]!();
    await ended;
    expect(partition.lastStableOffset).toBe(2);
  });

  test('that was aborted is listed for readers of its range, in the order of the markers', async () => {
    const { partition } = await openPartition();
    await appendTo(partition, inTransaction(1, 0, ['a']));
    await appendTo(partition, inTransaction(2, 0, ['b']));
    await partition.appendMarker(marker(2, false));
    await partition.appendMarker(marker(1, false));
    await appendTo(partition, batchOf(['c']));
    expect(committed(partition).abortedTransactions).toMatchObject([
      { producerId: 2, firstOffset: 1 },
      { producerId: 1, firstOffset: 0 },
    ]);
    expect(committed(partition, 3).abortedTransactions).toMatchObject([{ producerId: 1 }]);
    expect(committed(partition, 4).abortedTransactions).toEqual([]);
  });

  test('fences: epoch and coordinator epoch never go back', async () => {
    const { partition } = await openPartition();
    await appendTo(partition, inTransaction(1, 0, ['a'], 5));
    expect((await partition.appendMarker(marker(1, true, 4))).error).toBe(
      Errors.INVALID_PRODUCER_EPOCH,
    );
    expect((await partition.appendMarker(marker(1, true, 6, 3))).error).toBe(0);
    expect((await partition.appendMarker(marker(1, true, 6, 2))).error).toBe(
      Errors.TRANSACTION_COORDINATOR_FENCED,
    );
    const late = await appendTo(partition, inTransaction(1, 1, ['late'], 5));
    expect(late.error).toBe(Errors.INVALID_PRODUCER_EPOCH);
  });

  test('of version 2 begins with sequence 0 of the epoch that the marker brought', async () => {
    const { partition } = await openPartition();
    await appendTo(partition, inTransaction(1, 0, ['a', 'b'], 5));
    await partition.appendMarker(marker(1, true, 6));
    const wrong = await appendTo(partition, inTransaction(1, 2, ['c'], 6));
    expect(wrong.error).toBe(Errors.OUT_OF_ORDER_SEQUENCE_NUMBER);
    expect((await appendTo(partition, inTransaction(1, 0, ['c'], 6))).error).toBe(0);
  });

  test('refuses a write of its producer outside of it', async () => {
    const { partition } = await openPartition();
    await appendTo(partition, inTransaction(1, 0, ['a']));
    const outside = await appendTo(partition, batchOf(['b'], { producerId: 1, baseSequence: 1 }));
    expect(outside.error).toBe(Errors.INVALID_TXN_STATE);
  });

  test('marker without a transaction is harmless', async () => {
    const { partition } = await openPartition();
    expect((await partition.appendMarker(marker(1, false))).error).toBe(0);
    expect((await partition.appendMarker(marker(1, false))).error).toBe(0);
    expect(partition.lastStableOffset).toBe(2);
    expect(committed(partition).abortedTransactions).toEqual([]);
  });

  test('open at a restart is still open, and can be ended then', async () => {
    for (const isClean of [true, false]) {
      const { partition, disk, topics } = await openPartition();
      await appendTo(partition, inTransaction(2, 0, ['x']));
      await partition.appendMarker(marker(2, false));
      await appendTo(partition, inTransaction(1, 0, ['a']));
      if (isClean) await topics.close();
      const { partition: again } = await openPartition({}, disk.killProcess());
      expect(again.lastStableOffset).toBe(2);
      expect(again.producers()).toContainEqual(
        expect.objectContaining({ producerId: 1, currentTransactionStartOffset: 2 }),
      );
      await again.appendMarker(marker(1, true));
      expect(again.lastStableOffset).toBe(4);
      expect(committed(again).abortedTransactions).toMatchObject([
        { producerId: 2, firstOffset: 0 },
      ]);
    }
  });

  test('of a coordinator needs no sequences but its epochs are checked', async () => {
    const { partition } = await openPartition();
    const internal = (producerEpoch: number) => {
      const records = batchOf(['o'], {
        producerId: 1,
        producerEpoch,
        baseSequence: -1,
        transactional: true,
      });
      return partition.append({ records, acks: -1, transactionalId: 'x', internal: true });
    };
    expect((await internal(2)).error).toBe(0);
    expect((await internal(2)).error).toBe(0);
    expect(partition.lastStableOffset).toBe(0);
    expect((await internal(1)).error).toBe(Errors.INVALID_PRODUCER_EPOCH);
  });
});
