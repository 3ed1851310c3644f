/**
 * One partition of the sale: its commands drive the fold; outcomes and stock are read in step with
 * them, the changelogs afterwards.
 */

import type { RecordCursor } from '../kafka/records/types.ts';
import { checkPurchaseChangelog, checkZoneChangelog } from './checks/changelogs.ts';
import { DeadLetters } from './checks/dead-letters.ts';
import type { JournalCheck } from './checks/journal.ts';
import { compareManifests, type Manifest } from './checks/manifests.ts';
import { Outcomes } from './checks/outcomes.ts';
import { Stock } from './checks/stock.ts';
import { CommittedLog } from './committed-log.ts';
import type { AuditContext } from './context.ts';
import type { LogSample } from './log-source.ts';
import { SaleFold } from './sale-fold.ts';
import { hasKey, keyOf } from './sale-records.ts';
import { changelogsOf, TASK_TOPICS } from './topics.ts';

export interface TaskToAudit {
  readonly applicationId: string;
  readonly partition: number;
  readonly partitionCount: number;
  readonly sample: LogSample;
  readonly journal: JournalCheck | undefined;
}

export interface AuditedTask {
  readonly commandCount: number;
  readonly outcomeCount: number;
  readonly purchaseCount: number;
  readonly recordCount: number;
  /** Consumed by the application. */
  readonly inputs: readonly CommittedLog[];
}

export async function auditTask(task: TaskToAudit, context: AuditContext): Promise<AuditedTask> {
  const { applicationId, partition, partitionCount } = task;
  const log = (topic: string) => new CommittedLog(topic, partition, context);
  const logs = { status: log(TASK_TOPICS.status), stock: log(TASK_TOPICS.stock) };
  const letters = log(TASK_TOPICS.deadLetters);
  const fold = new SaleFold(partition, partitionCount);
  const { findings } = context;
  const violationsBefore = findings.total;
  const pass = new TaskPass(task, context, fold, logs, letters);
  await pass.run();
  const { zones, purchases } = changelogsOf(applicationId);
  const changelogs = [log(zones), log(purchases)] as const;
  const zonesWritten = await checkZoneChangelog(changelogs[0], fold, context);
  const purchasesWritten = await checkPurchaseChangelog(changelogs[1], fold, context);
  // What is wrong by itself has been told: it need not be told as a torn transaction again.
  if (findings.total === violationsBefore) pass.checkTransactions(zonesWritten, purchasesWritten);
  const all = [pass.commands, logs.status, logs.stock, letters, ...changelogs];
  return {
    commandCount: pass.commands.recordCount,
    outcomeCount: logs.status.recordCount + letters.recordCount,
    purchaseCount: fold.purchases.size,
    recordCount: all.reduce((sum, { recordCount }) => sum + recordCount, 0),
    inputs: [pass.commands],
  };
}

class TaskPass {
  readonly commands: CommittedLog;
  readonly #context: AuditContext;
  readonly #journal: JournalCheck | undefined;
  readonly #fold: SaleFold;
  readonly #logs: { readonly status: CommittedLog; readonly stock: CommittedLog };
  readonly #deadLetters: DeadLetters;
  readonly #outcomes: Outcomes;
  readonly #stock: Stock;
  readonly #committedOffset: number;

  constructor(
    { partition, sample, journal }: TaskToAudit,
    context: AuditContext,
    fold: SaleFold,
    logs: { readonly status: CommittedLog; readonly stock: CommittedLog },
    letters: CommittedLog,
  ) {
    const { findings } = context;
    this.#context = context;
    this.#journal = journal;
    this.#fold = fold;
    this.#logs = logs;
    this.commands = new CommittedLog(TASK_TOPICS.commands, partition, context, (record) =>
      this.#aborted(record),
    );
    this.#deadLetters = new DeadLetters(findings, letters, TASK_TOPICS.commands);
    this.#outcomes = new Outcomes({
      findings,
      fold,
      deadLetters: this.#deadLetters,
      status: logs.status,
      commandPlace: (offset) => this.commands.placeOf(offset),
    });
    this.#stock = new Stock(findings, fold, logs.stock);
    const key = `${TASK_TOPICS.commands}-${partition}`;
    this.#committedOffset = sample.bounds.get(key)?.committedOffset ?? 0;
  }

  async run(): Promise<void> {
    await this.#deadLetters.readAll();
    for (;;) {
      const reached = await this.commands.read((record) => this.#command(record));
      const isLast = reached !== 'paused' || this.#context.findings.isFull;
      await this.#readStock(isLast);
      await this.#readOutcomes(isLast);
      if (isLast) break;
    }
    this.#outcomes.end();
    this.#stock.end();
    this.#deadLetters.end((offset) => offset < this.#committedOffset);
  }

  /** The same effects in the same transactions, in all topics of the task. */
  checkTransactions(zonesWritten: Manifest, purchasesWritten: Manifest): void {
    const { findings } = this.#context;
    compareManifests(this.#outcomes.manifest, purchasesWritten, findings);
    compareManifests(this.#stock.manifest, zonesWritten, findings);
    if (this.#outcomes.manifest.isWhole) this.#stock.checkSkips(this.#outcomes.ranges);
  }

  /** Pauses when outcomes can be read beside it. */
  #command(record: RecordCursor): 'next' | 'pause' {
    // What is not consumed yet has no consequences; that it is not consumed is said elsewhere.
    if (record.offset >= this.#committedOffset) return 'next';
    const command = this.#context.records.command(record);
    const { offset } = record;
    const place = this.commands.placeOf(offset);
    const purchaseId = command?.kind === 'Purchase' ? command.fields.purchaseId : undefined;
    if (purchaseId !== undefined && this.#journal !== undefined) {
      this.#journal.command(purchaseId, command?.fields.eventId ?? '', place);
    }
    const consequence = this.#fold.apply(command, keyOf(record), offset, record.timestampMs);
    switch (consequence.kind) {
      case 'outcome':
        this.#outcomes.expect(consequence, offset);
        break;
      case 'dead-letter':
        this.#deadLetters.expect(record, consequence.why, place);
        if (purchaseId !== undefined) this.#outcomes.refused(purchaseId, offset);
        break;
      case 'none':
        if (!this.#deadLetters.take(offset)) break;
        this.#context.findings.violated(
          'I22',
          this.#deadLetters.placeOf(offset),
          `the operator’s command at ${offset} has its effect and a dead letter`,
        );
    }
    return this.#outcomes.isFarAhead ? 'pause' : 'next';
  }

  async #readOutcomes(toTheEnd: boolean): Promise<void> {
    if (!toTheEnd && !this.#outcomes.isAhead) return;
    await this.#logs.status.read((record) => {
      const purchase = this.#context.records.purchase.read(record);
      const { offset } = record;
      if (purchase === undefined || !hasKey(record, purchase.purchaseId)) {
        const what = 'it is no outcome under its purchase’s key';
        this.#context.findings.violated('I9', this.#logs.status.placeOf(offset), what);
      } else {
        this.#context.unjudged.outcome(purchase.state);
        this.#outcomes.announced(purchase, offset);
        this.#journal?.outcome(purchase, this.#logs.status.placeOf(offset));
      }
      return toTheEnd || this.#outcomes.isAhead ? 'next' : 'pause';
    });
  }

  /** As far as the fold has come. */
  async #readStock(toTheEnd: boolean): Promise<void> {
    const consumed = this.commands.lastOffset;
    await this.#logs.stock.read((record) => {
      const stock = this.#context.records.stock.read(record);
      const { offset } = record;
      if (stock === undefined) {
        const what = 'it is no stock';
        this.#context.findings.violated('I9', this.#logs.stock.placeOf(offset), what);
        return 'next';
      }
      if (!toTheEnd && stock.commandOffset > consumed) return 'keep';
      this.#context.unjudged.stock(stock.held);
      this.#stock.announced(stock, offset);
      return 'next';
    });
  }

  #aborted(record: RecordCursor): void {
    const command = this.#context.records.command(record);
    if (command?.kind === 'Purchase') this.#outcomes.aborted(command.fields.purchaseId);
  }
}
