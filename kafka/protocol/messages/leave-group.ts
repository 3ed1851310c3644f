/**
 * LeaveGroup: members leave a classic group. v3 takes several, static ones too; v4 is flexible, v5
 * takes reasons.
 */
import { defineApi } from '../define-api.ts';
import { array, int16, int32, string, struct } from '../schema.ts';

export const leaveGroupApi = defineApi({
  key: 13,
  name: 'LeaveGroup',
  versions: '0-5',
  flexibleFrom: 4,
  request: {
    groupId: string,
    memberId: string.versions('0-2'),
    members: array(
      struct({
        memberId: string,
        groupInstanceId: string.nullable().default(null),
        reason: string.nullable().versions('5+').default(null),
      }),
    ).versions('3+'),
  },
  response: {
    throttleTimeMs: int32.versions('1+'),
    errorCode: int16,
    members: array(
      struct({ memberId: string, groupInstanceId: string.nullable(), errorCode: int16 }),
    ).versions('3+'),
  },
});
