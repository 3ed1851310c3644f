/** Looking at transactions: DescribeTransactions, ListTransactions. */
import type { Clock } from '../../../base/clock.ts';
import { Errors } from '../../../kafka/protocol/error-codes.ts';
import { describeTransactionsApi } from '../../../kafka/protocol/messages/describe-transactions.ts';
import { listTransactionsApi } from '../../../kafka/protocol/messages/list-transactions.ts';
import type { TransactionCoordinator } from '../../coordinators/transaction/transaction-coordinator.ts';
import {
  partitionsOf,
  STATE_NAMES,
  startedAtMs,
  stateName,
  type TransactionMetadata,
} from '../../coordinators/transaction/transaction-metadata.ts';
import { type AnyHandler, defineHandler } from '../define-handler.ts';

export function transactionAdminHandlers(
  transactions: TransactionCoordinator,
  clock: Clock,
): AnyHandler[] {
  return [describeTransactions(transactions), listTransactions(transactions, clock)];
}

function describeTransactions(transactions: TransactionCoordinator): AnyHandler {
  return defineHandler(describeTransactionsApi, (request) => ({
    transactionStates: request.transactionalIds.map((transactionalId) => {
      const metadata = transactions.describe(transactionalId);
      return metadata === undefined ? notFound(transactionalId) : describe(metadata);
    }),
  }));
}

function describe(metadata: TransactionMetadata) {
  const { phase } = metadata;
  const topics = new Map<string, number[]>();
  for (const { topic, partition } of partitionsOf(phase).values()) {
    topics.set(topic, [...(topics.get(topic) ?? []), partition]);
  }
  return {
    errorCode: Errors.NONE,
    transactionalId: metadata.transactionalId,
    transactionState: stateName(phase) as string,
    transactionTimeoutMs: metadata.timeoutMs,
    transactionStartTimeMs: startedAtMs(phase),
    producerId: metadata.producerId,
    producerEpoch: metadata.producerEpoch,
    topics: Array.from(topics, ([topic, partitions]) => ({ topic, partitions })),
  };
}

function notFound(transactionalId: string) {
  return {
    errorCode: transactionalId === '' ? Errors.INVALID_REQUEST : Errors.TRANSACTIONAL_ID_NOT_FOUND,
    transactionalId,
    transactionState: '',
    transactionTimeoutMs: 0,
    transactionStartTimeMs: 0,
    producerId: 0,
    producerEpoch: 0,
    topics: [],
  };
}

/** Version 2 filters by a regular expression in RE2's dialect, which JavaScript does not have. */
const LIST_VERSION_MAX = 1;

function listTransactions(transactions: TransactionCoordinator, clock: Clock): AnyHandler {
  return defineHandler(
    listTransactionsApi,
    (request) => {
      const names: readonly string[] = STATE_NAMES;
      const states = new Set(request.stateFilters);
      const producerIds = new Set(request.producerIdFilters);
      const startedBeforeMs = clock.nowMs() - request.durationFilter;
      const isWanted = (metadata: TransactionMetadata) => {
        const { phase, producerId } = metadata;
        const isOld =
          request.durationFilter < 0 ||
          (phase.kind !== 'idle' && phase.startedAtMs < startedBeforeMs);
        return (
          isOld &&
          (states.size === 0 || states.has(stateName(phase))) &&
          (producerIds.size === 0 || producerIds.has(producerId))
        );
      };
      return {
        errorCode: Errors.NONE,
        unknownStateFilters: request.stateFilters.filter((name) => !names.includes(name)),
        transactionStates: transactions
          .list()
          .filter(isWanted)
          .map(({ transactionalId, producerId, phase }) => ({
            transactionalId,
            producerId,
            transactionState: stateName(phase),
          })),
      };
    },
    { maxVersion: LIST_VERSION_MAX },
  );
}
