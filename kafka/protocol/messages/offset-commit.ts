/**
 * OffsetCommit: a group's offsets outside transactions. v6 has leader epochs, v7 static members,
 * v8 is flexible, v9 serves the new group protocol, v10 has topic ids.
 */
import { defineApi } from '../define-api.ts';
import { array, int16, int32, int64, string, struct, uuid } from '../schema.ts';

export const offsetCommitApi = defineApi({
  key: 8,
  name: 'OffsetCommit',
  versions: '2-10',
  flexibleFrom: 8,
  request: {
    groupId: string,
    generationIdOrMemberEpoch: int32.default(-1),
    memberId: string,
    groupInstanceId: string.nullable().versions('7+').default(null),
    retentionTimeMs: int64.versions('2-4').default(-1),
    topics: array(
      struct({
        name: string.versions('0-9'),
        topicId: uuid.versions('10+'),
        partitions: array(
          struct({
            partitionIndex: int32,
            committedOffset: int64,
            committedLeaderEpoch: int32.versions('6+').default(-1),
            committedMetadata: string.nullable(),
          }),
        ),
      }),
    ),
  },
  response: {
    throttleTimeMs: int32.versions('3+'),
    topics: array(
      struct({
        name: string.versions('0-9'),
        topicId: uuid.versions('10+'),
        partitions: array(struct({ partitionIndex: int32, errorCode: int16 })),
      }),
    ),
  },
});
