/**
 * FindCoordinator: the broker that coordinates a group (key type 0) or a transactional id (1). v3
 * is flexible; v4 asks for several keys at once, and `key` gives way to `coordinatorKeys`.
 */
import { defineApi } from '../define-api.ts';
import { array, int8, int16, int32, string, struct } from '../schema.ts';

export const findCoordinatorApi = defineApi({
  key: 10,
  name: 'FindCoordinator',
  versions: '0-6',
  flexibleFrom: 3,
  request: {
    key: string.versions('0-3'),
    keyType: int8.versions('1+'),
    coordinatorKeys: array(string).versions('4+'),
  },
  response: {
    throttleTimeMs: int32.versions('1+'),
    errorCode: int16.versions('0-3'),
    errorMessage: string.nullable().versions('1-3'),
    nodeId: int32.versions('0-3'),
    host: string.versions('0-3'),
    port: int32.versions('0-3'),
    coordinators: array(
      struct({
        key: string,
        nodeId: int32,
        host: string,
        port: int32,
        errorCode: int16,
        errorMessage: string.nullable(),
      }),
    ).versions('4+'),
  },
});
