/** Transactions as producers drive them: InitProducerId, AddPartitionsToTxn, AddOffsetsToTxn, EndTxn. */
import type { TopicPartition } from '../../../kafka/ports.ts';
import { Errors } from '../../../kafka/protocol/error-codes.ts';
import { addOffsetsToTxnApi } from '../../../kafka/protocol/messages/add-offsets-to-txn.ts';
import { addPartitionsToTxnApi } from '../../../kafka/protocol/messages/add-partitions-to-txn.ts';
import { endTxnApi } from '../../../kafka/protocol/messages/end-txn.ts';
import { initProducerIdApi } from '../../../kafka/protocol/messages/init-producer-id.ts';
import type { GroupCoordinator } from '../../coordinators/group/group-coordinator.ts';
import type { TransactionCoordinator } from '../../coordinators/transaction/transaction-coordinator.ts';
import {
  NO_PRODUCER_EPOCH,
  NO_PRODUCER_ID,
} from '../../coordinators/transaction/transaction-metadata.ts';
import type { ErrorCodeNumber, TopicManager } from '../../ports.ts';
import { type AnyHandler, defineHandler } from '../define-handler.ts';

export interface TransactionHandlerOptions {
  readonly transactions: TransactionCoordinator;
  readonly groups: GroupCoordinator;
  readonly topics: TopicManager;
  /** Finalized `transaction.version`. */
  readonly transactionVersion: number;
}

export function transactionHandlers(options: TransactionHandlerOptions): AnyHandler[] {
  return [initProducerId(options), addPartitions(options), addOffsets(options), endTxn(options)];
}

/** Version 6 is about prepared (two-phase) transactions, which Kafka itself does not offer by default. */
const INIT_VERSION_MAX = 5;
/** Clients older than these know no PRODUCER_FENCED. */
const INIT_FENCED_FROM = 4;
const TXN_FENCED_FROM = 2;

function initProducerId({ transactions }: TransactionHandlerOptions): AnyHandler {
  return defineHandler(
    initProducerIdApi,
    async (request, { version }) => {
      const { transactionalId, producerId, producerEpoch } = request;
      const isNew = producerId === NO_PRODUCER_ID && producerEpoch === NO_PRODUCER_EPOCH;
      if (!isNew && (producerId < 0 || producerEpoch < 0)) {
        return { errorCode: Errors.INVALID_REQUEST, producerEpoch: NO_PRODUCER_EPOCH };
      }
      const answer = await transactions.initProducerId({
        transactionalId,
        timeoutMs: request.transactionTimeoutMs,
        expected: isNew ? undefined : { producerId, producerEpoch },
      });
      return {
        errorCode: fencedFor(answer.error, version >= INIT_FENCED_FROM),
        producerId: answer.producerId,
        producerEpoch: answer.producerEpoch,
      };
    },
    { maxVersion: INIT_VERSION_MAX },
  );
}

interface AddedTopic {
  readonly name: string;
  readonly partitions: readonly number[];
}

interface Addition {
  readonly transactionalId: string;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly verifyOnly: boolean;
  readonly topics: readonly AddedTopic[];
}

/** From this version on the request carries several transactions, and tells who speaks V2. */
const BATCHED_FROM = 4;
/** Without the feature, clients that take a higher version than this get stuck on its answers. */
const V1_VERSION_MAX = 3;

function addPartitions(options: TransactionHandlerOptions): AnyHandler {
  const { transactionVersion } = options;
  return defineHandler(
    addPartitionsToTxnApi,
    async (request, { version }) => {
      if (version < BATCHED_FROM) {
        const results = await addOne(options, version, {
          transactionalId: request.v3AndBelowTransactionalId,
          producerId: request.v3AndBelowProducerId,
          producerEpoch: request.v3AndBelowProducerEpoch,
          verifyOnly: false,
          topics: request.v3AndBelowTopics,
        });
        return { resultsByTopicV3AndBelow: results };
      }
      const additions = request.transactions.map(async (addition) => ({
        transactionalId: addition.transactionalId,
        topicResults: await addOne(options, version, addition),
      }));
      return { resultsByTransaction: await Promise.all(additions) };
    },
    transactionVersion >= 2 ? {} : { maxVersion: V1_VERSION_MAX },
  );
}

async function addOne(
  { transactions, topics }: TransactionHandlerOptions,
  version: number,
  addition: Addition,
) {
  const partitions: TopicPartition[] = addition.topics.flatMap(({ name, partitions }) =>
    partitions.map((partition) => ({ topic: name, partition })),
  );
  const isKnown = ({ topic, partition }: TopicPartition) =>
    topics.partition(topic, partition) !== undefined;
  const hasUnknown = !partitions.every(isKnown);
  const request = { ...addition, partitions };
  // All or nothing: with one unknown partition the others are not attempted.
  const error = hasUnknown
    ? Errors.OPERATION_NOT_ATTEMPTED
    : addition.verifyOnly
      ? await transactions.verify({ ...request, addIfMissing: false })
      : await transactions.addPartitions({
          ...request,
          clientVersion: version >= BATCHED_FROM ? 2 : 0,
        });
  const codeFor = fencedFor(error, version >= TXN_FENCED_FROM);
  return addition.topics.map(({ name, partitions }) => ({
    name,
    resultsByPartition: partitions.map((partition) => ({
      partitionIndex: partition,
      partitionErrorCode: isKnown({ topic: name, partition })
        ? codeFor
        : Errors.UNKNOWN_TOPIC_OR_PARTITION,
    })),
  }));
}

function addOffsets({ transactions, groups }: TransactionHandlerOptions): AnyHandler {
  return defineHandler(addOffsetsToTxnApi, async (request, { version }) => {
    const error = await transactions.addPartitions({
      transactionalId: request.transactionalId,
      producerId: request.producerId,
      producerEpoch: request.producerEpoch,
      partitions: [groups.partitionOf(request.groupId)],
      clientVersion: 0,
    });
    return { errorCode: fencedFor(error, version >= TXN_FENCED_FROM) };
  });
}

/** From this version on an EndTxn bumps the epoch and tells the new one (V2). */
const EPOCH_BUMP_FROM = 5;

function endTxn({ transactions }: TransactionHandlerOptions): AnyHandler {
  return defineHandler(endTxnApi, async (request, { version }) => {
    const answer = await transactions.endTransaction({
      transactionalId: request.transactionalId,
      producerId: request.producerId,
      producerEpoch: request.producerEpoch,
      committed: request.committed,
      clientVersion: version >= EPOCH_BUMP_FROM ? 2 : 0,
    });
    return {
      errorCode: fencedFor(answer.error, version >= TXN_FENCED_FROM),
      producerId: answer.producerId,
      producerEpoch: answer.producerEpoch,
    };
  });
}

function fencedFor(error: ErrorCodeNumber, knowsFenced: boolean): ErrorCodeNumber {
  return error === Errors.PRODUCER_FENCED && !knowsFenced ? Errors.INVALID_PRODUCER_EPOCH : error;
}
