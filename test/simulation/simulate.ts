/**
 * The sale as a scenario, and one run of it. Two judges: the simulation's own, which also reads the
 * stores, and then the auditor that users have, which also reads raw batches.
 */
import type { Scenario } from '../../simulation/scenario.ts';
import {
  type RunResult,
  type SimulateOptions,
  simulate as simulateScenario,
} from '../../simulation/simulate.ts';
import { ticketTopics } from '../../ticket-sales/topics.ts';
import { Audit } from './audit.ts';
import { auditSale, sentencesOf } from './audited-sale.ts';
import { Buyers } from './buyers.ts';
import { APPLICATION_ID, PARTITIONS, saleTopology } from './sale.ts';

/** Built once: it is data, and every task makes its own processors from it. */
const topology = saleTopology();

export const sale: Scenario = {
  applicationId: APPLICATION_ID,
  topology: () => topology,
  topics: ticketTopics(PARTITIONS, 1),
  begin: (run) => {
    const buyers = new Buyers(run);
    return {
      feed: () => buyers.buyEverything(),
      check: async (outcome) => {
        const audit = new Audit(outcome);
        await audit.topics(buyers.journal);
        if (audit.violations.length === 0) await audit.stores();
        if (audit.violations.length > 0) return audit.violations;
        return sentencesOf(await auditSale(outcome, buyers.journal));
      },
    };
  },
};

export function simulate(options: SimulateOptions): Promise<RunResult> {
  return simulateScenario(sale, options);
}
