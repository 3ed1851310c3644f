import { describe, expect, test } from 'vitest';
import {
  type DiskOperation,
  MemoryDisk,
  osError,
} from '../../../embedded-kafka/disk/memory-disk.ts';
import { Errors } from '../../../kafka/protocol/error-codes.ts';
import { appendTo, batchOf, openPartition, readAll, values } from '../storage-fixture.ts';

/** A disk whose n-th operation of this kind, counted from when it is armed, fails once. */
function faultyDisk(kind: DiskOperation['kind'], code: 'ENOSPC' | 'EIO') {
  let failAt = Number.POSITIVE_INFINITY;
  let count = 0;
  const disk = new MemoryDisk({
    beforeOperation: (operation) => {
      if (operation.kind === kind && ++count === failAt) throw osError(code);
    },
  });
  const arm = (nth: number) => {
    count = 0;
    failAt = nth;
  };
  return { disk, arm };
}

describe('a disk that fails', () => {
  test('on a write, for lack of room, refuses that append and takes the next one', async () => {
    const { disk, arm } = faultyDisk('append', 'ENOSPC');
    const { partition, failures } = await openPartition({}, disk);
    await appendTo(partition, batchOf(['a']));
    arm(1);
    const refused = await appendTo(
      partition,
      batchOf(['lost'], { producerId: 1, baseSequence: 0 }),
    );
    expect(refused).toMatchObject({ error: Errors.KAFKA_STORAGE_ERROR, baseOffset: -1 });
    const again = await appendTo(partition, batchOf(['b'], { producerId: 1, baseSequence: 0 }));
    expect(again).toMatchObject({ error: 0, baseOffset: 1 });
    expect(failures).toEqual([]);
    expect(values(readAll(partition))).toEqual(['a', 'b']);
    const reopened = await openPartition({}, disk.killProcess());
    expect(values(readAll(reopened.partition))).toEqual(['a', 'b']);
  });

  test('on a sync stops the broker: nothing is acknowledged any more', async () => {
    const { disk, arm } = faultyDisk('sync', 'EIO');
    const { partition, failures } = await openPartition({}, disk);
    await appendTo(partition, batchOf(['a']));
    arm(1);
    await expect(appendTo(partition, batchOf(['b']))).rejects.toMatchObject({ code: 'STORE_IO' });
    expect(failures).toHaveLength(1);
    await expect(appendTo(partition, batchOf(['c']), 0)).rejects.toMatchObject({
      code: 'STORE_IO',
    });
    expect(failures).toHaveLength(1);
  });

  test('on a read tells that reader and harms nobody else', async () => {
    const { disk, arm } = faultyDisk('read', 'EIO');
    const { partition } = await openPartition({}, disk, { recentBytesMax: 0 });
    await appendTo(partition, batchOf(['a']));
    arm(1);
    const read = () =>
      partition.read({
        fetchOffset: 0,
        maxBytes: 1000,
        isolation: 'read_uncommitted',
        currentLeaderEpoch: -1,
        lastFetchedEpoch: -1,
        atLeastOneBatch: true,
      });
    expect(read().error).toBe(Errors.KAFKA_STORAGE_ERROR);
    expect(read().error).toBe(0);
  });

  test('while a topic is made or changed leaves things as they were', async () => {
    const { disk, arm } = faultyDisk('writeAtomically', 'ENOSPC');
    const { topics } = await openPartition({}, disk);
    arm(1);
    const refused = topics.createTopic({ name: 'n', partitions: 2, configs: new Map() });
    expect(refused.error).toBe(Errors.KAFKA_STORAGE_ERROR);
    expect(topics.topic('n')).toBeUndefined();
    arm(1);
    expect(topics.addPartitions('t', 3).error).toBe(Errors.KAFKA_STORAGE_ERROR);
    expect(topics.topic('t')!.partitions).toHaveLength(1);
    arm(1);
    expect(topics.deleteTopic('t')).toBe(Errors.KAFKA_STORAGE_ERROR);
    expect(topics.topic('t')).toBeDefined();
    arm(1);
    const change = [{ name: 'retention.ms', operation: 'set' as const, value: '1' }];
    expect(topics.alterConfigs('t', change, false).error).toBe(Errors.KAFKA_STORAGE_ERROR);
    expect(topics.topic('t')!.configs.size).toBe(0);
    expect(topics.createTopic({ name: 'n', partitions: 2, configs: new Map() }).error).toBe(0);
  });

  test('for lack of room for a checkpoint goes on without it', async () => {
    const { disk, arm } = faultyDisk('writeAtomically', 'ENOSPC');
    const { partition, failures } = await openPartition({ 'segment.bytes': '1024' }, disk);
    arm(1);
    for (let index = 0; index < 10; index++)
      await appendTo(partition, batchOf([`${index}${'.'.repeat(300)}`]));
    expect(failures).toEqual([]);
    const reopened = await openPartition({}, disk.killProcess());
    expect(readAll(reopened.partition)).toHaveLength(10);
  });
});
