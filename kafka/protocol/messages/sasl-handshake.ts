/**
 * SaslHandshake: agrees on a mechanism. After v0 raw tokens follow, after v1 SaslAuthenticate
 * requests. Never flexible.
 */
import { defineApi } from '../define-api.ts';
import { array, int16, string } from '../schema.ts';

export const saslHandshakeApi = defineApi({
  key: 17,
  name: 'SaslHandshake',
  versions: '0-1',
  request: {
    mechanism: string,
  },
  response: {
    errorCode: int16,
    mechanisms: array(string),
  },
});
