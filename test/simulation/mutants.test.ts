/** A handful of planted bugs, of every kind: `npm run mutants` judges them all. */
import { describe, expect, test } from 'vitest';
import { MUTANTS, mutantNamed, simulateMutant, unmutated } from './mutants.ts';

const SEEDS = 60;
const TIMEOUT_MS = 240_000;

/** The first seed that sees the bug, and nothing without it. */
async function killerOf(name: string): Promise<number | undefined> {
  const mutant = mutantNamed(name);
  for (let seed = 1; seed <= SEEDS; seed++) {
    if ((await simulateMutant(mutant, { seed })).violations.length === 0) continue;
    const { violations } = await simulateMutant(unmutated(mutant), { seed });
    expect(violations, `seed ${seed} without any bug`).toEqual([]);
    return seed;
  }
  return undefined;
}

describe('planted bugs', () => {
  test.each(['sequences-kept', 'offsets-too-far', 'restore-short', 'reads-lag'])(
    `%s is seen within ${SEEDS} seeds`,
    async (name) => expect(await killerOf(name)).toBeDefined(),
    TIMEOUT_MS,
  );

  test('each has a name of its own', () => {
    expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
  });

  test('what nobody has planted is refused by name', () => {
    expect(() => mutantNamed('no-such-bug')).toThrow(/no mutant no-such-bug; there are no-gen/);
  });
});
