/**
 * What must happen now and then in many runs, or they have proven nothing: every fault, every kill point,
 * every answer that the engine has a way for. One list; a run of enough seeds that has met one of them too
 * seldom is vacuous, and fails.
 */
import type { KafkaErrorName } from '../../kafka/protocol/error-codes.ts';
import { KILL_POINTS } from './kill-points.ts';

const FAULTS = [
  'engine killed',
  'engine lost power',
  'engine paused',
  'engine paused in a commit',
  'engine stopped in order',
  'broker killed',
  'broker lost power',
  'broker disk: EIO in append',
  'broker disk: EIO in sync',
  'broker disk: ENOSPC in append',
  'broker disk: ENOSPC in sync',
  'broker ended by its disk',
  'link cut toBroker+toClient',
  'link cut toBroker',
  'link cut toClient',
  'last requests of a zombie',
  'offsets of a zombie',
  'lost request',
  'lost answer',
  'late request',
  'late marker',
  'duplicated request',
  'duplicate without an offset',
  'half-open connection',
  'stalled toBroker',
  'stalled toClient',
  'transaction coordinator moved',
  'group coordinator moved',
  'asked the coordinator of before',
  'commit left unknown',
  'clocks apart',
  'clock jumped forward',
  'clock jumped back',
  'store write failed',
  'store wiped',
  'slow store write',
  'slow sync',
  'a record was unknown',
  'a record was not sent',
  'transactions V1',
  'transactions V2',
  'several threads',
  'size small',
  'size medium',
  'size large',
] as const;

const ANSWERS: readonly KafkaErrorName[] = [
  'CONCURRENT_TRANSACTIONS',
  'COORDINATOR_LOAD_IN_PROGRESS',
  'COORDINATOR_NOT_AVAILABLE',
  'FENCED_INSTANCE_ID',
  'FENCED_LEADER_EPOCH',
  'ILLEGAL_GENERATION',
  'INVALID_PRODUCER_EPOCH',
  'KAFKA_STORAGE_ERROR',
  'NOT_COORDINATOR',
  'NOT_ENOUGH_REPLICAS',
  'NOT_LEADER_OR_FOLLOWER',
  'OFFSET_NOT_AVAILABLE',
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'PRODUCER_FENCED',
  'REBALANCE_IN_PROGRESS',
  'TOPIC_ALREADY_EXISTS',
  'TRANSACTION_ABORTABLE',
  'UNKNOWN_LEADER_EPOCH',
  'UNKNOWN_MEMBER_ID',
  'UNKNOWN_TOPIC_OR_PARTITION',
  'UNSTABLE_OFFSET_COMMIT',
];

const AFTER_THE_DEED: readonly KafkaErrorName[] = [
  'COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR',
  'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
  'NOT_LEADER_OR_FOLLOWER',
  'REQUEST_TIMED_OUT',
];

export const SOMETIMES: readonly string[] = [
  ...FAULTS,
  ...Object.keys(KILL_POINTS).map((name) => `killed at ${name}`),
  ...ANSWERS.map((name) => `answer ${name}`),
  ...AFTER_THE_DEED.map((name) => `answer ${name} after the deed`),
];

/** Of scenarios that may lose a changelog. */
const OF_A_LOSS = ['changelog created anew', 'changelog deleted', 'recreated changelog refused'];
/** Counted in every run that may. */
export const MAY_LOSE_CHANGELOG = 'a changelog may be lost';

/** Per 10,000 seeds. */
const TIMES_MIN = 100;
const PER_SEEDS = 10_000;
/** With fewer seeds chance alone leaves something out. */
export const SEEDS_TO_JUDGE = 1_000;

/** In proportion; with fewer seeds than 10,000 less by two standard deviations of chance. */
function timesMinIn(seeds: number): number {
  if (seeds >= PER_SEEDS) return TIMES_MIN;
  const expected = (TIMES_MIN * seeds) / PER_SEEDS;
  return expected - 2 * Math.sqrt(expected);
}

/** What so many seeds have met too seldom; undefined when they are too few to say. */
export function metTooSeldom(
  counters: ReadonlyMap<string, number>,
  seeds: number,
): readonly string[] | undefined {
  if (seeds < SEEDS_TO_JUDGE) return undefined;
  const timesMin = timesMinIn(seeds);
  const expected = counters.has(MAY_LOSE_CHANGELOG) ? [...SOMETIMES, ...OF_A_LOSS] : SOMETIMES;
  return expected
    .filter((what) => (counters.get(what) ?? 0) < timesMin)
    .map((what) => `${what}: ${counters.get(what) ?? 0} times`);
}
