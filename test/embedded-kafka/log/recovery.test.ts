import { describe, expect, test } from 'vitest';
import { MemoryDisk } from '../../../embedded-kafka/disk/memory-disk.ts';
import { appendTo, batchOf, openPartition, readAll, values } from '../storage-fixture.ts';

const SMALL = { 'segment.bytes': '1024' };
const records = Array.from({ length: 40 }, (_, index) => `record ${index} ${'.'.repeat(60)}`);

async function filled(configs: Readonly<Record<string, string>> = SMALL) {
  const storage = await openPartition(configs);
  for (const [index, value] of records.entries()) {
    await appendTo(storage.partition, batchOf([value], { producerId: 1, baseSequence: index }));
  }
  const directory = `topics/${storage.topics.topic('t')!.topicId}/0`;
  return { ...storage, directory };
}

function segmentsOf(disk: MemoryDisk, directory: string): string[] {
  return disk.list(directory).filter((name) => name.endsWith('.log'));
}

describe('opening a log', () => {
  test('after a clean close reads no batches at all', async () => {
    const { disk, directory, topics } = await filled();
    await topics.close();
    const segmentReads: string[] = [];
    const reopened = disk.killProcess({
      beforeOperation: ({ kind, path }) => {
        if (kind === 'read' && path.endsWith('.log')) segmentReads.push(path);
      },
    });
    const { partition } = await openPartition({}, reopened);
    expect(partition.highWatermark).toBe(records.length);
    expect(partition.producers()).toMatchObject([{ lastSequence: records.length - 1 }]);
    expect(segmentReads).toEqual([]);
    expect(segmentsOf(reopened, directory).length).toBeGreaterThan(3);
    expect(values(readAll(partition))).toEqual(records);
  });

  test('and closing it untouched writes nothing for it, and it opens as before', async () => {
    const { disk, directory, topics } = await filled();
    await topics.close();
    const written: string[] = [];
    const untouched = disk.killProcess({
      beforeOperation: ({ kind, path }) => {
        if (['append', 'sync', 'writeAtomically'].includes(kind)) written.push(path);
      },
    });
    const second = await openPartition({}, untouched);
    written.length = 0;
    await second.topics.close();
    expect(written.filter((path) => path.startsWith(directory))).toEqual([]);
    const third = await openPartition({}, untouched.killProcess());
    expect(values(readAll(third.partition))).toEqual(records);
    await appendTo(third.partition, batchOf(['one more']));
    await third.topics.close();
    const { partition } = await openPartition({}, untouched.killProcess());
    expect(partition.highWatermark).toBe(records.length + 1);
  });

  test('after a crash reads only what is behind the last checkpoint', async () => {
    const { disk, directory } = await filled();
    const read = new Set<string>();
    const reopened = disk.killProcess({
      beforeOperation: ({ kind, path }) => {
        if (kind === 'read' && path.endsWith('.log')) read.add(path);
      },
    });
    await openPartition({}, reopened);
    expect([...read]).toEqual([`${directory}/${segmentsOf(reopened, directory).at(-1)}`]);
  });

  test('does so even when segments filled up while their syncs were out', async () => {
    const slow = new MemoryDisk({
      syncDelay: () => new Promise((resolve) => setImmediate(() => setImmediate(resolve))),
    });
    const { partition, topics } = await openPartition(SMALL, slow);
    const waiting: Promise<unknown>[] = [];
    for (let round = 0; round < 4; round++) {
      for (const [index, value] of records.entries()) {
        waiting.push(appendTo(partition, batchOf([value])));
        if (index % 4 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
    }
    await Promise.all(waiting);
    const read = new Set<string>();
    const reopened = slow.killProcess({
      beforeOperation: ({ kind, path }) => {
        if (kind === 'read' && path.endsWith('.log')) read.add(path);
      },
    });
    await openPartition({}, reopened);
    const directory = `topics/${topics.topic('t')!.topicId}/0`;
    expect(segmentsOf(reopened, directory).length).toBeGreaterThan(15);
    expect(read.size).toBeLessThan(6);
  });

  test('without index files and checkpoint finds everything again', async () => {
    const { disk, directory, topics } = await filled();
    await topics.close();
    const reopened = disk.killProcess();
    for (const name of reopened.list(directory)) {
      if (!name.endsWith('.log')) reopened.remove(`${directory}/${name}`);
    }
    const { partition } = await openPartition({}, reopened);
    expect(values(readAll(partition))).toEqual(records);
    expect(partition.producers()).toMatchObject([{ lastSequence: records.length - 1 }]);
  });

  test('with a damaged checkpoint or index reads the batches instead', async () => {
    for (const suffix of ['checkpoint', '.index']) {
      const { disk, directory, topics } = await filled();
      await topics.close();
      const reopened = disk.killProcess();
      for (const name of reopened.list(directory).filter((file) => file.endsWith(suffix))) {
        reopened.flipBit(`${directory}/${name}`, 9);
      }
      const { partition } = await openPartition({}, reopened);
      expect(values(readAll(partition))).toEqual(records);
      expect(partition.producers()).toMatchObject([{ lastSequence: records.length - 1 }]);
    }
  });

  test('cuts at the first bad batch and drops the segments behind it', async () => {
    const { disk, directory } = await filled();
    const reopened = disk.killProcess();
    for (const name of reopened.list(directory)) {
      if (!name.endsWith('.log')) reopened.remove(`${directory}/${name}`);
    }
    const second = segmentsOf(reopened, directory)[1]!;
    reopened.flipBit(`${directory}/${second}`, 100);
    const { partition, disk: after } = await openPartition({}, reopened);
    const kept = values(readAll(partition));
    expect(kept).toEqual(records.slice(0, Number(second.slice(0, 20))));
    expect(segmentsOf(after, directory)).toEqual(segmentsOf(after, directory).slice(0, 2));
    expect((await appendTo(partition, batchOf(['next']))).baseOffset).toBe(kept.length);
  });

  test('raises the leader epoch after a crash and not after a clean close', async () => {
    const { disk, topics, partition } = await filled({});
    expect(partition.leaderEpoch).toBe(0);
    await topics.close();
    const clean = await openPartition({}, disk.killProcess());
    expect(clean.partition.leaderEpoch).toBe(0);
    const crashed = await openPartition({}, clean.disk.killProcess());
    expect(crashed.partition.leaderEpoch).toBe(1);
    await appendTo(crashed.partition, batchOf(['x']));
    const { partition: third } = await openPartition({}, crashed.disk.killProcess());
    expect(third.leaderEpoch).toBe(2);
    expect(third.endOffsetForEpoch(0)).toEqual({ leaderEpoch: 0, endOffset: 40 });
    expect(third.endOffsetForEpoch(1)).toEqual({ leaderEpoch: 1, endOffset: 41 });
    expect(third.endOffsetForEpoch(2)).toEqual({ leaderEpoch: 2, endOffset: 41 });
    expect(third.endOffsetForEpoch(9)).toEqual({ leaderEpoch: -1, endOffset: -1 });
  });
});
