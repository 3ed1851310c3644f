import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { silentLog } from '../../base/log.ts';
import { ManualClock } from '../../base/manual-clock.ts';
import { SimulatedDisk } from '../../stores/simulated-disk.ts';
import type { FrozenWrites, StoreSpec } from '../../stores/state-store.ts';
import { openTaskState, type TaskStateOptions } from '../../stores/task-state.ts';
import { temporaryDirectory, toArray } from './fixtures.ts';
import { positionsAt, recordOf, type Stock, specOf, stock, text } from './serdes.ts';
import { optionsOf } from './task-options.ts';

const words = specOf('words', text, text);
const stocks = specOf('stocks', text, stock);
const unlogged = specOf('unlogged', text, text, { changelog: false });
const uncached = specOf('words', text, text, { cacheEntriesMax: 0 });

function simulated(disk: SimulatedDisk, more: Partial<TaskStateOptions> = {}) {
  return openTaskState(
    optionsOf({ directory: '/sim/0_0', specs: [words, stocks, unlogged], engine: disk, ...more }),
  );
}

async function onDisk(specs: readonly StoreSpec[]) {
  const directory = await temporaryDirectory();
  const state = await openTaskState(optionsOf({ directory, specs }));
  onTestFinished(() => state.close({ clean: false }));
  return state;
}

function loggedWrites(frozen: FrozenWrites) {
  const writes: unknown[] = [];
  frozen.forEachLogged((write) => {
    const slice = (start: number, end: number) => write.buffer.toString('utf8', start, end);
    const value = write.valueStart < 0 ? undefined : slice(write.valueStart, write.valueEnd);
    writes.push([write.storeName, slice(write.keyStart, write.keyEnd), value, write.timestampMs]);
  });
  return writes;
}

/** Holds the disk's writes up, one by one. */
class Gate {
  #isClosed = false;
  readonly #held: (() => void)[] = [];

  readonly pass = (): Promise<void> =>
    this.#isClosed ? new Promise((resolve) => this.#held.push(resolve)) : Promise.resolve();

  get waiting(): number {
    return this.#held.length;
  }

  close(): void {
    this.#isClosed = true;
  }

  letOneThrough(): void {
    this.#held.shift()!();
  }
}

describe('freezing', () => {
  test('encodes each key once, in order of first put, without stores that are not logged', async () => {
    const state = await simulated(new SimulatedDisk());
    state.setTimestamp(70);
    state.store('words').put('b', '1');
    state.store('words').put('a', '2', 60);
    state.store('words').put('b', '3');
    state.store('words').delete('c');
    state.store('unlogged').put('x', 'y');
    state.store('stocks').put('s', { sold: 1 });
    const frozen = state.freeze();
    expect(frozen.entryCount).toBe(5);
    expect(loggedWrites(frozen)).toEqual([
      ['words', 'b', '3', 70],
      ['words', 'a', '2', 60],
      ['words', 'c', undefined, 70],
      ['stocks', 's', '{"sold":1}', 70],
    ]);
  });

  test('keeps the frozen bytes as they are while the next transaction writes above them', async () => {
    const state = await simulated(new SimulatedDisk());
    const store = state.store<string, string>('words');
    store.put('a', 'n');
    const frozen = state.freeze();
    store.put('a', 'n+1');
    expect(store.get('a')).toBe('n+1');
    expect(loggedWrites(frozen)).toEqual([['words', 'a', 'n', 0]]);
  });

  test('refuses a value that cannot be encoded and keeps the writes', async () => {
    const state = await simulated(new SimulatedDisk());
    state.store('words').put('a', '1');
    state.store('stocks').put('s', { sold: 0.5 });
    expect(() => state.freeze()).toThrow(expect.objectContaining({ code: 'SERIALIZATION' }));
    expect(state.store('words').get('a')).toBe('1');
    state.store('stocks').put('s', { sold: 1 });
    expect(loggedWrites(state.freeze())).toHaveLength(2);
  });

  test('refuses a second frozen set', async () => {
    const state = await simulated(new SimulatedDisk());
    state.freeze();
    expect(() => state.freeze()).toThrow('only one set of writes');
  });

  test('tells how much is uncommitted', async () => {
    const state = await simulated(new SimulatedDisk());
    expect([state.hasUncommitted(), state.uncommittedBytes()]).toEqual([false, 0]);
    state.store('words').put('a', 'x'.repeat(1000));
    expect(state.hasUncommitted()).toBe(true);
    expect(state.uncommittedBytes()).toBeGreaterThan(0);
    const { sizeBytes } = state.freeze();
    expect(sizeBytes).toBeGreaterThan(1000);
    expect(state.uncommittedBytes()).toBe(sizeBytes);
    await state.apply(positionsAt(1));
    expect([state.hasUncommitted(), state.uncommittedBytes()]).toEqual([false, 0]);
    state.store('words').put('b', 'x');
    expect(state.uncommittedBytes()).toBeGreaterThan(1000);
  });
});

describe('a failed transaction', () => {
  test('drops overlay n+1 and the frozen n below it', async () => {
    const state = await simulated(new SimulatedDisk());
    const store = state.store<string, string>('words');
    store.put('a', 'committed');
    state.freeze();
    await state.apply(positionsAt(1));
    store.put('a', 'n');
    store.put('b', 'n');
    state.freeze();
    store.put('a', 'n+1');
    store.delete('b');
    state.dropUncommitted();
    expect(store.getMany(['a', 'b'])).toEqual(['committed', undefined]);
    expect(state.hasUncommitted()).toBe(false);
    expect(state.freeze().entryCount).toBe(0);
  });

  test('does not let a cached object survive that a processor has changed', async () => {
    const state = await simulated(new SimulatedDisk());
    const store = state.store<string, Stock>('stocks');
    store.put('zone', { sold: 1 });
    state.freeze();
    await state.apply(positionsAt(1, 'stocks'));
    store.get('zone')!.sold = 99;
    state.dropUncommitted();
    expect(store.get('zone')).toEqual({ sold: 1 });
  });

  test('does not let a changed object survive whose batch is still on its way to the disk', async () => {
    const gate = new Gate();
    const state = await simulated(new SimulatedDisk(gate.pass));
    gate.close();
    const store = state.store<string, Stock>('stocks');
    store.put('zone', { sold: 1 });
    store.delete('gone');
    state.freeze();
    const applied = state.apply(positionsAt(1, 'stocks'));
    store.get('zone')!.sold = 99;
    state.dropUncommitted();
    expect(store.getMany(['zone', 'gone'])).toEqual([{ sold: 1 }, undefined]);
    gate.letOneThrough();
    await applied;
    expect(store.getMany(['zone', 'gone'])).toEqual([{ sold: 1 }, undefined]);
  });
});

describe('applying', () => {
  test('is visible at once, and reaches the disk together with the positions', async () => {
    const disk = new SimulatedDisk();
    const state = await simulated(disk);
    state.store('words').put('a', '1');
    state.store('unlogged').put('b', '2');
    state.freeze();
    const writesBefore = disk.writeCount;
    const applied = state.apply(positionsAt(7));
    expect(state.store('words').get('a')).toBe('1');
    await applied;
    expect(disk.writeCount - writesBefore).toBe(1);
    expect(state.positions()).toMatchObject(positionsAt(7));
    await state.close({ clean: true });
    const again = await simulated(disk);
    expect(again.positions()).toMatchObject(positionsAt(7));
    expect(again.store('words').get('a')).toBe('1');
    expect(again.store('unlogged').get('b')).toBe('2');
  });

  test('queues behind a batch that is still being written', async () => {
    const gate = new Gate();
    const state = await simulated(new SimulatedDisk(gate.pass));
    gate.close();
    const store = state.store<string, string>('words');
    store.put('a', '1');
    state.freeze();
    const first = state.apply(positionsAt(1));
    store.put('a', '2');
    state.freeze();
    const second = state.apply(positionsAt(2));
    expect(store.get('a')).toBe('2');
    expect(gate.waiting).toBe(1);
    gate.letOneThrough();
    await first;
    expect(state.positions()).toMatchObject(positionsAt(1));
    expect(store.get('a')).toBe('2');
    expect(gate.waiting).toBe(1);
    gate.letOneThrough();
    await second;
    expect(state.positions()).toMatchObject(positionsAt(2));
  });

  test('adds new positions to those it knows', async () => {
    const state = await simulated(new SimulatedDisk());
    state.freeze();
    await state.apply(positionsAt(1, 'words'));
    await state.apply({ changelogs: positionsAt(2, 'stocks').changelogs, inputs: new Map() });
    expect([...state.positions().changelogs.keys()]).toEqual(['words', 'stocks']);
    expect(state.positions().inputs).toEqual(new Map([['in-0', 10]]));
  });

  test.each([
    ['EIO', 'STORE_IO'],
    ['ENOSPC', 'STORE_DISK_FULL'],
  ] as const)(
    'poisons the state after %s: nothing is accepted that would be lost',
    async (fault, code) => {
      const disk = new SimulatedDisk();
      const state = await simulated(disk);
      state.store('words').put('a', '1');
      state.freeze();
      await state.apply(positionsAt(1));
      state.store('words').put('a', '2');
      state.freeze();
      disk.failWrite(1, fault);
      await expect(state.apply(positionsAt(2))).rejects.toMatchObject({ code });
      const poisoned = expect.objectContaining({ code: 'STORE_IO' });
      expect(() => state.store('words').get('a')).toThrow(poisoned);
      expect(() => state.store('words').put('a', '3')).toThrow(poisoned);
      expect(() => state.freeze()).toThrow(poisoned);
      await expect(state.apply(positionsAt(3))).rejects.toThrow(poisoned);
      await expect(state.checkpointFlushed()).rejects.toThrow(poisoned);
      await state.close({ clean: true });
      const again = await simulated(disk);
      expect(again.positions()).toMatchObject(positionsAt(1));
      expect(again.store('words').get('a')).toBe('1');
    },
  );

  test('fails what is queued behind a failed batch', async () => {
    const disk = new SimulatedDisk();
    const state = await simulated(disk);
    disk.failWrite(1, 'EIO');
    state.freeze();
    const first = state.apply(positionsAt(1));
    state.freeze();
    const second = state.apply(positionsAt(2));
    await expect(first).rejects.toMatchObject({ code: 'STORE_IO', message: 'simulated EIO' });
    await expect(second).rejects.toMatchObject({ code: 'STORE_IO' });
    expect(state.positions().changelogs.size).toBe(0);
  });
});

describe('restoring', () => {
  test('writes records and tombstones with the position they lead to', async () => {
    const state = await onDisk([words, stocks]);
    state.restore('words', recordOf('a', '1'));
    state.restore('words', recordOf('b', '2'));
    state.restore('words', recordOf('a', undefined));
    state.restore('words', recordOf('empty', ''));
    await state.flushRestored('words', positionsAt(4).changelogs.get('words')!);
    expect(state.positions().changelogs).toEqual(positionsAt(4).changelogs);
    expect(await toArray(state.store('words').range())).toEqual([
      ['b', '2'],
      ['empty', ''],
    ]);
  });

  test('keeps the timestamps, so that what expired before stays expired', async () => {
    const state = await onDisk([specOf('words', text, text, { ttlMs: 10 })]);
    state.restore('words', recordOf('a', '1', 1_700_000_000_000));
    state.restore('words', recordOf('b', '1', 1_700_000_000_001));
    await state.flushRestored('words', positionsAt(2).changelogs.get('words')!);
    state.setTimestamp(1_700_000_000_011);
    expect(state.store('words').getMany(['a', 'b'])).toEqual([undefined, '1']);
  });

  test('replaces what a standby has cached', async () => {
    const state = await onDisk([words]);
    const position = positionsAt(1).changelogs.get('words')!;
    state.restore('words', recordOf('a', '1'));
    await state.flushRestored('words', position);
    expect(state.store('words').get('a')).toBe('1');
    state.restore('words', recordOf('a', '2'));
    await state.flushRestored('words', position);
    expect(state.store('words').get('a')).toBe('2');
  });

  test('does not mix up stores that restore at the same time', async () => {
    const disk = new SimulatedDisk();
    const state = await simulated(disk);
    state.restore('words', recordOf('a', '1'));
    state.restore('stocks', recordOf('s', '{"sold":4}'));
    await state.flushRestored('words', positionsAt(1).changelogs.get('words')!);
    disk.crash();
    const again = await simulated(disk);
    expect(again.store('words').get('a')).toBe('1');
    expect(again.store('stocks').get('s')).toBeUndefined();
    expect([...again.positions().changelogs.keys()]).toEqual(['words']);
  });
});

describe('a clean close that fails', () => {
  test('closes all the same, and costs no more than a replay', async () => {
    const disk = new SimulatedDisk();
    const state = await simulated(disk);
    state.store('words').put('a', '1');
    state.freeze();
    await state.apply(positionsAt(1));
    disk.failWrite(1, 'ENOSPC');
    await state.close({ clean: true });
    const again = await simulated(disk);
    expect(again.positions()).toMatchObject(positionsAt(1));
    disk.crash();
    await expect(simulated(disk, { bootId: 'boot-2' })).rejects.toMatchObject({
      code: 'STORE_CORRUPT',
    });
  });
});

describe('stores in memory beside stores on disk', () => {
  test('start from nothing after reopening, their position included', async () => {
    const disk = new SimulatedDisk();
    const inMemory = specOf('memory', text, text, { persistence: 'memory' });
    const state = await simulated(disk, { specs: [words, inMemory] });
    state.store('memory').put('a', '1');
    state.store('words').put('a', '1');
    state.freeze();
    const both = new Map([...positionsAt(1).changelogs, ...positionsAt(1, 'memory').changelogs]);
    await state.apply({ changelogs: both, inputs: new Map() });
    expect([...state.positions().changelogs.keys()]).toEqual(['words', 'memory']);
    await state.close({ clean: true });
    const again = await simulated(disk, { specs: [words, inMemory] });
    expect([...again.positions().changelogs.keys()]).toEqual(['words']);
    expect(again.store('memory').get('a')).toBeUndefined();
  });

  test('lose their old position on disk when a store moves into memory', async () => {
    const disk = new SimulatedDisk();
    const state = await simulated(disk);
    state.freeze();
    await state.apply(positionsAt(1));
    await state.close({ clean: true });
    const moved = specOf('words', text, text, { persistence: 'memory' });
    const again = await simulated(disk, { specs: [moved] });
    expect(again.positions().changelogs.size).toBe(0);
  });
});

describe('a byte that changes on the disk', () => {
  const DIRECTORY = '/sim/0_0';
  const dbKey = Buffer.from('\u0001a');
  const corrupt = expect.objectContaining({ code: 'STORE_CORRUPT' });

  async function withTampered(change: (value: Buffer) => [key: Buffer, value: Buffer | undefined]) {
    const disk = new SimulatedDisk();
    const state = await simulated(disk);
    state.store('words').put('a', 'some value');
    state.freeze();
    await state.apply(positionsAt(1));
    await state.close({ clean: true });
    const bytes = await disk.open(DIRECTORY, 'owner');
    const value = bytes.get(dbKey)!;
    await bytes.close();
    disk.tamper(DIRECTORY, ...change(value));
    return simulated(disk);
  }

  test.each([0, 7, 8, 12, 20, -1])(
    'in a value (at %i) is STORE_CORRUPT to whoever reads it',
    async (at) => {
      const state = await withTampered((value) => {
        value[at < 0 ? value.length + at : at]! ^= 1;
        return [dbKey, value];
      });
      expect(() => state.store('words').get('a')).toThrow(corrupt);
      await expect(toArray(state.store('words').range())).rejects.toThrow(corrupt);
    },
  );

  test('in a key is STORE_CORRUPT: one key does not get the value of another', async () => {
    const state = await withTampered((value) => [Buffer.from('\u0001b'), value]);
    expect(state.store('words').get('a')).toBe('some value');
    expect(() => state.store('words').get('b')).toThrow(corrupt);
  });

  test('that cuts a value short is STORE_CORRUPT', async () => {
    const state = await withTampered((value) => [dbKey, value.subarray(0, 3)]);
    expect(() => state.store('words').get('a')).toThrow(corrupt);
  });

  test.each(['stores', 'positions', 'boot'])(
    'in the record of %s is STORE_CORRUPT at opening',
    async (name) => {
      const key = Buffer.from(`\u0000${name}`);
      await expect(withTampered((value) => [key, value])).rejects.toThrow(corrupt);
    },
  );

  test('that loses the list of stores is STORE_CORRUPT at opening', async () => {
    const key = Buffer.from('\u0000stores');
    await expect(withTampered(() => [key, undefined])).rejects.toThrow(corrupt);
  });
});

describe('ids of stores', () => {
  test('stay with their names when stores come and go', async () => {
    const disk = new SimulatedDisk();
    const put = async (specs: readonly StoreSpec[], name: string) => {
      const state = await simulated(disk, { specs });
      state.store(name).put('k', name);
      state.freeze();
      await state.apply(positionsAt(1, name));
      await state.close({ clean: true });
    };
    const named = (name: string) => specOf(name, text, text);
    await put([named('b'), named('c')], 'c');
    await put([named('a'), named('c')], 'a');
    const state = await simulated(disk, { specs: [named('a'), named('b'), named('c')] });
    const read = (name: string) => state.store(name).get('k');
    expect(['a', 'b', 'c'].map(read)).toEqual(['a', undefined, 'c']);
  });

  test('are refused when there are more than a byte can tell', async () => {
    const specs = Array.from({ length: 255 }, (_, index) => specOf(`s${index}`, text, text));
    await expect(simulated(new SimulatedDisk(), { specs })).rejects.toMatchObject({
      code: 'TOPOLOGY_INVALID',
    });
  });
});

describe('expiry', () => {
  const ttl = specOf('words', text, text, { ttlMs: 100 });

  test('turns expired entries into tombstones, a bounded number per tick, until none is left', async () => {
    const state = await simulated(new SimulatedDisk(), { specs: [ttl, stocks] });
    const store = state.store<string, string>('words');
    for (let index = 0; index < 25; index++) store.put(`k${10 + index}`, 'v', index < 15 ? 1 : 500);
    state.freeze();
    await state.apply(positionsAt(1));
    state.setTimestamp(550);
    const perTick: number[] = [];
    for (let tick = 0; tick < 4; tick++) perTick.push(await state.expireSome(10));
    expect(perTick).toEqual([10, 5, 0, 0]);
    expect(loggedWrites(state.freeze())).toHaveLength(15);
    await state.apply(positionsAt(2));
    state.setTimestamp(0);
    expect(await toArray(store.range({ to: 'k24' }))).toEqual([]);
  });

  test('spares an entry that has been written again above the disk', async () => {
    const state = await simulated(new SimulatedDisk(), { specs: [ttl] });
    const store = state.store<string, string>('words');
    store.put('a', 'old', 1);
    store.put('b', 'old', 1);
    state.freeze();
    await state.apply(positionsAt(1));
    state.setTimestamp(550);
    store.put('a', 'new');
    expect(await state.expireSome(10)).toBe(1);
    expect(store.get('a')).toBe('new');
  });
});

describe('power loss', () => {
  async function commitWord(state: Awaited<ReturnType<typeof simulated>>, offset: number) {
    state.store('words').put(`k${offset}`, 'v');
    state.freeze();
    await state.apply(positionsAt(offset));
  }

  test('leads back to the flushed position, which no later hole can touch', async () => {
    const disk = new SimulatedDisk();
    const state = await simulated(disk);
    await commitWord(state, 1);
    await state.checkpointFlushed();
    for (const offset of [2, 3, 4]) await commitWord(state, offset);
    disk.losePower((unsynced) => unsynced !== 1);
    const again = await simulated(disk, { bootId: 'boot-2' });
    expect(again.positions()).toMatchObject(positionsAt(1));
    expect(again.store('words').get('k1')).toBe('v');
  });

  test('is still known when the process dies right after coming back', async () => {
    const disk = new SimulatedDisk();
    const state = await simulated(disk);
    await commitWord(state, 1);
    await state.checkpointFlushed();
    await commitWord(state, 2);
    disk.losePower(() => true);
    await simulated(disk, { bootId: 'boot-2' });
    disk.crash();
    const again = await simulated(disk, { bootId: 'boot-2' });
    expect(again.positions()).toMatchObject(positionsAt(1));
  });

  test('keeps the position when only the process was killed', async () => {
    const disk = new SimulatedDisk();
    await commitWord(await simulated(disk), 1);
    disk.crash();
    const again = await simulated(disk);
    expect(again.positions()).toMatchObject(positionsAt(1));
  });

  test('keeps the position after a clean close, also in a later boot', async () => {
    const disk = new SimulatedDisk();
    const state = await simulated(disk);
    await commitWord(state, 1);
    await state.close({ clean: true });
    disk.losePower();
    const again = await simulated(disk, { bootId: 'boot-2' });
    expect(again.positions()).toMatchObject(positionsAt(1));
    expect(again.store('words').get('k1')).toBe('v');
  });

  test('is not hidden by the clean mark of an earlier life', async () => {
    const disk = new SimulatedDisk();
    const state = await simulated(disk);
    await commitWord(state, 1);
    await state.close({ clean: true });
    await commitWord(await simulated(disk, { bootId: 'boot-2' }), 2);
    disk.losePower(() => true);
    const again = await simulated(disk, { bootId: 'boot-3' });
    expect(again.positions()).toMatchObject(positionsAt(1));
  });

  test('asks for a wipe when a store has data but was never flushed', async () => {
    const disk = new SimulatedDisk();
    await commitWord(await simulated(disk), 1);
    disk.losePower(() => true);
    await expect(simulated(disk, { bootId: 'boot-2' })).rejects.toMatchObject({
      code: 'STORE_CORRUPT',
    });
  });

  test('is prepared for once a minute and every 64 MB, if anything was written', async () => {
    const clock = new ManualClock();
    const state = await simulated(new SimulatedDisk(), { clock });
    clock.advance(120_000);
    expect(state.checkpointDue()).toBe(false);
    await commitWord(state, 1);
    expect(state.checkpointDue()).toBe(true);
    await state.checkpointFlushed();
    expect(state.checkpointDue()).toBe(false);
    state.restore('words', recordOf('r', '1'));
    await state.flushRestored('words', positionsAt(2).changelogs.get('words')!);
    clock.advance(60_000);
    expect(state.checkpointDue()).toBe(true);
    await state.checkpointFlushed();
    for (let index = 0; index < 65; index++)
      state.store('words').put(`${index}`, 'x'.repeat(1 << 20));
    state.freeze();
    await state.apply(positionsAt(2));
    expect(state.checkpointDue()).toBe(true);
  });
});

describe('the end', () => {
  test('of a state refuses everything with STORE_CLOSED, and may come twice', async () => {
    const state = await onDisk([words]);
    const store = state.store('words');
    const walk = store.range();
    await state.close({ clean: true });
    await state.close({ clean: false });
    const closed = expect.objectContaining({ code: 'STORE_CLOSED' });
    expect(() => store.get('a')).toThrow(closed);
    expect(() => store.put('a', '1')).toThrow(closed);
    await expect(walk.next()).rejects.toThrow(closed);
    await expect(state.apply(positionsAt(1))).rejects.toThrow(closed);
  });

  test('waits for the batch that is on its way', async () => {
    const directory = join(await temporaryDirectory(), '0_0');
    const state = await openTaskState(optionsOf({ directory, specs: [uncached] }));
    state.store('words').put('a', '1');
    state.freeze();
    const applied = state.apply(positionsAt(1));
    await state.close({ clean: true });
    await applied;
    const again = await openTaskState(optionsOf({ directory, specs: [uncached] }));
    onTestFinished(() => again.close({ clean: false }));
    expect(again.store('words').get('a')).toBe('1');
  });

  test('by wiping leaves nothing: the next opening starts from the start', async () => {
    const directory = join(await temporaryDirectory(), '0_0');
    const state = await openTaskState(optionsOf({ directory, specs: [words] }));
    state.store('words').put('a', '1');
    state.freeze();
    await state.apply(positionsAt(1));
    await state.wipe();
    const again = await openTaskState(optionsOf({ directory, specs: [words] }));
    onTestFinished(() => again.close({ clean: false }));
    expect(again.positions().changelogs.size).toBe(0);
    expect(again.store('words').get('a')).toBeUndefined();
  });

  test('of an unknown store is STORE_UNKNOWN from the beginning', async () => {
    const state = await openTaskState(optionsOf({ specs: [words], log: silentLog }));
    expect(() => state.store('nope')).toThrow(expect.objectContaining({ code: 'STORE_UNKNOWN' }));
  });
});
