/**
 * A simulated sale judged by the auditor that users have: `millrace audit`, over the raw batches of the
 * simulated broker and the buyers' journal; and a scenario that counts which rules had a case. What it
 * raises beyond the simulation's own audit is either a bug that the other does not see, or a false alarm.
 */
import { type AuditReport, audit } from '../../audit/audit.ts';
import type { JournalEntry } from '../../audit/journal.ts';
import { kafkaLogSourceOver } from '../../audit/log/kafka-source.ts';
import type { Outcome, Scenario } from '../../simulation/scenario.ts';
import { ticketTopics } from '../../ticket-sales/topics.ts';
import { Audit } from './audit.ts';
import { Buyers, type Send } from './buyers.ts';
import { APPLICATION_ID, PARTITIONS, registry, saleTopology } from './sale.ts';

/** Invariant I25: so long after the last fault everything must be done. */
const PATIENCE_MS = 60_000;
const AGAIN_AFTER_MS = 1_000;

/** Built once: it is data, and every task makes its own processors from it. */
const topology = saleTopology();

export const auditedSale: Scenario = {
  applicationId: APPLICATION_ID,
  topology: () => topology,
  topics: ticketTopics(PARTITIONS, 1),
  begin: (run) => {
    const buyers = new Buyers(run);
    return {
      feed: () => buyers.buyEverything(),
      check: async (outcome) => {
        const report = await auditSale(outcome, buyers.journal);
        for (const [rule, { kind }] of report.rules) run.count(`${rule} ${kind}`);
        const own = new Audit(outcome);
        await own.topics(buyers.journal);
        return [...sentencesOf(report), ...disagreement(report, own.violations)];
      },
    };
  },
};

/**
 * The application has consumed everything and stopped, but a zombie's transaction may stay open for its
 * timeout: looked at again and again until the log is quiet, or it never will be (I25).
 */
export async function auditSale(
  { access }: Pick<Outcome, 'access'>,
  journal: readonly Send[],
  given: { readonly isSettled?: boolean } = {},
): Promise<AuditReport> {
  const source = kafkaLogSourceOver(access, APPLICATION_ID);
  const untilMs = access.clock.monotonicMs() + PATIENCE_MS;
  try {
    for (;;) {
      const isLate = access.clock.monotonicMs() > untilMs;
      const isSettled = isLate || (given.isSettled ?? false);
      const entries = { journal: entriesOf(journal) };
      const options = { applicationId: APPLICATION_ID, registry, isSettled, ...entries };
      const report = await audit(source, options);
      if (report.verdict !== 'not-valid' || isSettled) return report;
      await access.clock.sleep(AGAIN_AFTER_MS);
    }
  } finally {
    source.close();
  }
}

export function sentencesOf({ verdict, invalid, rules }: AuditReport): string[] {
  if (verdict === 'right') return [];
  const told = [...rules.values()].flatMap((result) =>
    result.kind === 'violated'
      ? result.first.map(({ rule, place, what }) => `${rule} ${place}: ${what}`)
      : [],
  );
  return [...invalid.map((why) => `the audit is not valid: ${why}`), ...told];
}

function disagreement({ verdict }: AuditReport, others: readonly string[]): string[] {
  if (verdict !== 'right' || others.length === 0) return [];
  return others.map((other) => `the auditor says right, and the simulation’s own audit: ${other}`);
}

function* entriesOf(journal: readonly Send[]): Generator<JournalEntry> {
  for (const { command, outcome } of journal) {
    if (command.kind !== 'purchase') continue;
    const { purchaseId, eventId, zoneId, buyerId, quantity } = command;
    const answer = outcome === 'acknowledged' ? 'accepted' : 'unknown';
    yield { purchaseId, answer, eventId, zoneId, buyerId, quantity };
  }
}
