/**
 * The active tasks of one stream thread: created by the assignment, started beside the loop, run by
 * the loop, closed when given away. Every method is called by the thread's loop only; the starts
 * running aside hand their result to `#prepared`, which the loop picks up.
 */
import { assert } from '../../base/assert.ts';
import { backoffMs } from '../../base/backoff.ts';
import { isMillraceError } from '../../base/errors.ts';
import type { FetchedPartition, Fetcher, TopicPartition } from '../../kafka/ports.ts';
import { type TopicPlan, taskId } from '../assignment/topic-plan.ts';
import { RestoreCancelled, type RestoreProgress } from '../restore/restorer.ts';
import { type SliceBudget, StreamTask, type StreamTaskContext } from './stream-task.ts';
import { TaskStoreFailed } from './task-failures.ts';
import { prepareTask, type StartOffsets, type TaskStarterContext } from './task-starter.ts';

export interface TaskManagerContext {
  readonly plan: TopicPlan;
  readonly fetcher: Fetcher;
  readonly task: StreamTaskContext;
  readonly starter: Omit<TaskStarterContext, 'onProgress' | 'onLeaving'>;
  /** The set of tasks, or what one of them does, has changed. */
  readonly onChange: () => void;
  readonly onProgress: (progress: RestoreProgress) => void;
  /** Queries may be answered from this task's stores. */
  readonly onRunning: (task: StreamTask) => void;
  /** Resolves when nobody reads its stores any more. */
  readonly onLeaving: (task: StreamTask) => Promise<void>;
}

type Prepared =
  | { readonly task: StreamTask; readonly offsets: StartOffsets }
  | { readonly task: StreamTask; readonly error: Error };

interface Starting {
  readonly abort: AbortController;
  /** Settles when nothing aside touches the task any more. Never rejects. */
  readonly done: Promise<void>;
}

const STORE_RETRY = { initialMs: 500, maxMs: 60_000 };

export class TaskManager {
  readonly #context: TaskManagerContext;
  readonly #tasks = new Map<string, StreamTask>();
  /** By partition key of the input. */
  readonly #byInput = new Map<string, StreamTask>();
  readonly #starting = new Map<StreamTask, Starting>();
  readonly #storeFailures = new Map<string, number>();
  readonly #paused = new Set<string>();
  #prepared: Prepared[] = [];
  #runningList: readonly StreamTask[] = [];
  #turn = 0;
  #punctuated = 0;

  constructor(context: TaskManagerContext) {
    this.#context = context;
  }

  all(): readonly StreamTask[] {
    return [...this.#tasks.values()];
  }

  running(): readonly StreamTask[] {
    return this.#runningList;
  }

  get(id: string): StreamTask | undefined {
    return this.#tasks.get(id);
  }

  /** True when every assigned task runs. */
  get isReady(): boolean {
    return this.#runningList.length === this.#tasks.size;
  }

  // ── Assignment ───────────────────────────────────────────────────────────────────────────────

  /** Creates the tasks of these partitions and begins to start them; suspended ones start or close. */
  async assign(added: readonly TopicPartition[]): Promise<void> {
    const byTask = this.#byTask(added);
    for (const task of this.all()) {
      if (task.lifecycle.kind !== 'suspended') continue;
      if (byTask.has(task.taskId)) this.#resume(task);
      else await this.close([task]);
    }
    for (const [id, partitions] of byTask) {
      if (this.#tasks.has(id)) continue;
      const { topic, partition } = partitions[0]!;
      const plan = this.#context.plan.bySourceTopic.get(topic)!;
      const task = new StreamTask(plan, partition, partitions, this.#context.task);
      this.#tasks.set(id, task);
      for (const input of partitions) this.#byInput.set(inputKey(input), task);
      this.#prepare(task);
    }
    this.#changed();
  }

  /** Lost to the group: nothing uncommitted survives, the stores stay open. No commit may be under way. */
  async suspend(tasks: readonly StreamTask[]): Promise<void> {
    for (const task of tasks) {
      await this.#stopStarting(task);
      this.#detach(task);
      task.reset();
      task.become({ kind: 'suspended' });
    }
    this.#changed();
  }

  #resume(task: StreamTask): void {
    task.become({ kind: 'created' });
    this.#prepare(task);
  }

  tasksOf(partitions: readonly TopicPartition[]): readonly StreamTask[] {
    return [...this.#byTask(partitions).keys()].flatMap((id) => this.#tasks.get(id) ?? []);
  }

  /** Closes tasks; what they have not committed is forgotten. No commit may be under way. */
  async close(tasks: readonly StreamTask[]): Promise<void> {
    for (const task of tasks) {
      this.#tasks.delete(task.taskId);
      this.#changed();
      await this.#stopStarting(task);
      this.#detach(task);
      await this.#context.onLeaving(task);
      await this.#closeStores(task);
      for (const { source, partition } of task.queues)
        this.#byInput.delete(inputKey({ topic: source.topic, partition }));
    }
    this.#changed();
  }

  /** Stores that fail to close are as after a kill: whoever opens them next sees to that. */
  async #closeStores(task: StreamTask): Promise<void> {
    try {
      await task.close({ clean: true });
    } catch (error) {
      if (!isMillraceError(error, 'STORE_IO', 'STORE_DISK_FULL')) throw error;
      const { log } = this.#context.starter;
      log.error({ taskId: task.taskId, err: error }, 'the stores of a task did not close well');
    }
  }

  // ── Starting ─────────────────────────────────────────────────────────────────────────────────

  /** Makes the tasks run whose start has succeeded. Throws what makes the whole thread fail. */
  async runPrepared(): Promise<void> {
    const prepared = this.#prepared;
    if (prepared.length === 0) return;
    this.#prepared = [];
    for (const entry of prepared) {
      const { task } = entry;
      if (this.#tasks.get(task.taskId) !== task || task.lifecycle.kind === 'closed') continue;
      if ('error' in entry) await this.#startFailed(task, entry.error);
      else this.#run(task, entry.offsets);
    }
    this.#changed();
  }

  /** First half of a restart: every running task forgets what is uncommitted. */
  resetRunning(): void {
    for (const task of this.#tasks.values()) {
      if (!task.isRunning) continue;
      this.#detach(task);
      task.reset();
    }
    this.#changed();
  }

  /**
   * Second half: every reset task starts anew. The one that lost its stores is wiped (or, disk full,
   * only closed) and held back for a while.
   */
  async startReset(failed: TaskStoreFailed | undefined): Promise<void> {
    const broken = failed && this.#tasks.get(failed.taskId);
    if (broken?.lifecycle.kind === 'created') await this.#storeFailed(broken, failed!);
    for (const task of this.#tasks.values()) {
      if (task.lifecycle.kind === 'created' && !this.#starting.has(task)) this.#prepare(task);
    }
  }

  // ── Running ──────────────────────────────────────────────────────────────────────────────────

  add(fetched: readonly FetchedPartition[]): void {
    const { bufferedRecordsMax } = this.#context.task.config;
    for (const part of fetched) {
      const task = this.#byInput.get(inputKey(part));
      if (task === undefined || !task.isRunning) continue;
      if (part.error !== undefined) throw part.error;
      task.add(part);
      const queue = task.queues.find(({ source }) => source.topic === part.topic)!;
      if (queue.bufferedRecords < bufferedRecordsMax) continue;
      this.#paused.add(inputKey(part));
      this.#context.fetcher.pause(part.topic, part.partition);
    }
  }

  /** One slice over all running tasks, beginning with another one each time. Returns records processed. */
  async process(budget: SliceBudget): Promise<number> {
    const tasks = this.#runningList;
    let count = 0;
    const { clock } = this.#context.task;
    for (let index = 0; index < tasks.length && count < budget.recordsMax; index++) {
      const task = tasks[(this.#turn + index) % tasks.length]!;
      const { deadlineMs } = budget;
      if (index > 0 && clock.monotonicMs() >= deadlineMs) break;
      count += await task.process({ recordsMax: budget.recordsMax - count, deadlineMs });
    }
    this.#turn++;
    if (this.#paused.size > 0) this.#resumeDrained();
    return count;
  }

  /**
   * Punctuators that are due, task by task until the time is over, so that many that are busy leave input
   * its turn. Those that have to wait come first in the next slice.
   */
  async punctuate(deadlineMs: number): Promise<void> {
    const tasks = this.#runningList;
    const { clock } = this.#context.task;
    for (let count = 0; count < tasks.length; count++) {
      await tasks[this.#punctuated++ % tasks.length]!.punctuate();
      if (clock.monotonicMs() >= deadlineMs) break;
    }
  }

  hasInput(): boolean {
    return this.#runningList.some((task) => task.hasInput());
  }

  #resumeDrained(): void {
    const { bufferedRecordsMax } = this.#context.task.config;
    for (const task of this.#runningList) {
      for (const { source, partition, bufferedRecords } of task.queues) {
        const input = { topic: source.topic, partition };
        if (bufferedRecords > bufferedRecordsMax / 2 || !this.#paused.delete(inputKey(input)))
          continue;
        this.#context.fetcher.resume(source.topic, partition);
      }
    }
  }

  // ── Parts ────────────────────────────────────────────────────────────────────────────────────

  #byTask(partitions: readonly TopicPartition[]): ReadonlyMap<string, readonly TopicPartition[]> {
    const byTask = new Map<string, TopicPartition[]>();
    for (const { topic, partition } of partitions) {
      const plan = this.#context.plan.bySourceTopic.get(topic);
      assert(plan !== undefined, `${topic} is read by no sub-topology`);
      const id = taskId(plan.subTopology.id, partition);
      const inputs = byTask.get(id) ?? [];
      inputs.push({ topic, partition });
      byTask.set(id, inputs);
    }
    return byTask;
  }

  #prepare(task: StreamTask): void {
    const abort = new AbortController();
    task.become({ kind: 'restoring', remainingRecords: 0, totalRecords: 0 });
    const onProgress = (progress: RestoreProgress) => {
      if (task.lifecycle.kind !== 'restoring') return;
      const { remainingRecords, totalRecords } = progress;
      task.become({ kind: 'restoring', remainingRecords, totalRecords });
      this.#context.onProgress(progress);
      this.#context.onChange();
    };
    const { starter, onLeaving } = this.#context;
    const done = prepareTask({ ...starter, onProgress, onLeaving }, task, abort.signal).then(
      (offsets) => this.#ended({ task, offsets }),
      (error) =>
        this.#ended({ task, error: error instanceof Error ? error : new Error(String(error)) }),
    );
    this.#starting.set(task, { abort, done });
  }

  #ended(prepared: Prepared): void {
    this.#starting.delete(prepared.task);
    this.#prepared.push(prepared);
    this.#context.task.wakeup();
  }

  async #stopStarting(task: StreamTask): Promise<void> {
    const starting = this.#starting.get(task);
    starting?.abort.abort();
    await starting?.done;
    // What it has come to meanwhile is out of date.
    this.#prepared = this.#prepared.filter((entry) => entry.task !== task);
  }

  #run(task: StreamTask, offsets: StartOffsets): void {
    task.start(offsets);
    this.#storeFailures.delete(task.taskId);
    for (const { source, partition, position, leaderEpoch } of task.queues) {
      this.#paused.delete(inputKey({ topic: source.topic, partition }));
      this.#context.fetcher.seek(
        source.topic,
        partition,
        position,
        leaderEpoch < 0 ? undefined : leaderEpoch,
      );
      this.#context.fetcher.resume(source.topic, partition);
    }
    this.#context.onRunning(task);
  }

  async #startFailed(task: StreamTask, error: Error): Promise<void> {
    if (error instanceof RestoreCancelled) return;
    const failed = error instanceof TaskStoreFailed ? error : undefined;
    if (failed === undefined) throw error;
    task.become({ kind: 'created' });
    await this.#storeFailed(task, failed);
  }

  /** Closes and wipes; starts again after a while. A full disk is not wiped: that would lose the way out. */
  async #storeFailed(task: StreamTask, failed: TaskStoreFailed): Promise<void> {
    const { clock, random, log, states } = this.#context.starter;
    const attempt = this.#storeFailures.get(task.taskId) ?? 0;
    this.#storeFailures.set(task.taskId, attempt + 1);
    const delayMs = backoffMs(attempt, STORE_RETRY, random);
    const { taskId: id } = task;
    log.error(
      { taskId: id, delayMs, isDiskFull: failed.isDiskFull, err: failed.cause },
      'the stores of a task failed',
    );
    await this.#context.onLeaving(task);
    const { state } = task;
    task.open(undefined);
    if (failed.isDiskFull) await state?.close({ clean: false });
    else if (state === undefined) await states.destroy(id);
    else await state.wipe();
    task.become({ kind: 'waiting', cause: failed, retryAtMs: clock.nowMs() + delayMs });
    clock.after(delayMs, () => {
      if (task.lifecycle.kind !== 'waiting') return;
      this.#resume(task);
    });
  }

  #detach(task: StreamTask): void {
    for (const { source, partition } of task.queues)
      this.#context.fetcher.remove(source.topic, partition);
  }

  #changed(): void {
    this.#runningList = [...this.#tasks.values()].filter((task) => task.isRunning);
    this.#context.onChange();
  }
}

function inputKey({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`;
}
