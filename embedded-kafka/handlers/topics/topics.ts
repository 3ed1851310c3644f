/** Making and removing topics: CreateTopics, DeleteTopics, CreatePartitions. */
import { ZERO_UUID } from '../../../kafka/protocol/api.ts';
import { Errors } from '../../../kafka/protocol/error-codes.ts';
import { createPartitionsApi } from '../../../kafka/protocol/messages/create-partitions.ts';
import { createTopicsApi } from '../../../kafka/protocol/messages/create-topics.ts';
import { deleteTopicsApi } from '../../../kafka/protocol/messages/delete-topics.ts';
import type { BrokerConfig } from '../../broker-config.ts';
import type { GroupCoordinator } from '../../coordinators/group/group-coordinator.ts';
import type { ErrorCodeNumber, TopicManager } from '../../ports.ts';
import { NODE_ID } from '../cluster/cluster-identity.ts';
import { type AnyHandler, defineHandler } from '../define-handler.ts';
import { CONFIG_SOURCE } from './configs.ts';

export interface TopicHandlerOptions {
  readonly topics: TopicManager;
  readonly groups: GroupCoordinator;
  readonly config: BrokerConfig;
}

export function topicHandlers(options: TopicHandlerOptions): AnyHandler[] {
  return [createTopics(options), deleteTopics(options), createPartitions(options)];
}

const BROKER_DEFAULT = -1;
const REPLICATION_FACTOR = 1;

interface Refusal {
  readonly errorCode: ErrorCodeNumber;
  readonly errorMessage: string | null;
}

interface Assignment {
  readonly partitionIndex: number;
  readonly brokerIds: readonly number[];
}

interface NewTopic {
  readonly name: string;
  readonly numPartitions: number;
  readonly replicationFactor: number;
  readonly assignments: readonly Assignment[];
  readonly configs: readonly { readonly name: string; readonly value: string | null }[];
}

function createTopics({ topics, config }: TopicHandlerOptions): AnyHandler {
  return defineHandler(createTopicsApi, (request) => {
    const repeated = repeatedNames(request.topics);
    return {
      topics: request.topics.map((topic) => {
        if (repeated.has(topic.name)) {
          return { name: topic.name, ...refuse(Errors.INVALID_REQUEST, 'Duplicate topic name.') };
        }
        return createOne(topics, config, topic, request.validateOnly);
      }),
    };
  });
}

function createOne(
  topics: TopicManager,
  config: BrokerConfig,
  wanted: NewTopic,
  validateOnly: boolean,
) {
  const { name } = wanted;
  const layout = layoutOf(wanted, config.number('num.partitions'));
  if ('errorCode' in layout) return { name, ...layout };
  const unset = wanted.configs.find(({ value }) => value === null);
  if (unset !== undefined) {
    const message = `Null value not supported for topic configs: ${unset.name}`;
    return { name, ...refuse(Errors.INVALID_CONFIG, message) };
  }
  const created = topics.createTopic({
    name,
    partitions: layout.partitions,
    configs: new Map(wanted.configs.map((each) => [each.name, each.value ?? ''])),
    validateOnly,
  });
  if (created.error !== Errors.NONE) {
    return { name, ...refuse(created.error, created.errorMessage ?? null) };
  }
  return {
    name,
    topicId: created.topic?.topicId ?? ZERO_UUID,
    ...refuse(Errors.NONE, null),
    numPartitions: layout.partitions,
    replicationFactor: REPLICATION_FACTOR,
    configs: validateOnly ? [] : effectiveConfigs(topics, name),
  };
}

/** How many partitions, from a count or from explicit assignments, which can only name this node. */
function layoutOf(
  { numPartitions, replicationFactor, assignments }: NewTopic,
  defaultPartitions: number,
): { readonly partitions: number } | Refusal {
  if (assignments.length > 0) {
    if (numPartitions !== BROKER_DEFAULT || replicationFactor !== BROKER_DEFAULT) {
      const message = 'Both numPartitions or replicationFactor and replicasAssignments were set.';
      return refuse(Errors.INVALID_REQUEST, message);
    }
    return isPossible(assignments)
      ? { partitions: assignments.length }
      : refuse(Errors.INVALID_REPLICA_ASSIGNMENT, `Only broker ${NODE_ID} can hold replicas.`);
  }
  if (replicationFactor !== BROKER_DEFAULT && replicationFactor !== REPLICATION_FACTOR) {
    const message =
      replicationFactor < 1
        ? 'Replication factor must be larger than 0, or -1 to use the default value.'
        : `Unable to replicate the partition ${replicationFactor} time(s): only 1 broker is there.`;
    return refuse(Errors.INVALID_REPLICATION_FACTOR, message);
  }
  if (numPartitions === BROKER_DEFAULT) return { partitions: defaultPartitions };
  if (numPartitions > 0) return { partitions: numPartitions };
  const message = 'Number of partitions was set to an invalid non-positive value.';
  return refuse(Errors.INVALID_PARTITIONS, message);
}

function isPossible(assignments: readonly Assignment[]): boolean {
  const indexes = new Set(assignments.map((each) => each.partitionIndex));
  return (
    indexes.size === assignments.length &&
    assignments.every(
      ({ partitionIndex, brokerIds }) =>
        partitionIndex >= 0 &&
        partitionIndex < assignments.length &&
        brokerIds.length === 1 &&
        brokerIds[0] === NODE_ID,
    )
  );
}

function effectiveConfigs(topics: TopicManager, name: string) {
  return topics.configOf(name).map((each) => ({
    name: each.name,
    value: each.value,
    readOnly: false,
    configSource: each.isDefault ? CONFIG_SOURCE.default : CONFIG_SOURCE.topic,
    isSensitive: false,
  }));
}

function deleteTopics({ topics, groups }: TopicHandlerOptions): AnyHandler {
  return defineHandler(deleteTopicsApi, async (request, { version }) => {
    const wanted =
      version >= 6
        ? request.topics
        : request.topicNames.map((name) => ({ name, topicId: ZERO_UUID }));
    const responses = [];
    for (const { name, topicId } of wanted) {
      const topic = name === null ? topics.topicById(topicId) : topics.topic(name);
      if (topic === undefined) {
        const unknown = name === null ? Errors.UNKNOWN_TOPIC_ID : Errors.UNKNOWN_TOPIC_OR_PARTITION;
        responses.push({ name, topicId, ...refuse(unknown, null) });
        continue;
      }
      const error = topic.isInternal ? Errors.INVALID_REQUEST : topics.deleteTopic(topic.name);
      if (error === Errors.NONE) await groups.deleteOffsetsOfTopic(topic.name);
      responses.push({ name: topic.name, topicId: topic.topicId, ...refuse(error, null) });
    }
    return { responses };
  });
}

function createPartitions({ topics }: TopicHandlerOptions): AnyHandler {
  return defineHandler(createPartitionsApi, (request) => {
    const repeated = repeatedNames(request.topics);
    return {
      results: request.topics.map(({ name, count, assignments }) => {
        if (repeated.has(name)) {
          return { name, ...refuse(Errors.INVALID_REQUEST, 'Duplicate topic name.') };
        }
        return { name, ...growOne(topics, name, count, assignments, request.validateOnly) };
      }),
    };
  });
}

function growOne(
  topics: TopicManager,
  name: string,
  count: number,
  assignments: readonly { readonly brokerIds: readonly number[] }[] | null,
  validateOnly: boolean,
): Refusal {
  const topic = topics.topic(name);
  if (topic === undefined) return refuse(Errors.UNKNOWN_TOPIC_OR_PARTITION, null);
  const current = topic.partitions.length;
  if (count <= current) {
    const message = `The topic ${name} currently has ${current} partition(s); ${count} would not be an increase.`;
    return refuse(Errors.INVALID_PARTITIONS, message);
  }
  const isAssignable =
    assignments === null ||
    (assignments.length === count - current &&
      assignments.every(({ brokerIds }) => brokerIds.length === 1 && brokerIds[0] === NODE_ID));
  if (!isAssignable) {
    return refuse(Errors.INVALID_REPLICA_ASSIGNMENT, `Only broker ${NODE_ID} can hold replicas.`);
  }
  if (validateOnly) return refuse(Errors.NONE, null);
  const { error, errorMessage } = topics.addPartitions(name, count);
  return refuse(error, errorMessage ?? null);
}

function refuse(errorCode: ErrorCodeNumber, errorMessage: string | null): Refusal {
  return { errorCode, errorMessage };
}

function repeatedNames(topics: readonly { readonly name: string }[]): Set<string> {
  const seen = new Set<string>();
  const repeated = new Set<string>();
  for (const { name } of topics) {
    if (seen.has(name)) repeated.add(name);
    seen.add(name);
  }
  return repeated;
}
