/**
 * SaslAuthenticate: one step of a SASL exchange. v1 shows the session's lifetime, v2 is flexible.
 */
import { defineApi } from '../define-api.ts';
import { bytes, int16, int64, string } from '../schema.ts';

export const saslAuthenticateApi = defineApi({
  key: 36,
  name: 'SaslAuthenticate',
  versions: '0-2',
  flexibleFrom: 2,
  request: {
    authBytes: bytes,
  },
  response: {
    errorCode: int16,
    errorMessage: string.nullable(),
    authBytes: bytes,
    sessionLifetimeMs: int64.versions('1+'),
  },
});
