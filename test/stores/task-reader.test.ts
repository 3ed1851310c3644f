import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { describe, expect, onTestFinished, test } from 'vitest';
import { SimulatedDisk } from '../../stores/simulated-disk.ts';
import { releaseOwnedBy } from '../../stores/task-lock.ts';
import { openTaskReader } from '../../stores/task-reader.ts';
import { openTaskState } from '../../stores/task-state.ts';
import { temporaryDirectory, toArray } from './fixtures.ts';
import { positionsAt, specOf, text } from './serdes.ts';
import { optionsOf } from './task-options.ts';

const words = specOf('words', text, text, { ttlMs: 1000 });
const inMemory = specOf('memory', text, text, { persistence: 'memory' });

async function startOwner(directory: string): Promise<Worker> {
  const worker = new Worker(join(import.meta.dirname, 'children', 'own-task.ts'), {
    workerData: { directory },
  });
  onTestFinished(async () => {
    await worker.terminate();
  });
  expect(await once(worker, 'message')).toEqual(['open']);
  return worker;
}

async function order(worker: Worker, what: object): Promise<void> {
  const answered = once(worker, 'message');
  worker.postMessage(what);
  await answered;
}

describe('a reader in another thread than the task', () => {
  test('sees what has been applied, with its position, and no half of a batch', async () => {
    const directory = join(await temporaryDirectory(), '0_0');
    const worker = await startOwner(directory);
    const reader = await openTaskReader({ directory, specs: [words] });
    const store = reader.store<string, string>('words');
    expect(store.get('key-100')).toBeUndefined();
    expect(reader.positions().changelogs.size).toBe(0);
    await order(worker, { write: 1 });
    expect(reader.positions()).toMatchObject(positionsAt(1));
    expect(store.getMany(['key-100', 'nope'])).toEqual(['1', undefined]);
    const walk = store.range();
    expect((await walk.next()).value).toEqual(['key-100', '1']);
    await order(worker, { write: 2 });
    expect(await toArray(walk)).toEqual(
      Array.from({ length: 49 }, (_, index) => [`key-${101 + index}`, '1']),
    );
    expect(store.get('key-101')).toBe('2');
    expect(await store.approximateEntryCount()).toBe(50);
    await reader.close();
    await order(worker, { close: true });
  });

  test('takes for absent what has expired by the log time of the task', async () => {
    const directory = join(await temporaryDirectory(), '0_0');
    const state = await openTaskState(optionsOf({ directory, specs: [words, inMemory] }));
    const reader = await openTaskReader({ directory, specs: [words, inMemory] });
    onTestFinished(async () => {
      await reader.close();
      await state.close({ clean: false });
    });
    state.store('words').put('a', '1', 100);
    state.setTimestamp(1100);
    state.freeze();
    await state.apply(positionsAt(1));
    const store = reader.store('words');
    expect(store.get('a')).toBe('1');
    state.setTimestamp(1101);
    expect(store.get('a')).toBe('1');
    state.freeze();
    await state.apply(positionsAt(2));
    expect(store.get('a')).toBeUndefined();
    expect(await toArray(store.range())).toEqual([]);
    const unknown = expect.objectContaining({ code: 'STORE_UNKNOWN' });
    expect(() => reader.store('memory')).toThrow(unknown);
  });

  test('does not see what is not committed', async () => {
    const engine = new SimulatedDisk();
    const state = await openTaskState(optionsOf({ directory: '/sim', specs: [words], engine }));
    const reader = await openTaskReader({ directory: '/sim', specs: [words], engine });
    state.store('words').put('a', '1');
    state.freeze();
    expect(reader.store('words').get('a')).toBeUndefined();
    await state.apply(positionsAt(1));
    expect(reader.store('words').get('a')).toBe('1');
    await reader.close();
    expect(() => reader.store('words').get('a')).toThrow(
      expect.objectContaining({ code: 'STORE_CLOSED' }),
    );
    await state.close({ clean: true });
  });

  test('is refused where no task runs', async () => {
    const unavailable = { code: 'QUERY_UNAVAILABLE' };
    const directory = join(await temporaryDirectory(), '0_0');
    await expect(openTaskReader({ directory, specs: [words] })).rejects.toMatchObject(unavailable);
    const state = await openTaskState(optionsOf({ directory, specs: [words] }));
    await state.close({ clean: true });
    await expect(openTaskReader({ directory, specs: [words] })).rejects.toMatchObject(unavailable);
    const disk = new SimulatedDisk();
    const simulated = openTaskReader({ directory, specs: [words], engine: disk });
    await expect(simulated).rejects.toMatchObject(unavailable);
  });

  test('holds up the closing of the task until it is closed itself', async () => {
    const directory = join(await temporaryDirectory(), '0_0');
    const worker = await startOwner(directory);
    await order(worker, { write: 1 });
    const reader = await openTaskReader({ directory, specs: [words] });
    const closed = order(worker, { close: true });
    const closing = { code: 'QUERY_UNAVAILABLE' };
    await expect
      .poll(
        () =>
          openTaskReader({ directory, specs: [words] }).then(
            (admitted) => admitted.close(),
            (refused) => refused,
          ),
        { timeout: 20_000 },
      )
      .toMatchObject(closing);
    for (let key = 0; key < 50; key++) {
      expect(reader.store('words').get(`key-${100 + key}`)).toBe('1');
    }
    await reader.close();
    await closed;
  });
});

describe('a task directory', () => {
  test('is waited for while another thread has it', async () => {
    const directory = join(await temporaryDirectory(), '0_0');
    const worker = await startOwner(directory);
    await order(worker, { write: 3 });
    let isOpen = false;
    const opening = openTaskState(optionsOf({ directory, specs: [words] })).then((state) => {
      isOpen = true;
      return state;
    });
    await order(worker, { write: 4 });
    expect(isOpen).toBe(false);
    const closed = order(worker, { close: true });
    const state = await opening;
    await closed;
    expect(state.positions()).toMatchObject(positionsAt(4));
    await state.close({ clean: true });
  });

  test('is not opened anew before the readers of a dead owner have left', async () => {
    const directory = join(await temporaryDirectory(), '0_0');
    const worker = await startOwner(directory);
    await order(worker, { write: 3 });
    const reader = await openTaskReader({ directory, specs: [words] });
    const { threadId } = worker;
    await worker.terminate();
    releaseOwnedBy(directory, threadId);
    const opening = openTaskState(optionsOf({ directory, specs: [words] }));
    const unavailable = { code: 'QUERY_UNAVAILABLE' };
    await expect(openTaskReader({ directory, specs: [words] })).rejects.toMatchObject(unavailable);
    await reader.close();
    const state = await opening;
    expect(state.positions()).toMatchObject(positionsAt(3));
    state.store('words').put('a', 'x'.repeat(1000));
    state.freeze();
    await state.apply(positionsAt(4));
    await state.close({ clean: true });
  });

  test('is free again when the thread that had it has died', async () => {
    const directory = join(await temporaryDirectory(), '0_0');
    const worker = await startOwner(directory);
    await order(worker, { write: 3 });
    const { threadId } = worker;
    await worker.terminate();
    releaseOwnedBy(directory, threadId + 1000);
    releaseOwnedBy(directory, threadId);
    const state = await openTaskState(optionsOf({ directory, specs: [words] }));
    expect(state.positions()).toMatchObject(positionsAt(3));
    await state.close({ clean: true });
  });
});
