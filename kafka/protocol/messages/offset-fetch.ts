/**
 * OffsetFetch: a group's committed offsets; null topics means all of them; offset -1 means none.
 * v7 can insist on stable offsets (no open transaction over them), v8 asks for several groups at
 * once and moves everything into `groups`, v9 serves the new group protocol, v10 has topic ids.
 */
import { defineApi } from '../define-api.ts';
import { array, bool, int16, int32, int64, string, struct, uuid } from '../schema.ts';

export const offsetFetchApi = defineApi({
  key: 9,
  name: 'OffsetFetch',
  versions: '1-10',
  flexibleFrom: 6,
  request: {
    groupId: string.versions('0-7'),
    topics: array(struct({ name: string, partitionIndexes: array(int32) }))
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
    requireStable: bool.versions('7+'),
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
    errorCode: int16.versions('2-7'),
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
