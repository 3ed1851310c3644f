/** DescribeTransactions: transactional ids as their coordinator sees them. */
import { defineApi } from '../define-api.ts';
import { array, int16, int32, int64, string, struct } from '../schema.ts';

export const describeTransactionsApi = defineApi({
  key: 65,
  name: 'DescribeTransactions',
  versions: '0',
  flexibleFrom: 0,
  request: {
    transactionalIds: array(string),
  },
  response: {
    throttleTimeMs: int32.default(0),
    transactionStates: array(
      struct({
        errorCode: int16,
        transactionalId: string,
        transactionState: string,
        transactionTimeoutMs: int32,
        transactionStartTimeMs: int64,
        producerId: int64,
        producerEpoch: int16,
        topics: array(struct({ topic: string, partitions: array(int32) })),
      }),
    ),
  },
});
