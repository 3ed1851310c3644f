/** The festival in CI: what its producers write anywhere is decided once, paid once, and told rightly. */
import { expect, test } from 'vitest';
import { runSeeds } from '../../../simulation/run-seeds.ts';

const FESTIVAL = { module: new URL('./scenario.ts', import.meta.url), export: 'festival' };
const SEEDS = 25;
const TIMEOUT_MS = 240_000;

test(
  `${SEEDS} seeds of a festival answer every guest once`,
  async () => {
    const { failed, counters } = await runSeeds(FESTIVAL, { seeds: SEEDS });
    const told = failed.map(
      ({ seed, violations }) =>
        `npm run simulate -- --scenario festival --seed ${seed}: ${violations[0]?.slice(0, 300)}`,
    );
    expect(told).toEqual([]);
    for (const state of ['held', 'confirmed', 'expired', 'rejected', 'payment_failed']) {
      expect(counters.get(`purchase ${state}`), state).toBeGreaterThan(0);
    }
  },
  TIMEOUT_MS,
);
