/** The independent auditor's verdict over a sale that still runs, for the fault programs: in-process. */
import { type AuditReport, audit } from '../../audit/audit.ts';
import { readJournal } from '../../audit/journal.ts';
import { kafkaLogSource } from '../../audit/kafka-source.ts';
import { systemClock } from '../../base/clock.ts';
import { silentLog } from '../../base/log.ts';
import { systemRandom } from '../../base/random.ts';
import type { SaleAddresses } from '../../bench/sale-client.ts';
import { confluentRegistryClient } from '../../schemas/confluent-registry-client.ts';

/** As invariant I25 has it: so long after the last fault everything must be done. */
const PATIENCE_MS = 60_000;
const AGAIN_AFTER_MS = 1_000;

/**
 * Audits until the log is quiet, which it may not be just after the last decision. What is not quiet
 * after the patience is a violation (I25). Writes what was wrong to stderr. `journalFile`: what was
 * asked, closed by its writer.
 */
export async function auditRunningSale(
  addresses: Pick<SaleAddresses, 'brokers' | 'registryUrl'>,
  applicationId: string,
  journalFile?: string,
): Promise<AuditReport> {
  const brokers = addresses.brokers.split(',').map((text) => {
    const cut = text.lastIndexOf(':');
    return { host: text.slice(0, cut), port: Number(text.slice(cut + 1)) };
  });
  const deps = { clock: systemClock, random: systemRandom, log: silentLog };
  const connection = { kind: 'tcp', brokers, clientId: 'auditor' } as const;
  const source = kafkaLogSource(connection, applicationId, deps);
  const registry = confluentRegistryClient({ url: addresses.registryUrl });
  const deadlineMs = performance.now() + PATIENCE_MS;
  try {
    for (;;) {
      const isSettled = performance.now() > deadlineMs;
      const options = { applicationId, registry, allowMembers: true, isSettled };
      const journal = journalFile === undefined ? {} : { journal: readJournal(journalFile) };
      const report = await audit(source, { ...options, ...journal });
      if (report.verdict !== 'not-valid' || isSettled) return told(report);
      await systemClock.sleep(AGAIN_AFTER_MS);
    }
  } finally {
    source.close();
  }
}

function told(report: AuditReport): AuditReport {
  for (const why of report.invalid) console.error(`audit not valid: ${why}`);
  for (const result of report.rules.values()) {
    if (result.kind !== 'violated') continue;
    for (const { rule, place, what } of result.first) console.error(`${rule} ${place}: ${what}`);
  }
  return report;
}
