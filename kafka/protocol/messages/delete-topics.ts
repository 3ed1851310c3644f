/**
 * DeleteTopics, by the controller. v4 is flexible, v5 explains errors, v6 takes topic ids
 * (`topics`).
 */
import { defineApi } from '../define-api.ts';
import { array, int16, int32, string, struct, uuid } from '../schema.ts';

export const deleteTopicsApi = defineApi({
  key: 20,
  name: 'DeleteTopics',
  versions: '1-6',
  flexibleFrom: 4,
  request: {
    topics: array(struct({ name: string.nullable().default(null), topicId: uuid })).versions('6+'),
    topicNames: array(string).versions('0-5'),
    timeoutMs: int32,
  },
  response: {
    throttleTimeMs: int32.default(0),
    responses: array(
      struct({
        name: string.nullable('6+'),
        topicId: uuid.versions('6+'),
        errorCode: int16,
        errorMessage: string.nullable().versions('5+').default(null),
      }),
    ),
  },
});
