/**
 * DescribeGroups: classic groups with their members. v3 can show the allowed operations, v4 static
 * members, v5 is flexible, v6 says GROUP_ID_NOT_FOUND.
 */
import { defineApi } from '../define-api.ts';
import { array, bool, bytes, int16, int32, string, struct } from '../schema.ts';
import { OPERATIONS_NOT_ASKED } from './common.ts';

export const describeGroupsApi = defineApi({
  key: 15,
  name: 'DescribeGroups',
  versions: '0-6',
  flexibleFrom: 5,
  request: {
    groups: array(string),
    includeAuthorizedOperations: bool.versions('3+'),
  },
  response: {
    throttleTimeMs: int32.versions('1+'),
    groups: array(
      struct({
        errorCode: int16,
        errorMessage: string.nullable().versions('6+').default(null),
        groupId: string,
        groupState: string,
        protocolType: string,
        protocolData: string,
        members: array(
          struct({
            memberId: string,
            groupInstanceId: string.nullable().versions('4+').default(null),
            clientId: string,
            clientHost: string,
            memberMetadata: bytes,
            memberAssignment: bytes,
          }),
        ),
        authorizedOperations: int32.versions('3+').default(OPERATIONS_NOT_ASKED),
      }),
    ),
  },
});
