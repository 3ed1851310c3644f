/** Builds one Fetch request. Pure. */
import type { RequestOf } from '../protocol/define-api.ts';
import type { fetchApi } from '../protocol/messages/fetch.ts';
import type { FetchPartition } from './fetch-partition.ts';
import type { SessionRequest } from './fetch-session.ts';

/** Versions from 13 on name topics by id; up to here they are named by name. */
export const FETCH_VERSION_MAX = 12;

export type FetchRequest = RequestOf<typeof fetchApi>;

/** A partition to fetch, with the leader epoch that the broker must agree to (-1 = not known). */
export interface PartitionToFetch {
  readonly state: FetchPartition;
  readonly leaderEpoch: number;
}

export interface FetchLimits {
  readonly maxWaitMs: number;
  readonly answerBytesMax: number;
  readonly partitionBytesMax: number;
  readonly isolation: 'read_committed' | 'read_uncommitted';
}

export function buildFetchRequest(
  { sessionId, sessionEpoch, named, forgotten }: SessionRequest,
  limits: FetchLimits,
): FetchRequest {
  return {
    maxWaitMs: limits.maxWaitMs,
    minBytes: 1,
    maxBytes: limits.answerBytesMax,
    isolationLevel: limits.isolation === 'read_committed' ? 1 : 0,
    sessionId,
    sessionEpoch,
    topics: byTopic(named, limits.partitionBytesMax),
    forgottenTopicsData: Array.from(
      Map.groupBy(forgotten, ({ topic }) => topic),
      ([topic, members]) => ({ topic, partitions: members.map(({ partition }) => partition) }),
    ),
  };
}

function byTopic(
  partitions: readonly PartitionToFetch[],
  partitionMaxBytes: number,
): FetchRequest['topics'] {
  const topics = Map.groupBy(partitions, ({ state }) => state.topic);
  return Array.from(topics, ([topic, members]) => ({
    topic,
    partitions: members.map(({ state, leaderEpoch }) => ({
      partition: state.partition,
      currentLeaderEpoch: leaderEpoch,
      fetchOffset: state.nextOffset,
      lastFetchedEpoch: state.lastEpoch,
      partitionMaxBytes,
    })),
  }));
}
