/**
 * One partition of the sale: its commands drive the fold; outcomes and stock are read in step with
 * them, the changelogs afterwards. Zones that hold are followed by the outcomes (life/).
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
import { effectOf } from './life/differences.ts';
import { LifeAudit } from './life/life-audit.ts';
import { readPayments } from './life/payments-log.ts';
import { adopt, needsLife } from './life/plain-zone.ts';
import type { LogSample } from './log-source.ts';
import { SaleFold } from './sale-fold.ts';
import { type CommandRecord, hasKey, keyOf, type PurchaseRecord } from './sale-records.ts';
import { changelogsOf, MONEY_TOPICS, TASK_TOPICS } from './topics.ts';

export interface TaskToAudit {
  readonly applicationId: string;
  readonly partition: number;
  readonly partitionCount: number;
  readonly sample: LogSample;
  readonly journal: JournalCheck | undefined;
  readonly isSettled: boolean;
}

export interface AuditedTask {
  readonly commandCount: number;
  readonly outcomeCount: number;
  readonly stockCount: number;
  readonly purchaseCount: number;
  readonly recordCount: number;
  /** Consumed by the application. */
  readonly inputs: readonly CommittedLog[];
}

export async function auditTask(task: TaskToAudit, context: AuditContext): Promise<AuditedTask> {
  const { applicationId, partition, partitionCount } = task;
  const log = (topic: string) => new CommittedLog(topic, partition, context);
  const logs = {
    status: log(TASK_TOPICS.status),
    stock: log(TASK_TOPICS.stock),
    payments: log(MONEY_TOPICS.payments),
    deadPayments: log(MONEY_TOPICS.deadPayments),
  };
  const letters = log(TASK_TOPICS.deadLetters);
  const fold = new SaleFold(partition, partitionCount);
  const { findings } = context;
  const violationsBefore = findings.total;
  const pass = new TaskPass(task, context, fold, logs, letters);
  await pass.run();
  const { zones, purchases } = changelogsOf(applicationId);
  const changelogs = [log(zones), log(purchases)] as const;
  const zonesWritten = await checkZoneChangelog(changelogs[0], fold, pass.life, context);
  const purchasesWritten = await checkPurchaseChangelog(changelogs[1], fold, pass.life, context);
  // What is wrong by itself has been told: it need not be told as a torn transaction again.
  if (findings.total === violationsBefore) pass.checkTransactions(zonesWritten, purchasesWritten);
  const all = [pass.commands, ...Object.values(logs), letters, ...changelogs];
  return {
    commandCount: pass.commands.recordCount,
    outcomeCount: logs.status.recordCount + letters.recordCount,
    stockCount: logs.stock.recordCount,
    purchaseCount: fold.purchases.size + pass.life.purchases.size,
    recordCount: all.reduce((sum, { recordCount }) => sum + recordCount, 0),
    inputs: [pass.commands, logs.payments],
  };
}

interface TaskLogs {
  readonly status: CommittedLog;
  readonly stock: CommittedLog;
  readonly payments: CommittedLog;
  readonly deadPayments: CommittedLog;
}

class TaskPass {
  readonly commands: CommittedLog;
  readonly life: LifeAudit;
  readonly #task: TaskToAudit;
  readonly #context: AuditContext;
  readonly #fold: SaleFold;
  readonly #logs: TaskLogs;
  readonly #deadLetters: DeadLetters;
  readonly #outcomes: Outcomes;
  readonly #stock: Stock;
  readonly #committedOffset: number;

  constructor(
    task: TaskToAudit,
    context: AuditContext,
    fold: SaleFold,
    logs: TaskLogs,
    letters: CommittedLog,
  ) {
    const { findings, money } = context;
    const { partition, sample } = task;
    this.#task = task;
    this.#context = context;
    this.#fold = fold;
    this.#logs = logs;
    this.commands = new CommittedLog(TASK_TOPICS.commands, partition, context, (record) =>
      this.#aborted(record),
    );
    this.#deadLetters = new DeadLetters(findings, letters, TASK_TOPICS.commands);
    const commandPlace = (offset: number) => this.commands.placeOf(offset);
    this.#outcomes = new Outcomes({
      findings,
      fold,
      deadLetters: this.#deadLetters,
      status: logs.status,
      commandPlace,
    });
    this.#stock = new Stock(findings, fold, logs.stock);
    this.life = new LifeAudit({ findings, commandPlace, money });
    const key = `${TASK_TOPICS.commands}-${partition}`;
    this.#committedOffset = sample.bounds.get(key)?.committedOffset ?? 0;
  }

  async run(): Promise<void> {
    const { payments, deadPayments } = this.#logs;
    await this.#deadLetters.readAll();
    await readPayments(payments, deadPayments, this.#context, this.life);
    for (;;) {
      const reached = await this.commands.read((record) => this.#command(record));
      if (reached === 'kept') await this.#readOutcomes('drained');
      const isLast = reached === 'end' || this.#context.findings.isFull;
      await this.#readOutcomes(isLast ? 'end' : 'ahead');
      this.life.settle();
      await this.#readStock(isLast);
      if (isLast) break;
    }
    this.#outcomes.end();
    this.#stock.end();
    this.#endLife();
    this.#deadLetters.end((offset) => offset < this.#committedOffset);
  }

  /** The same effects in the same transactions, in all topics of the task. */
  checkTransactions(zonesWritten: Manifest, purchasesWritten: Manifest): void {
    const { findings } = this.#context;
    compareManifests(this.#outcomes.manifest, purchasesWritten, findings);
    compareManifests(this.#stock.manifest, zonesWritten, findings);
    if (this.#outcomes.manifest.isWhole) this.#stock.checkSkips(this.#outcomes.ranges);
  }

  #endLife(): void {
    this.life.end(this.#task.isSettled);
    for (const [key, zone] of this.life.zones) {
      if (!zone.trail.hasUntold) continue;
      const { stock } = this.#logs;
      const what = `${key}: its last stock was never announced`;
      this.#context.findings.violated('I9', stock.placeOf(stock.lastOffset), what);
    }
  }

  /** Pauses when outcomes can be read beside it; keeps a command that changes who follows its zone. */
  #command(record: RecordCursor): 'next' | 'pause' | 'keep' {
    // What is not consumed yet has no consequences; that it is not consumed is said elsewhere.
    if (record.offset >= this.#committedOffset) return 'next';
    const { offset, timestampMs: timeMs } = record;
    const command = this.#context.records.command(record);
    const key = keyOf(record);
    const flaw = this.#fold.flawOf(command, key);
    const isSound = flaw === undefined && command !== undefined && key !== undefined;
    if (isSound && !this.life.isOurs(key) && needsLife(command)) {
      if (this.#outcomes.isWaiting && !this.#isDrained) return 'keep';
      adopt(this.life, this.#fold, key);
    }
    this.#isDrained = false;
    this.#tellJournal(command, offset);
    if (isSound && this.life.isOurs(key)) {
      this.life.command({ ...command, offset, timeMs, letter: this.#deadLetters.look(record) });
    } else this.#applyPlain(record, command, key);
    return this.#outcomes.isFarAhead || this.life.isFarAhead ? 'pause' : 'next';
  }

  /** Everything that could be read before the kept command was. */
  #isDrained = false;

  #applyPlain(
    record: RecordCursor,
    command: CommandRecord | undefined,
    key: string | undefined,
  ): void {
    const { offset, timestampMs } = record;
    const consequence = this.#fold.apply(command, key, offset, timestampMs);
    switch (consequence.kind) {
      case 'outcome':
        this.#outcomes.expect(consequence, offset);
        break;
      case 'dead-letter':
        this.#deadLetters.expect(record, consequence.why, this.commands.placeOf(offset));
        if (command?.kind === 'Purchase') this.#outcomes.refused(command.fields.purchaseId, offset);
        break;
      case 'none':
        if (!this.#deadLetters.take(offset)) break;
        this.#context.findings.violated(
          'I22',
          this.#deadLetters.placeOf(offset),
          `the operator’s command at ${offset} has its effect and a dead letter`,
        );
    }
  }

  #tellJournal(command: CommandRecord | undefined, offset: number): void {
    if (command?.kind !== 'Purchase') return;
    const { purchaseId, eventId } = command.fields;
    this.#task.journal?.command(purchaseId, eventId, this.commands.placeOf(offset));
  }

  /** ahead: as far as the window wants · drained: until nothing is expected · end: all of them. */
  async #readOutcomes(until: 'ahead' | 'drained' | 'end'): Promise<void> {
    const { status } = this.#logs;
    const isEnough = () => {
      if (until === 'drained') return !this.#outcomes.isWaiting;
      return until === 'ahead' && !this.#outcomes.isAhead && !this.life.isAhead;
    };
    this.#isDrained = until === 'drained';
    if (isEnough()) return;
    await status.read((record) => {
      const purchase = this.#context.records.purchase.read(record);
      const { offset } = record;
      if (purchase === undefined || !hasKey(record, purchase.purchaseId)) {
        const what = 'it is no outcome under its purchase’s key';
        this.#context.findings.violated('I9', status.placeOf(offset), what);
      } else {
        if (this.life.isOurs(`${purchase.eventId}/${purchase.zoneId}`)) {
          this.#announcedLife(purchase, record);
        } else this.#outcomes.announced(purchase, offset);
        this.#task.journal?.outcome(purchase, status.placeOf(offset));
      }
      return isEnough() ? 'pause' : 'next';
    });
  }

  #announcedLife(purchase: PurchaseRecord, { offset, timestampMs }: RecordCursor): void {
    const { status } = this.#logs;
    const { transaction, hasClockGoneBack } = status;
    const before = this.life.purchases.get(purchase.purchaseId);
    const explained = this.life.announced(purchase, {
      place: status.placeOf(offset),
      timeMs: timestampMs,
      transaction,
      endedAtMs: hasClockGoneBack ? undefined : transaction?.endedAtMs,
    });
    if (explained === undefined || explained.isRepeat) return;
    const { manifest, ranges } = this.#outcomes;
    manifest.effect(effectOf(purchase));
    if (before === undefined) return;
    const isReplaced =
      before.transaction === undefined
        ? ranges.isInCurrent(before.record.commandOffset, transaction)
        : before.transaction === transaction;
    if (isReplaced) manifest.replaced(effectOf(before.record));
  }

  /** As far as the fold has come. */
  async #readStock(toTheEnd: boolean): Promise<void> {
    const { stock: log } = this.#logs;
    const consumed = this.commands.lastOffset;
    await log.read((record) => {
      const stock = this.#context.records.stock.read(record);
      const { offset } = record;
      if (stock === undefined) {
        const what = 'it is no stock';
        this.#context.findings.violated('I9', log.placeOf(offset), what);
        return 'next';
      }
      if (!toTheEnd && stock.commandOffset > consumed) return 'keep';
      const key = `${stock.eventId}/${stock.zoneId}`;
      if (!this.life.isOurs(key)) {
        this.#stock.announced(stock, offset);
        return 'next';
      }
      const zone = this.life.zones.get(key);
      const followed = this.life.followedOffset ?? consumed;
      const isFollowed = zone?.trail.isFollowed(stock, followed) === true;
      if (!toTheEnd && !isFollowed) return 'keep';
      this.#stock.announced(stock, offset, zone);
      return 'next';
    });
  }

  #aborted(record: RecordCursor): void {
    const command = this.#context.records.command(record);
    if (command?.kind === 'Purchase') this.#outcomes.aborted(command.fields.purchaseId);
  }
}
