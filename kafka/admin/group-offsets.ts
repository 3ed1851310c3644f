/** A group's committed offsets, read and (outside transactions) written through its coordinator. */
import type { MillraceError } from '../../base/errors.ts';
import { errorFor } from '../kafka-error.ts';
import {
  type CommittedOffset,
  type GroupMetadata,
  type OffsetToCommit,
  partitionKey,
  type TopicPartition,
} from '../ports.ts';
import type { Api } from '../protocol/api.ts';
import type { ResponseOf } from '../protocol/define-api.ts';
import { Errors } from '../protocol/error-codes.ts';
import { offsetCommitApi } from '../protocol/messages/offset-commit.ts';
import { offsetFetchApi } from '../protocol/messages/offset-fetch.ts';
import { ADMIN_CHANNEL, type AdminContext } from './admin-context.ts';
import { byTopic } from './ask-leaders.ts';
import { retrying } from './retrying.ts';

/** v10 of both names topics by id. */
const LAST_VERSION_WITH_NAMES = 9;
/** A transaction in flight is usually over within milliseconds, and a task waits to start behind it. */
const STABLE_BACKOFF = { initialMs: 20, maxMs: 100 };

export interface CommittedOffsetsOptions {
  readonly requireStable: boolean;
  readonly signal?: AbortSignal;
  readonly onWaiting?: () => void;
}

/**
 * With requireStable it waits while a transaction over one of the offsets is in flight: until the
 * signal aborts, or for the admin timeout when there is none. Partitions without a commit have offset -1.
 */
export function committedOffsets(
  context: AdminContext,
  groupId: string,
  partitions: readonly TopicPartition[],
  { requireStable, signal, onWaiting }: CommittedOffsetsOptions,
): Promise<ReadonlyMap<string, CommittedOffset>> {
  if (partitions.length === 0) return Promise.resolve(new Map());
  const timeoutMs = signal === undefined ? context.timeoutMs : Number.POSITIVE_INFINITY;
  const request = offsetFetchRequest(groupId, partitions, requireStable);
  const beforeRetry = async (error: MillraceError) => {
    if (error.facts['kafkaError'] === 'UNSTABLE_OFFSET_COMMIT') onWaiting?.();
    else context.cluster.forgetCoordinator('group', groupId);
  };
  const how = { timeoutMs, signal, beforeRetry, backoff: STABLE_BACKOFF };
  return retrying(context.deps, how, async () => {
    const response = await askCoordinator(context, groupId, offsetFetchApi, request);
    return readCommittedOffsets(response, groupId);
  });
}

function offsetFetchRequest(
  groupId: string,
  partitions: readonly TopicPartition[],
  requireStable: boolean,
) {
  const topics = byTopic(partitions, ({ partition }) => partition).map((topic) => ({
    name: topic.name,
    partitionIndexes: topic.partitions,
  }));
  return { groupId, topics, groups: [{ groupId, topics }], requireStable };
}

function readCommittedOffsets(
  response: ResponseOf<typeof offsetFetchApi>,
  groupId: string,
): ReadonlyMap<string, CommittedOffset> {
  const { errorCode, topics } = response.groups[0] ?? response;
  if (errorCode !== Errors.NONE) throw errorFor(errorCode, `offsets of group ${groupId}`);
  const offsets = new Map<string, CommittedOffset>();
  for (const { name, partitions } of topics) {
    for (const partition of partitions) {
      const key = partitionKey(name, partition.partitionIndex);
      if (partition.errorCode !== Errors.NONE) {
        throw errorFor(partition.errorCode, `offset of group ${groupId} in ${key}`);
      }
      offsets.set(key, {
        offset: partition.committedOffset,
        leaderEpoch: partition.committedLeaderEpoch,
        metadata: partition.metadata ?? '',
      });
    }
  }
  return offsets;
}

/**
 * Rejects KAFKA_FENCED when this member is out, KAFKA_RETRIABLE when the generation has moved on: only
 * the caller can tell what to commit then.
 */
export async function commitOffsets(
  context: AdminContext,
  group: GroupMetadata,
  offsets: ReadonlyMap<string, TopicPartition & OffsetToCommit>,
): Promise<void> {
  if (offsets.size === 0) return;
  const { groupId } = group;
  const request = offsetCommitRequest(group, [...offsets.values()]);
  const beforeRetry = async () => context.cluster.forgetCoordinator('group', groupId);
  const refusal = await retrying(
    context.deps,
    { timeoutMs: context.timeoutMs, beforeRetry },
    async () => {
      const response = await askCoordinator(context, groupId, offsetCommitApi, request);
      const failed = response.topics
        .flatMap(({ partitions }) => partitions)
        .find(({ errorCode }) => errorCode !== Errors.NONE);
      if (failed === undefined) return undefined;
      const error = errorFor(failed.errorCode, `committing offsets of group ${groupId}`);
      if (COORDINATOR_TROUBLE.has(failed.errorCode)) throw error;
      return error;
    },
  );
  if (refusal !== undefined) throw refusal;
}

/** Worth sending the same request again; any other refusal is for the caller. */
const COORDINATOR_TROUBLE: ReadonlySet<number> = new Set([
  Errors.COORDINATOR_LOAD_IN_PROGRESS,
  Errors.COORDINATOR_NOT_AVAILABLE,
  Errors.NOT_COORDINATOR,
  Errors.REQUEST_TIMED_OUT,
  Errors.UNKNOWN_TOPIC_OR_PARTITION,
]);

function offsetCommitRequest(
  group: GroupMetadata,
  offsets: readonly (TopicPartition & OffsetToCommit)[],
) {
  return {
    groupId: group.groupId,
    generationIdOrMemberEpoch: group.generation,
    memberId: group.memberId,
    groupInstanceId: group.groupInstanceId,
    topics: byTopic(offsets, ({ partition, offset, leaderEpoch, metadata }) => ({
      partitionIndex: partition,
      committedOffset: offset,
      committedLeaderEpoch: leaderEpoch,
      committedMetadata: metadata,
    })),
  };
}

async function askCoordinator<Request, Response>(
  { cluster }: AdminContext,
  groupId: string,
  api: Api<Request, Response>,
  request: Request,
): Promise<Response> {
  const nodeId = await cluster.coordinatorOf('group', groupId);
  const target = { nodeId, channel: ADMIN_CHANNEL, versionAtMost: LAST_VERSION_WITH_NAMES };
  return cluster.request(target, api, request);
}
