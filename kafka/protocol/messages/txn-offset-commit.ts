/**
 * TxnOffsetCommit: a group's offsets inside a transaction. v3 is flexible and carries member and
 * generation, which fence zombies; v5 (transactions V2) announces the group to the transaction by
 * itself.
 */
import { defineApi } from '../define-api.ts';
import { array, int16, int32, int64, string, struct } from '../schema.ts';

export const txnOffsetCommitApi = defineApi({
  key: 28,
  name: 'TxnOffsetCommit',
  versions: '0-5',
  flexibleFrom: 3,
  request: {
    transactionalId: string,
    groupId: string,
    producerId: int64,
    producerEpoch: int16,
    generationId: int32.versions('3+').default(-1),
    memberId: string.versions('3+'),
    groupInstanceId: string.nullable().versions('3+').default(null),
    topics: array(
      struct({
        name: string,
        partitions: array(
          struct({
            partitionIndex: int32,
            committedOffset: int64,
            committedLeaderEpoch: int32.versions('2+').default(-1),
            committedMetadata: string.nullable(),
          }),
        ),
      }),
    ),
  },
  response: {
    throttleTimeMs: int32.default(0),
    topics: array(
      struct({
        name: string,
        partitions: array(struct({ partitionIndex: int32, errorCode: int16 })),
      }),
    ),
  },
});
