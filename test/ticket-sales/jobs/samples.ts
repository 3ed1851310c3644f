/** A small job service under test: errands that can be run twice, and letters that must not be. */

import { jsonSerde } from '../../../schemas/serdes.ts';
import type { AttemptResult, JobPolicy } from '../../../ticket-sales/jobs/job.ts';
import type { JobSource } from '../../../ticket-sales/jobs/job-topology.ts';

export interface Errand {
  readonly id: string;
  readonly ways: readonly string[];
}

export const errands: JobSource<Errand> = {
  topic: 'errands',
  serde: jsonSerde<Errand>(),
  toJobs: (request) => request.ways.map((way) => ({ jobId: `${request.id}:${way}`, way, request })),
};

export function policy(changes: Partial<JobPolicy> = {}): JobPolicy {
  return {
    attemptsMax: 3,
    backoff: { initialMs: 1_000, maxMs: 60_000 },
    isRepeatable: true,
    parallelMax: 10,
    underwayMax: 10,
    leaseMs: 10_000,
    ...changes,
  };
}

export const POLICIES = new Map([
  ['walk', policy()],
  ['letter', policy({ isRepeatable: false })],
]);

export function result(
  jobId: string,
  attempt: number,
  outcome: AttemptResult['outcome'],
  reason: string | null = outcome === 'done' ? null : 'no luck',
): AttemptResult {
  return { kind: 'result', jobId, attempt, outcome, reason };
}
