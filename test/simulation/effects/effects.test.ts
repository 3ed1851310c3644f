/** An error at some of the effects: `npm run effects` has one at each. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type Injection, Injector, injectionsOf } from './injector.ts';
import { quietRun, tryOnce } from './one-error.ts';
import { headingOf, rowOf } from './outcomes-page.ts';
import { injectionsIn, MODES } from './representative-run.ts';

const PAGE = new URL('../../../docs/failure-outcomes.md', import.meta.url);
/** Whether the run without an error has to ask twice hangs on what it asks for. */
const BY_CHANCE = /^\| timer: .*retrying/;

const [V2] = MODES as [(typeof MODES)[0]];
const SAMPLES = 16;
const TIMEOUT_MS = 240_000;

describe('an error at an effect', () => {
  test(
    'the run without one is clean, and meets connections, requests, disks and timers',
    async () => {
      const quiet = await quietRun(V2);
      expect(quiet.result.violations).toEqual([]);
      const kinds = [...quiet.injector.counts.keys()].map(
        (effect) => /^[a-z ]+:|^connect/.exec(effect)?.[0],
      );
      expect(new Set(kinds)).toEqual(
        new Set([undefined, 'connect', 'state disk:', 'broker disk:', 'timer:']),
      );
    },
    TIMEOUT_MS,
  );

  test(
    `${SAMPLES} of them, evenly chosen, break nothing`,
    async () => {
      const all = injectionsIn(V2, await quietRun(V2));
      const step = Math.floor(all.length / SAMPLES);
      for (let index = 0; index < SAMPLES; index++) {
        const injection = all[index * step]!;
        const { verdict } = await tryOnce({ mode: V2, injection });
        expect(verdict.kind, JSON.stringify({ injection, verdict })).toBe('passed');
      }
    },
    TIMEOUT_MS,
  );

  test.each<[string, Injection, string]>([
    [
      'a state disk that cannot be written has its task wiped and restored',
      { effect: 'state disk: write (task, owner)', fault: 'EIO', nth: 1 },
      'task wiped and restored',
    ],
    [
      'a store that fails to close ends nobody',
      { effect: 'state disk: close (task, owner)', fault: 'EIO', nth: 1 },
      'went on without it',
    ],
    [
      'a reader that fails to close ends nobody',
      { effect: 'state disk: close (task, reader)', fault: 'EIO', nth: 1 },
      'went on without it',
    ],
  ])(
    '%s',
    async (_, injection, outcome) => {
      const { verdict } = await tryOnce({ mode: V2, injection });
      expect(verdict).toEqual({ kind: 'passed', outcome });
    },
    TIMEOUT_MS,
  );

  test('that never comes is no success', async () => {
    const injection = { effect: 'state disk: paint', fault: 'EIO', nth: 1 };
    const { verdict } = await tryOnce({ mode: V2, injection });
    expect(verdict).toEqual({ kind: 'failed', violation: 'the effect did not come' });
  });
});

describe('docs/failure-outcomes.md', () => {
  test(
    'has a line for every error of every effect that there is today, and none besides',
    async () => {
      const page = readFileSync(PAGE, 'utf8');
      for (const mode of MODES) {
        const part = page.split(`${headingOf(mode)}\n`)[1]?.split('\n## ')[0] ?? '';
        const rows = part.split('\n').filter((line) => line.startsWith('| '));
        const told = rows.slice(1).map((line) => `${line.split(' | ').slice(0, 2).join(' | ')} |`);
        const injections = injectionsIn(mode, await quietRun(mode));
        const [listed, met] = [told, injections.map(rowOf)].map(
          (lines) => new Set(lines.filter((line) => !BY_CHANCE.test(line))),
        );
        expect(listed, `${mode}: npm run effects -- --write`).toEqual(met);
      }
    },
    TIMEOUT_MS,
  );
});

describe('the injector', () => {
  test('fails the n-th effect of a name, once', () => {
    const injector = new Injector({ effect: 'write', fault: 'EIO', nth: 2 });
    const met = [1, 2, 3].map(() => injector.meet('write', ['EIO', 'ENOSPC']));
    expect(met).toEqual([undefined, 'EIO', undefined]);
    expect(injector.isDone).toBe(true);
    expect(injector.meet('read', ['EIO'])).toBeUndefined();
  });

  test('lists every way of every effect, the first time and later', () => {
    const injector = new Injector();
    for (let count = 0; count < 5; count++) injector.meet('write', ['EIO', 'ENOSPC']);
    injector.meet('open', ['EIO']);
    expect(injectionsOf(injector)).toEqual([
      { effect: 'open', fault: 'EIO', nth: 1 },
      { effect: 'write', fault: 'EIO', nth: 1 },
      { effect: 'write', fault: 'EIO', nth: 3 },
      { effect: 'write', fault: 'ENOSPC', nth: 1 },
      { effect: 'write', fault: 'ENOSPC', nth: 3 },
    ]);
  });
});
