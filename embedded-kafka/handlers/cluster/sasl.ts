/** SaslHandshake, SaslAuthenticate: this broker's listener has no authentication, and says so. */
import { Errors } from '../../../kafka/protocol/error-codes.ts';
import { saslAuthenticateApi } from '../../../kafka/protocol/messages/sasl-authenticate.ts';
import { saslHandshakeApi } from '../../../kafka/protocol/messages/sasl-handshake.ts';
import { NOTHING } from '../../coordinators/group/answers.ts';
import { type AnyHandler, defineHandler } from '../define-handler.ts';

export function saslHandlers(): AnyHandler[] {
  return [
    defineHandler(saslHandshakeApi, () => ({
      errorCode: Errors.ILLEGAL_SASL_STATE,
      mechanisms: [],
    })),
    defineHandler(saslAuthenticateApi, () => ({
      errorCode: Errors.ILLEGAL_SASL_STATE,
      errorMessage: 'SaslAuthenticate request received after successful authentication',
      authBytes: NOTHING,
    })),
  ];
}
