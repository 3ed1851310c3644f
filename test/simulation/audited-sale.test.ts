/** The auditor over clean simulated logs: faults in the run, none in the log. More of them: npm run audit-simulated. */
import { expect, test } from 'vitest';
import { simulate } from '../../simulation/simulate.ts';
import { auditedSale } from './audited-sale.ts';

const SEEDS = 20;

test(`the auditor raises nothing on ${SEEDS} simulated sales, and has checked them`, async () => {
  const held = new Map<string, number>();
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { violations, counters } = await simulate(auditedSale, { seed });
    expect(violations, `npm run audit-simulated -- --seeds 1 --from ${seed}`).toEqual([]);
    for (const [what, times] of counters) {
      if (what.endsWith(' held')) held.set(what, (held.get(what) ?? 0) + times);
    }
  }
  for (const rule of ['I0', 'I7', 'I9', 'I10', 'I12', 'I13', 'I14', 'I17', 'I18', 'I23', 'I25']) {
    expect(held.get(`${rule} held`), rule).toBe(SEEDS);
  }
}, 120_000);
