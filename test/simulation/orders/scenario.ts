/**
 * Orders over several zones as a scenario: a saga of holds, payments and compensation between two
 * sub-topologies, beside purchases for the same tickets. Time decides, so the broker's clock, which
 * stamps the log, keeps step; those of the instances jump.
 */
import type { KafkaStreams } from '../../../runtime/kafka-streams.ts';
import type { Scenario, Watch } from '../../../simulation/scenario.ts';
import type { TicketCommand } from '../../../ticket-sales/domain/command.ts';
import { auditSale, sentencesOf } from '../audited-sale.ts';
import type { Send } from '../buyers.ts';
import { watchExpiry } from '../holds/watch-expiry.ts';
import { APPLICATION_ID } from '../sale.ts';
import { type Extent, IN_TOPICS, topicsOf, topologyOf } from './app.ts';
import { OrderBuyers } from './buyers.ts';
import { judge } from './judge.ts';
import type { Sent } from './sender.ts';
import { watchDeadlines } from './watch-deadlines.ts';

/** Most seeds run orders alone: with half of the work as many faults are met. */
const EVERYTHING_EVERY = 3;
/** The auditor that users have judges some of them, too. */
const AUDITED_EVERY = 4;

/** Built once: they are data, and every task makes its own processors from them. */
const topologies = { orders: topologyOf('orders'), everything: topologyOf('everything') };

export function orders(seed: number): Scenario {
  return ordersScenario(extentOf(seed), seed % AUDITED_EVERY === 0);
}

/** What the auditor raises beyond the models is a bug that they do not see, or a false alarm. */
export function auditedOrders(seed: number): Scenario {
  return ordersScenario(extentOf(seed), true);
}

function extentOf(seed: number): Extent {
  return seed % EVERYTHING_EVERY === 0 ? 'everything' : 'orders';
}

function ordersScenario(extent: Extent, isAudited: boolean): Scenario {
  return {
    applicationId: APPLICATION_ID,
    topology: () => topologies[extent],
    topics: topicsOf(extent),
    isLogTimeSteady: true,
    begin: (run) => {
      const buyers = new OrderBuyers(run, extent);
      return {
        feed: () => buyers.feed(),
        check: async (outcome) => {
          if (buyers.failures.length > 0) return buyers.failures;
          const own = await judge(outcome, buyers, run.count);
          if (own.length > 0 || !isAudited) return own;
          const commands = commandsIn(buyers.sender.journal);
          const report = await auditSale(outcome, commands, { isSettled: true });
          for (const [rule, { kind }] of report.rules) run.count(`${rule} ${kind}`);
          return sentencesOf(report);
        },
      };
    },
    watch: (streams: KafkaStreams, watch: Watch) => {
      watchExpiry(streams, watch);
      watchDeadlines(streams, watch);
    },
  };
}

/** What buyers sent to their zones by themselves. */
function commandsIn(journal: readonly Sent[]): readonly Send[] {
  return journal
    .filter(({ topic }) => topic === IN_TOPICS.commands)
    .map(({ message, outcome }) => ({ command: message as TicketCommand, outcome }));
}
