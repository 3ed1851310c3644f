/** FindCoordinator: it is always us. */
import { Errors } from '../../../kafka/protocol/error-codes.ts';
import { findCoordinatorApi } from '../../../kafka/protocol/messages/find-coordinator.ts';
import type { ConnectionContext } from '../../ports.ts';
import { type AnyHandler, defineHandler } from '../define-handler.ts';
import { brokerSeenBy } from './cluster-identity.ts';

const GROUP = 0;
const TRANSACTION = 1;

export function findCoordinatorHandler(): AnyHandler {
  return defineHandler(findCoordinatorApi, (request, { version, connection }) => {
    if (version < 4) return coordinatorOf(request.keyType, connection);
    return {
      coordinators: request.coordinatorKeys.map((key) => ({
        key,
        ...coordinatorOf(request.keyType, connection),
      })),
    };
  });
}

function coordinatorOf(keyType: number, connection: ConnectionContext) {
  if (keyType === GROUP || keyType === TRANSACTION) {
    return { errorCode: Errors.NONE, errorMessage: 'NONE', ...brokerSeenBy(connection) };
  }
  return {
    errorCode: Errors.INVALID_REQUEST,
    errorMessage: 'There are coordinators for groups (0) and transactions (1) only',
    nodeId: -1,
    host: '',
    port: -1,
  };
}
