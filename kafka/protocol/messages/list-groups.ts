/**
 * ListGroups: the groups that a broker coordinates. v3 is flexible, v4 filters by state, v5 by
 * type.
 */
import { defineApi } from '../define-api.ts';
import { array, int16, int32, string, struct } from '../schema.ts';

export const listGroupsApi = defineApi({
  key: 16,
  name: 'ListGroups',
  versions: '0-5',
  flexibleFrom: 3,
  request: {
    statesFilter: array(string).versions('4+'),
    typesFilter: array(string).versions('5+'),
  },
  response: {
    throttleTimeMs: int32.versions('1+'),
    errorCode: int16,
    groups: array(
      struct({
        groupId: string,
        protocolType: string,
        groupState: string.versions('4+'),
        groupType: string.versions('5+'),
      }),
    ),
  },
});
