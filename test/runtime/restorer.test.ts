import { expect, test } from 'vitest';
import { MillraceError } from '../../base/errors.ts';
import { ManualClock } from '../../base/manual-clock.ts';
import type { FetchedPartition, Fetcher } from '../../kafka/ports.ts';
import { createRecordCursor } from '../../kafka/records/record-cursor.ts';
import type { ChangelogPlan } from '../../runtime/assignment/topic-plan.ts';
import {
  type ChangelogBounds,
  planRestore,
  type RestoreDecision,
} from '../../runtime/restore/restore-plan.ts';
import {
  ChangelogDiverged,
  RestoreCancelled,
  type RestoreRange,
  Restorer,
} from '../../runtime/restore/restorer.ts';
import { TaskStoreFailed } from '../../runtime/tasks/task-failures.ts';
import type { ChangelogPosition, TaskState } from '../../stores/state-store.ts';
import { countsStore, fetchedBatch, NOW_MS } from './runtime-fixtures.ts';

/** Hands out what the test pushes; remembers seeks and removals. */
class FakeFetcher implements Fetcher {
  readonly calls: string[] = [];
  #queue: FetchedPartition[] = [];
  #wake: (() => void) | undefined;

  push(fetched: FetchedPartition): void {
    this.#queue.push(fetched);
    this.#wake?.();
  }

  seek(topic: string, partition: number, offset: number): void {
    this.calls.push(`seek ${topic}-${partition}@${offset}`);
  }

  remove(topic: string, partition: number): void {
    this.calls.push(`remove ${topic}-${partition}`);
  }

  pause(): void {}
  resume(): void {}

  async poll(): Promise<readonly FetchedPartition[]> {
    if (this.#queue.length === 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#queue.splice(0);
  }

  wakeup(): void {
    this.#wake?.();
  }

  async close(): Promise<void> {}
}

interface Restored {
  readonly state: TaskState;
  readonly keys: string[];
  readonly positions: ChangelogPosition[];
  flush: () => Promise<void>;
}

function fakeState(): Restored {
  const restored: Restored = {
    state: undefined as unknown as TaskState,
    keys: [],
    positions: [],
    flush: async () => {},
  };
  const state = {
    restore: (
      _: string,
      { buffer, keyStart, keyEnd }: { buffer: Buffer; keyStart: number; keyEnd: number },
    ) => {
      restored.keys.push(buffer.toString('utf8', keyStart, keyEnd));
    },
    flushRestored: async (_: string, position: ChangelogPosition) => {
      await restored.flush();
      restored.positions.push(position);
    },
  };
  return Object.assign(restored, { state: state as unknown as TaskState });
}

function rig() {
  const fetcher = new FakeFetcher();
  const restorer = new Restorer({
    fetcher,
    cursor: createRecordCursor(),
    clock: new ManualClock(NOW_MS),
  });
  const restored = fakeState();
  const progress: number[] = [];
  const restore = (range: Partial<RestoreRange> = {}, signal = new AbortController().signal) =>
    restorer.restore(
      {
        taskId: '0_0',
        state: restored.state,
        ranges: [
          {
            storeName: 'counts',
            topic: 'log',
            topicId: 'id',
            partition: 0,
            fromOffset: 0,
            leaderEpoch: -1,
            endOffset: 5,
            ...range,
          },
        ],
        onProgress: ({ remainingRecords }) => progress.push(remainingRecords),
      },
      signal,
    );
  return { fetcher, restorer, restored, progress, restore };
}

const part = (
  keys: readonly string[],
  baseOffset: number,
  nextOffset: number,
): FetchedPartition => ({
  topic: 'log',
  partition: 0,
  batches:
    keys.length === 0
      ? []
      : [
          fetchedBatch(
            baseOffset,
            keys.map((key) => ({ key })),
          ),
        ],
  nextOffset,
  lastLeaderEpoch: 3,
  highWatermark: 9,
  lastStableOffset: 9,
  logStartOffset: 0,
});

test('a restore is done when the position has passed the end, even if only markers lie before it', async () => {
  const { fetcher, restored, progress, restore } = rig();
  const done = restore();
  fetcher.push(part(['a', 'b'], 0, 2));
  fetcher.push(part([], 2, 5));
  await done;
  expect(restored.keys).toEqual(['a', 'b']);
  expect(restored.positions.map(({ offset }) => offset)).toEqual([2, 5]);
  expect(restored.positions[0]).toMatchObject({
    topicId: 'id',
    leaderEpoch: 3,
    positionAtMs: NOW_MS,
  });
  expect(progress).toEqual([5, 3, 0]);
  expect(fetcher.calls).toEqual(['seek log-0@0', 'remove log-0']);
});

test('records before the position and behind the end are left out', async () => {
  const { fetcher, restored, restore } = rig();
  const done = restore({ fromOffset: 1, endOffset: 3 });
  fetcher.push(part(['a', 'b', 'c', 'd'], 0, 4));
  await done;
  expect(restored.keys).toEqual(['b', 'c']);
  expect(restored.positions.at(-1)!.offset).toBe(3);
});

test('a store that has everything is not fetched for', async () => {
  const { fetcher, restore } = rig();
  await restore({ fromOffset: 5 });
  expect(fetcher.calls).toEqual([]);
});

test('a log that does not continue the position rejects as diverged', async () => {
  const { fetcher, restore } = rig();
  const done = restore();
  fetcher.push({
    ...part([], 0, 0),
    error: new MillraceError('KAFKA_OFFSET_OUT_OF_RANGE', 'gone'),
  });
  await expect(done).rejects.toThrow(ChangelogDiverged);
});

test('a disk that fails rejects with the task it belongs to', async () => {
  const { fetcher, restored, restore } = rig();
  restored.flush = async () => {
    throw new MillraceError('STORE_DISK_FULL', 'full');
  };
  const done = restore();
  fetcher.push(part(['a'], 0, 1));
  await expect(done).rejects.toMatchObject({ taskId: '0_0', isDiskFull: true });
  await expect(done).rejects.toThrow(TaskStoreFailed);
});

test('a cancelled restore settles only when its store is no longer touched', async () => {
  const { fetcher, restored, restore } = rig();
  const flushing = Promise.withResolvers<void>();
  const entered = Promise.withResolvers<void>();
  restored.flush = () => {
    entered.resolve();
    return flushing.promise;
  };
  const abort = new AbortController();
  let settled = false;
  const done = restore({}, abort.signal).finally(() => {
    settled = true;
  });
  done.catch(() => {});
  fetcher.push(part(['a'], 0, 1));
  await entered.promise;
  abort.abort();
  await new Promise((resolve) => setImmediate(resolve));
  expect(settled).toBe(false);
  flushing.resolve();
  await expect(done).rejects.toThrow(RestoreCancelled);
});

test('closing cancels what is under way', async () => {
  const { restorer, restore } = rig();
  const done = restore();
  done.catch(() => {});
  await restorer.close();
  await expect(done).rejects.toThrow(RestoreCancelled);
});

const DAY_MS = 24 * 60 * 60 * 1000;
const plan: ChangelogPlan = {
  spec: countsStore,
  topic: 'log',
  topicId: 'id',
  isSourceTopic: false,
};
const bounds: ChangelogBounds = { logStartOffset: 0, endOffset: 100 };
const at = (position: Partial<ChangelogPosition> = {}): ChangelogPosition => ({
  offset: 50,
  leaderEpoch: 2,
  topicId: 'id',
  positionAtMs: NOW_MS,
  ...position,
});
const decide = (
  position: ChangelogPosition | undefined,
  logStartOffset = 0,
  changelog = plan,
): RestoreDecision =>
  planRestore(
    changelog,
    0,
    position,
    { ...bounds, logStartOffset },
    { nowMs: NOW_MS, deleteRetentionMs: 2 * DAY_MS },
  );

test('a store without a position is restored from the start of the log', () => {
  expect(decide(undefined)).toMatchObject({
    kind: 'restore',
    range: { fromOffset: 0, endOffset: 100, leaderEpoch: -1 },
  });
});

test('a store goes on from its position', () => {
  expect(decide(at())).toMatchObject({
    kind: 'restore',
    range: { fromOffset: 50, leaderEpoch: 2 },
  });
});

test.each([
  ['another topic of the same name', at({ topicId: 'other' })],
  ['a position behind the end', at({ offset: 101 })],
  [
    'a position so old that tombstones may have been compacted away',
    at({ positionAtMs: NOW_MS - DAY_MS - 1 }),
  ],
])('%s means wipe', (_, position) => {
  expect(decide(position).kind).toBe('wipe');
});

test('a compacted changelog without its beginning is not restored from, and no store is wiped for it', () => {
  for (const position of [undefined, at({ offset: 9 })]) {
    expect(() => decide(position, 10)).toThrow(
      expect.objectContaining({ code: 'LOG_LOST', message: expect.stringContaining('log-0') }),
    );
  }
  expect(decide(at(), 10)).toMatchObject({ kind: 'restore', range: { fromOffset: 50 } });
});

test('a changelog whose old records expire may begin anywhere', () => {
  const configs = { 'cleanup.policy': 'compact,delete' };
  const expiring = { ...plan, spec: { ...countsStore, changelog: { configs } } };
  expect(decide(undefined, 10, expiring)).toMatchObject({ range: { fromOffset: 10 } });
  expect(decide(at({ offset: 9 }), 10, expiring).kind).toBe('wipe');
  expect(decide(undefined, 10, { ...plan, isSourceTopic: true })).toMatchObject({
    range: { fromOffset: 10 },
  });
});

test('an old position at the very end is good: there is nothing behind it to miss', () => {
  expect(decide(at({ offset: 100, positionAtMs: 0 })).kind).toBe('restore');
});
