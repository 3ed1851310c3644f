/** Produce. */
import { defineApi } from '../define-api.ts';
import { array, int16, int32, int64, records, string, struct, uuid } from '../schema.ts';

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
        partitionData: array(
          struct({
            index: int32,
            records: records.nullable(),
          }),
        ),
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
            currentLeader: struct({
              leaderId: int32.default(-1),
              leaderEpoch: int32.default(-1),
            }).tag(0, '10+'),
          }),
        ),
      }),
    ),
    throttleTimeMs: int32.default(0),
    nodeEndpoints: array(
      struct({
        nodeId: int32,
        host: string,
        port: int32,
        rack: string.nullable().default(null),
      }),
    ).tag(0, '10+'),
  },
});
