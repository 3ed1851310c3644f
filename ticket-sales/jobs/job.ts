/**
 * A job: something to be done outside of Kafka because a record asks for it, once. Its life as data
 * and pure transitions; job-processor.ts keeps it, job-worker.ts does it.
 *
 *   waiting -> attempted -> done | failed, and back to waiting between two attempts
 *
 * J1. An attempt is made only after the commit that says so: `attempted` is on record before the
 *     world is touched, so whoever finds it after a crash knows that the world may have been.
 * J2. A job that has ended stays ended.
 */
import { backoffMs } from '../../base/backoff.ts';
import type { Random } from '../../base/random.ts';

export interface Job<R = unknown> {
  readonly jobId: string;
  /** Which way it goes: jobs of one way never wait for those of another. */
  readonly way: string;
  readonly state: 'waiting' | 'attempted' | 'done' | 'failed';
  /** What was asked for; null once it has ended. */
  readonly request: R | null;
  /** Log time of the request. */
  readonly requestedAtMs: number;
  readonly attempts: number;
  /** Wall clock: of the next attempt, or of the look at one that is being made. */
  readonly dueAtMs: number;
  /** The process that makes the attempt; '' = none. */
  readonly owner: string;
  /** Of the last attempt that failed. */
  readonly reason: string | null;
}

/** How the jobs of one way are done. */
export interface JobPolicy {
  readonly attemptsMax: number;
  readonly backoff: { readonly initialMs: number; readonly maxMs: number };
  /**
   * Doing it twice is doing it once, because the other side knows the job's id. Otherwise a job whose
   * attempt may have succeeded is never attempted again.
   */
  readonly isRepeatable: boolean;
  /** Attempts at a time, per process. */
  readonly parallelMax: number;
  /** Attempts committed and not answered, per partition: those that a crash leaves in doubt. */
  readonly underwayMax: number;
  /** When somebody else's attempt is taken for dead. */
  readonly leaseMs: number;
}

/** By way. */
export type JobPolicies = ReadonlyMap<string, JobPolicy>;

export interface JobRequest<R = unknown> {
  readonly kind: 'request';
  readonly jobId: string;
  readonly way: string;
  readonly request: R;
}

/** What the worker is told, once it is committed. */
export interface Attempt<R = unknown> {
  readonly jobId: string;
  readonly way: string;
  readonly attempt: number;
  readonly owner: string;
  readonly request: R;
}

export interface AttemptResult {
  readonly kind: 'result';
  readonly jobId: string;
  readonly attempt: number;
  /** uncertain = it may have been done. */
  readonly outcome: 'done' | 'retry' | 'failed' | 'uncertain';
  readonly reason: string | null;
}

export const INTERRUPTED = 'interrupted: it may or may not have been done';

export function hasEnded({ state }: Job): boolean {
  return state === 'done' || state === 'failed';
}

export function newJob<R>(
  { jobId, way, request }: JobRequest<R>,
  requestedAtMs: number,
  nowMs: number,
): Job<R> {
  const nothingYet = { attempts: 0, owner: '', reason: null };
  return { jobId, way, state: 'waiting', request, requestedAtMs, dueAtMs: nowMs, ...nothingYet };
}

export function attempted<R>(job: Job<R>, owner: string, policy: JobPolicy, nowMs: number): Job<R> {
  const attempts = job.attempts + 1;
  return { ...job, state: 'attempted', attempts, owner, dueAtMs: nowMs + policy.leaseMs };
}

/** The job after an attempt; undefined = the result changes nothing. */
export function afterAttempt<R>(
  job: Job<R>,
  result: AttemptResult,
  policy: JobPolicy,
  nowMs: number,
  random: Random,
): Job<R> | undefined {
  // What is known to be done is done, whatever was thought of it meanwhile.
  if (result.outcome === 'done') return job.state === 'done' ? undefined : ended(job, 'done', null);
  if (hasEnded(job) || result.attempt !== job.attempts) return undefined;
  const mayGoOn =
    (result.outcome === 'retry' || (result.outcome === 'uncertain' && policy.isRepeatable)) &&
    job.attempts < policy.attemptsMax;
  if (!mayGoOn) return ended(job, 'failed', result.reason);
  const dueAtMs = nowMs + Math.ceil(backoffMs(job.attempts - 1, policy.backoff, random));
  return { ...job, state: 'waiting', owner: '', reason: result.reason, dueAtMs };
}

/** The process that made the attempt is gone, and nobody knows how far it came. */
export function afterInterruption<R>(job: Job<R>, policy: JobPolicy, nowMs: number): Job<R> {
  // Bounded here too: a job that ends its process would do so for ever.
  if (!policy.isRepeatable || job.attempts >= policy.attemptsMax) {
    return ended(job, 'failed', INTERRUPTED);
  }
  return { ...job, state: 'waiting', owner: '', dueAtMs: nowMs, reason: INTERRUPTED };
}

export function ended<R>(job: Job<R>, state: 'done' | 'failed', reason: string | null): Job<R> {
  return { ...job, state, reason, request: null, owner: '', dueAtMs: 0 };
}
