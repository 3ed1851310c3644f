/**
 * The commands of one partition drive the fold; outcomes and stock are read in step with them. Zones
 * that hold are followed by the outcomes (life/).
 */

import type { RecordCursor } from '../../kafka/records/types.ts';
import { DeadLetters } from '../checks/dead-letters.ts';
import type { JournalCheck } from '../checks/journal.ts';
import { compareManifests, type Manifest } from '../checks/manifests.ts';
import { Outcomes } from '../checks/outcomes.ts';
import { Stock } from '../checks/stock.ts';
import type { AuditContext } from '../context.ts';
import { effectOf } from '../life/judging/differences.ts';
import { LifeAudit } from '../life/life-audit.ts';
import { adopt, isFollowedByLife, needsLife } from '../life/plain-zone.ts';
import type { PartitionPayments } from '../life/queues/payments-log.ts';
import { CommittedLog } from '../log/committed-log.ts';
import type { LogSample } from '../log/log-source.ts';
import { hasKey, keyOf } from '../records/record-reader.ts';
import type { CommandRecord, PurchaseRecord } from '../records/sale-records.ts';
import type { SaleFold } from '../sale-fold.ts';
import { TASK_TOPICS } from '../topics.ts';

interface TaskLogs {
  readonly status: CommittedLog;
  readonly stock: CommittedLog;
  readonly letters: CommittedLog;
}

/** keep: it can only be followed when all that is expected before it has been announced. */
type Step = 'next' | 'pause' | 'keep';

export interface TaskToAudit {
  readonly applicationId: string;
  readonly partition: number;
  readonly partitionCount: number;
  readonly sample: LogSample;
  readonly payments: PartitionPayments;
  readonly journal: JournalCheck | undefined;
  readonly isSettled: boolean;
}

export class TaskPass {
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
  /** The command that is kept; everything that was expected before it and came has been read. */
  #drainedOffset = -1;
  /** All commands up to here have been given to the fold, or to whoever follows their zones. */
  #givenOffset = -1;

  constructor(task: TaskToAudit, context: AuditContext, fold: SaleFold, logs: TaskLogs) {
    const { findings, money } = context;
    const { partition, sample, payments } = task;
    this.#task = task;
    this.#context = context;
    this.#fold = fold;
    this.#logs = logs;
    this.commands = new CommittedLog(TASK_TOPICS.commands, partition, context, (record) =>
      this.#aborted(record),
    );
    this.#deadLetters = new DeadLetters(findings, logs.letters, TASK_TOPICS.commands);
    const commandPlace = (offset: number) => this.commands.placeOf(offset);
    this.#outcomes = new Outcomes({
      findings,
      fold,
      deadLetters: this.#deadLetters,
      status: logs.status,
      commandPlace,
    });
    this.#stock = new Stock(findings, fold, logs.stock);
    this.life = new LifeAudit({ findings, commandPlace, money, payments: payments.queued });
    const key = `${TASK_TOPICS.commands}-${partition}`;
    this.#committedOffset = sample.bounds.get(key)?.committedOffset ?? 0;
  }

  async run(): Promise<void> {
    await this.#deadLetters.readAll();
    for (;;) {
      const reached = await this.commands.read((record) => this.#command(record));
      const isLast = reached === 'end' || this.#context.findings.isFull;
      if (isLast) await this.#readOutcomes('end');
      else if (reached === 'kept') await this.#drainOutcomes(this.commands.lastOffset);
      else await this.#readOutcomes('ahead');
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

  /** Pauses when outcomes can be read beside it. */
  #command(record: RecordCursor): Step {
    const { offset, timestampMs: timeMs } = record;
    // What is not consumed yet has no consequences; that it is not consumed is said elsewhere.
    if (offset >= this.#committedOffset) return 'next';
    const command = this.#context.records.command(record);
    if (command === undefined && this.#isFestivals(record)) return 'next';
    const key = keyOf(record);
    const flaw = this.#fold.flawOf(command, key);
    const isSound = flaw === undefined && command !== undefined && key !== undefined;
    if (isSound && !this.life.isOurs(key) && needsLife(command)) {
      if (this.#outcomes.isWaiting && this.#drainedOffset !== offset) return 'keep';
      adopt(this.life, this.#fold, key);
    }
    if (command !== undefined) this.#tell(command, offset);
    if (isSound && isFollowedByLife(this.life, this.#fold, command, key)) {
      this.life.command({ ...command, offset, timeMs, letter: this.#deadLetters.look(record) });
    } else this.#applyPlain(record, command, key);
    this.#givenOffset = offset;
    return this.#outcomes.isFarAhead || this.life.isFarAhead ? 'pause' : 'next';
  }

  /** A purchase that the festival's producers ask for: our own command follows elsewhere. */
  #isFestivals(record: RecordCursor): boolean {
    const { records, festival, findings } = this.#context;
    const theirs = records.festivalPurchase.read(record);
    if (theirs === undefined) return false;
    const { offset } = record;
    const place = this.commands.placeOf(offset);
    const letter = this.#deadLetters.look(record);
    const flaw = festival.flawOf(theirs);
    if (letter === 'different') {
      findings.violated('I21', this.#deadLetters.placeOf(offset), 'not the bytes of its command');
    } else if (letter === 'none' && flaw !== undefined) {
      this.#deadLetters.expect(record, flaw, place);
    } else if (letter === 'none') festival.purchase(theirs, place);
    return true;
  }

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

  /** Whoever else wants to know of commands. */
  #tell(command: CommandRecord, offset: number): void {
    const { orders, festival } = this.#context;
    const { kind, fields } = command;
    orders?.command(command, this.commands);
    const mayBeTheirs = festival.command(command);
    const { journal } = this.#task;
    if (journal === undefined || (kind !== 'Purchase' && kind !== 'RejectPurchase')) return;
    const { purchaseId, eventId, options } = fields;
    const isViaIntake = kind === 'RejectPurchase' || options?.viaIntake === true;
    const isOthers = isViaIntake || orders?.hasLine(purchaseId) === true;
    const others = isOthers ? 'yes' : mayBeTheirs ? 'maybe' : 'no';
    journal.command(purchaseId, eventId, this.commands.placeOf(offset), others);
  }

  /** ahead: as far as the window wants · end: all of them. */
  async #readOutcomes(until: 'ahead' | 'end'): Promise<void> {
    const isEnough = () => until === 'ahead' && !this.#outcomes.isAhead && !this.life.isAhead;
    if (isEnough()) return;
    await this.#logs.status.read((record) => {
      this.#outcome(record, this.#context.records.purchase.read(record));
      return isEnough() ? 'pause' : 'next';
    });
  }

  /** Until nothing is expected any more, or what is must be missing: later commands have theirs. */
  async #drainOutcomes(keptOffset: number): Promise<void> {
    this.#drainedOffset = keptOffset;
    await this.#logs.status.read((record) => {
      const purchase = this.#context.records.purchase.read(record);
      if ((purchase?.commandOffset ?? -1) >= keptOffset) return 'keep';
      this.#outcome(record, purchase);
      return this.#outcomes.isWaiting ? 'next' : 'pause';
    });
  }

  #outcome(record: RecordCursor, purchase: PurchaseRecord | undefined): void {
    const { status } = this.#logs;
    const { offset } = record;
    if (purchase === undefined || !hasKey(record, purchase.purchaseId)) {
      const what = 'it is no outcome under its purchase’s key';
      this.#context.findings.violated('I9', status.placeOf(offset), what);
      return;
    }
    if (this.life.isOurs(`${purchase.eventId}/${purchase.zoneId}`)) {
      this.#announcedLife(purchase, record);
    } else this.#outcomes.announced(purchase, offset);
    this.#context.orders?.outcome(purchase, status);
    this.#task.journal?.outcome(purchase, status.placeOf(offset));
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
    const given = this.#givenOffset;
    await log.read((record) => {
      const stock = this.#context.records.stock.read(record);
      const { offset } = record;
      if (stock === undefined) {
        const what = 'it is no stock';
        this.#context.findings.violated('I9', log.placeOf(offset), what);
        return 'next';
      }
      if (!toTheEnd && stock.commandOffset > given) return 'keep';
      const key = `${stock.eventId}/${stock.zoneId}`;
      if (!this.life.isOurs(key)) {
        this.#stock.announced(stock, offset);
        return 'next';
      }
      const zone = this.life.zones.get(key);
      const followed = this.life.followedOffset ?? given;
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
