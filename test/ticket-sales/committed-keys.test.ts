import { beforeEach, describe, expect, test } from 'vitest';
import { ManualClock } from '../../base/manual-clock.ts';
import type { CommitNotice } from '../../interactive-queries/queryable-streams.ts';
import { BatchBuilder } from '../../kafka/records/batch-builder.ts';
import { CommittedKeys } from '../../ticket-sales/committed-keys.ts';

const never = new AbortController().signal;
let clock: ManualClock;
let stale: string[];
let keys: CommittedKeys;

beforeEach(() => {
  clock = new ManualClock();
  stale = [];
  keys = new CommittedKeys({ clock, onStale: (key) => stale.push(key) });
});

function commit(...committed: readonly (string | null)[]): void {
  const builder = new BatchBuilder({ sizeBytesMax: 100_000 });
  for (const key of committed) {
    builder.append(0, key === null ? null : Buffer.from(key), Buffer.from('any'));
  }
  const { bytes } = builder.finish('topic', 3, 'none');
  const outputs = [{ topic: 'topic', partition: 3, batch: bytes }];
  keys.onCommitted({ taskPartitions: [3], outputs, committedAtMs: 0 } satisfies CommitNotice);
}

describe('a watch of a key', () => {
  test('is told of a commit of this key, and of no other', async () => {
    const watch = keys.watch('gala');
    const told = watch.changed(1_000, never);
    commit('gala/floor', 'ball', null);
    expect(stale).toEqual([]);
    commit('ball', 'gala');
    expect(await told).toBe(true);
    expect(stale).toEqual(['gala']);
  });

  test('is told at once of what was committed since it asked last, and once', async () => {
    const watch = keys.watch('gala');
    commit('gala');
    commit('gala');
    expect(await watch.changed(1_000, never)).toBe(true);
    const told = watch.changed(1_000, never);
    clock.advance(1_000);
    expect(await told).toBe(false);
  });

  test('ends with its signal, before and after', async () => {
    const leave = new AbortController();
    const watch = keys.watch('gala');
    const told = watch.changed(1_000, leave.signal);
    leave.abort();
    expect(await told).toBe(false);
    commit('gala');
    expect(await watch.changed(1_000, leave.signal)).toBe(false);
  });

  test('is one of many: all are told, and the key is let go with the last', async () => {
    const watches = [keys.watch('gala'), keys.watch('gala')];
    const told = watches.map((watch) => watch.changed(1_000, never));
    commit('gala');
    expect(await Promise.all(told)).toEqual([true, true]);
    stale.length = 0;
    watches[0]!.close();
    watches[0]!.close();
    expect([keys.isWatched, stale]).toEqual([true, []]);
    watches[1]!.close();
    expect([keys.isWatched, stale]).toEqual([false, ['gala']]);
  });
});
