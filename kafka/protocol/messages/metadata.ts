/**
 * Metadata: brokers, topics, partitions and their leaders. All topics: null topics, in v0 an empty
 * list (which from v1 on means none). v7 has leader epochs, v9 is flexible, v10 shows topic ids,
 * v12 can ask by them, v13 has an error of its own.
 */
import { defineApi } from '../define-api.ts';
import { array, bool, int16, int32, string, struct, uuid } from '../schema.ts';
import { OPERATIONS_NOT_ASKED } from './common.ts';

export const metadataApi = defineApi({
  key: 3,
  name: 'Metadata',
  versions: '0-13',
  flexibleFrom: 9,
  request: {
    topics: array(struct({ topicId: uuid.versions('10+'), name: string.nullable('10+') })).nullable(
      '1+',
    ),
    allowAutoTopicCreation: bool.versions('4+').default(true),
    includeClusterAuthorizedOperations: bool.versions('8-10'),
    includeTopicAuthorizedOperations: bool.versions('8+'),
  },
  response: {
    throttleTimeMs: int32.versions('3+'),
    brokers: array(
      struct({
        nodeId: int32,
        host: string,
        port: int32,
        rack: string.nullable().versions('1+').default(null),
      }),
    ),
    clusterId: string.nullable().versions('2+').default(null),
    controllerId: int32.versions('1+').default(-1),
    topics: array(
      struct({
        errorCode: int16,
        name: string.nullable('12+'),
        topicId: uuid.versions('10+'),
        isInternal: bool.versions('1+'),
        partitions: array(
          struct({
            errorCode: int16,
            partitionIndex: int32,
            leaderId: int32,
            leaderEpoch: int32.versions('7+').default(-1),
            replicaNodes: array(int32),
            isrNodes: array(int32),
            offlineReplicas: array(int32).versions('5+'),
          }),
        ),
        topicAuthorizedOperations: int32.versions('8+').default(OPERATIONS_NOT_ASKED),
      }),
    ),
    clusterAuthorizedOperations: int32.versions('8-10').default(OPERATIONS_NOT_ASKED),
    errorCode: int16.versions('13+'),
  },
});
