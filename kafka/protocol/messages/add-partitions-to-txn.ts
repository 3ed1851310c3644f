/**
 * AddPartitionsToTxn: announces partitions to the transaction coordinator (transactions V1).
 * Clients use at most v3, the fields named V3AndBelow; from v4 on it is brokers' business, in
 * batches.
 */
import { defineApi } from '../define-api.ts';
import { array, bool, int16, int32, int64, string, struct } from '../schema.ts';

const topics = array(struct({ name: string, partitions: array(int32) }));
const topicResults = array(
  struct({
    name: string,
    resultsByPartition: array(struct({ partitionIndex: int32, partitionErrorCode: int16 })),
  }),
);

export const addPartitionsToTxnApi = defineApi({
  key: 24,
  name: 'AddPartitionsToTxn',
  versions: '0-5',
  flexibleFrom: 3,
  request: {
    transactions: array(
      struct({
        transactionalId: string,
        producerId: int64,
        producerEpoch: int16,
        verifyOnly: bool.default(false),
        topics,
      }),
    ).versions('4+'),
    v3AndBelowTransactionalId: string.versions('0-3'),
    v3AndBelowProducerId: int64.versions('0-3'),
    v3AndBelowProducerEpoch: int16.versions('0-3'),
    v3AndBelowTopics: topics.versions('0-3'),
  },
  response: {
    throttleTimeMs: int32.default(0),
    errorCode: int16.versions('4+'),
    resultsByTransaction: array(
      struct({
        transactionalId: string,
        topicResults,
      }),
    ).versions('4+'),
    resultsByTopicV3AndBelow: topicResults.versions('0-3'),
  },
});
