/** Committed offsets: OffsetCommit, TxnOffsetCommit, OffsetFetch, OffsetDelete. */
import { Errors } from '../../../kafka/protocol/error-codes.ts';
import { offsetCommitApi } from '../../../kafka/protocol/messages/offset-commit.ts';
import { offsetDeleteApi } from '../../../kafka/protocol/messages/offset-delete.ts';
import { offsetFetchApi } from '../../../kafka/protocol/messages/offset-fetch.ts';
import { txnOffsetCommitApi } from '../../../kafka/protocol/messages/txn-offset-commit.ts';
import type { GroupCoordinator } from '../../coordinators/group/group-coordinator.ts';
import type {
  CommitRequest,
  FetchedOffset,
  OffsetToStore,
} from '../../coordinators/group/requests.ts';
import type { ErrorCodeNumber, TopicManager, TransactionVerifier } from '../../ports.ts';
import { type AnyHandler, defineHandler } from '../define-handler.ts';

export function offsetHandlers(
  groups: GroupCoordinator,
  topics: TopicManager,
  transactions: TransactionVerifier,
): AnyHandler[] {
  return [
    offsetCommit(groups, topics),
    txnOffsetCommit(groups, topics, transactions),
    offsetFetch(groups, topics),
    offsetDelete(groups, topics),
  ];
}

/** What OffsetCommit and TxnOffsetCommit have in common, with topics by name. */
interface CommittedTopic {
  readonly name: string;
  readonly partitions: readonly {
    readonly partitionIndex: number;
    readonly committedOffset: number;
    readonly committedLeaderEpoch: number;
    readonly committedMetadata: string | null;
  }[];
}

function offsetCommit(groups: GroupCoordinator, topics: TopicManager): AnyHandler {
  return defineHandler(offsetCommitApi, async (request, { version }) => {
    const named = request.topics.map((topic) => ({
      ...topic,
      name: version >= 10 ? (topics.topicById(topic.topicId)?.name ?? '') : topic.name,
    }));
    const errors = await commitExisting(groups, topics, named, {
      groupId: request.groupId,
      memberId: request.memberId,
      groupInstanceId: request.groupInstanceId,
      generationId: request.generationIdOrMemberEpoch,
    });
    const unknown = version >= 10 ? Errors.UNKNOWN_TOPIC_ID : Errors.UNKNOWN_TOPIC_OR_PARTITION;
    return {
      topics: named.map(({ name, topicId, partitions }) => ({
        name,
        topicId,
        partitions: partitions.map(({ partitionIndex }) => ({
          partitionIndex,
          errorCode: name === '' ? unknown : errors(name, partitionIndex),
        })),
      })),
    };
  });
}

/** Version from which the offsets' partition is added to the transaction by the commit itself (V2). */
const IMPLICIT_ADD_FROM = 5;
/** Version from which a client knows TRANSACTION_ABORTABLE. */
const ABORTABLE_FROM = 4;

function txnOffsetCommit(
  groups: GroupCoordinator,
  topics: TopicManager,
  transactions: TransactionVerifier,
): AnyHandler {
  return defineHandler(txnOffsetCommitApi, async (request, { version }) => {
    const { transactionalId, producerId, producerEpoch, groupId } = request;
    const answer = (errorOf: (topic: string, partition: number) => ErrorCodeNumber) => ({
      topics: request.topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex }) => ({
          partitionIndex,
          errorCode: errorOf(name, partitionIndex),
        })),
      })),
    });
    const refusal = await transactions.verify({
      transactionalId,
      producerId,
      producerEpoch,
      partitions: [groups.partitionOf(groupId)],
      addIfMissing: version >= IMPLICIT_ADD_FROM,
    });
    if (refusal !== Errors.NONE) return answer(() => refusalFor(refusal, version));
    const errors = await commitExisting(groups, topics, request.topics, {
      groupId,
      memberId: request.memberId,
      groupInstanceId: request.groupInstanceId,
      generationId: request.generationId,
      transaction: { producerId, producerEpoch },
    });
    return answer(errors);
  });
}

function refusalFor(error: ErrorCodeNumber, version: number): ErrorCodeNumber {
  const isTooNew = error === Errors.TRANSACTION_ABORTABLE && version < ABORTABLE_FROM;
  return isTooNew ? Errors.INVALID_TXN_STATE : error;
}

/** Commits what belongs to existing partitions; the result tells the code of each. */
async function commitExisting(
  groups: GroupCoordinator,
  topics: TopicManager,
  requested: readonly CommittedTopic[],
  request: Omit<CommitRequest, 'offsets'>,
): Promise<(topic: string, partition: number) => ErrorCodeNumber> {
  const offsets: OffsetToStore[] = [];
  for (const { name, partitions } of requested) {
    for (const each of partitions) {
      if (topics.partition(name, each.partitionIndex) === undefined) continue;
      offsets.push({
        topic: name,
        partition: each.partitionIndex,
        offset: each.committedOffset,
        leaderEpoch: each.committedLeaderEpoch,
        metadata: each.committedMetadata ?? '',
      });
    }
  }
  const errors = await groups.commit({ ...request, offsets });
  const byTopic = new Map<string, Map<number, ErrorCodeNumber>>();
  for (const [index, { topic, partition }] of offsets.entries()) {
    const byPartition = byTopic.get(topic) ?? new Map<number, ErrorCodeNumber>();
    byTopic.set(topic, byPartition.set(partition, errors[index] ?? Errors.UNKNOWN_SERVER_ERROR));
  }
  return (topic, partition) =>
    byTopic.get(topic)?.get(partition) ?? Errors.UNKNOWN_TOPIC_OR_PARTITION;
}

interface WantedTopic {
  readonly name: string;
  readonly topicId: string;
  readonly partitionIndexes: readonly number[];
}

function offsetFetch(groups: GroupCoordinator, topics: TopicManager): AnyHandler {
  return defineHandler(offsetFetchApi, (request, { version }) => {
    const { requireStable } = request;
    const fetchAll = (groupId: string, wanted: readonly WantedTopic[] | null) =>
      (wanted ?? everythingOf(groups, topics, groupId)).map((topic) => ({
        name: topic.name,
        topicId: topic.topicId,
        partitions: topic.partitionIndexes.map((partition) => ({
          partitionIndex: partition,
          ...(topic.name === ''
            ? failedOffset(Errors.UNKNOWN_TOPIC_ID)
            : offsetAnswer(
                groups.fetchOffset(groupId, { topic: topic.name, partition }, requireStable),
              )),
        })),
      }));
    if (version < 8) {
      const wanted = request.topics?.map((topic) => ({ ...topic, topicId: '' })) ?? null;
      const answered = fetchAll(request.groupId, wanted);
      return { topics: answered.map(({ name, partitions }) => ({ name, partitions })) };
    }
    return {
      groups: request.groups.map((group) => {
        const named = group.topics?.map((topic) => ({
          ...topic,
          name: version >= 10 ? (topics.topicById(topic.topicId)?.name ?? '') : topic.name,
        }));
        return { groupId: group.groupId, topics: fetchAll(group.groupId, named ?? null) };
      }),
    };
  });
}

function everythingOf(
  groups: GroupCoordinator,
  topics: TopicManager,
  groupId: string,
): WantedTopic[] {
  const byTopic = new Map<string, number[]>();
  for (const { topic, partition } of groups.committedPartitions(groupId)) {
    byTopic.set(topic, [...(byTopic.get(topic) ?? []), partition]);
  }
  const known = Array.from(byTopic, ([name, partitionIndexes]) => {
    const topicId = topics.topic(name)?.topicId;
    return topicId === undefined ? undefined : { name, topicId, partitionIndexes };
  });
  return known.filter((each) => each !== undefined);
}

function offsetAnswer(fetched: FetchedOffset) {
  switch (fetched.kind) {
    case 'unstable':
      return failedOffset(Errors.UNSTABLE_OFFSET_COMMIT);
    case 'none':
      return failedOffset(Errors.NONE);
    case 'committed':
      return {
        committedOffset: fetched.stored.offset,
        committedLeaderEpoch: fetched.stored.leaderEpoch,
        metadata: fetched.stored.metadata,
        errorCode: Errors.NONE,
      };
  }
}

function failedOffset(errorCode: ErrorCodeNumber) {
  return { committedOffset: -1, committedLeaderEpoch: -1, metadata: '', errorCode };
}

function offsetDelete(groups: GroupCoordinator, topics: TopicManager): AnyHandler {
  return defineHandler(offsetDeleteApi, async (request) => {
    const existing = request.topics.flatMap(({ name, partitions }) =>
      partitions
        .filter(({ partitionIndex }) => topics.partition(name, partitionIndex) !== undefined)
        .map(({ partitionIndex }) => ({ topic: name, partition: partitionIndex })),
    );
    const result = await groups.deleteOffsets(request.groupId, existing);
    if (typeof result === 'number') return { errorCode: result, topics: [] };
    const errorOf = (topic: string, partition: number) =>
      result[existing.findIndex((each) => each.topic === topic && each.partition === partition)] ??
      Errors.UNKNOWN_TOPIC_OR_PARTITION;
    return {
      errorCode: Errors.NONE,
      topics: request.topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex }) => ({
          partitionIndex,
          errorCode: errorOf(name, partitionIndex),
        })),
      })),
    };
  });
}
