/**
 * EndTxn: commits or aborts. v3 is flexible; v5 (transactions V2) answers with the producer id and
 * epoch to use from now on.
 */
import { defineApi } from '../define-api.ts';
import { bool, int16, int32, int64, string } from '../schema.ts';

export const endTxnApi = defineApi({
  key: 26,
  name: 'EndTxn',
  versions: '0-5',
  flexibleFrom: 3,
  request: {
    transactionalId: string,
    producerId: int64,
    producerEpoch: int16,
    committed: bool,
  },
  response: {
    throttleTimeMs: int32.default(0),
    errorCode: int16,
    producerId: int64.versions('5+').default(-1),
    producerEpoch: int16.versions('5+').default(-1),
  },
});
