/**
 * One stream thread: poll, process, punctuate, commit. Runs in a worker or in the caller's loop; it
 * owns its group member, connections, producers, tasks and their stores.
 *
 * L1. Only the loop touches tasks. What the group says arrives as commands, run between two slices
 *     and awaited by the group member.
 * L2. While a transaction is out, processing goes on; after any outcome but 'committed' everything
 *     uncommitted is dropped, the producers are initialised, and every task starts anew.
 * L3. Kafka away decides nothing: state stays, the loop keeps trying.
 */
import { backoffMs } from '../base/backoff.ts';
import { MillraceError } from '../base/errors.ts';
import type { FetchedPartition, GroupMetadata, TopicPartition } from '../kafka/ports.ts';
import type { Difference } from './assignment/agreement.ts';
import type { AssignmentData } from './assignment/assignment-codec.ts';
import type { GroupEvents } from './assignment/streams-group.ts';
import { CommandQueue } from './command-queue.ts';
import { isTooLarge, learnBatchLimits } from './commit/batch-limits.ts';
import { type CommitSituation, mustPause, shouldCommit } from './commit/commit-policy.ts';
import { type CommitAnnouncement, CommitFailed } from './commit/committer.ts';
import type { StreamTask } from './tasks/stream-task.ts';
import { RollbackNeeded, TaskStoreFailed } from './tasks/task-failures.ts';
import { taskInfo } from './tasks/task-info.ts';
import type { ThreadState } from './thread-events.ts';
import { openThreadParts, type ThreadContext, type ThreadParts } from './thread-parts.ts';

const IDLE_MS = 100;
/** Positions that moved over control batches only are committed no more often than this. */
const MOVED_ONLY_MS = 1_000;
const TASK_INFO_MS = 250;
const MAINTAIN_MS = 1_000;
const RESTART_BACKOFF = { initialMs: 20, maxMs: 5_000 };
const FENCED_MAX = 10;
const FENCED_WINDOW_MS = 60_000;
/** Beyond a session: by then the group has forgotten members that are gone. */
const DIFFERENCE_SLACK_MS = 5_000;

export class StreamThread {
  readonly #context: ThreadContext;
  readonly #parts: ThreadParts;
  readonly #commands = new CommandQueue(() => this.#parts.fetcher.wakeup());
  readonly #stopping = new AbortController();
  #state: ThreadState = 'CREATED';
  #hasAssignment = false;
  #paused = false;
  /** Set by the group member: it has given up. */
  #fatal: Error | undefined;
  /** The application runs with other settings than ours, and since when that is known. */
  #difference: (Difference & { readonly sinceMs: number }) | undefined;
  #mustRestart: Error | undefined;
  #restartsInARow = 0;
  #fencedAtMs: number[] = [];
  #maintainedAtMs = 0;
  #tasksPublishedAtMs = 0;
  #tasksDirty = true;

  constructor(context: ThreadContext) {
    this.#context = context;
    this.#parts = openThreadParts(context, {
      group: this.#groupEvents(),
      onTasksChange: () => {
        this.#tasksDirty = true;
      },
      onCommitted: (announcement) => this.#committed(announcement),
      groupMetadata: (tasks) => this.#groupMetadata(tasks),
    });
  }

  /** Runs until stop(); rejects with what killed the thread. Everything is closed either way. */
  async run(): Promise<void> {
    const { signal } = this.#stopping;
    try {
      this.#become('STARTING');
      await this.#parts.prepareSerdes(signal);
      await this.#parts.target.init(signal);
      this.#become('REBALANCING');
      this.#join();
      while (!signal.aborted) await this.#runOnce();
      this.#become('PENDING_SHUTDOWN');
      await this.#commitEverything();
    } catch (error) {
      if (!signal.aborted) throw error;
      this.#context.log.warn({ err: error }, 'stopping did not go smoothly');
    } finally {
      await this.#shutDown();
    }
  }

  /** Commits, leaves the group and ends run(). */
  stop(): void {
    this.#stopping.abort();
    this.#parts.fetcher.wakeup();
  }

  /** Tasks stay assigned and readable; nothing is processed. */
  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#parts.fetcher.wakeup();
  }

  // ── The loop ─────────────────────────────────────────────────────────────────────────────────

  async #runOnce(): Promise<void> {
    if (this.#fatal !== undefined) throw this.#fatal;
    this.#endIfDifferent();
    try {
      // A restart comes before what the group says: tasks start only after the producers' init.
      const failure = this.#parts.committer.failure ?? this.#mustRestart;
      if (failure !== undefined) throw failure;
      if (await this.#commands.runNext()) return;
      await this.#runSlice();
    } catch (error) {
      await this.#restart(error);
    }
  }

  async #runSlice(): Promise<void> {
    const { tasks } = this.#parts;
    await tasks.runPrepared();
    this.#publish();
    tasks.add(await this.#poll());
    if (this.#paused) return;
    await this.#process();
    await this.#commitIfDue();
  }

  /** With input at hand: I/O gets one turn. Without: wait for something to happen. */
  async #poll(): Promise<readonly FetchedPartition[]> {
    const { tasks, fetcher } = this.#parts;
    const isBusy = !this.#paused && tasks.hasInput() && !this.#isFull();
    if (isBusy) await this.#context.clock.turn();
    return fetcher.poll(isBusy ? 0 : this.#waitMs());
  }

  async #process(): Promise<void> {
    const { config, clock } = this.#context;
    const { tasks } = this.#parts;
    if (this.#isFull()) return;
    const deadlineMs = clock.monotonicMs() + config.sliceMs;
    await tasks.process({ recordsMax: config.sliceRecordsMax, deadlineMs });
    await tasks.punctuate(clock.monotonicMs() + config.sliceMs);
    await this.#maintain();
  }

  /** Once a second: expired entries, and records of repartition topics that are committed. */
  async #maintain(): Promise<void> {
    const nowMs = this.#context.clock.monotonicMs();
    if (nowMs - this.#maintainedAtMs < MAINTAIN_MS) return;
    this.#maintainedAtMs = nowMs;
    const running = this.#parts.tasks.running();
    for (const task of running) await task.expire();
    this.#parts.purge.run(running);
  }

  async #commitIfDue(): Promise<void> {
    // The sums are over all tasks, and most slices are beside a commit.
    if (this.#parts.committer.isBusy) return;
    const situation = this.#situation();
    if (shouldCommit(situation, this.#context.config)) {
      await this.#parts.committer.begin(
        this.#parts.tasks.running().filter((task) => task.hasUncommitted),
      );
    } else if (situation.sinceLastMs > MOVED_ONLY_MS) {
      const moved = this.#parts.tasks.running().filter((task) => task.hasMovedOnly);
      if (moved.length > 0) await this.#parts.committer.begin(moved);
    }
  }

  #situation(): CommitSituation {
    const { committer, tasks } = this.#parts;
    const running = tasks.running();
    return {
      isBusy: committer.isBusy,
      hasWork: running.some((task) => task.hasUncommitted),
      hasInput: tasks.hasInput(),
      isRequested: running.some((task) => task.isCommitRequested),
      uncommittedBytes: this.#uncommittedBytes(),
      consumedRecords: running.reduce((sum, task) => sum + task.consumedRecords, 0),
      lagRecords: running.reduce((sum, task) => sum + task.lagRecords, 0),
      sinceLastMs: this.#context.clock.monotonicMs() - committer.lastBeganAtMs,
    };
  }

  #isFull(): boolean {
    const { isBusy } = this.#parts.committer;
    if (!isBusy) return false;
    return mustPause({ isBusy, uncommittedBytes: this.#uncommittedBytes() }, this.#context.config);
  }

  #uncommittedBytes(): number {
    const { collector, tasks } = this.#parts;
    let bytes = collector.sizeBytes;
    for (const task of tasks.running()) bytes += task.uncommittedBytes;
    return bytes;
  }

  #waitMs(): number {
    const nowMs = this.#context.clock.monotonicMs();
    let untilMs = nowMs + IDLE_MS;
    for (const task of this.#parts.tasks.running())
      untilMs = Math.min(untilMs, task.nextPunctuationAtMs(), task.lingersUntilMs);
    return Math.max(0, Math.ceil(untilMs - nowMs));
  }

  // ── Committing ───────────────────────────────────────────────────────────────────────────────

  /** Ends what is under way, then commits the rest and waits until it is on disk. */
  async #commitEverything(): Promise<void> {
    const { committer, tasks } = this.#parts;
    await committer.applied();
    if (committer.failure !== undefined || this.#mustRestart !== undefined) return;
    const dirty = tasks.running().filter((task) => task.hasUncommitted || task.hasMovedOnly);
    if (dirty.length > 0) await committer.begin(dirty);
    await committer.applied();
  }

  #committed({ sequence, tasks, batches, committedAtMs }: CommitAnnouncement): void {
    const { events, memory, listenedTopics } = this.#context;
    this.#restartsInARow = 0;
    this.#tasksDirty = true;
    const outputs = memory.isWanted
      ? batches
          .filter(({ topic }) => listenedTopics.has(topic))
          .map(({ topic, partition, bytes }) => ({ topic, partition, batch: bytes }))
      : [];
    const taskIds = tasks.map(({ taskId }) => taskId);
    const partitions = [...new Set(tasks.map(({ partition }) => partition))];
    events.committed({ sequence, taskIds, partitions, outputs, committedAtMs });
  }

  /** For one transaction. Asked again after an ILLEGAL_GENERATION: a join decides then. */
  #groupMetadata(tasks: readonly StreamTask[]): () => Promise<GroupMetadata | undefined> {
    let refused: GroupMetadata | undefined;
    return async () => {
      const { member } = this.#parts;
      if (refused !== undefined) await member.settled(refused);
      refused = member.metadata();
      const isOwner = tasks.every(({ lifecycle }) => lifecycle.kind !== 'closed');
      return isOwner && !this.#commands.hasLoss ? refused : undefined;
    };
  }

  // ── When something went wrong ────────────────────────────────────────────────────────────────

  async #restart(cause: unknown): Promise<void> {
    const { committer, collector, tasks, target } = this.#parts;
    const { log, clock, random, client } = this.#context;
    const mayFit = isTooLarge(cause) && (await learnBatchLimits(client.admin, collector));
    if (!mayFit && !isRestartable(cause, this.#mustRestart)) throw cause;
    this.#become('REBALANCING');
    log.warn({ err: cause }, 'dropping what is uncommitted and starting the tasks anew');
    await committer.applied();
    tasks.resetRunning();
    collector.discard();
    // Nothing of the open transaction was sent unless a commit failed.
    if (committer.failure !== undefined || this.#mustRestart !== undefined) {
      this.#countFenced(committer.failure);
      await clock.sleep(
        backoffMs(this.#restartsInARow++, RESTART_BACKOFF, random),
        this.#stopping.signal,
      );
      await target.init(this.#stopping.signal);
    }
    const failed = [cause, committer.failure].find((error) => error instanceof TaskStoreFailed);
    committer.reset();
    this.#mustRestart = undefined;
    await tasks.startReset(failed);
  }

  /** Two processes with one transactional id fence each other for ever: that must not go on silently. */
  #countFenced(failure: Error | undefined): void {
    if (!(failure instanceof CommitFailed) || failure.kind !== 'fenced') return;
    const nowMs = this.#context.clock.monotonicMs();
    this.#fencedAtMs = [
      ...this.#fencedAtMs.filter((atMs) => atMs > nowMs - FENCED_WINDOW_MS),
      nowMs,
    ];
    if (this.#fencedAtMs.length < FENCED_MAX) return;
    throw new MillraceError('KAFKA_FENCED', `fenced ${FENCED_MAX} times within a minute`, {
      cause: failure,
      hint: 'Does another process use the same state directory, or the same group instance id?',
    });
  }

  // ── The group ────────────────────────────────────────────────────────────────────────────────

  #join(): void {
    this.#parts.member.start().catch((error) => {
      this.#fatal ??= error instanceof Error ? error : new Error(String(error));
      this.#parts.fetcher.wakeup();
    });
  }

  #groupEvents(): GroupEvents {
    return {
      onAssigned: (added, data) =>
        this.#commands.push('assigned', () => this.#assigned(added, data)),
      onRevoked: (partitions) => this.#commands.push('revoked', () => this.#revoked(partitions)),
      onLost: (partitions) => this.#commands.push('lost', () => this.#lost(partitions)),
      onFatal: (error) => {
        this.#fatal ??= error;
        this.#parts.fetcher.wakeup();
      },
      onDifference: (found) => this.#compared(found),
    };
  }

  #compared(found: Difference | undefined): void {
    if (found === undefined) {
      this.#difference = undefined;
      return;
    }
    const sinceMs = this.#difference?.sinceMs ?? this.#context.clock.monotonicMs();
    this.#difference = { ...found, sinceMs };
    this.#context.log.warn({ ...found }, 'other instances run with another value of a setting');
  }

  /** Those may be of a former life: the group remembers members that are gone for a session. */
  #endIfDifferent(): void {
    if (this.#difference === undefined) return;
    const { name, own, others, sinceMs } = this.#difference;
    const patienceMs = this.#context.config.sessionTimeoutMs + DIFFERENCE_SLACK_MS;
    if (this.#context.clock.monotonicMs() - sinceMs < patienceMs) return;
    const message = `${name} is "${own}" here, and "${others}" in the instances that run`;
    throw new MillraceError('SETTINGS_DIFFER', message, {
      hint: `Give all instances of an application the same ${name}; to change it, stop all of them first.`,
      facts: { name, own, others },
    });
  }

  async #assigned(added: readonly TopicPartition[], data: AssignmentData): Promise<void> {
    // Without tasks for that reason, it is not ready for anything.
    this.#hasAssignment = this.#difference === undefined;
    this.#context.events.hostsChanged(data.hosts);
    const { tasks, standbys } = this.#parts;
    // Stores change hands within the thread: a standby closes before its task becomes active.
    await standbys.assign(data.standby.filter((id) => tasks.get(id) === undefined));
    await tasks.assign(added);
  }

  /** The generation is still ours, or the new one's: what is processed is committed before it goes. */
  async #revoked(partitions: readonly TopicPartition[]): Promise<void> {
    const { tasks } = this.#parts;
    this.#become('REBALANCING');
    await this.#commitEverything();
    await tasks.close(tasks.tasksOf(partitions));
  }

  /**
   * Others may own these already: nothing of them may be committed, nor of what was processed with
   * them. Their stores stay open and readable until the next assignment says who has them: Kafka
   * may merely have been away.
   */
  async #lost(partitions: readonly TopicPartition[]): Promise<void> {
    const { tasks, committer } = this.#parts;
    this.#become('REBALANCING');
    this.#hasAssignment = false;
    await committer.applied();
    await tasks.suspend(tasks.tasksOf(partitions));
    this.#mustRestart = new MillraceError(
      'TASK_MIGRATED',
      'the group has moved on without this member',
    );
  }

  // ── Telling ──────────────────────────────────────────────────────────────────────────────────

  #publish(): void {
    const { tasks } = this.#parts;
    if (this.#hasAssignment) this.#become(tasks.isReady ? 'RUNNING' : 'REBALANCING');
    const nowMs = this.#context.clock.monotonicMs();
    if (!this.#tasksDirty || nowMs - this.#tasksPublishedAtMs < TASK_INFO_MS) return;
    this.#tasksDirty = false;
    this.#tasksPublishedAtMs = nowMs;
    this.#publishTasks();
  }

  #publishTasks(): void {
    const facts = { thread: this.#context.name, isPaused: this.#paused };
    const active = this.#parts.tasks.all().map((task) => taskInfo(task, facts));
    this.#context.events.tasksChanged([...active, ...this.#parts.standbys.infos()]);
  }

  #become(state: ThreadState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#context.events.stateChanged(state);
    this.#tasksPublishedAtMs = -TASK_INFO_MS;
  }

  async #shutDown(): Promise<void> {
    const { member, tasks } = this.#parts;
    const isStatic = this.#context.config.groupInstanceId !== null;
    this.#commands.close();
    await this.#quietly(member.stop({ leave: !isStatic }));
    await this.#quietly(this.#parts.committer.applied());
    await this.#quietly(this.#parts.restorer.close());
    await this.#quietly(this.#parts.standbys.close());
    await this.#quietly(tasks.close(tasks.all()));
    await this.#quietly(this.#parts.close());
    this.#publishTasks();
    this.#become('DEAD');
  }

  async #quietly(step: Promise<void>): Promise<void> {
    await step.catch((error) =>
      this.#context.log.warn({ err: error }, 'while closing a stream thread'),
    );
  }
}

function isRestartable(cause: unknown, mustRestart: Error | undefined): boolean {
  if (cause instanceof CommitFailed) return cause.kind !== 'fatal';
  return (
    cause instanceof RollbackNeeded || cause instanceof TaskStoreFailed || cause === mustRestart
  );
}
