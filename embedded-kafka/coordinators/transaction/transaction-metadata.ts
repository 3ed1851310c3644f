/**
 * One transactional id as the coordinator knows it: an immutable value, replaced by each transition
 * (transitions.ts) and persisted before anything acts on it (transaction-coordinator.ts).
 *
 *   idle ── add partitions ──> ongoing ── end, fence, time out ──> ending ── markers written ──> idle
 *
 * `idle` is Kafka's Empty, CompleteCommit and CompleteAbort; `ending` is PrepareCommit and PrepareAbort.
 */
import type { TopicPartition } from '../../../kafka/ports.ts';

/** By partitionKey. */
export type TransactionPartitions = ReadonlyMap<string, TopicPartition>;

export type Phase =
  | { readonly kind: 'idle'; readonly last: 'none' | 'committed' | 'aborted' }
  | {
      readonly kind: 'ongoing';
      readonly partitions: TransactionPartitions;
      readonly startedAtMs: number;
    }
  | {
      readonly kind: 'ending';
      readonly committed: boolean;
      readonly partitions: TransactionPartitions;
      readonly startedAtMs: number;
      /** Where the id goes on when its epochs are used up; -1 = it keeps its producer id. */
      readonly nextProducerId: number;
    };

export interface TransactionMetadata {
  readonly transactionalId: string;
  readonly producerId: number;
  readonly producerEpoch: number;
  /** The epoch before the last bump, or -1: what a client may name when it repeats itself. */
  readonly lastProducerEpoch: number;
  /** The producer id before the last rotation, or -1. */
  readonly previousProducerId: number;
  readonly timeoutMs: number;
  readonly phase: Phase;
  readonly lastUpdateMs: number;
  /** How the client that began the last transaction works: 2 bumps the epoch with every EndTxn (KIP-890). */
  readonly clientVersion: 0 | 2;
}

export const NO_PRODUCER_ID = -1;
export const NO_PRODUCER_EPOCH = -1;
/** The last epoch is kept for fencing: a client is never given it. */
export const PRODUCER_EPOCH_MAX = 32_767;

/** True when the next bump would leave no epoch to fence with. */
export function isEpochExhausted(epoch: number): boolean {
  return epoch >= PRODUCER_EPOCH_MAX - 1;
}

export type StateName =
  | 'Empty'
  | 'Ongoing'
  | 'PrepareCommit'
  | 'PrepareAbort'
  | 'CompleteCommit'
  | 'CompleteAbort';

/** Kafka's names by the number that stands in `__transaction_state`; later ones do not occur here. */
export const STATE_NAMES: readonly StateName[] = [
  'Empty',
  'Ongoing',
  'PrepareCommit',
  'PrepareAbort',
  'CompleteCommit',
  'CompleteAbort',
];

export function stateName(phase: Phase): StateName {
  switch (phase.kind) {
    case 'ongoing':
      return 'Ongoing';
    case 'ending':
      return phase.committed ? 'PrepareCommit' : 'PrepareAbort';
    case 'idle':
      return IDLE_NAMES[phase.last];
  }
}

const IDLE_NAMES = {
  none: 'Empty',
  committed: 'CompleteCommit',
  aborted: 'CompleteAbort',
} as const satisfies Record<string, StateName>;

/** Epoch ms at which the open transaction began; -1 when there is none. */
export function startedAtMs(phase: Phase): number {
  return phase.kind === 'idle' ? -1 : phase.startedAtMs;
}

const NO_PARTITIONS: TransactionPartitions = new Map();

export function partitionsOf(phase: Phase): TransactionPartitions {
  return phase.kind === 'idle' ? NO_PARTITIONS : phase.partitions;
}
