/** `millrace audit`: options in, progress and a table or one JSON document out, the verdict as exit code. */
import cliProgress from 'cli-progress';
import { type AuditReport, audit } from '../audit/audit.ts';
import { EXIT_CODES, RULES, type Rule, type RuleResult } from '../audit/findings.ts';
import { readJournal } from '../audit/journal.ts';
import { kafkaLogSource } from '../audit/log/kafka-source.ts';
import { systemClock } from '../base/clock.ts';
import { isMillraceError } from '../base/errors.ts';
import { silentLog } from '../base/log.ts';
import { systemRandom } from '../base/random.ts';
import { confluentRegistryClient } from '../schemas/confluent-registry-client.ts';

export interface AuditCommandOptions {
  readonly brokers: string;
  readonly registry: string;
  readonly applicationId: string;
  readonly journal?: string;
  readonly live?: boolean;
  readonly settled?: boolean;
  readonly json?: boolean;
}

/** How often the bar moves. */
const PROGRESS_EVERY = 10_000;

/** Resolves with the exit code. */
export async function runAudit(options: AuditCommandOptions): Promise<number> {
  const deps = { clock: systemClock, random: systemRandom, log: silentLog };
  const brokers = options.brokers.split(',').map((text) => {
    const cut = text.lastIndexOf(':');
    return { host: text.slice(0, cut), port: Number(text.slice(cut + 1)) };
  });
  const connection = { kind: 'tcp', brokers, clientId: 'millrace-audit' } as const;
  const source = kafkaLogSource(connection, options.applicationId, deps);
  const bar = new cliProgress.SingleBar({
    format: 'reading {bar} {percentage}% | {value}/{total} offsets | {duration_formatted}',
    hideCursor: true,
    stream: process.stderr,
  });
  let drawn = -PROGRESS_EVERY;
  const startedAtMs = performance.now();
  try {
    const report = await audit(source, {
      applicationId: options.applicationId,
      registry: confluentRegistryClient({ url: options.registry }),
      ...(options.journal === undefined ? {} : { journal: readJournal(options.journal) }),
      allowMembers: options.live === true,
      isSettled: options.settled === true,
      onProgress: (done, total) => {
        if (drawn < 0 && options.json !== true) bar.start(total, 0);
        if (done - drawn < PROGRESS_EVERY && done < total) return;
        drawn = done;
        bar.update(done);
      },
    });
    bar.stop();
    const seconds = (performance.now() - startedAtMs) / 1000;
    console.log(options.json === true ? asJson(report) : asText(report, seconds));
    return EXIT_CODES[report.verdict];
  } catch (error) {
    // What could not be read proves nothing: neither right nor wrong.
    bar.stop();
    if (!isMillraceError(error)) throw error;
    console.error(`${error.code}: ${error.message}`);
    if (error.hint !== undefined) console.error(`  ${error.hint}`);
    console.log('NOT VALID');
    return EXIT_CODES['not-valid'];
  } finally {
    bar.stop();
    source.close();
  }
}

/** For programs: one document, rules by name. */
export function asJson({ rules, ...report }: AuditReport): string {
  return JSON.stringify({ ...report, rules: Object.fromEntries(rules) });
}

/** For people: a line per rule, with the first violations below it. */
export function asText(report: AuditReport, seconds: number): string {
  const { records, commands, purchases, outcomes, orders, transactions } = report.figures;
  const lines = [...report.rules].flatMap(([rule, result]) => ruleLines(rule, result));
  const perSecond = Math.round(records / seconds);
  return [
    ...lines,
    '',
    `${records} records in ${seconds.toFixed(1)} s (${perSecond}/s): ${commands} commands, ${purchases} purchases, ${outcomes} outcomes, ${orders} orders, ${transactions} transactions`,
    ...report.notes.map((note) => `note: ${note}`),
    ...report.invalid.slice(0, 10).map((why) => `not valid: ${why}`),
    { right: 'RIGHT', violated: 'VIOLATED', 'not-valid': 'NOT VALID' }[report.verdict],
  ].join('\n');
}

function ruleLines(rule: Rule, result: RuleResult): string[] {
  const line = (verdict: string) => `${rule.padEnd(4)}${verdict.padEnd(16)}${RULES[rule]}`;
  switch (result.kind) {
    case 'held':
      return [`${line('held')} (${result.checks} checks)`];
    case 'no-case':
      return [line('no case')];
    case 'not-checked':
      return [`${line('not checked')}: ${result.why}`];
    case 'not-applicable':
      return [`${line('not applicable')}: ${result.why}`];
    case 'violated':
      return [
        `${line('VIOLATED')} (${result.count} times)`,
        ...result.first.map(({ place, what }) => `      ${place}: ${what}`),
      ];
  }
}
