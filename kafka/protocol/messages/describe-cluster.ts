/**
 * DescribeCluster: the brokers and the controller. v1 can ask a controller, v2 shows fenced
 * brokers.
 */
import { defineApi } from '../define-api.ts';
import { array, bool, int8, int16, int32, string, struct } from '../schema.ts';
import { OPERATIONS_NOT_ASKED } from './common.ts';

export const describeClusterApi = defineApi({
  key: 60,
  name: 'DescribeCluster',
  versions: '0-2',
  flexibleFrom: 0,
  request: {
    includeClusterAuthorizedOperations: bool,
    endpointType: int8.versions('1+').default(1),
    includeFencedBrokers: bool.versions('2+'),
  },
  response: {
    throttleTimeMs: int32.default(0),
    errorCode: int16,
    errorMessage: string.nullable().default(null),
    endpointType: int8.versions('1+').default(1),
    clusterId: string,
    controllerId: int32.default(-1),
    brokers: array(
      struct({
        brokerId: int32,
        host: string,
        port: int32,
        rack: string.nullable().default(null),
        isFenced: bool.versions('2+'),
      }),
    ),
    clusterAuthorizedOperations: int32.default(OPERATIONS_NOT_ASKED),
  },
});
