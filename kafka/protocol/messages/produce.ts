/**
 * Produce: record batches to partition leaders; one batch per partition from v3 on (message format
 * v2). v8 names bad records, v9 is flexible, v10 tells the new leader when this one is not it, v12
 * adds the partitions to a V2 transaction by itself (a V1 producer stays at v11), v13 names topics
 * by id. Kafka advertises v0-2 as well, because librdkafka needs to see them, and answers none of
 * them.
 */
import { defineApi } from '../define-api.ts';
import { array, int16, int32, int64, records, string, struct, uuid } from '../schema.ts';
import { leaderIdAndEpoch, nodeEndpoints } from './common.ts';

export const produceApi = defineApi({
  key: 0,
  name: 'Produce',
  versions: '3-13',
  flexibleFrom: 9,
  request: {
    transactionalId: string.nullable().default(null),
    acks: int16,
    timeoutMs: int32,
    topicData: array(
      struct({
        name: string.versions('0-12'),
        topicId: uuid.versions('13+'),
        partitionData: array(struct({ index: int32, records: records.nullable() })),
      }),
    ),
  },
  response: {
    responses: array(
      struct({
        name: string.versions('0-12'),
        topicId: uuid.versions('13+'),
        partitionResponses: array(
          struct({
            index: int32,
            errorCode: int16,
            baseOffset: int64,
            logAppendTimeMs: int64.default(-1),
            logStartOffset: int64.versions('5+').default(-1),
            recordErrors: array(
              struct({
                batchIndex: int32,
                batchIndexErrorMessage: string.nullable().default(null),
              }),
            ).versions('8+'),
            errorMessage: string.nullable().versions('8+').default(null),
            currentLeader: leaderIdAndEpoch.tag(0, '10+'),
          }),
        ),
      }),
    ),
    throttleTimeMs: int32.default(0),
    nodeEndpoints: nodeEndpoints.tag(0, '10+'),
  },
});
