/** All handlers of the broker by api key: what ApiVersions tells is exactly what is here. */
import type { Clock } from '../../base/clock.ts';
import type { BrokerConfig } from '../broker-config.ts';
import type { GroupCoordinator } from '../coordinators/group/group-coordinator.ts';
import type { TransactionCoordinator } from '../coordinators/transaction/transaction-coordinator.ts';
import type { TopicManager } from '../ports.ts';
import { apiVersionsHandler } from './api-versions.ts';
import { configHandlers } from './configs.ts';
import { dataPlaneHandlers } from './data-plane.ts';
import type { AnyHandler } from './define-handler.ts';
import { findCoordinatorHandler } from './find-coordinator.ts';
import { groupAdminHandlers } from './group-admin.ts';
import { groupMembershipHandlers } from './group-membership.ts';
import { metadataHandlers } from './metadata.ts';
import { offsetHandlers } from './offsets.ts';
import { saslHandlers } from './sasl.ts';
import { topicHandlers } from './topics.ts';
import { transactionAdminHandlers } from './transaction-admin.ts';
import { transactionHandlers } from './transactions.ts';

export interface HandlerParts {
  readonly topics: TopicManager;
  readonly groups: GroupCoordinator;
  readonly transactions: TransactionCoordinator;
  readonly config: BrokerConfig;
  readonly clock: Clock;
  readonly clusterId: string;
}

export function createHandlers(parts: HandlerParts): ReadonlyMap<number, AnyHandler> {
  const { topics, groups, transactions, config, clock } = parts;
  const transactionVersion = config.number('transaction.version');
  const byKey = new Map<number, AnyHandler>();
  const all: AnyHandler[] = [
    apiVersionsHandler(() => byKey.values(), { transactionVersion }),
    ...dataPlaneHandlers(topics, transactions, clock),
    ...metadataHandlers(topics, config, parts),
    findCoordinatorHandler(),
    ...groupMembershipHandlers(groups),
    ...groupAdminHandlers(groups),
    ...offsetHandlers(groups, topics, transactions),
    ...transactionHandlers({ transactions, groups, topics, transactionVersion }),
    ...transactionAdminHandlers(transactions, clock),
    ...topicHandlers({ topics, groups, config }),
    ...configHandlers(topics, config),
    ...saslHandlers(),
  ];
  for (const handler of all) byKey.set(handler.api.key, handler);
  return byKey;
}
