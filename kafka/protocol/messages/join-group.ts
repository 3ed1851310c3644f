/**
 * JoinGroup: enters a rebalance of the classic group protocol, answered when all members are in.
 * v4 first refuses a new member with MEMBER_ID_REQUIRED and its id, v5 knows static members, v6 is
 * flexible, v7 may answer with no protocol, v8 takes a reason, v9 can tell a returning leader to
 * skip the assignment.
 */
import { defineApi } from '../define-api.ts';
import { array, bool, bytes, int16, int32, string, struct } from '../schema.ts';

export const joinGroupApi = defineApi({
  key: 11,
  name: 'JoinGroup',
  versions: '0-9',
  flexibleFrom: 6,
  request: {
    groupId: string,
    sessionTimeoutMs: int32,
    rebalanceTimeoutMs: int32.versions('1+').default(-1),
    memberId: string,
    groupInstanceId: string.nullable().versions('5+').default(null),
    protocolType: string,
    protocols: array(struct({ name: string, metadata: bytes })),
    reason: string.nullable().versions('8+').default(null),
  },
  response: {
    throttleTimeMs: int32.versions('2+'),
    errorCode: int16,
    generationId: int32.default(-1),
    protocolType: string.nullable().versions('7+').default(null),
    protocolName: string.nullable('7+'),
    leader: string,
    skipAssignment: bool.versions('9+'),
    memberId: string,
    members: array(
      struct({
        memberId: string,
        groupInstanceId: string.nullable().versions('5+').default(null),
        metadata: bytes,
      }),
    ),
  },
});
