/** Orders in CI: a batch of seeds, every end that an order can have, and the bugs that only they show. */
import { expect, test } from 'vitest';
import { runSeeds } from '../../../simulation/run-seeds.ts';
import { mutantNamed, simulateMutant } from '../mutants.ts';

const ORDERS = { module: new URL('./scenario.ts', import.meta.url), export: 'orders' };
const ENDS = [
  'confirmed',
  'rejected',
  'expired',
  'released',
  'payment_failed',
  'cancelled',
  'refunded',
] as const;
const SEEDS = 40;
const SEEDS_FOR_A_BUG = 60;
const TIMEOUT_MS = 240_000;

test(
  `${SEEDS} seeds of orders in several zones are sold whole or not at all, to the cent`,
  async () => {
    const { failed, counters } = await runSeeds(ORDERS, { seeds: SEEDS });
    const told = failed.map(
      ({ seed, violations }) =>
        `npm run simulate -- --scenario orders --seed ${seed}: ${violations[0]?.slice(0, 300)}`,
    );
    expect(told).toEqual([]);
    for (const state of ENDS) {
      expect(counters.get(`order ${state}`), state).toBeGreaterThan(0);
    }
  },
  TIMEOUT_MS,
);

test.each(['order-line-forgotten', 'order-paid-twice'])(
  'a planted bug of the saga is seen: %s',
  async (name) => {
    let seen = 0;
    for (let seed = 1; seed <= SEEDS_FOR_A_BUG && seen === 0; seed++) {
      seen = (await simulateMutant(mutantNamed(name), { seed })).violations.length;
    }
    expect(seen).toBeGreaterThan(0);
  },
  TIMEOUT_MS,
);
