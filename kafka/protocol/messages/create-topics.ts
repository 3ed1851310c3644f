/**
 * CreateTopics, by the controller. v4 takes -1 for the cluster's defaults, v5 is flexible and
 * shows the configuration, v7 the topic id.
 */
import { defineApi } from '../define-api.ts';
import { array, bool, int8, int16, int32, string, struct, uuid } from '../schema.ts';

export const createTopicsApi = defineApi({
  key: 19,
  name: 'CreateTopics',
  versions: '2-7',
  flexibleFrom: 5,
  request: {
    topics: array(
      struct({
        name: string,
        numPartitions: int32,
        replicationFactor: int16,
        assignments: array(struct({ partitionIndex: int32, brokerIds: array(int32) })),
        configs: array(struct({ name: string, value: string.nullable() })),
      }),
    ),
    timeoutMs: int32.default(60000),
    validateOnly: bool.default(false),
  },
  response: {
    throttleTimeMs: int32.default(0),
    topics: array(
      struct({
        name: string,
        topicId: uuid.versions('7+'),
        errorCode: int16,
        errorMessage: string.nullable(),
        topicConfigErrorCode: int16.tag(0, '5+'),
        numPartitions: int32.versions('5+').default(-1),
        replicationFactor: int16.versions('5+').default(-1),
        configs: array(
          struct({
            name: string,
            value: string.nullable(),
            readOnly: bool,
            configSource: int8.default(-1),
            isSensitive: bool,
          }),
        )
          .nullable()
          .versions('5+'),
      }),
    ),
  },
});
