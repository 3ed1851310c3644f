import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { BytesEntry, BytesScan } from '../../stores/bytes-store.ts';
import { KnownKeys } from '../../stores/entries/known-keys.ts';
import { SimulatedDisk } from '../../stores/simulated-disk.ts';
import type { StoreSpec, TaskState } from '../../stores/state-store.ts';
import { openTaskState } from '../../stores/task-state.ts';
import { positionsAt, recordOf, specOf, text } from './serdes.ts';
import { optionsOf } from './task-options.ts';

function isAbsent(known: KnownKeys, key: string): boolean {
  const bytes = Buffer.from(`##${key}##`);
  return known.isAbsent(bytes, 2, bytes.length - 2);
}

function add(known: KnownKeys, key: string): void {
  const bytes = Buffer.from(key);
  known.add(bytes, 0, bytes.length);
}

/** Hands out pages of keys, one when asked. */
class ScriptedScan implements BytesScan {
  readonly #pages: (() => readonly BytesEntry[])[];
  isClosed = false;

  constructor(...pages: (() => readonly BytesEntry[])[]) {
    this.#pages = pages;
  }

  async next(): Promise<readonly BytesEntry[]> {
    return this.#pages.shift()?.() ?? [];
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }
}

const page = (...keys: string[]) =>
  keys.map((key): BytesEntry => [Buffer.from(key), Buffer.alloc(0)]);

describe('known keys', () => {
  test('never call a key absent that was added, for any keys, in any number', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { maxLength: 3_000, size: 'max' }), (keys) => {
        const known = new KnownKeys(1_000_000);
        known.assumeEmpty();
        for (const key of keys) add(known, key);
        expect(keys.filter((key) => isAbsent(known, key))).toEqual([]);
      }),
      { numRuns: 20 },
    );
  });

  test('call nearly all others absent', () => {
    const known = new KnownKeys(1_000_000);
    known.assumeEmpty();
    for (let index = 0; index < 100_000; index++) add(known, `purchase-${index}`);
    let mistaken = 0;
    for (let index = 0; index < 100_000; index++)
      if (!isAbsent(known, `other-${index}`)) mistaken++;
    expect(mistaken).toBeLessThan(50);
  });

  test('call nothing absent before what was there has been gone through', async () => {
    const known = new KnownKeys(100);
    expect(isAbsent(known, 'a')).toBe(false);
    const scan = new ScriptedScan(
      () => page('a'),
      () => {
        add(known, 'written meanwhile');
        return page('b');
      },
    );
    known.learn(() => scan);
    expect(isAbsent(known, 'c')).toBe(false);
    await known.learned();
    const keys = ['a', 'b', 'written meanwhile', 'c'];
    expect(keys.map((key) => isAbsent(known, key))).toEqual([false, false, false, true]);
    expect(scan.isClosed).toBe(true);
  });

  test('forget everything when there are too many, and ask no more', async () => {
    const known = new KnownKeys(2);
    known.assumeEmpty();
    for (const key of ['a', 'b', 'b']) add(known, key);
    expect(isAbsent(known, 'c')).toBe(true);
    add(known, 'c');
    expect(['a', 'c', 'd'].map((key) => isAbsent(known, key))).toEqual([false, false, false]);
    add(known, 'd');
    expect(known.isComplete).toBe(false);
  });

  test('call nothing absent when the disk cannot be gone through', async () => {
    const known = new KnownKeys(100);
    const scan = new ScriptedScan(() => {
      throw new Error('the disk is gone');
    });
    known.learn(() => scan);
    await known.learned();
    expect(isAbsent(known, 'a')).toBe(false);
    expect(scan.isClosed).toBe(true);
  });

  test('stop going through the disk when they are closed', async () => {
    const known = new KnownKeys(100);
    let pages = 0;
    const scan = new ScriptedScan(
      ...Array.from({ length: 10 }, () => () => {
        pages++;
        return page('a');
      }),
    );
    known.learn(() => scan);
    await known.close();
    expect({ pages, isClosed: scan.isClosed }).toEqual({ pages: 1, isClosed: true });
  });
});

/** Counts what is asked of the disk. */
class CountingDisk extends SimulatedDisk {
  reads = 0;

  override async open(directory: string, role: 'owner' | 'reader') {
    const bytes = await super.open(directory, role);
    const get = bytes.get.bind(bytes);
    bytes.get = (key) => {
      this.reads++;
      return get(key);
    };
    return bytes;
  }
}

describe('a store that remembers its keys', () => {
  const words = specOf('words', text, text, { knownKeysMax: 100, cacheEntriesMax: 0 });

  async function opened(engine: SimulatedDisk, specs: readonly StoreSpec[] = [words]) {
    const state = await openTaskState(optionsOf({ directory: '/sim/0_0', specs, engine }));
    onTestFinished(() => state.close({ clean: false }));
    return state;
  }

  async function commit(state: TaskState, offset: number): Promise<void> {
    state.freeze();
    await state.apply(positionsAt(offset));
  }

  test('does not ask the disk for a key that was never written', async () => {
    const disk = new CountingDisk();
    const state = await opened(disk);
    const store = state.store<string, string>('words');
    disk.reads = 0;
    expect(store.get('a')).toBeUndefined();
    store.put('a', '1');
    await commit(state, 1);
    expect([store.get('a'), store.get('b')]).toEqual(['1', undefined]);
    expect(disk.reads).toBe(1);
  });

  test('finds what was restored, and what an earlier run has left', async () => {
    const disk = new CountingDisk();
    const state = await opened(disk);
    state.restore('words', recordOf('restored', 'v'));
    await state.flushRestored('words', positionsAt(1).changelogs.get('words')!);
    expect(state.store('words').get('restored')).toBe('v');
    await state.close({ clean: true });

    const again = await opened(disk);
    again.restore('words', recordOf('later', 'w'));
    await again.flushRestored('words', positionsAt(2).changelogs.get('words')!);
    const keys = ['restored', 'later', 'new'];
    const store = again.store('words');
    expect(store.getMany(keys)).toEqual(['v', 'w', undefined]);
    // Once the disk has been gone through only what is there is read.
    for (let reads = -1; reads !== 2; ) {
      disk.reads = 0;
      expect(store.getMany(keys)).toEqual(['v', 'w', undefined]);
      reads = disk.reads;
      await new Promise((resolve) => setImmediate(resolve));
    }
  });

  test('finds a key that a dropped transaction had deleted', async () => {
    const state = await opened(new SimulatedDisk());
    const store = state.store<string, string>('words');
    store.put('a', '1');
    await commit(state, 1);
    store.delete('a');
    state.dropUncommitted();
    expect(store.get('a')).toBe('1');
  });
});
