/**
 * DescribeTopicPartitions: topics and partitions in pages; the cursor says where the next begins.
 */
import { defineApi } from '../define-api.ts';
import { array, bool, int16, int32, string, struct, uuid } from '../schema.ts';
import { OPERATIONS_NOT_ASKED } from './common.ts';

export const describeTopicPartitionsApi = defineApi({
  key: 75,
  name: 'DescribeTopicPartitions',
  versions: '0',
  flexibleFrom: 0,
  request: {
    topics: array(struct({ name: string })),
    responsePartitionLimit: int32.default(2000),
    cursor: struct({ topicName: string, partitionIndex: int32 }).nullable().default(null),
  },
  response: {
    throttleTimeMs: int32.default(0),
    topics: array(
      struct({
        errorCode: int16,
        name: string.nullable(),
        topicId: uuid,
        isInternal: bool.default(false),
        partitions: array(
          struct({
            errorCode: int16,
            partitionIndex: int32,
            leaderId: int32,
            leaderEpoch: int32.default(-1),
            replicaNodes: array(int32),
            isrNodes: array(int32),
            eligibleLeaderReplicas: array(int32).nullable().default(null),
            lastKnownElr: array(int32).nullable().default(null),
            offlineReplicas: array(int32),
          }),
        ),
        topicAuthorizedOperations: int32.default(OPERATIONS_NOT_ASKED),
      }),
    ),
    nextCursor: struct({ topicName: string, partitionIndex: int32 }).nullable().default(null),
  },
});
