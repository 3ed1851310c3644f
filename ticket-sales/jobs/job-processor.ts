/**
 * Keeps the jobs of one partition: takes requests and results, says when an attempt is due. Touches
 * nothing outside of its stores: the worker does, once an attempt is committed (J1).
 *
 * K1. `due` has exactly one entry for every job that has not ended, at the time it must be looked at:
 *     those that wait by way, those that are attempted (their lease) together.
 * K2. Of each way at most `underwayMax` jobs are attempted at a time; the others wait in the store.
 */
import { unreachable } from '../../base/assert.ts';
import type { Random } from '../../base/random.ts';
import type { KeyValueStore } from '../../stores/state-store.ts';
import type {
  Processor,
  ProcessorContext,
  RecordHeaders,
  StreamRecord,
} from '../../topology/processor.ts';
import {
  type Attempt,
  type AttemptResult,
  afterAttempt,
  afterInterruption,
  attempted,
  ended,
  hasEnded,
  type Job,
  type JobPolicies,
  type JobPolicy,
  type JobRequest,
  newJob,
} from './job.ts';
import type { JobListener } from './job-figures.ts';

export const JOB_STORES = { jobs: 'jobs', due: 'due' } as const;
export const JOB_SINKS = { attempts: 'attempts', deadLetters: 'dead-letters' } as const;

const LOOK_EVERY_MS = 200;
const NO_LONGER = 'nobody does such jobs any more';

export type JobInput<R> = JobRequest<R> | AttemptResult;

/** What has failed for good. */
export interface DeadJob<R> {
  readonly way: string;
  readonly request: R;
}

export interface JobProcessorOptions {
  readonly policies: JobPolicies;
  /** This process. */
  readonly owner: string;
  readonly random: Random;
  /** Whether an attempt of this process is being made, or its result on its way. */
  readonly isBusyWith: (jobId: string) => boolean;
  /** Whether attempts that are committed now are still made. */
  readonly mayAttempt: () => boolean;
  /** Told of every result that is taken. */
  readonly onSettled: (jobId: string) => void;
  readonly listener: JobListener;
}

/** The jobs of one way. */
interface Lane {
  readonly policy: JobPolicy;
  /** Attempted by this process. */
  underway: number;
  /** None that waits is due before. */
  nextDueMs: number;
}

export class JobProcessor<R>
  implements Processor<string, JobInput<R>, string, Attempt<R> | DeadJob<R>>
{
  readonly #options: JobProcessorOptions;
  readonly #lanes: ReadonlyMap<string, Lane>;
  #context!: ProcessorContext<string, Attempt<R> | DeadJob<R>>;
  #jobs!: KeyValueStore<string, Job<R>>;
  #due!: KeyValueStore<string, string>;
  /** Jobs of former lives are counted, and taken over: no attempt is made before. */
  #isReady = false;
  /** No lease is over before. */
  #nextLeaseMs = 0;

  constructor(options: JobProcessorOptions) {
    this.#options = options;
    this.#lanes = new Map(
      [...options.policies].map(([way, policy]) => [way, { policy, underway: 0, nextDueMs: 0 }]),
    );
  }

  init(context: ProcessorContext<string, Attempt<R> | DeadJob<R>>): void {
    this.#context = context;
    this.#jobs = context.getStateStore(JOB_STORES.jobs);
    this.#due = context.getStateStore(JOB_STORES.due);
    context.schedule(LOOK_EVERY_MS, 'wall-clock-time', (nowMs) => this.#look(nowMs));
  }

  process({ value, timestampMs }: StreamRecord<string, JobInput<R>>): void | Promise<void> {
    switch (value.kind) {
      case 'request':
        this.#take(value, timestampMs);
        break;
      case 'result':
        return this.#settle(value);
      default:
        unreachable(value);
    }
  }

  #take(request: JobRequest<R>, requestedAtMs: number): void {
    if (this.#jobs.get(request.jobId) !== undefined) {
      this.#context.recordDropped?.('the job is known');
      return;
    }
    const nowMs = this.#context.currentSystemTimeMs();
    const job = newJob(request, requestedAtMs, nowMs);
    this.#options.listener.requested(job.way);
    const lane = this.#lanes.get(job.way);
    if (lane === undefined) this.#change(job, ended(job, 'failed', NO_LONGER));
    else if (this.#mayGoFirst(lane, nowMs)) this.#attempt(undefined, job, lane, nowMs);
    else this.#put(undefined, job);
  }

  /** A promise where the next job of the way takes its place at once. */
  #settle(result: AttemptResult): void | Promise<void> {
    this.#options.onSettled(result.jobId);
    const job = this.#jobs.get(result.jobId);
    const lane = job === undefined ? undefined : this.#lanes.get(job.way);
    if (job === undefined || lane === undefined) return;
    const nowMs = this.#context.currentSystemTimeMs();
    const next = afterAttempt(job, result, lane.policy, nowMs, this.#options.random);
    if (next !== undefined) this.#change(job, next);
    if (this.#isReady && nowMs >= lane.nextDueMs && this.#hasRoom(lane)) {
      return this.#lookAt(job.way, lane, nowMs);
    }
  }

  // ── What is due ──────────────────────────────────────────────────────────────────────────────

  async #look(nowMs: number): Promise<void> {
    if (!this.#isReady) await this.#takeOver(nowMs);
    if (nowMs >= this.#nextLeaseMs) await this.#lookAtLeases(nowMs);
    for (const [way, lane] of this.#lanes) {
      if (nowMs >= lane.nextDueMs && this.#hasRoom(lane)) await this.#lookAt(way, lane, nowMs);
    }
  }

  async #lookAt(way: string, lane: Lane, nowMs: number): Promise<void> {
    const fromMs = lane.nextDueMs;
    lane.nextDueMs = Number.POSITIVE_INFINITY;
    for await (const [dueAtMs, jobId] of this.#entries(queueOfWay(way), fromMs)) {
      if (dueAtMs > nowMs || !this.#hasRoom(lane)) {
        lane.nextDueMs = Math.min(lane.nextDueMs, dueAtMs);
        return;
      }
      const job = this.#jobs.get(jobId);
      if (job?.state === 'waiting') this.#attempt(job, job, lane, nowMs);
      else this.#due.delete(dueKey(queueOfWay(way), dueAtMs, jobId));
    }
  }

  async #lookAtLeases(nowMs: number): Promise<void> {
    const fromMs = this.#nextLeaseMs;
    this.#nextLeaseMs = Number.POSITIVE_INFINITY;
    for await (const [dueAtMs, jobId] of this.#entries(QUEUE_OF_LEASES, fromMs)) {
      if (dueAtMs > nowMs) {
        this.#nextLeaseMs = Math.min(this.#nextLeaseMs, dueAtMs);
        return;
      }
      const job = this.#jobs.get(jobId);
      if (job?.state === 'attempted') this.#leaseIsOver(job, nowMs);
      else this.#due.delete(dueKey(QUEUE_OF_LEASES, dueAtMs, jobId));
    }
  }

  /** Not from the start of a queue: deleted entries lie there until LevelDB has cleaned up. */
  async *#entries(queue: string, fromMs: number): AsyncGenerator<readonly [number, string]> {
    const from = dueKey(queue, fromMs, '');
    for await (const [key, jobId] of this.#due.range({ from, prefix: Buffer.from(`${queue}/`) })) {
      yield [dueAtOf(key), jobId];
    }
  }

  #hasRoom({ underway, policy }: Lane): boolean {
    return underway < policy.underwayMax && this.#options.mayAttempt();
  }

  /** Nothing that waits would be overtaken. */
  #mayGoFirst(lane: Lane, nowMs: number): boolean {
    return this.#isReady && nowMs < lane.nextDueMs && this.#hasRoom(lane);
  }

  #attempt(before: Job<R> | undefined, job: Job<R>, lane: Lane, nowMs: number): void {
    const { jobId, way, request } = job;
    if (request === null) return;
    const { owner, listener } = this.#options;
    const next = attempted(job, owner, lane.policy, nowMs);
    this.#put(before, next);
    listener.attempted(way, next.attempts);
    const attempt = { jobId, way, attempt: next.attempts, owner, request };
    this.#forward(jobId, attempt, JOB_SINKS.attempts, nowMs, []);
  }

  /** Ours goes on as long as the worker says so; without a result, or of somebody else, it is lost. */
  #leaseIsOver(job: Job<R>, nowMs: number): void {
    const { owner, isBusyWith, policies } = this.#options;
    const policy = policies.get(job.way);
    if (policy === undefined) this.#change(job, ended(job, 'failed', NO_LONGER));
    else if (job.owner === owner && isBusyWith(job.jobId)) {
      this.#put(job, { ...job, dueAtMs: nowMs + policy.leaseMs });
    } else this.#change(job, afterInterruption(job, policy, nowMs));
  }

  /** Once per life of the task: what former owners left, and what of ours is under way. */
  async #takeOver(nowMs: number): Promise<void> {
    for await (const [, jobId] of this.#entries(QUEUE_OF_LEASES, 0)) {
      const job = this.#jobs.get(jobId);
      const lane = job === undefined ? undefined : this.#lanes.get(job.way);
      if (job === undefined || lane === undefined) continue;
      if (job.owner === this.#options.owner) lane.underway++;
      // Others' attempts that must not be repeated may still be answered: until their lease is over.
      else if (lane.policy.isRepeatable) {
        this.#change(job, afterInterruption(job, lane.policy, nowMs));
      }
    }
    await this.#endUnknownWays();
    this.#isReady = true;
  }

  /** A channel that was taken out of the settings leaves jobs that wait. */
  async #endUnknownWays(): Promise<void> {
    for (let from = ''; ; ) {
      const key = await this.#firstKey(from);
      if (key === undefined) return;
      const queue = key.slice(0, key.indexOf('/'));
      if (queue !== QUEUE_OF_LEASES && !this.#lanes.has(wayOfQueue(queue)))
        await this.#endAll(queue);
      // What follows a slash: the next queue.
      from = `${queue}0`;
    }
  }

  async #firstKey(from: string): Promise<string | undefined> {
    for await (const [key] of this.#due.range({ from, limit: 1 })) return key;
    return undefined;
  }

  async #endAll(queue: string): Promise<void> {
    for await (const [, jobId] of this.#entries(queue, 0)) {
      const job = this.#jobs.get(jobId);
      if (job !== undefined) this.#change(job, ended(job, 'failed', NO_LONGER));
    }
  }

  // ── Writing ──────────────────────────────────────────────────────────────────────────────────

  #change(job: Job<R>, next: Job<R>): void {
    this.#put(job, next);
    const nowMs = this.#context.currentSystemTimeMs();
    if (next.state === 'done' || next.state === 'failed') {
      this.#options.listener.ended(job.way, next.state, nowMs - job.requestedAtMs);
    }
    if (next.state !== 'failed' || job.request === null) return;
    const dead = { way: job.way, request: job.request };
    this.#forward(job.jobId, dead, JOB_SINKS.deadLetters, nowMs, [
      header('__streams.errors.message', next.reason ?? ''),
      header('millrace.dlq.stage', 'job'),
      header('millrace.dlq.job', job.jobId),
      header('millrace.dlq.way', job.way),
      header('millrace.dlq.attempts', String(job.attempts)),
      header('millrace.dlq.time', new Date(nowMs).toISOString()),
    ]);
  }

  /** The only place where jobs are written, so that K1 and the lanes' counts hold. */
  #put(before: Job<R> | undefined, after: Job<R>): void {
    const lane = this.#lanes.get(after.way);
    if (before !== undefined && !hasEnded(before)) this.#due.delete(dueKeyOf(before));
    if (!hasEnded(after)) this.#due.put(dueKeyOf(after), after.jobId);
    this.#jobs.put(after.jobId, after);
    if (after.state === 'attempted') {
      this.#nextLeaseMs = Math.min(this.#nextLeaseMs, after.dueAtMs);
    }
    if (lane === undefined) return;
    if (after.state === 'waiting') lane.nextDueMs = Math.min(lane.nextDueMs, after.dueAtMs);
    lane.underway += this.#isOurs(after) - this.#isOurs(before);
  }

  #isOurs(job: Job<R> | undefined): 0 | 1 {
    return job?.state === 'attempted' && job.owner === this.#options.owner ? 1 : 0;
  }

  #forward(
    key: string,
    value: Attempt<R> | DeadJob<R>,
    sink: string,
    timestampMs: number,
    headers: readonly RecordHeaders[],
  ): void {
    this.#context.forward({ key, value, timestampMs, headers }, sink);
  }
}

const DUE_DIGITS = 14;
export const QUEUE_OF_LEASES = 'leases';

export function queueOfWay(way: string): string {
  return `way:${way}`;
}

function wayOfQueue(queue: string): string {
  return queue.slice('way:'.length);
}

/** `<queue>/<time>/<job id>`: by time within a queue. No way has a slash. */
function dueKey(queue: string, dueAtMs: number, jobId: string): string {
  return `${queue}/${String(dueAtMs).padStart(DUE_DIGITS, '0')}/${jobId}`;
}

function dueKeyOf({ state, way, dueAtMs, jobId }: Job): string {
  return dueKey(state === 'attempted' ? QUEUE_OF_LEASES : queueOfWay(way), dueAtMs, jobId);
}

function dueAtOf(key: string): number {
  const start = key.indexOf('/') + 1;
  return Number(key.slice(start, start + DUE_DIGITS));
}

function header(key: string, value: string): RecordHeaders {
  return { key, value: Buffer.from(value) };
}
