/**
 * IncrementalAlterConfigs: set (0), delete (1), append (2) or subtract (3) single entries. v1 is
 * flexible.
 */
import { defineApi } from '../define-api.ts';
import { array, bool, int8, int16, int32, string, struct } from '../schema.ts';

export const incrementalAlterConfigsApi = defineApi({
  key: 44,
  name: 'IncrementalAlterConfigs',
  versions: '0-1',
  flexibleFrom: 1,
  request: {
    resources: array(
      struct({
        resourceType: int8,
        resourceName: string,
        configs: array(struct({ name: string, configOperation: int8, value: string.nullable() })),
      }),
    ),
    validateOnly: bool,
  },
  response: {
    throttleTimeMs: int32.default(0),
    responses: array(
      struct({
        errorCode: int16,
        errorMessage: string.nullable(),
        resourceType: int8,
        resourceName: string,
      }),
    ),
  },
});
