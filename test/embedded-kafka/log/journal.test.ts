/** Groups of appends to many partitions, made durable through the journal, and what is left after a crash. */
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../base/random.ts';
import {
  type DiskOperation,
  MemoryDisk,
  osError,
} from '../../../embedded-kafka/disk/memory-disk.ts';
import type { TopicManager } from '../../../embedded-kafka/ports.ts';
import { appendTo, batchOf, openStorage, readAll, values } from '../storage-fixture.ts';

const PARTITIONS = 5;
const MB = 1024 * 1024;

async function openTopic(disk: MemoryDisk, segmentBytes = 1_024): Promise<TopicManager> {
  const { topics } = await openStorage(disk);
  if (topics.topic('t') === undefined) {
    const configs = new Map([['segment.bytes', String(segmentBytes)]]);
    expect(topics.createTopic({ name: 't', partitions: PARTITIONS, configs }).error).toBe(0);
  }
  return topics;
}

/** One group: a record for each partition, acknowledged all or none. */
async function appendGroup(topics: TopicManager, text: string): Promise<void> {
  const answers = await Promise.all(
    topics.topic('t')!.partitions.map((partition) => appendTo(partition, batchOf([text]))),
  );
  if (answers.some(({ error }) => error !== 0)) throw new Error('refused');
}

function everything(topics: TopicManager): (string | null)[][] {
  return topics.topic('t')!.partitions.map((partition) => values(readAll(partition)));
}

function counting(): { readonly disk: MemoryDisk; readonly operations: DiskOperation[] } {
  const operations: DiskOperation[] = [];
  const disk = new MemoryDisk({ beforeOperation: (operation) => operations.push(operation) });
  return { disk, operations };
}

const syncsIn = (operations: readonly DiskOperation[]) =>
  operations.filter(({ kind }) => kind === 'sync').map(({ path }) => path.split('/')[0]);

describe('a group of appends', () => {
  test('to several partitions is made durable by one sync', async () => {
    const { disk, operations } = counting();
    const topics = await openTopic(disk);
    operations.length = 0;
    await appendGroup(topics, 'a');
    expect(syncsIn(operations)).toEqual(['journal']);
  });

  test('to one partition, or a large one, is written once: each log syncs its own files', async () => {
    const { disk, operations } = counting();
    const topics = await openTopic(disk, MB);
    operations.length = 0;
    await appendTo(topics.partition('t', 0)!, batchOf(['alone']));
    expect(syncsIn(operations)).toEqual(['topics']);
    operations.length = 0;
    await appendGroup(topics, 'x'.repeat(200_000));
    expect(syncsIn(operations)).toEqual(Array(PARTITIONS).fill('topics'));
  });

  test('survives a power loss that takes the files of its partitions', async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const disk = new MemoryDisk();
      const topics = await openTopic(disk);
      const texts: string[] = [];
      for (let group = 0; group < 12; group++) {
        texts.push(`group ${group} ${'.'.repeat(100)}`);
        await appendGroup(topics, texts[group]!);
      }
      const survivors = disk.powerLoss(seededRandom(seed));
      const after = await openTopic(survivors);
      expect(everything(after)).toEqual(Array(PARTITIONS).fill(texts));
      await appendGroup(after, 'next');
      // What came from the journal is in the logs' own files now.
      const again = await openTopic(survivors.powerLoss(seededRandom(seed)));
      expect(everything(again)).toEqual(Array(PARTITIONS).fill([...texts, 'next']));
    }
  });

  test('survives a power loss that takes its segment and leaves the one behind it', async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const disk = new MemoryDisk();
      const topics = await openTopic(disk);
      const text = `acknowledged ${'.'.repeat(400)}`;
      await appendGroup(topics, text);
      // Fills its segment up: this one goes into the next, and the power fails before any sync.
      void appendGroup(topics, `under way ${'.'.repeat(400)}`).catch(() => {});
      const after = await openTopic(disk.powerLoss(seededRandom(seed)));
      for (const partition of after.topic('t')!.partitions) {
        expect(partition.logStartOffset).toBe(0);
        expect(readAll(partition)[0]).toMatchObject({ offset: 0, value: text });
      }
      await appendGroup(after, 'next');
      expect(everything(after).map((each) => each.at(-1))).toEqual(Array(PARTITIONS).fill('next'));
    }
  });

  test('finds another way when there is no room for the journal', async () => {
    const disk = new MemoryDisk({
      beforeOperation: ({ kind, path }) => {
        if (kind === 'append' && path.startsWith('journal/')) throw osError('ENOSPC');
      },
    });
    const topics = await openTopic(disk);
    await appendGroup(topics, 'a');
    const after = await openTopic(disk.powerLoss(seededRandom(1)));
    expect(everything(after)).toEqual(Array(PARTITIONS).fill(['a']));
  });
});

describe('the journal', () => {
  test('is empty after an orderly stop, and after a start that has used it', async () => {
    const disk = new MemoryDisk();
    const topics = await openTopic(disk);
    await appendGroup(topics, 'a');
    expect(disk.list('journal')).toHaveLength(1);
    const killed = disk.killProcess();
    const after = await openTopic(killed);
    expect(killed.list('journal')).toEqual([]);
    await appendGroup(after, 'b');
    await after.close();
    expect(killed.list('journal')).toEqual([]);
    expect(everything(await openTopic(killed))).toEqual(Array(PARTITIONS).fill(['a', 'b']));
  });

  test('begins anew when it has grown large, once its logs have synced their own files', async () => {
    const { disk, operations } = counting();
    const topics = await openTopic(disk, MB);
    // As key and as value: 400 kB in a group.
    const text = 'x'.repeat(40_000);
    const groups = 100;
    for (let group = 0; group < groups; group++) await appendGroup(topics, text);
    expect(
      operations.some(({ kind, path }) => kind === 'remove' && path.startsWith('journal/')),
    ).toBe(true);
    const after = await openTopic(disk.powerLoss(seededRandom(3)));
    expect(everything(after)).toEqual(Array(PARTITIONS).fill(Array(groups).fill(text)));
  });

  test('does not bring back a topic that was deleted and made again', async () => {
    const disk = new MemoryDisk();
    const topics = await openTopic(disk);
    await appendGroup(topics, 'old');
    expect(topics.deleteTopic('t')).toBe(0);
    const spec = { name: 't', partitions: PARTITIONS, configs: new Map() };
    expect(topics.createTopic(spec).error).toBe(0);
    await appendGroup(topics, 'new');
    const after = await openTopic(disk.powerLoss(seededRandom(2)));
    expect(everything(after)).toEqual(Array(PARTITIONS).fill(['new']));
  });
});
