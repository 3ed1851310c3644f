/**
 * OffsetForLeaderEpoch: where a leader epoch ended, to find where a log diverged. v4 is flexible.
 */
import { defineApi } from '../define-api.ts';
import { array, int16, int32, int64, string, struct } from '../schema.ts';

export const offsetForLeaderEpochApi = defineApi({
  key: 23,
  name: 'OffsetForLeaderEpoch',
  versions: '2-4',
  flexibleFrom: 4,
  request: {
    replicaId: int32.versions('3+').default(-2),
    topics: array(
      struct({
        topic: string,
        partitions: array(
          struct({ partition: int32, currentLeaderEpoch: int32.default(-1), leaderEpoch: int32 }),
        ),
      }),
    ),
  },
  response: {
    throttleTimeMs: int32.default(0),
    topics: array(
      struct({
        topic: string,
        partitions: array(
          struct({
            errorCode: int16,
            partition: int32,
            leaderEpoch: int32.default(-1),
            endOffset: int64.default(-1),
          }),
        ),
      }),
    ),
  },
});
