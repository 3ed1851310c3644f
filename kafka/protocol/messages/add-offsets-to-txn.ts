/**
 * AddOffsetsToTxn: announces a group's offsets to the transaction coordinator (transactions V1).
 * v3 is flexible.
 */
import { defineApi } from '../define-api.ts';
import { int16, int32, int64, string } from '../schema.ts';

export const addOffsetsToTxnApi = defineApi({
  key: 25,
  name: 'AddOffsetsToTxn',
  versions: '0-4',
  flexibleFrom: 3,
  request: {
    transactionalId: string,
    producerId: int64,
    producerEpoch: int16,
    groupId: string,
  },
  response: {
    throttleTimeMs: int32.default(0),
    errorCode: int16,
  },
});
