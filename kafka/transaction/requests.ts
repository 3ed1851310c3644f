/**
 * The requests of a transaction to its coordinators, each with its versions and channel. V1 stops at
 * the versions before KIP-890; AddPartitionsToTxn 4 and above is for brokers among themselves.
 */
import type { GroupMetadata, OffsetToCommit, TopicPartition } from '../ports.ts';
import { addOffsetsToTxnApi } from '../protocol/messages/add-offsets-to-txn.ts';
import { addPartitionsToTxnApi } from '../protocol/messages/add-partitions-to-txn.ts';
import { endTxnApi } from '../protocol/messages/end-txn.ts';
import { initProducerIdApi } from '../protocol/messages/init-producer-id.ts';
import { txnOffsetCommitApi } from '../protocol/messages/txn-offset-commit.ts';
import { askCoordinator } from './coordinator-request.ts';
import type { ProducerIdentity } from './sequences.ts';
import type { TransactionContext } from './transaction-context.ts';

/** The version that fences by group metadata (KIP-447); without it a zombie could commit. */
export const TXN_OFFSET_COMMIT_VERSION_MIN = 3;
export const TXN_OFFSET_COMMIT_VERSION_MAX = { V1: 4, V2: 5 } as const;
const END_TXN_VERSION_MAX = { V1: 4, V2: 5 } as const;
const INIT_PRODUCER_ID_VERSION_MAX = 5;
const ADD_TO_TXN_VERSION_MAX = 3;

/** One producer's own connections, so that none of its requests waits behind another. */
export interface ProducerChannels {
  readonly produce: string;
  readonly transactionCoordinator: string;
  readonly groupCoordinator: string;
}

export function channelsOf(transactionalId: string): ProducerChannels {
  return {
    produce: `producer-${transactionalId}`,
    transactionCoordinator: `producer-${transactionalId}-transaction`,
    groupCoordinator: `producer-${transactionalId}-group`,
  };
}

export function initProducerId(context: TransactionContext, transactionTimeoutMs: number) {
  const { cluster, transactionalId } = context;
  return askCoordinator(context, {
    api: 'InitProducerId',
    ...transactionCoordinator(context),
    versionAtMost: INIT_PRODUCER_ID_VERSION_MAX,
    send: (target) =>
      cluster.request(target, initProducerIdApi, { transactionalId, transactionTimeoutMs }),
    errorCodes: ({ errorCode }) => [errorCode],
  });
}

/** V1: all partitions of the transaction at once. */
export function addPartitions(
  context: TransactionContext,
  identity: ProducerIdentity,
  partitions: readonly TopicPartition[],
) {
  const topics = Map.groupBy(partitions, ({ topic }) => topic);
  return askCoordinator(context, {
    api: 'AddPartitionsToTxn',
    ...transactionCoordinator(context),
    versionAtMost: ADD_TO_TXN_VERSION_MAX,
    send: (target) =>
      context.cluster.request(target, addPartitionsToTxnApi, {
        v3AndBelowTransactionalId: context.transactionalId,
        v3AndBelowProducerId: identity.producerId,
        v3AndBelowProducerEpoch: identity.producerEpoch,
        v3AndBelowTopics: Array.from(topics, ([name, members]) => ({
          name,
          partitions: members.map(({ partition }) => partition),
        })),
      }),
    errorCodes: ({ resultsByTopicV3AndBelow }) =>
      resultsByTopicV3AndBelow.flatMap(({ resultsByPartition }) =>
        resultsByPartition.map(({ partitionErrorCode }) => partitionErrorCode),
      ),
  });
}

/** V1: the group's offsets topic as a participant. */
export function addOffsets(
  context: TransactionContext,
  identity: ProducerIdentity,
  groupId: string,
) {
  const { cluster, transactionalId } = context;
  return askCoordinator(context, {
    api: 'AddOffsetsToTxn',
    ...transactionCoordinator(context),
    versionAtMost: ADD_TO_TXN_VERSION_MAX,
    send: (target) =>
      cluster.request(target, addOffsetsToTxnApi, { transactionalId, ...identity, groupId }),
    errorCodes: ({ errorCode }) => [errorCode],
  });
}

export function commitOffsets(
  context: TransactionContext,
  identity: ProducerIdentity,
  group: GroupMetadata,
  offsets: ReadonlyMap<string, TopicPartition & OffsetToCommit>,
) {
  const { cluster, transactionalId } = context;
  const topics = Map.groupBy(offsets.values(), ({ topic }) => topic);
  return askCoordinator(context, {
    api: 'TxnOffsetCommit',
    coordinator: { kind: 'group', key: group.groupId },
    channel: channelsOf(transactionalId).groupCoordinator,
    versionAtMost: TXN_OFFSET_COMMIT_VERSION_MAX[context.protocol],
    send: (target) =>
      cluster.request(target, txnOffsetCommitApi, {
        transactionalId,
        ...identity,
        groupId: group.groupId,
        generationId: group.generation,
        memberId: group.memberId,
        groupInstanceId: group.groupInstanceId,
        topics: Array.from(topics, ([name, members]) => ({
          name,
          partitions: members.map(({ partition, offset, leaderEpoch, metadata }) => ({
            partitionIndex: partition,
            committedOffset: offset,
            committedLeaderEpoch: leaderEpoch,
            committedMetadata: metadata,
          })),
        })),
      }),
    errorCodes: (response) =>
      response.topics.flatMap(({ partitions }) => partitions.map(({ errorCode }) => errorCode)),
  });
}

export function endTransaction(context: TransactionContext, identity: ProducerIdentity) {
  const { cluster, transactionalId } = context;
  return askCoordinator(context, {
    api: 'EndTxn',
    ...transactionCoordinator(context),
    versionAtMost: END_TXN_VERSION_MAX[context.protocol],
    send: (target) =>
      cluster.request(target, endTxnApi, { transactionalId, ...identity, committed: true }),
    errorCodes: ({ errorCode }) => [errorCode],
  });
}

function transactionCoordinator({ transactionalId }: TransactionContext) {
  return {
    coordinator: { kind: 'transaction', key: transactionalId },
    channel: channelsOf(transactionalId).transactionCoordinator,
  } as const;
}
