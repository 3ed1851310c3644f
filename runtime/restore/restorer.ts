/**
 * Reads changelogs into stores: many tasks at once, over connections of its own, so that restoring
 * tasks do not stop running ones. Which range to read is decided before (restore-plan.ts).
 *
 * R1. Done when the fetch position has passed the end; whether a visible record lies at end - 1 does
 *     not matter (markers and aborted data move the position too).
 * R2. A store is written by nobody else while it is restored; restore() settles only when the
 *     restorer has let go of it.
 */
import type { Clock } from '../../base/clock.ts';
import { type FetchedPartition, type Fetcher, partitionKey } from '../../kafka/ports.ts';
import type { RecordCursor } from '../../kafka/records/types.ts';
import type { TaskState } from '../../stores/state-store.ts';
import { TaskStoreFailed } from '../tasks/task-failures.ts';
import { applyChangelog } from './apply-changelog.ts';

/** What one store still needs of its changelog. */
export interface RestoreRange {
  readonly storeName: string;
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
  readonly fromOffset: number;
  readonly leaderEpoch: number;
  readonly endOffset: number;
}

export interface RestoreProgress {
  readonly taskId: string;
  readonly remainingRecords: number;
  readonly totalRecords: number;
}

export interface RestoreRequest {
  readonly taskId: string;
  readonly state: TaskState;
  readonly ranges: readonly RestoreRange[];
  readonly onProgress: (progress: RestoreProgress) => void;
}

/** The changelog is not the one the store was built from: wipe, then restore from the start. */
export class ChangelogDiverged extends Error {
  constructor(taskId: string, topic: string, cause: unknown) {
    super(`task ${taskId}: ${topic} does not continue the store's position`, { cause });
    this.name = 'ChangelogDiverged';
  }
}

export class RestoreCancelled extends Error {
  constructor(taskId: string) {
    super(`restoring task ${taskId} was cancelled`);
    this.name = 'RestoreCancelled';
  }
}

interface Job {
  readonly request: RestoreRequest;
  /** By partition key: the next offset to apply. */
  readonly pending: Map<string, { readonly range: RestoreRange; position: number }>;
  readonly totalRecords: number;
  readonly settle: (error?: Error) => void;
  cancelled: boolean;
}

const POLL_MS = 500;

export class Restorer {
  readonly #fetcher: Fetcher;
  readonly #cursor: RecordCursor;
  readonly #clock: Clock;
  readonly #jobs = new Map<string, Job>();
  #byPartition = new Map<string, Job>();
  #busy: Job | undefined;
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(parts: {
    readonly fetcher: Fetcher;
    readonly cursor: RecordCursor;
    readonly clock: Clock;
  }) {
    this.#fetcher = parts.fetcher;
    this.#cursor = parts.cursor;
    this.#clock = parts.clock;
  }

  /** Rejects ChangelogDiverged, TaskStoreFailed, RestoreCancelled, RECORD_CORRUPT. */
  restore(request: RestoreRequest, signal: AbortSignal): Promise<void> {
    const needed = request.ranges.filter(({ fromOffset, endOffset }) => fromOffset < endOffset);
    if (needed.length === 0) return Promise.resolve();
    if (signal.aborted || this.#closed) return Promise.reject(new RestoreCancelled(request.taskId));
    return new Promise((resolve, reject) => {
      const cancel = () => this.#cancel(job);
      const job: Job = {
        request,
        pending: new Map(
          needed.map((range) => [
            partitionKey(range.topic, range.partition),
            { range, position: range.fromOffset },
          ]),
        ),
        totalRecords: remaining(needed.map((range) => ({ range, position: range.fromOffset }))),
        settle: (error) => {
          signal.removeEventListener('abort', cancel);
          this.#forget(job);
          if (error === undefined) resolve();
          else reject(error);
        },
        cancelled: false,
      };
      signal.addEventListener('abort', cancel, { once: true });
      this.#begin(job);
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const job of [...this.#jobs.values()]) this.#cancel(job);
    this.#fetcher.wakeup();
    await this.#running;
    await this.#fetcher.close();
  }

  #begin(job: Job): void {
    this.#jobs.set(job.request.taskId, job);
    for (const [key, { range }] of job.pending) {
      this.#byPartition.set(key, job);
      this.#fetcher.seek(range.topic, range.partition, range.fromOffset, epochOf(range));
    }
    this.#progress(job);
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  async #run(): Promise<void> {
    while (this.#jobs.size > 0) {
      for (const fetched of await this.#fetcher.poll(POLL_MS)) {
        const job = this.#byPartition.get(partitionKey(fetched.topic, fetched.partition));
        if (job === undefined) continue;
        this.#busy = job;
        const error = await this.#apply(job, fetched);
        this.#busy = undefined;
        if (job.cancelled) job.settle(new RestoreCancelled(job.request.taskId));
        else if (error !== undefined) job.settle(error);
        else if (job.pending.size === 0) job.settle();
      }
    }
  }

  async #apply(job: Job, fetched: FetchedPartition): Promise<Error | undefined> {
    const { taskId, state } = job.request;
    if (fetched.error !== undefined)
      return new ChangelogDiverged(taskId, fetched.topic, fetched.error);
    const key = partitionKey(fetched.topic, fetched.partition);
    const entry = job.pending.get(key)!;
    const { range } = entry;
    try {
      const { storeName, topicId, endOffset } = range;
      const { position } = entry;
      const target = { state, storeName, topicId, position, endOffset, nowMs: this.#clock.nowMs() };
      entry.position = await applyChangelog(target, fetched, this.#cursor);
    } catch (error) {
      return new TaskStoreFailed(taskId, error);
    }
    if (entry.position >= range.endOffset) {
      job.pending.delete(key);
      this.#byPartition.delete(key);
      this.#fetcher.remove(range.topic, range.partition);
    }
    this.#progress(job);
    return undefined;
  }

  #progress({ request, pending, totalRecords }: Job): void {
    const { taskId } = request;
    request.onProgress({
      taskId,
      remainingRecords: remaining([...pending.values()]),
      totalRecords,
    });
  }

  #cancel(job: Job): void {
    job.cancelled = true;
    if (this.#busy !== job) job.settle(new RestoreCancelled(job.request.taskId));
  }

  #forget(job: Job): void {
    this.#jobs.delete(job.request.taskId);
    for (const [key, { range }] of job.pending) {
      this.#byPartition.delete(key);
      this.#fetcher.remove(range.topic, range.partition);
    }
    if (this.#jobs.size === 0) this.#fetcher.wakeup();
  }
}

/** An upper bound: compaction and markers leave holes. */
function remaining(
  entries: readonly { readonly range: RestoreRange; readonly position: number }[],
): number {
  return entries.reduce(
    (sum, { range, position }) => sum + Math.max(0, range.endOffset - position),
    0,
  );
}

function epochOf({ leaderEpoch }: RestoreRange): number | undefined {
  return leaderEpoch < 0 ? undefined : leaderEpoch;
}
