/** Topics: create, delete, describe, configuration. */

import { MillraceError } from '../../base/errors.ts';
import { errorFor } from '../kafka-error.ts';
import type { TopicDescription, TopicSpec } from '../ports.ts';
import { ZERO_UUID } from '../protocol/api.ts';
import { Errors } from '../protocol/error-codes.ts';
import { createTopicsApi } from '../protocol/messages/create-topics.ts';
import { deleteTopicsApi } from '../protocol/messages/delete-topics.ts';
import { describeConfigsApi } from '../protocol/messages/describe-configs.ts';
import { metadataApi } from '../protocol/messages/metadata.ts';
import { type AdminContext, askAnyBroker, askController } from './admin-context.ts';
import { retrying } from './retrying.ts';

const TOPIC_RESOURCE = 2;

export interface CreatedTopics {
  readonly created: readonly string[];
  readonly existing: readonly string[];
}

/**
 * Resolves when the new topics have leaders. A topic whose creation was asked for twice, because the
 * first answer was lost, is reported as existing.
 */
export async function createTopics(
  context: AdminContext,
  topics: readonly TopicSpec[],
): Promise<CreatedTopics> {
  if (topics.length === 0) return { created: [], existing: [] };
  const { timeoutMs } = context;
  const request = { topics: topics.map(toCreatableTopic), timeoutMs, validateOnly: false };
  const result = await askController(context, createTopicsApi, request, (response) => {
    const created: string[] = [];
    const existing: string[] = [];
    for (const { name, errorCode, errorMessage } of response.topics) {
      if (errorCode === Errors.NONE) created.push(name);
      else if (errorCode === Errors.TOPIC_ALREADY_EXISTS) existing.push(name);
      else throw errorFor(errorCode, `creating topic ${name}`, errorMessage);
    }
    return { created, existing };
  });
  await awaitLeaders(
    context,
    topics.filter(({ name }) => result.created.includes(name)),
  );
  return result;
}

function toCreatableTopic({ name, partitions, replicationFactor, configs }: TopicSpec) {
  const pairs = Object.entries(configs);
  return {
    name,
    numPartitions: partitions,
    replicationFactor,
    assignments: [],
    configs: pairs.map(([key, value]) => ({ name: key, value })),
  };
}

function awaitLeaders(
  { cluster, deps, timeoutMs }: AdminContext,
  topics: readonly TopicSpec[],
): Promise<void> {
  const names = topics.map(({ name }) => name);
  return retrying(deps, { timeoutMs }, async () => {
    if (names.length > 0) await cluster.refreshMetadata(names);
    const late = topics.find(({ name, partitions }) => {
      for (let partition = 0; partition < Math.max(1, partitions); partition++) {
        if (cluster.leaderOf(name, partition) === undefined) return true;
      }
      return false;
    });
    if (late !== undefined) {
      throw new MillraceError('KAFKA_RETRIABLE', `topic ${late.name} has no leaders yet`);
    }
  });
}

/** Topics that do not exist are ignored. */
export async function deleteTopics(context: AdminContext, names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  const { timeoutMs } = context;
  const topics = names.map((name) => ({ name, topicId: ZERO_UUID }));
  const request = { topics, topicNames: names, timeoutMs };
  await askController(context, deleteTopicsApi, request, (response) => {
    for (const { name, errorCode, errorMessage } of response.responses) {
      const isGone = errorCode === Errors.UNKNOWN_TOPIC_OR_PARTITION;
      if (errorCode === Errors.NONE || isGone) continue;
      throw errorFor(errorCode, `deleting topic ${name}`, errorMessage);
    }
  });
}

/** Those of the named topics that exist. */
export async function describeTopics(
  context: AdminContext,
  names: readonly string[],
): Promise<ReadonlyMap<string, TopicDescription>> {
  if (names.length === 0) return new Map();
  const request = {
    topics: names.map((name) => ({ name, topicId: ZERO_UUID })),
    allowAutoTopicCreation: false,
  };
  return askAnyBroker(context, metadataApi, request, (response) => {
    const found = new Map<string, TopicDescription>();
    for (const { name, topicId, errorCode, partitions } of response.topics) {
      if (name === null || errorCode === Errors.UNKNOWN_TOPIC_OR_PARTITION) continue;
      if (errorCode !== Errors.NONE) throw errorFor(errorCode, `describing topic ${name}`);
      found.set(name, { name, topicId, partitions: partitions.length });
    }
    return found;
  });
}

/** Without Kafka's internal topics. */
export function listTopics(context: AdminContext): Promise<readonly string[]> {
  const request = { topics: null, allowAutoTopicCreation: false };
  return askAnyBroker(context, metadataApi, request, (response) =>
    response.topics.flatMap(({ name, isInternal }) => (name === null || isInternal ? [] : [name])),
  );
}

/** Effective settings, defaults included; sensitive ones have no value and are left out. */
export function topicConfigs(
  context: AdminContext,
  topic: string,
): Promise<ReadonlyMap<string, string>> {
  const resource = { resourceType: TOPIC_RESOURCE, resourceName: topic, configurationKeys: null };
  return askAnyBroker(context, describeConfigsApi, { resources: [resource] }, (response) => {
    const configs = new Map<string, string>();
    for (const { errorCode, errorMessage, configs: entries } of response.results) {
      if (errorCode !== Errors.NONE)
        throw errorFor(errorCode, `settings of ${topic}`, errorMessage);
      for (const { name, value } of entries) if (value !== null) configs.set(name, value);
    }
    return configs;
  });
}

export function clusterId(context: AdminContext): Promise<string> {
  const request = { topics: [], allowAutoTopicCreation: false };
  return askAnyBroker(context, metadataApi, request, (response) => response.clusterId ?? '');
}
