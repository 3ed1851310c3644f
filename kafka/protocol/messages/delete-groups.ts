/** DeleteGroups: removes empty groups with their offsets. v2 is flexible. */
import { defineApi } from '../define-api.ts';
import { array, int16, int32, string, struct } from '../schema.ts';

export const deleteGroupsApi = defineApi({
  key: 42,
  name: 'DeleteGroups',
  versions: '0-2',
  flexibleFrom: 2,
  request: {
    groupsNames: array(string),
  },
  response: {
    throttleTimeMs: int32.default(0),
    results: array(struct({ groupId: string, errorCode: int16 })),
  },
});
