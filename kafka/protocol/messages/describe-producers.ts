/** DescribeProducers: the producers with state on a partition. */
import { defineApi } from '../define-api.ts';
import { array, int16, int32, int64, string, struct } from '../schema.ts';

export const describeProducersApi = defineApi({
  key: 61,
  name: 'DescribeProducers',
  versions: '0',
  flexibleFrom: 0,
  request: {
    topics: array(struct({ name: string, partitionIndexes: array(int32) })),
  },
  response: {
    throttleTimeMs: int32.default(0),
    topics: array(
      struct({
        name: string,
        partitions: array(
          struct({
            partitionIndex: int32,
            errorCode: int16,
            errorMessage: string.nullable().default(null),
            activeProducers: array(
              struct({
                producerId: int64,
                producerEpoch: int32,
                lastSequence: int32.default(-1),
                lastTimestamp: int64.default(-1),
                coordinatorEpoch: int32,
                currentTxnStartOffset: int64.default(-1),
              }),
            ),
          }),
        ),
      }),
    ),
  },
});
