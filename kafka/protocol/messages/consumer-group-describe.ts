/** ConsumerGroupDescribe: groups of the new protocol (KIP-848). v1 tells classic members apart. */
import { defineApi } from '../define-api.ts';
import { array, bool, int8, int16, int32, string, struct, uuid } from '../schema.ts';
import { OPERATIONS_NOT_ASKED } from './common.ts';

const assignment = struct({
  topicPartitions: array(struct({ topicId: uuid, topicName: string, partitions: array(int32) })),
});

export const consumerGroupDescribeApi = defineApi({
  key: 69,
  name: 'ConsumerGroupDescribe',
  versions: '0-1',
  flexibleFrom: 0,
  request: {
    groupIds: array(string),
    includeAuthorizedOperations: bool,
  },
  response: {
    throttleTimeMs: int32.default(0),
    groups: array(
      struct({
        errorCode: int16,
        errorMessage: string.nullable().default(null),
        groupId: string,
        groupState: string,
        groupEpoch: int32,
        assignmentEpoch: int32,
        assignorName: string,
        members: array(
          struct({
            memberId: string,
            instanceId: string.nullable().default(null),
            rackId: string.nullable().default(null),
            memberEpoch: int32,
            clientId: string,
            clientHost: string,
            subscribedTopicNames: array(string),
            subscribedTopicRegex: string.nullable().default(null),
            assignment,
            targetAssignment: assignment,
            memberType: int8.versions('1+').default(-1),
          }),
        ),
        authorizedOperations: int32.default(OPERATIONS_NOT_ASKED),
      }),
    ),
  },
});
