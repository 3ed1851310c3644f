/** OffsetFetch. */
import { defineApi } from '../define-api.ts';
import { array, bool, int16, int32, int64, string, struct, uuid } from '../schema.ts';

export const offsetFetchApi = defineApi({
  key: 9,
  name: 'OffsetFetch',
  versions: '1-10',
  flexibleFrom: 6,
  request: {
    groupId: string.versions('0-7'),
    topics: array(
      struct({
        name: string,
        partitionIndexes: array(int32),
      }),
    )
      .nullable('2-7')
      .versions('0-7'),
    groups: array(
      struct({
        groupId: string,
        memberId: string.nullable().versions('9+').default(null),
        memberEpoch: int32.versions('9+').default(-1),
        topics: array(
          struct({
            name: string.versions('8-9'),
            topicId: uuid.versions('10+'),
            partitionIndexes: array(int32),
          }),
        ).nullable(),
      }),
    ).versions('8+'),
    requireStable: bool.versions('7+').default(false),
  },
  response: {
    throttleTimeMs: int32.versions('3+'),
    topics: array(
      struct({
        name: string,
        partitions: array(
          struct({
            partitionIndex: int32,
            committedOffset: int64,
            committedLeaderEpoch: int32.versions('5-7').default(-1),
            metadata: string.nullable(),
            errorCode: int16,
          }),
        ),
      }),
    ).versions('0-7'),
    errorCode: int16.versions('2-7').default(0),
    groups: array(
      struct({
        groupId: string,
        topics: array(
          struct({
            name: string.versions('8-9'),
            topicId: uuid.versions('10+'),
            partitions: array(
              struct({
                partitionIndex: int32,
                committedOffset: int64,
                committedLeaderEpoch: int32.default(-1),
                metadata: string.nullable(),
                errorCode: int16,
              }),
            ),
          }),
        ),
        errorCode: int16.default(0),
      }),
    ).versions('8+'),
  },
});
