/**
 * AlterConfigs: replaces a resource's whole configuration; IncrementalAlterConfigs changes parts.
 * v2 is flexible.
 */
import { defineApi } from '../define-api.ts';
import { array, bool, int8, int16, int32, string, struct } from '../schema.ts';

export const alterConfigsApi = defineApi({
  key: 33,
  name: 'AlterConfigs',
  versions: '0-2',
  flexibleFrom: 2,
  request: {
    resources: array(
      struct({
        resourceType: int8,
        resourceName: string,
        configs: array(struct({ name: string, value: string.nullable() })),
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
