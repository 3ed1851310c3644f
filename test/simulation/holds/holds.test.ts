/** Holds, payments and seats in CI: a batch of seeds, and the bugs that only they show. */
import { expect, test } from 'vitest';
import { runSeeds } from '../../../simulation/run-seeds.ts';
import { mutantNamed, simulateMutant } from '../mutants.ts';

const HOLDS = { module: new URL('./scenario.ts', import.meta.url), export: 'holds' };
const SEEDS = 60;
const TIMEOUT_MS = 240_000;

test(
  `${SEEDS} seeds of holds, payments and refunds keep every invariant`,
  async () => {
    const { failed, counters } = await runSeeds(HOLDS, { seeds: SEEDS });
    const told = failed.map(
      ({ seed, violations }) =>
        `npm run simulate -- --scenario holds --seed ${seed}: ${violations[0]?.slice(0, 300)}`,
    );
    expect(told).toEqual([]);
    for (const state of ['held', 'confirmed', 'expired', 'released', 'cancelled', 'refunded']) {
      expect(counters.get(`purchase ${state}`), state).toBeGreaterThan(0);
    }
  },
  TIMEOUT_MS,
);

test(
  "a hold that ends by the host's clock is seen",
  async () => {
    let seen = 0;
    for (let seed = 1; seed <= SEEDS && seen === 0; seed++) {
      seen = (await simulateMutant(mutantNamed('host-clock'), { seed })).violations.length;
    }
    expect(seen).toBeGreaterThan(0);
  },
  TIMEOUT_MS,
);
