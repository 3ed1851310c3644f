/**
 * The sale as scenarios, and one run of it. Two judges: the simulation's own, which also reads the stores,
 * and then, in some runs, the auditor that users have, which also reads raw batches.
 *
 * Most seeds sell with the core of the app alone: a purchase goes through nothing else, and with a quarter
 * of the work as many faults are met. The others run everything that the app has.
 */
import type { Scenario } from '../../simulation/scenario.ts';
import {
  type RunResult,
  type SimulateOptions,
  simulate as simulateScenario,
} from '../../simulation/simulate.ts';
import { TOPICS } from '../../ticket-sales/records.ts';
import { ticketTopics } from '../../ticket-sales/topics.ts';
import { Audit } from './audit.ts';
import { auditSale, sentencesOf } from './audited-sale.ts';
import { Buyers } from './buyers.ts';
import { APPLICATION_ID, coreTopology, PARTITIONS, saleTopology } from './sale.ts';

const WHOLE_EVERY = 16;
const AUDITED_EVERY = 8;
/** With the core alone, and judged by the simulation: the auditor knows of no application that began twice. */
const LOSES_CHANGELOG_EVERY = 25;

/** Of tables, which only the whole app reads. */
const TABLES: readonly string[] = [
  TOPICS.events,
  TOPICS.venues,
  TOPICS.customers,
  TOPICS.unknownVenues,
];

/** Built once: they are data, and every task makes its own processors from them. */
const whole = saleTopology();
const core = coreTopology();

export const wholeSale: Scenario = saleScenario({ isWhole: true, isAudited: true });

export const saleLosingChangelog: Scenario = saleScenario({
  isWhole: false,
  isAudited: false,
  losesChangelog: true,
});

export function sale(seed: number): Scenario {
  if (seed % LOSES_CHANGELOG_EVERY === 0) return saleLosingChangelog;
  return saleScenario({
    isWhole: seed % WHOLE_EVERY === 0,
    isAudited: seed % AUDITED_EVERY === 0,
  });
}

export function simulate(options: SimulateOptions): Promise<RunResult> {
  return simulateScenario(sale, options);
}

interface SaleKind {
  readonly isWhole: boolean;
  readonly isAudited: boolean;
  readonly losesChangelog?: boolean;
}

function saleScenario({ isWhole, isAudited, losesChangelog = false }: SaleKind): Scenario {
  const topology = isWhole ? whole : core;
  const topics = ticketTopics(PARTITIONS, 1);
  return {
    applicationId: APPLICATION_ID,
    topology: () => topology,
    losesChangelog,
    topics: isWhole ? topics : topics.filter(({ name }) => !TABLES.includes(name)),
    begin: (run) => {
      const buyers = new Buyers(run);
      return {
        feed: () => buyers.buyEverything(),
        check: async (outcome) => {
          const audit = new Audit(outcome);
          await audit.topics(buyers.journal);
          if (audit.violations.length === 0) await audit.stores({ hasReports: isWhole });
          if (audit.violations.length > 0 || !isAudited) return audit.violations;
          return sentencesOf(await auditSale(outcome, buyers.journal));
        },
      };
    },
  };
}
