/** What a killed process leaves behind. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { silentLog } from '../../base/log.ts';
import { systemRandom } from '../../base/random.ts';
import { openStateDirectory } from '../../stores/state-directory.ts';
import { openTaskState } from '../../stores/task-state.ts';
import { temporaryDirectory, toArray } from './fixtures.ts';
import { specOf, text } from './serdes.ts';
import { optionsOf } from './task-options.ts';

function start(script: string, argument: string): ChildProcess {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'children', script), argument], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

describe('a process killed while it applies', () => {
  test('leaves data and position of the same batch, every time', async () => {
    const directory = join(await temporaryDirectory(), '0_0');
    let last = 0;
    for (let round = 1; round <= 6; round++) {
      const child = start('apply-forever.ts', directory);
      let announced = 0;
      for await (const line of createInterface({ input: child.stdout! })) {
        announced = Number(line);
        if (announced === last + 17 * round) break;
      }
      await kill(child);
      const { offset, values } = await readState(directory);
      expect(offset).toBeGreaterThanOrEqual(announced - 1);
      expect(new Set(values.map((value) => value.split('-')[0]))).toEqual(new Set([`${offset}`]));
      expect(values).toHaveLength(200);
      last = offset;
    }
  });
});

async function readState(directory: string): Promise<{ offset: number; values: string[] }> {
  const state = await openTaskState(
    optionsOf({ directory, specs: [specOf('words', text, text)], clock: systemClock }),
  );
  const entries = await toArray(state.store<string, string>('words').range());
  const { offset } = state.positions().changelogs.get('words')!;
  await state.close({ clean: false });
  return { offset, values: entries.map(([, value]) => value) };
}

describe('a state directory', () => {
  const open = (root: string) =>
    openStateDirectory({
      root,
      applicationId: 'app',
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
    });

  test('is refused to a second process until the first is dead, and keeps its process id', async () => {
    const root = await temporaryDirectory();
    const child = start('hold-directory.ts', root);
    const [line] = await once(createInterface({ input: child.stdout! }), 'line');
    await expect(open(root)).rejects.toMatchObject({
      code: 'STATE_DIR_LOCKED',
      hint: expect.stringContaining('STREAMS_STATE_DIR'),
    });
    await kill(child);
    const directory = await open(root);
    expect(directory.processId).toBe(line);
    await directory.close();
  });
});
