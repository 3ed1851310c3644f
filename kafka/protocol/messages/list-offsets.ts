/**
 * ListOffsets: the offset at a timestamp, or at -1 (latest; last stable when read_committed) and
 * -2 (earliest). v4 fences by leader epoch, v6 is flexible; v7 adds timestamp -3 (the record with
 * the largest one), v8, v9 and v11 add -4, -5 and -6 for tiered storage, v10 a timeout for those.
 */
import { defineApi } from '../define-api.ts';
import { array, int8, int16, int32, int64, string, struct } from '../schema.ts';

export const listOffsetsApi = defineApi({
  key: 2,
  name: 'ListOffsets',
  versions: '1-11',
  flexibleFrom: 6,
  request: {
    replicaId: int32,
    isolationLevel: int8.versions('2+'),
    topics: array(
      struct({
        name: string,
        partitions: array(
          struct({
            partitionIndex: int32,
            currentLeaderEpoch: int32.versions('4+').default(-1),
            timestamp: int64,
          }),
        ),
      }),
    ),
    timeoutMs: int32.versions('10+'),
  },
  response: {
    throttleTimeMs: int32.versions('2+'),
    topics: array(
      struct({
        name: string,
        partitions: array(
          struct({
            partitionIndex: int32,
            errorCode: int16,
            timestamp: int64.default(-1),
            offset: int64.default(-1),
            leaderEpoch: int32.versions('4+').default(-1),
          }),
        ),
      }),
    ),
  },
});
