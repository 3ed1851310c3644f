/**
 * DeleteRecords: moves the log start of partitions; offset -1 means the high watermark. v2 is
 * flexible.
 */
import { defineApi } from '../define-api.ts';
import { array, int16, int32, int64, string, struct } from '../schema.ts';

export const deleteRecordsApi = defineApi({
  key: 21,
  name: 'DeleteRecords',
  versions: '0-2',
  flexibleFrom: 2,
  request: {
    topics: array(
      struct({
        name: string,
        partitions: array(struct({ partitionIndex: int32, offset: int64 })),
      }),
    ),
    timeoutMs: int32,
  },
  response: {
    throttleTimeMs: int32.default(0),
    topics: array(
      struct({
        name: string,
        partitions: array(struct({ partitionIndex: int32, lowWatermark: int64, errorCode: int16 })),
      }),
    ),
  },
});
