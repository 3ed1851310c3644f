/** DescribeProducers: who writes to a partition, and since when a transaction is open. */
import { Errors } from '../../kafka/protocol/error-codes.ts';
import { describeProducersApi } from '../../kafka/protocol/messages/describe-producers.ts';
import type { TopicManager } from '../ports.ts';
import { type AnyHandler, defineHandler } from './define-handler.ts';

export function describeProducersHandler(topics: TopicManager): AnyHandler {
  return defineHandler(describeProducersApi, (request) => ({
    topics: request.topics.map(({ name, partitionIndexes }) => ({
      name,
      partitions: partitionIndexes.map((partitionIndex) => {
        const partition = topics.partition(name, partitionIndex);
        if (partition === undefined) {
          const errorCode = Errors.UNKNOWN_TOPIC_OR_PARTITION;
          return { partitionIndex, errorCode, activeProducers: [] };
        }
        const activeProducers = partition.producers().map((producer) => ({
          producerId: producer.producerId,
          producerEpoch: producer.producerEpoch,
          lastSequence: producer.lastSequence,
          lastTimestamp: producer.lastTimestampMs,
          coordinatorEpoch: producer.coordinatorEpoch,
          currentTxnStartOffset: producer.currentTransactionStartOffset,
        }));
        return { partitionIndex, errorCode: Errors.NONE, activeProducers };
      }),
    })),
  }));
}
