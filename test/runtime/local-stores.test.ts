import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { silentLog } from '../../base/log.ts';
import { LocalStores } from '../../runtime/queries/local-stores.ts';
import { ThreadMemory } from '../../runtime/thread-memory.ts';
import { openTaskState } from '../../stores/task-state.ts';
import { temporaryDirectory } from '../stores/fixtures.ts';
import { positionsAt, specOf, text } from '../stores/serdes.ts';
import { optionsOf } from '../stores/task-options.ts';

const words = specOf('words', text, text);
const NO_LAG = () => 0;

/** A running task: commit() is what its thread does, in the order in which it does it. */
async function runningTask() {
  const directory = join(await temporaryDirectory(), '0_0');
  const state = await openTaskState(optionsOf({ directory, specs: [words] }));
  const memory = new ThreadMemory();
  const stores = new LocalStores({ engine: undefined, clock: systemClock, log: silentLog });
  stores.taskRunning('0_0', { directory, specs: [words], memory, role: 'active' });
  onTestFinished(async () => {
    await stores.close();
    await state.close({ clean: false });
  });
  await stores.open('0_0', 'words', NO_LAG);
  return {
    open: () => stores.open('0_0', 'words', NO_LAG),
    announce: (sequence: number) => stores.announced(['0_0'], sequence),
    apply: async (sequence: number) => {
      state.store<string, string>('words').put('a', String(sequence));
      state.freeze();
      await state.apply(positionsAt(sequence));
      memory.setApplied(sequence);
    },
  };
}

describe('a store of a task that runs here', () => {
  test('is there at once, with the position of the last commit', async () => {
    const task = await runningTask();
    for (const sequence of [1, 2, 3]) {
      task.announce(sequence);
      await task.apply(sequence);
      for (let again = 0; again < 2; again++) {
        const local = task.open();
        if (local === undefined || local instanceof Promise) throw new Error('not at once');
        expect(local.position).toEqual(positionsAt(sequence).inputs);
        expect(local.store.get('a')).toBe(String(sequence));
      }
    }
  });

  test('is of the same revision until the next commit, so that answers may be kept', async () => {
    const task = await runningTask();
    task.announce(1);
    await task.apply(1);
    const [first, again] = [await task.open(), await task.open()];
    expect(first?.revision).toBeDefined();
    expect(again?.revision).toBe(first?.revision);
    task.announce(2);
    await task.apply(2);
    expect((await task.open())?.revision).not.toBe(first?.revision);
  });

  test('is waited for while what was announced is still being written', async () => {
    const task = await runningTask();
    task.announce(1);
    const opening = task.open();
    expect(opening).toBeInstanceOf(Promise);
    await task.apply(1);
    const local = await opening;
    expect(local?.position).toEqual(positionsAt(1).inputs);
    expect(local?.store.get('a')).toBe('1');
  });
});
