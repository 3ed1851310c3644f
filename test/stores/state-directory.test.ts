import { mkdirSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { silentLog } from '../../base/log.ts';
import { ManualClock } from '../../base/manual-clock.ts';
import { systemRandom } from '../../base/random.ts';
import { openStateDirectory, type StateDirectoryOptions } from '../../stores/state-directory.ts';
import { openTaskState } from '../../stores/task-state.ts';
import { temporaryDirectory } from './fixtures.ts';
import { positionsAt, specOf, text } from './serdes.ts';
import { optionsOf } from './task-options.ts';

const specs = [specOf('words', text, text)];

async function open(root: string, more: Partial<StateDirectoryOptions> = {}) {
  const directory = await openStateDirectory({
    root,
    applicationId: 'app',
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    ...more,
  });
  onTestFinished(() => directory.close());
  return directory;
}

async function runTask(directory: string, offset: number): Promise<void> {
  const state = await openTaskState(optionsOf({ directory, specs }));
  state.freeze();
  await state.apply(positionsAt(offset));
  await state.close({ clean: true });
}

describe('a state directory', () => {
  test('is made for its owner only, a directory per application and task', async () => {
    const root = join(await temporaryDirectory(), 'deep', 'root');
    const directory = await open(root);
    await runTask(directory.taskDirectory('1_7'), 1);
    for (const path of [root, directory.directory, join(root, 'app', '1_7')]) {
      expect(statSync(path).mode & 0o777).toBe(0o700);
    }
    expect(await directory.taskIds()).toEqual(['1_7']);
  });

  test('keeps its process id over restarts, and gives another directory another', async () => {
    const root = await temporaryDirectory();
    const first = await open(root);
    await first.close();
    const again = await open(root);
    const other = await open(root, { applicationId: 'other' });
    expect(again.processId).toBe(first.processId);
    expect(other.processId).not.toBe(first.processId);
    expect(again.bootId).toBe(first.bootId);
  });

  test('gets a new process id when its identity is damaged', async () => {
    const root = await temporaryDirectory();
    const first = await open(root);
    await first.close();
    rmSync(join(first.directory, 'instance', 'CURRENT'));
    const again = await open(root);
    expect(again.processId).toMatch(/^[0-9a-f-]{36}$/);
    expect(again.processId).not.toBe(first.processId);
  });

  test('tells how far the states go that do not run here', async () => {
    const directory = await open(await temporaryDirectory());
    await runTask(directory.taskDirectory('0_0'), 3);
    await runTask(directory.taskDirectory('0_1'), 5);
    await runTask(directory.taskDirectory('0_2'), 7);
    rmSync(join(directory.taskDirectory('0_2'), 'CURRENT'));
    const dormant = await directory.dormantTasks(new Set(['0_0']));
    expect(dormant).toEqual([
      { taskId: '0_1', positions: expect.objectContaining(positionsAt(5)) },
    ]);
    const state = await openTaskState(
      optionsOf({ directory: directory.taskDirectory('0_1'), specs, bootId: 'boot-2' }),
    );
    expect(state.positions()).toMatchObject(positionsAt(5));
    await state.close({ clean: true });
  });

  test('loses tasks that have not run here for long, and nothing else', async () => {
    const clock = new ManualClock(Date.now());
    const directory = await open(await temporaryDirectory(), { clock });
    for (const taskId of ['0_0', '0_1', '0_2']) {
      const path = directory.taskDirectory(taskId);
      await runTask(path, 1);
      if (taskId !== '0_2') makeOld(path, clock.nowMs() - 3_600_000);
    }
    mkdirSync(join(directory.directory, 'notes'));
    makeOld(join(directory.directory, 'notes'), 0);
    expect(await directory.removeUnused(new Set(['0_0']), 1_800_000)).toEqual(['0_1']);
    expect(readdirSync(directory.directory).sort()).toEqual(['0_0', '0_2', 'instance', 'notes']);
  });

  test('is unusable where it cannot be made', async () => {
    const root = await temporaryDirectory();
    writeFileSync(join(root, 'app'), 'a file');
    await expect(open(root)).rejects.toMatchObject({ code: 'STATE_DIR_UNUSABLE' });
  });

  test.each(['', '.', '..', 'a/b', 'a b'])(
    'refuses the application id %j',
    async (applicationId) => {
      const root = await temporaryDirectory();
      await expect(open(root, { applicationId })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    },
  );
});

function makeOld(path: string, timeMs: number): void {
  for (const name of readdirSync(path)) utimesSync(join(path, name), timeMs / 1000, timeMs / 1000);
  utimesSync(path, timeMs / 1000, timeMs / 1000);
}
