/**
 * SyncGroup: the leader hands in the assignments, every member gets its own. v3 knows static
 * members, v4 is flexible, v5 checks protocol type and name.
 */
import { defineApi } from '../define-api.ts';
import { array, bytes, int16, int32, string, struct } from '../schema.ts';

export const syncGroupApi = defineApi({
  key: 14,
  name: 'SyncGroup',
  versions: '0-5',
  flexibleFrom: 4,
  request: {
    groupId: string,
    generationId: int32,
    memberId: string,
    groupInstanceId: string.nullable().versions('3+').default(null),
    protocolType: string.nullable().versions('5+').default(null),
    protocolName: string.nullable().versions('5+').default(null),
    assignments: array(struct({ memberId: string, assignment: bytes })),
  },
  response: {
    throttleTimeMs: int32.versions('1+'),
    errorCode: int16,
    protocolType: string.nullable().versions('5+').default(null),
    protocolName: string.nullable().versions('5+').default(null),
    assignment: bytes,
  },
});
