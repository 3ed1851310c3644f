/**
 * One transaction after the other: flush -> freeze -> changelog records -> produce, offsets, EndTxn
 * -> announce -> one store batch per changed task, written behind.
 *
 * C1. begin() returns once the transaction is on its way; processing goes on above the frozen
 *     writes. The next begin() is legal only when this one has ended well (isBusy is false).
 * C2. Anything but 'committed' ends in `failure`: the thread must drop everything uncommitted,
 *     this transaction's and what was processed since, and start its tasks anew.
 * C3. Store batches of transaction n are written before those of n+1 begin.
 */
import { assert } from '../../base/assert.ts';
import type { Clock } from '../../base/clock.ts';
import type {
  GroupMetadata,
  OffsetToCommit,
  TopicPartition,
  TransactionOutcome,
} from '../../kafka/ports.ts';
import type { EncodedBatch } from '../../kafka/records/types.ts';
import type { StreamTask } from '../tasks/stream-task.ts';
import type { CommitTarget } from './commit-target.ts';
import type { RecordCollector } from './record-collector.ts';

export interface CommitAnnouncement {
  /** Grows by one per commit of this thread. */
  readonly sequence: number;
  readonly tasks: readonly StreamTask[];
  readonly batches: readonly EncodedBatch[];
  readonly committedAtMs: number;
}

export interface CommitterContext {
  readonly target: CommitTarget;
  readonly collector: RecordCollector;
  readonly clock: Clock;
  /** As Transaction.group, for the tasks of one transaction. */
  readonly group: (tasks: readonly StreamTask[]) => () => Promise<GroupMetadata | undefined>;
  /** After EndTxn, before the store batches. */
  readonly onCommitted: (announcement: CommitAnnouncement) => void;
  /** The store batches of this and all earlier commits are written. */
  readonly onApplied: (sequence: number) => void;
  /** A commit has ended, or its store batches failed: the thread should look. */
  readonly wakeup: () => void;
}

/** A transaction that did not commit. */
export class CommitFailed extends Error {
  readonly kind: Exclude<TransactionOutcome['kind'], 'committed'>;
  constructor(outcome: Exclude<TransactionOutcome, { kind: 'committed' }>) {
    super(`the transaction is ${outcome.kind}: ${outcome.cause.message}`, { cause: outcome.cause });
    this.name = 'CommitFailed';
    this.kind = outcome.kind;
  }
}

type TaskOffsets = ReadonlyMap<string, TopicPartition & OffsetToCommit>;

export class Committer {
  readonly #context: CommitterContext;
  #sequence = 0;
  #outstanding: Promise<void> | undefined;
  #applying: Promise<void> = Promise.resolve();
  #failure: Error | undefined;
  #lastBeganAtMs = 0;

  constructor(context: CommitterContext) {
    this.#context = context;
  }

  /** The next begin() has to wait: for the transaction under way, or for what its failure asks for. */
  get isBusy(): boolean {
    return this.#outstanding !== undefined || this.#failure !== undefined;
  }

  /** CommitFailed or TaskStoreFailed, until reset(). */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** On the monotonic clock. */
  get lastBeganAtMs(): number {
    return this.#lastBeganAtMs;
  }

  /**
   * Sends everything uncommitted of these tasks. Rejects what user code throws in flush(), before
   * anything has been sent.
   */
  async begin(tasks: readonly StreamTask[]): Promise<void> {
    assert(!this.isBusy, 'one transaction at a time, and none after a failed one');
    for (const task of tasks) await task.flush();
    const offsets = new Map<StreamTask, TaskOffsets>(tasks.map((task) => [task, task.freeze()]));
    const batches = await this.#context.collector.seal();
    this.#lastBeganAtMs = this.#context.clock.monotonicMs();
    this.#outstanding = this.#context.target
      .commit({
        batches,
        offsets: new Map([...offsets.values()].flatMap((map) => [...map])),
        group: this.#context.group(tasks),
      })
      .then((outcome) => this.#ended(outcome, offsets, batches))
      .finally(() => {
        this.#outstanding = undefined;
        this.#context.wakeup();
      });
  }

  /** Resolves when no transaction is under way. Look at `failure` then. */
  async ended(): Promise<void> {
    await this.#outstanding;
  }

  /** Resolves when all store batches are written (or have failed: `failure`). */
  async applied(): Promise<void> {
    await this.#outstanding;
    await this.#applying;
  }

  /** After a failure has been dealt with. Only when applied() has resolved. */
  reset(): void {
    this.#failure = undefined;
  }

  async #ended(
    outcome: TransactionOutcome,
    offsets: ReadonlyMap<StreamTask, TaskOffsets>,
    batches: readonly EncodedBatch[],
  ): Promise<void> {
    if (outcome.kind !== 'committed') {
      this.#failure = new CommitFailed(outcome);
      return;
    }
    const sequence = ++this.#sequence;
    const tasks = [...offsets.keys()];
    const committedAtMs = this.#context.clock.nowMs();
    this.#context.onCommitted({ sequence, tasks, batches, committedAtMs });
    await this.#applying;
    if (this.#failure !== undefined) return;
    const applies = tasks.map((task) => task.apply(outcome.produced, offsets.get(task)!));
    this.#applying = Promise.all(applies).then(
      () => this.#context.onApplied(sequence),
      (error) => {
        this.#failure ??= error instanceof Error ? error : new Error(String(error));
        this.#context.wakeup();
      },
    );
  }
}
