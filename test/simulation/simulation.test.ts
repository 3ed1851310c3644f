/** The simulation in CI: a batch of seeds, bugs it has found, and what makes it worth believing. */
import { describe, expect, test } from 'vitest';
import { mutantNamed } from './mutants.ts';
import { simulate } from './simulate.ts';

const BATCH = 10;
const SEEDS = 100;

/** Bugs that the simulation has found, planted again: it must see each of them in the seed beside it. */
const FOUND: readonly (readonly [mutant: string, seed: number])[] = [['no-follow-up', 30]];

describe('the sale under faults, then without', () => {
  test.each(Array.from({ length: SEEDS / BATCH }, (_, index) => index * BATCH + 1))(
    'seeds from %i on keep every invariant',
    async (from) => {
      for (let seed = from; seed < from + BATCH; seed++) {
        const { violations } = await simulate({ seed });
        expect(violations, `npm run simulate -- --seed ${seed} --trace`).toEqual([]);
      }
    },
  );

  test.each(FOUND)('what was found once is found again: %s in seed %i', async (name, seed) => {
    const { violations } = await simulate({ seed, mutation: mutantNamed(name).mutation() });
    expect(violations).not.toEqual([]);
    expect((await simulate({ seed })).violations).toEqual([]);
  });
});

describe('the simulation itself', () => {
  test('one seed is one run', async () => {
    for (const seed of [3, 4, 5]) {
      const { traceHash, events } = await simulate({ seed });
      expect(await simulate({ seed })).toMatchObject({ traceHash, events });
    }
  });

  test('different seeds are different runs', async () => {
    const hashes = await Promise.all(
      [6, 7, 8].map(async (seed) => (await simulate({ seed })).traceHash),
    );
    expect(new Set(hashes).size).toBe(3);
  });

  test.each(['no-dedupe', 'offsets-outside', 'cache-survives-abort', 'begins-too-early'])(
    'it sees a planted bug: %s',
    async (name) => {
      let seen = 0;
      for (let seed = 1; seed <= 30 && seen === 0; seed++) {
        const { violations } = await simulate({ seed, mutation: mutantNamed(name).mutation() });
        seen = violations.length;
      }
      expect(seen).toBeGreaterThan(0);
    },
  );
});
