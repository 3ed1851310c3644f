/** A disk that is really full: a small tmpfs. Needs root; the simulated disk is tested everywhere. */
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { isMillraceError } from '../../base/errors.ts';
import { openTaskState } from '../../stores/task-state.ts';
import { temporaryDirectory, toArray } from './fixtures.ts';
import { positionsAt, specOf, text } from './serdes.ts';
import { optionsOf } from './task-options.ts';

async function mountSmallDisk(): Promise<string | undefined> {
  const directory = await temporaryDirectory();
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', directory], { stdio: 'pipe' });
  } catch {
    return undefined;
  }
  onTestFinished(() => {
    execFileSync('umount', ['-l', directory]);
  });
  return directory;
}

describe('a full disk', () => {
  test('stops the state with STORE_DISK_FULL, and it goes on where it was once there is room', async (context) => {
    const disk = await mountSmallDisk();
    if (disk === undefined) return context.skip('cannot mount a tmpfs here');
    const ballast = join(disk, 'ballast');
    writeFileSync(ballast, Buffer.alloc(13 << 20));
    const directory = join(disk, '0_0');
    const options = optionsOf({ directory, specs: [specOf('words', text, text)] });
    const state = await openTaskState(options);
    let applied = 0;
    const failure = await (async () => {
      for (let batch = 1; batch <= 1000; batch++) {
        for (let key = 0; key < 100; key++) {
          state.store('words').put(`key-${batch % 7}-${key}`, `${batch}-${'x'.repeat(200)}`);
        }
        state.freeze();
        try {
          await state.apply(positionsAt(batch));
        } catch (error) {
          return error;
        }
        applied = batch;
      }
      return undefined;
    })();
    expect(isMillraceError(failure, 'STORE_DISK_FULL')).toBe(true);
    expect(applied).toBeGreaterThan(5);
    expect(() => state.freeze()).toThrow(expect.objectContaining({ code: 'STORE_IO' }));
    await state.close({ clean: true });

    rmSync(ballast);
    const again = await openTaskState(options);
    expect(again.positions()).toMatchObject(positionsAt(applied));
    const newest = (await toArray(again.store<string, string>('words').range())).filter(([key]) =>
      key.startsWith(`key-${applied % 7}-`),
    );
    expect(new Set(newest.map(([, value]) => value.split('-')[0]))).toEqual(
      new Set([`${applied}`]),
    );
    await again.close({ clean: true });
  });
});
