/** Settings of topics and of the broker: DescribeConfigs, AlterConfigs, IncrementalAlterConfigs. */
import { Errors } from '../../../kafka/protocol/error-codes.ts';
import { alterConfigsApi } from '../../../kafka/protocol/messages/alter-configs.ts';
import { describeConfigsApi } from '../../../kafka/protocol/messages/describe-configs.ts';
import { incrementalAlterConfigsApi } from '../../../kafka/protocol/messages/incremental-alter-configs.ts';
import type { BrokerConfig } from '../../broker-config.ts';
import type { ErrorCodeNumber, TopicManager } from '../../ports.ts';
import { NODE_ID } from '../cluster/cluster-identity.ts';
import { type AnyHandler, defineHandler } from '../define-handler.ts';

const RESOURCE = { topic: 2, broker: 4 } as const;
export const CONFIG_SOURCE = { topic: 1, staticBroker: 4, default: 5 } as const;
const CONFIG_TYPE = { unknown: 0, boolean: 1, int: 3, long: 5 } as const;

/** By the number on the wire. */
const OPERATIONS = ['set', 'delete', 'append', 'subtract'] as const;

interface Change {
  readonly name: string;
  readonly operation: (typeof OPERATIONS)[number];
  readonly value: string | null;
}

interface Described {
  readonly name: string;
  readonly value: string | null;
  readonly readOnly: boolean;
  readonly configSource: number;
  readonly configType: number;
  readonly documentation: string | null;
}

export function configHandlers(topics: TopicManager, config: BrokerConfig): AnyHandler[] {
  return [describeConfigs(topics, config), alterConfigs(topics), incrementalAlterConfigs(topics)];
}

function describeConfigs(topics: TopicManager, config: BrokerConfig): AnyHandler {
  return defineHandler(describeConfigsApi, (request) => ({
    results: request.resources.map(({ resourceType, resourceName, configurationKeys }) => {
      const found = describe(topics, config, resourceType, resourceName);
      const keys = configurationKeys === null ? undefined : new Set(configurationKeys);
      const wanted = found.configs.filter(({ name }) => keys === undefined || keys.has(name));
      return {
        errorCode: found.error,
        errorMessage: found.message ?? null,
        resourceType,
        resourceName,
        configs: wanted.map((each) => ({
          ...each,
          isSensitive: false,
          synonyms: request.includeSynonyms
            ? [{ name: each.name, value: each.value, source: each.configSource }]
            : [],
          documentation: request.includeDocumentation ? each.documentation : null,
        })),
      };
    }),
  }));
}

function describe(
  topics: TopicManager,
  config: BrokerConfig,
  resourceType: number,
  resourceName: string,
): {
  readonly error: ErrorCodeNumber;
  readonly message?: string;
  readonly configs: readonly Described[];
} {
  if (resourceType === RESOURCE.topic) {
    if (topics.topic(resourceName) === undefined) {
      return { error: Errors.UNKNOWN_TOPIC_OR_PARTITION, configs: [] };
    }
    return { error: Errors.NONE, configs: topicConfigs(topics, resourceName) };
  }
  if (resourceType !== RESOURCE.broker) {
    const message = `Resource type ${resourceType} has no settings here.`;
    return { error: Errors.INVALID_REQUEST, message, configs: [] };
  }
  // The empty name stands for the defaults of all brokers: there are none.
  if (resourceName === '') return { error: Errors.NONE, configs: [] };
  if (resourceName !== String(NODE_ID)) {
    const message = `Unexpected broker id, expected ${NODE_ID} but received ${resourceName}`;
    return { error: Errors.INVALID_REQUEST, message, configs: [] };
  }
  return { error: Errors.NONE, configs: brokerConfigs(config) };
}

function topicConfigs(topics: TopicManager, name: string): Described[] {
  return topics.configOf(name).map((each) => ({
    name: each.name,
    value: each.value,
    readOnly: false,
    configSource: each.isDefault ? CONFIG_SOURCE.default : CONFIG_SOURCE.topic,
    configType: CONFIG_TYPE.unknown,
    documentation: null,
  }));
}

function brokerConfigs(config: BrokerConfig): Described[] {
  return config.entries().map(({ name, value, isDefault, setting }) => ({
    name,
    value,
    readOnly: true,
    configSource: isDefault ? CONFIG_SOURCE.default : CONFIG_SOURCE.staticBroker,
    configType: CONFIG_TYPE[setting.type],
    documentation: setting.documentation,
  }));
}

/** Replaces all overrides: what is not named goes back to its default. */
function alterConfigs(topics: TopicManager): AnyHandler {
  return defineHandler(alterConfigsApi, (request) => ({
    responses: request.resources.map(({ resourceType, resourceName, configs }) => {
      const named = new Set(configs.map(({ name }) => name));
      const overrides = Array.from(topics.topic(resourceName)?.configs.keys() ?? []);
      const changes: Change[] = [
        ...overrides
          .filter((name) => !named.has(name))
          .map((name) => ({ name, operation: 'delete' as const, value: null })),
        ...configs.map(({ name, value }) => ({ name, operation: 'set' as const, value })),
      ];
      return alter(topics, resourceType, resourceName, changes, request.validateOnly);
    }),
  }));
}

function incrementalAlterConfigs(topics: TopicManager): AnyHandler {
  return defineHandler(incrementalAlterConfigsApi, (request) => ({
    responses: request.resources.map(({ resourceType, resourceName, configs }) => {
      const changes: Change[] = [];
      for (const { name, configOperation, value } of configs) {
        const operation = OPERATIONS[configOperation];
        if (operation === undefined) {
          const message = `Unknown operation ${configOperation} on ${name}`;
          return refuse(resourceType, resourceName, Errors.INVALID_REQUEST, message);
        }
        changes.push({ name, operation, value });
      }
      return alter(topics, resourceType, resourceName, changes, request.validateOnly);
    }),
  }));
}

function alter(
  topics: TopicManager,
  resourceType: number,
  resourceName: string,
  changes: readonly Change[],
  validateOnly: boolean,
) {
  if (resourceType === RESOURCE.broker) {
    const message = 'The settings of the embedded broker are given when it starts.';
    return refuse(resourceType, resourceName, Errors.INVALID_REQUEST, message);
  }
  if (resourceType !== RESOURCE.topic) {
    const message = `Resource type ${resourceType} has no settings here.`;
    return refuse(resourceType, resourceName, Errors.INVALID_REQUEST, message);
  }
  if (topics.topic(resourceName) === undefined) {
    return refuse(resourceType, resourceName, Errors.UNKNOWN_TOPIC_OR_PARTITION, null);
  }
  const { error, errorMessage } = topics.alterConfigs(resourceName, changes, validateOnly);
  return refuse(resourceType, resourceName, error, errorMessage ?? null);
}

function refuse(
  resourceType: number,
  resourceName: string,
  errorCode: ErrorCodeNumber,
  errorMessage: string | null,
) {
  return { resourceType, resourceName, errorCode, errorMessage };
}
