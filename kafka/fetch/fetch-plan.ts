/** Decides which partitions to fetch from whom, now, and how much. Pure. */
import type { FetcherOptions } from '../ports.ts';
import type { PartitionLeader } from '../wire.ts';
import type { FetchPartition } from './fetch-partition.ts';
import type { PartitionToFetch } from './fetch-request.ts';

/** Long poll while partitions of the same broker wait for their caller to make room. */
const HELD_BACK_WAIT_MS = 20;
const INT32_MAX = 0x7fffffff;

export interface FetchSituation {
  /** In the order in which they are to be asked for. */
  readonly partitions: Iterable<FetchPartition>;
  readonly leaderOf: (topic: string, partition: number) => PartitionLeader | undefined;
  /** Brokers that have a Fetch out. */
  readonly busyNodes: ReadonlySet<number>;
  readonly bufferedBytes: number;
  readonly limits: Pick<FetcherOptions, 'bufferedBytesMax' | 'partitionBytesMax' | 'maxWaitMs'>;
}

export interface NodeFetch {
  readonly nodeId: number;
  readonly partitions: readonly PartitionToFetch[];
  readonly maxWaitMs: number;
  readonly answerBytesMax: number;
}

export interface FetchPlan {
  readonly fetches: readonly NodeFetch[];
  /** Wanted, but nobody is known to ask. */
  readonly leaderless: readonly FetchPartition[];
}

export function planFetches(situation: FetchSituation): FetchPlan {
  const { limits, busyNodes } = situation;
  const byNode = new Map<number, PartitionToFetch[]>();
  const heldBackNodes = new Set<number>();
  const leaderless: FetchPartition[] = [];
  for (const state of situation.partitions) {
    if (!state.wantsFetch) continue;
    const leader = situation.leaderOf(state.topic, state.partition);
    if (leader === undefined || state.stage === 'leader-unknown') {
      leaderless.push(state);
    } else if (state.bufferedBytes >= limits.partitionBytesMax) {
      heldBackNodes.add(leader.nodeId);
    } else if (!busyNodes.has(leader.nodeId)) {
      const toFetch = { state, leaderEpoch: leader.leaderEpoch };
      const group = byNode.get(leader.nodeId);
      if (group === undefined) byNode.set(leader.nodeId, [toFetch]);
      else group.push(toFetch);
    }
  }
  const freeBytes = limits.bufferedBytesMax - situation.bufferedBytes;
  if (freeBytes <= 0) return { fetches: [], leaderless };
  const answerBytesMax = Math.ceil(freeBytes / Math.max(1, byNode.size + busyNodes.size));
  const waitMs = (nodeId: number) =>
    heldBackNodes.has(nodeId) ? Math.min(HELD_BACK_WAIT_MS, limits.maxWaitMs) : limits.maxWaitMs;
  return {
    fetches: Array.from(byNode, ([nodeId, partitions]) => ({
      nodeId,
      partitions,
      maxWaitMs: waitMs(nodeId),
      answerBytesMax: Math.min(INT32_MAX, answerBytesMax),
    })),
    leaderless,
  };
}
