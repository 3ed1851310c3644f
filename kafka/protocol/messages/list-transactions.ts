/** ListTransactions of one coordinator. v1 filters by duration, v2 by a pattern of the id. */
import { defineApi } from '../define-api.ts';
import { array, int16, int32, int64, string, struct } from '../schema.ts';

export const listTransactionsApi = defineApi({
  key: 66,
  name: 'ListTransactions',
  versions: '0-2',
  flexibleFrom: 0,
  request: {
    stateFilters: array(string),
    producerIdFilters: array(int64),
    durationFilter: int64.versions('1+').default(-1),
    transactionalIdPattern: string.nullable().versions('2+').default(null),
  },
  response: {
    throttleTimeMs: int32.default(0),
    errorCode: int16,
    unknownStateFilters: array(string),
    transactionStates: array(
      struct({ transactionalId: string, producerId: int64, transactionState: string }),
    ),
  },
});
