/**
 * Keeps the jobs of one partition: takes requests and results, says when an attempt is due. Touches
 * nothing outside of its stores: the worker does, once an attempt is committed (J1).
 *
 * K1. `due` has exactly one entry for every job that has not ended, at the time it must be looked at.
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
}

/** The jobs of one way. */
interface Lane {
  readonly policy: JobPolicy;
  /** Attempted by this process. */
  underway: number;
  /** Nothing is due before. */
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

  process({ value }: StreamRecord<string, JobInput<R>>): void | Promise<void> {
    switch (value.kind) {
      case 'request':
        this.#take(value);
        break;
      case 'result':
        return this.#settle(value);
      default:
        unreachable(value);
    }
  }

  #take(request: JobRequest<R>): void {
    if (this.#jobs.get(request.jobId) !== undefined) {
      this.#context.recordDropped?.('the job is known');
      return;
    }
    const nowMs = this.#context.currentSystemTimeMs();
    const job = newJob(request, nowMs);
    const lane = this.#lanes.get(job.way);
    if (lane === undefined) this.#change(job, ended(job, 'failed', NO_LONGER));
    else if (this.#isReady && this.#hasRoom(lane)) this.#attempt(undefined, job, lane, nowMs);
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
    for (const [way, lane] of this.#lanes) {
      if (nowMs >= lane.nextDueMs && this.#hasRoom(lane)) {
        await this.#lookAt(way, lane, nowMs);
      }
    }
  }

  async #lookAt(way: string, lane: Lane, nowMs: number): Promise<void> {
    // Not from the start of the way: deleted entries lie there until LevelDB has cleaned up.
    const from = dueKey({ way, dueAtMs: lane.nextDueMs, jobId: '' });
    lane.nextDueMs = Number.POSITIVE_INFINITY;
    const entries = this.#due.range({ from, prefix: Buffer.from(`${way}/`) });
    for await (const [key, jobId] of entries) {
      const dueAtMs = dueAtOf(key);
      if (dueAtMs > nowMs || !this.#hasRoom(lane)) {
        lane.nextDueMs = Math.min(lane.nextDueMs, dueAtMs);
        return;
      }
      const job = this.#jobs.get(jobId);
      if (job === undefined || hasEnded(job)) this.#due.delete(key);
      else if (job.state === 'waiting') this.#attempt(job, job, lane, nowMs);
      else this.#leaseIsOver(job, lane, nowMs);
    }
  }

  #hasRoom({ underway, policy }: Lane): boolean {
    return underway < policy.underwayMax && this.#options.mayAttempt();
  }

  #attempt(before: Job<R> | undefined, job: Job<R>, lane: Lane, nowMs: number): void {
    const { jobId, way, request } = job;
    if (request === null) return;
    const { owner } = this.#options;
    const next = attempted(job, owner, lane.policy, nowMs);
    this.#put(before, next);
    const attempt = { jobId, way, attempt: next.attempts, owner, request };
    this.#forward(jobId, attempt, JOB_SINKS.attempts, nowMs, []);
  }

  /** Ours goes on as long as the worker says so; without a result, or of somebody else, it is lost. */
  #leaseIsOver(job: Job<R>, lane: Lane, nowMs: number): void {
    const { owner, isBusyWith } = this.#options;
    if (job.owner === owner && isBusyWith(job.jobId)) {
      this.#put(job, { ...job, dueAtMs: nowMs + lane.policy.leaseMs });
      return;
    }
    this.#change(job, afterInterruption(job, lane.policy, nowMs));
  }

  /** Once per life of the task: what former owners left, and what of ours is under way. */
  async #takeOver(nowMs: number): Promise<void> {
    for (const lane of this.#lanes.values()) {
      lane.underway = 0;
      lane.nextDueMs = 0;
    }
    for await (const [key, jobId] of this.#due.range()) {
      const job = this.#jobs.get(jobId);
      const policy = job === undefined ? undefined : this.#lanes.get(job.way)?.policy;
      if (job === undefined) this.#due.delete(key);
      else if (policy === undefined) this.#change(job, ended(job, 'failed', NO_LONGER));
      else if (job.state !== 'attempted') continue;
      else if (job.owner === this.#options.owner) this.#lanes.get(job.way)!.underway++;
      // Others' attempts that must not be repeated may still be answered: until their lease is over.
      else if (policy.isRepeatable) this.#change(job, afterInterruption(job, policy, nowMs));
    }
    this.#isReady = true;
  }

  // ── Writing ──────────────────────────────────────────────────────────────────────────────────

  #change(job: Job<R>, next: Job<R>): void {
    this.#put(job, next);
    if (next.state !== 'failed' || job.request === null) return;
    const dead = { way: job.way, request: job.request };
    const nowMs = this.#context.currentSystemTimeMs();
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
    if (before !== undefined && !hasEnded(before)) this.#due.delete(dueKey(before));
    if (!hasEnded(after)) {
      this.#due.put(dueKey(after), after.jobId);
      if (lane !== undefined) lane.nextDueMs = Math.min(lane.nextDueMs, after.dueAtMs);
    }
    this.#jobs.put(after.jobId, after);
    if (lane !== undefined) lane.underway += this.#isOurs(after) - this.#isOurs(before);
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

/** `<way>/<time>/<job id>`: by time within a way. */
function dueKey({ way, dueAtMs, jobId }: Pick<Job, 'way' | 'dueAtMs' | 'jobId'>): string {
  return `${way}/${String(dueAtMs).padStart(DUE_DIGITS, '0')}/${jobId}`;
}

/** A way has no slash. */
function dueAtOf(key: string): number {
  const start = key.indexOf('/') + 1;
  return Number(key.slice(start, start + DUE_DIGITS));
}

function header(key: string, value: string): RecordHeaders {
  return { key, value: Buffer.from(value) };
}
