/** The simulation in CI: a batch of seeds, bugs it has found, and what makes it worth believing. */
import { describe, expect, test } from 'vitest';
import { MAY_LOSE_CHANGELOG, metTooSeldom, SOMETIMES } from '../../simulation/faults/sometimes.ts';
import { runSeeds } from '../../simulation/run-seeds.ts';
import { simulate as simulateScenario } from '../../simulation/simulate.ts';
import { atLeastOnce } from './at-least-once.ts';
import { mutantNamed, simulateMutant } from './mutants.ts';
import { simulate } from './simulate.ts';

const SALE = { module: new URL('./simulate.ts', import.meta.url), export: 'sale' };
const SEEDS = 150;
const SEEDS_AT_LEAST_ONCE = 30;
const SEEDS_FOR_A_BUG = 60;
const TIMEOUT_MS = 240_000;

describe('the sale under faults, then without', () => {
  test(
    `${SEEDS} seeds keep every invariant`,
    async () => {
      const { passed, failed } = await runSeeds(SALE, { seeds: SEEDS });
      const told = failed.map(
        ({ seed, violations }) =>
          `npm run simulate -- --seed ${seed} --trace: ${violations[0]?.slice(0, 300)}`,
      );
      expect(told).toEqual([]);
      expect(passed).toBe(SEEDS);
    },
    TIMEOUT_MS,
  );
});

describe('a count that is promised at least once', () => {
  test(
    `${SEEDS_AT_LEAST_ONCE} seeds lose nothing`,
    async () => {
      for (let seed = 1; seed <= SEEDS_AT_LEAST_ONCE; seed++) {
        const { violations } = await simulateScenario(atLeastOnce, { seed });
        expect(violations, `seed ${seed}`).toEqual([]);
      }
    },
    TIMEOUT_MS,
  );
});

describe('the simulation itself', () => {
  test(
    'one seed is one run, whatever ran before it in its thread',
    async () => {
      const there = new Map<number, string>();
      await runSeeds(SALE, {
        seeds: 6,
        from: 3,
        onResult: ({ seed, traceHash }) => there.set(seed, traceHash),
      });
      for (const [seed, traceHash] of there) {
        expect((await simulate({ seed })).traceHash, `seed ${seed}`).toBe(traceHash);
      }
      expect(new Set(there.values()).size).toBe(6);
    },
    TIMEOUT_MS,
  );

  // The first is a bug that it has found; the others have always been there only to be found.
  test.each([
    'no-follow-up',
    'no-dedupe',
    'offsets-outside',
    'cache-survives-abort',
    'begins-too-early',
  ])(
    'it sees a planted bug: %s',
    async (name) => {
      let seen = 0;
      for (let seed = 1; seed <= SEEDS_FOR_A_BUG && seen === 0; seed++) {
        seen = (await simulateMutant(mutantNamed(name), { seed })).violations.length;
      }
      expect(seen).toBeGreaterThan(0);
    },
    TIMEOUT_MS,
  );

  test('a run that met nothing is vacuous, and few seeds prove neither', () => {
    expect(metTooSeldom(new Map(), 10_000)).toHaveLength(SOMETIMES.length);
    expect(metTooSeldom(new Map(SOMETIMES.map((what) => [what, 100])), 10_000)).toEqual([]);
    expect(metTooSeldom(new Map(SOMETIMES.map((what) => [what, 3])), 1_000)).toHaveLength(
      SOMETIMES.length,
    );
    const losing = new Map([...SOMETIMES, MAY_LOSE_CHANGELOG].map((what) => [what, 100]));
    expect(metTooSeldom(losing, 10_000)).toHaveLength(3);
    expect(metTooSeldom(new Map(), 999)).toBeUndefined();
  });
});
