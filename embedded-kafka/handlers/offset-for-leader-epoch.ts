/** OffsetForLeaderEpoch: where an epoch ended, for clients that check whether the log was cut. */
import { Errors } from '../../kafka/protocol/error-codes.ts';
import { offsetForLeaderEpochApi } from '../../kafka/protocol/messages/offset-for-leader-epoch.ts';
import { compareLeaderEpoch } from '../partitions/leader-epochs.ts';
import type { TopicManager } from '../ports.ts';
import { type AnyHandler, defineHandler } from './define-handler.ts';

export function offsetForLeaderEpochHandler(topics: TopicManager): AnyHandler {
  return defineHandler(offsetForLeaderEpochApi, (request) => ({
    topics: request.topics.map(({ topic, partitions }) => ({
      topic,
      partitions: partitions.map(({ partition: index, currentLeaderEpoch, leaderEpoch }) => {
        const partition = topics.partition(topic, index);
        if (partition === undefined) {
          return { partition: index, errorCode: Errors.UNKNOWN_TOPIC_OR_PARTITION };
        }
        const errorCode = compareLeaderEpoch(currentLeaderEpoch, partition.leaderEpoch);
        if (errorCode !== Errors.NONE) return { partition: index, errorCode };
        return { partition: index, errorCode, ...partition.endOffsetForEpoch(leaderEpoch) };
      }),
    })),
  }));
}
