/** All handlers of the broker by api key: what ApiVersions tells is exactly what is here. */
import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import type { BrokerConfig } from '../broker-config.ts';
import type { GroupCoordinator } from '../coordinators/group/group-coordinator.ts';
import type { TransactionCoordinator } from '../coordinators/transaction/transaction-coordinator.ts';
import type { TopicManager } from '../ports.ts';
import { apiVersionsHandler } from './cluster/api-versions.ts';
import { findCoordinatorHandler } from './cluster/find-coordinator.ts';
import { metadataHandlers } from './cluster/metadata.ts';
import { saslHandlers } from './cluster/sasl.ts';
import { dataPlaneHandlers } from './data-plane.ts';
import type { AnyHandler } from './define-handler.ts';
import { groupAdminHandlers } from './groups/administration.ts';
import { groupMembershipHandlers } from './groups/membership.ts';
import { offsetHandlers } from './groups/offsets.ts';
import { configHandlers } from './topics/configs.ts';
import { topicHandlers } from './topics/topics.ts';
import { transactionAdminHandlers } from './transactions/administration.ts';
import { transactionHandlers } from './transactions/producing.ts';

export interface HandlerParts {
  readonly topics: TopicManager;
  readonly groups: GroupCoordinator;
  readonly transactions: TransactionCoordinator;
  readonly config: BrokerConfig;
  readonly clock: Clock;
  readonly random: Random;
  readonly clusterId: string;
}

export function createHandlers(parts: HandlerParts): ReadonlyMap<number, AnyHandler> {
  const { topics, groups, transactions, config, clock, random } = parts;
  const transactionVersion = config.number('transaction.version');
  const byKey = new Map<number, AnyHandler>();
  const all: AnyHandler[] = [
    apiVersionsHandler(() => byKey.values(), { transactionVersion }),
    ...dataPlaneHandlers(topics, transactions, clock, random),
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
