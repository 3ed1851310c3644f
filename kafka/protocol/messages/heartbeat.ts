/** Heartbeat: a member of a classic group is alive. v3 knows static members, v4 is flexible. */
import { defineApi } from '../define-api.ts';
import { int16, int32, string } from '../schema.ts';

export const heartbeatApi = defineApi({
  key: 12,
  name: 'Heartbeat',
  versions: '0-4',
  flexibleFrom: 4,
  request: {
    groupId: string,
    generationId: int32,
    memberId: string,
    groupInstanceId: string.nullable().versions('3+').default(null),
  },
  response: {
    throttleTimeMs: int32.versions('1+'),
    errorCode: int16,
  },
});
