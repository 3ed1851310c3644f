/**
 * DescribeConfigs of topics, brokers and others. v1 shows source and synonyms, v3 type and
 * documentation, v4 is flexible.
 */
import { defineApi } from '../define-api.ts';
import { array, bool, int8, int16, int32, string, struct } from '../schema.ts';

export const describeConfigsApi = defineApi({
  key: 32,
  name: 'DescribeConfigs',
  versions: '1-4',
  flexibleFrom: 4,
  request: {
    resources: array(
      struct({
        resourceType: int8,
        resourceName: string,
        configurationKeys: array(string).nullable(),
      }),
    ),
    includeSynonyms: bool.default(false),
    includeDocumentation: bool.versions('3+'),
  },
  response: {
    throttleTimeMs: int32.default(0),
    results: array(
      struct({
        errorCode: int16,
        errorMessage: string.nullable(),
        resourceType: int8,
        resourceName: string,
        configs: array(
          struct({
            name: string,
            value: string.nullable(),
            readOnly: bool,
            configSource: int8.default(-1),
            isSensitive: bool,
            synonyms: array(struct({ name: string, value: string.nullable(), source: int8 })),
            configType: int8.versions('3+'),
            documentation: string.nullable().versions('3+'),
          }),
        ),
      }),
    ),
  },
});
