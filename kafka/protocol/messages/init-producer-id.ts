/**
 * InitProducerId: a producer id and epoch; for a transactional id also fences and aborts what was
 * open. v2 is flexible, v3 can resume with the old id and epoch, v4 says PRODUCER_FENCED, v6 knows
 * two-phase commit.
 */
import { defineApi } from '../define-api.ts';
import { bool, int16, int32, int64, string } from '../schema.ts';

export const initProducerIdApi = defineApi({
  key: 22,
  name: 'InitProducerId',
  versions: '0-6',
  flexibleFrom: 2,
  request: {
    transactionalId: string.nullable(),
    transactionTimeoutMs: int32,
    producerId: int64.versions('3+').default(-1),
    producerEpoch: int16.versions('3+').default(-1),
    enable2Pc: bool.versions('6+'),
    keepPreparedTxn: bool.versions('6+'),
  },
  response: {
    throttleTimeMs: int32.default(0),
    errorCode: int16,
    producerId: int64.default(-1),
    producerEpoch: int16,
    ongoingTxnProducerId: int64.versions('6+').default(-1),
    ongoingTxnProducerEpoch: int16.versions('6+').default(-1),
  },
});
