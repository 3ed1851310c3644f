/**
 * The audit of a ticket sale: one streaming pass over its topics, partition after partition. Reads
 * nothing but the log source and the journal; memory is bounded by the purchases of a partition, and by
 * all payments, refunds and orders.
 */
import type { SchemaRegistry } from '../schemas/schema-registry.ts';
import { JournalCheck } from './checks/journal.ts';
import { TransactionFates } from './checks/transactions.ts';
import { checkLag, checkQuiet, checkUnmoved, type ValidityOptions } from './checks/validity.ts';
import type { AuditContext } from './context.ts';
import { FestivalAudit } from './festival/festival-audit.ts';
import { Findings, type Rule, type RuleResult, type Verdict } from './findings.ts';
import type { JournalLine } from './journal.ts';
import { Money } from './life/money.ts';
import { readPayments } from './life/queues/payments-log.ts';
import { CommittedLog } from './log/committed-log.ts';
import type { LogSample, LogSource, PartitionBounds } from './log/log-source.ts';
import { OrderAudit } from './orders/order-audit.ts';
import { type SaleRecords, saleRecords } from './records/record-reader.ts';
import { auditTask } from './task/audit-task.ts';
import { MONEY_TOPICS, ORDER_TOPICS, type SaleTopics, saleTopics, TASK_TOPICS } from './topics.ts';

export interface AuditOptions extends Partial<ValidityOptions> {
  readonly applicationId: string;
  readonly registry: SchemaRegistry;
  readonly journal?: AsyncIterable<JournalLine> | Iterable<JournalLine>;
  /** Offsets read so far, of how many. */
  readonly onProgress?: (done: number, total: number) => void;
}

export interface AuditReport {
  readonly verdict: Verdict;
  /** Why the audit proves nothing; empty unless `not-valid`. */
  readonly invalid: readonly string[];
  /** What this auditor does not understand of this log, and leaves out. */
  readonly notes: readonly string[];
  readonly rules: ReadonlyMap<Rule, RuleResult>;
  readonly figures: {
    readonly records: number;
    readonly commands: number;
    readonly purchases: number;
    readonly outcomes: number;
    readonly orders: number;
    /** Of brokers with transactions V2, and aborted ones. */
    readonly transactions: number;
  };
}

const NOTHING: PartitionBounds = {
  startOffset: 0,
  endOffset: 0,
  stableOffset: 0,
  committedOffset: undefined,
};

/** Reads it all and judges. Rejects when the source or the registry does not answer. */
export async function audit(source: LogSource, options: AuditOptions): Promise<AuditReport> {
  const findings = new Findings();
  const validity = {
    allowMembers: options.allowMembers ?? false,
    isSettled: options.isSettled ?? false,
  };
  const topics = saleTopics(await source.topics(), options.applicationId);
  const figures = { records: 0, commands: 0, purchases: 0, outcomes: 0, orders: 0 };
  const fates = new TransactionFates();
  const money = new Money(findings);
  const festival = new FestivalAudit(findings);
  const notes: string[] = [];
  const finish = (): AuditReport => ({
    verdict: findings.verdict(),
    invalid: findings.invalid,
    notes,
    rules: findings.results(options.journal !== undefined),
    figures: { ...figures, transactions: fates.count },
  });
  for (const topic of topics.missing) findings.notValid(`the topic ${topic} does not exist`);
  if (topics.missing.length > 0) return finish();

  const before = await source.sample([...topics.partitions.keys()], topics.inputs);
  checkQuiet(before, findings, validity);
  checkWhole(before, topics, findings);
  if (findings.invalid.length > 0) return finish();

  const parts = { findings, fates, money, festival };
  const ordersUnread = contextOf(source, before, parts, options);
  const orders = await readOrders(ordersUnread, topics, before, options);
  const context = { ...ordersUnread, orders };
  const journal = await readJournal(options, findings);
  const partitionCount = topics.partitions.get(TASK_TOPICS.commands) ?? 0;
  figures.orders = orders?.orderCount ?? 0;
  figures.records += (orders?.recordCount ?? 0) + (await readRequests(context, topics));
  const payments = await readPayments(options.applicationId, partitionCount, context);
  let stocks = 0;
  for (let partition = 0; partition < partitionCount && !findings.isFull; partition++) {
    const given = { partition, partitionCount, sample: before, payments: payments[partition]! };
    const task = await auditTask({ ...options, ...validity, ...given, journal }, context);
    figures.commands += task.commandCount;
    figures.purchases += task.purchaseCount;
    figures.outcomes += task.outcomeCount;
    figures.records += task.recordCount;
    stocks += task.stockCount;
    for (const log of task.inputs) lag(log);
  }
  for (const { topic, partition } of topics.others) {
    if (findings.isFull) break;
    const log = new CommittedLog(topic, partition, context);
    await log.read(() => 'next');
    figures.records += log.recordCount;
    if (topics.inputs.includes(topic)) lag(log);
  }
  for (const log of orders?.inputs ?? []) lag(log);
  if (!findings.isFull) {
    orders?.end(validity.isSettled);
    festival.end();
  }
  journal?.end(festival.askedFor());
  money.end(MONEY_TOPICS.refundRequests);
  nameCaseless(findings, `looked at ${figures.outcomes} outcomes and ${stocks} stocks`);
  checkUnread(context.records, findings, notes);
  if (figures.commands === 0) findings.notValid('no command was read');
  if (figures.outcomes === 0) findings.notValid('no outcome was read');
  checkUnmoved(before, await source.sample([...topics.partitions.keys()], topics.inputs), findings);
  if (findings.invalid.length === 0) findings.checked('I0');
  return finish();

  function lag(log: CommittedLog): void {
    const committed = before.bounds.get(`${log.topic}-${log.partition}`)?.committedOffset;
    checkLag(log, committed, findings, validity);
  }
}

function contextOf(
  source: LogSource,
  sample: LogSample,
  parts: Pick<AuditContext, 'findings' | 'fates' | 'money' | 'festival'>,
  { registry, onProgress }: AuditOptions,
): AuditContext {
  const boundsOf = (topic: string, partition: number) =>
    sample.bounds.get(`${topic}-${partition}`) ?? NOTHING;
  let done = 0;
  let total = 0;
  for (const { startOffset, endOffset } of sample.bounds.values()) total += endOffset - startOffset;
  return {
    ...parts,
    orders: undefined,
    records: saleRecords(registry),
    startOf: (topic, partition) => boundsOf(topic, partition).startOffset,
    open: (topic, partition) =>
      source.read(topic, partition, boundsOf(topic, partition))[Symbol.asyncIterator](),
    progress: (offsets) => {
      done += offsets;
      onProgress?.(done, total);
    },
  };
}

/** Before anything else: payments and refunds of orders are told from those of purchases. */
async function readOrders(
  context: AuditContext,
  { partitions }: SaleTopics,
  { bounds }: LogSample,
  { applicationId }: AuditOptions,
): Promise<OrderAudit | undefined> {
  const partitionCount = partitions.get(ORDER_TOPICS.orders);
  if (partitionCount === undefined) return undefined;
  const all = Array.from({ length: partitionCount }, (_, partition) => {
    const { committedOffset = 0 } = bounds.get(`${ORDER_TOPICS.orders}-${partition}`) ?? NOTHING;
    return { applicationId, partition, partitionCount, committedOffset };
  });
  return OrderAudit.read(all, context);
}

/** What the sale asked the payment side for, in all partitions. */
async function readRequests(context: AuditContext, { partitions }: SaleTopics): Promise<number> {
  const { money, records, orders } = context;
  let count = 0;
  for (const topic of [MONEY_TOPICS.paymentRequests, MONEY_TOPICS.refundRequests]) {
    for (let partition = 0; partition < (partitions.get(topic) ?? 0); partition++) {
      const log = new CommittedLog(topic, partition, context);
      await log.read((record) => {
        const place = log.placeOf(record.offset);
        if (topic === MONEY_TOPICS.paymentRequests) {
          const request = records.paymentRequest.read(record);
          if (request === undefined || orders?.paymentRequested(request, place)) return 'next';
          money.paymentRequested(request, place);
        } else {
          const refund = records.refund.read(record);
          if (refund === undefined || orders?.refundRequested(refund, place)) return 'next';
          money.refundRequested(refund, place);
        }
        return 'next';
      });
      count += log.recordCount;
    }
  }
  return count;
}

/** Rules that only some sales can break, and what no topic shows. */
function nameCaseless(findings: Findings, looked: string): void {
  const kinds = {
    I2: 'named seats',
    I15: 'a payment or refund',
    I16: 'a hold',
    I27: 'an order',
  } as const;
  for (const [rule, what] of Object.entries(kinds) as [keyof typeof kinds, string][]) {
    if (findings.hasCase(rule)) continue;
    findings.notApplicable(rule, `no such records: ${what} in none (${looked})`);
  }
  const why = 'topics do not show the stores; I10 holds their changelogs to the fold';
  findings.notChecked('I11', why);
}

/** The fold starts at offset 0: a log whose head is gone cannot be audited. */
function checkWhole(sample: LogSample, { partitions }: SaleTopics, findings: Findings): void {
  for (let partition = 0; partition < (partitions.get(TASK_TOPICS.commands) ?? 0); partition++) {
    const key = `${TASK_TOPICS.commands}-${partition}`;
    const startOffset = sample.bounds.get(key)?.startOffset ?? 0;
    if (startOffset > 0) findings.notValid(`${key} begins at ${startOffset}: its head is gone`);
  }
}

/** A field that is not read may not matter; a command that is not known makes every fold wrong. */
function checkUnread({ unread }: SaleRecords, findings: Findings, notes: string[]): void {
  for (const part of unread) {
    notes.push(`records of this log may hold ${part}, which is not read`);
    if (!part.startsWith('ticket-command.command|')) continue;
    if (part.includes('.', 'ticket-command.'.length)) continue;
    findings.notValid(`there may be commands that this auditor does not know: ${part}`);
  }
}

async function readJournal(
  { journal }: AuditOptions,
  findings: Findings,
): Promise<JournalCheck | undefined> {
  if (journal === undefined) return undefined;
  const check = new JournalCheck(findings);
  for await (const line of journal) check.line(line);
  return check;
}
