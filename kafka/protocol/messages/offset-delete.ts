/**
 * OffsetDelete: removes a group's committed offsets of topics it does not consume. Never flexible.
 */
import { defineApi } from '../define-api.ts';
import { array, int16, int32, string, struct } from '../schema.ts';

export const offsetDeleteApi = defineApi({
  key: 47,
  name: 'OffsetDelete',
  versions: '0',
  request: {
    groupId: string,
    topics: array(
      struct({
        name: string,
        partitions: array(struct({ partitionIndex: int32 })),
      }),
    ),
  },
  response: {
    errorCode: int16,
    throttleTimeMs: int32.default(0),
    topics: array(
      struct({
        name: string,
        partitions: array(struct({ partitionIndex: int32, errorCode: int16 })),
      }),
    ),
  },
});
