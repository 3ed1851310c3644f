/** What is there: Metadata, DescribeTopicPartitions, DescribeCluster. */
import { ZERO_UUID } from '../../../kafka/protocol/api.ts';
import { Errors } from '../../../kafka/protocol/error-codes.ts';
import { describeClusterApi } from '../../../kafka/protocol/messages/describe-cluster.ts';
import { describeTopicPartitionsApi } from '../../../kafka/protocol/messages/describe-topic-partitions.ts';
import { metadataApi } from '../../../kafka/protocol/messages/metadata.ts';
import type { BrokerConfig } from '../../broker-config.ts';
import type { Partition, Topic, TopicManager } from '../../ports.ts';
import { type AnyHandler, defineHandler } from '../define-handler.ts';
import {
  ALL_CLUSTER_OPERATIONS,
  ALL_TOPIC_OPERATIONS,
  brokerSeenBy,
  type ClusterIdentity,
  NO_OPERATIONS,
  NODE_ID,
} from './cluster-identity.ts';

const BROKER_ENDPOINT = 1;
const PARTITIONS_PER_ANSWER_MAX = 2000;

export function metadataHandlers(
  topics: TopicManager,
  config: BrokerConfig,
  { clusterId }: ClusterIdentity,
): AnyHandler[] {
  const metadata = defineHandler(metadataApi, (request, { version, connection }) => {
    const wantsOperations = request.includeTopicAuthorizedOperations;
    const allowsCreation = request.allowAutoTopicCreation;
    // In version 0 an empty list means all topics; from 1 on it means none, and null means all.
    const isAll = request.topics === null || (version === 0 && request.topics.length === 0);
    const wanted = isAll
      ? topics.topics().map((topic) => describeTopic(topic, wantsOperations))
      : (request.topics ?? []).map(({ name, topicId }) => {
          const topic = name === null ? topics.topicById(topicId) : topics.topic(name);
          if (topic !== undefined) return describeTopic(topic, wantsOperations);
          if (name === null) return noTopic(null, topicId, Errors.UNKNOWN_TOPIC_ID);
          if (allowsCreation && config.boolean('auto.create.topics.enable')) {
            return createFor(name, topics, config);
          }
          const error = isTopicName(name)
            ? Errors.UNKNOWN_TOPIC_OR_PARTITION
            : Errors.INVALID_TOPIC_EXCEPTION;
          return noTopic(name, ZERO_UUID, error);
        });
    return {
      brokers: [brokerSeenBy(connection)],
      clusterId,
      controllerId: NODE_ID,
      topics: wanted,
      clusterAuthorizedOperations: request.includeClusterAuthorizedOperations
        ? ALL_CLUSTER_OPERATIONS
        : NO_OPERATIONS,
    };
  });

  const describeTopicPartitions = defineHandler(describeTopicPartitionsApi, (request) => {
    const names = new Set(request.topics.map((topic) => topic.name));
    const all = names.size === 0 ? topics.topics().map((topic) => topic.name) : names;
    return pageOfPartitions(topics, Array.from(all).toSorted(), request.cursor, {
      limit: Math.max(1, Math.min(request.responsePartitionLimit, PARTITIONS_PER_ANSWER_MAX)),
    });
  });

  const describeCluster = defineHandler(describeClusterApi, (request, { connection }) => {
    const operations = request.includeClusterAuthorizedOperations
      ? ALL_CLUSTER_OPERATIONS
      : NO_OPERATIONS;
    if (request.endpointType !== BROKER_ENDPOINT) {
      return {
        errorCode: Errors.UNSUPPORTED_ENDPOINT_TYPE,
        errorMessage: 'Controllers cannot be reached here',
        endpointType: request.endpointType,
        clusterId: '',
        brokers: [],
      };
    }
    const { nodeId, host, port } = brokerSeenBy(connection);
    return {
      errorCode: Errors.NONE,
      clusterId,
      controllerId: NODE_ID,
      brokers: [{ brokerId: nodeId, host, port }],
      clusterAuthorizedOperations: operations,
    };
  });

  return [metadata, describeTopicPartitions, describeCluster];
}

function describeTopic(topic: Topic, wantsOperations: boolean) {
  return {
    errorCode: Errors.NONE,
    name: topic.name as string | null,
    topicId: topic.topicId,
    isInternal: topic.isInternal,
    partitions: topic.partitions.map(describePartition),
    topicAuthorizedOperations: wantsOperations ? ALL_TOPIC_OPERATIONS : NO_OPERATIONS,
  };
}

function describePartition({ partition, leaderEpoch }: Partition) {
  return {
    errorCode: Errors.NONE,
    partitionIndex: partition,
    leaderId: NODE_ID,
    leaderEpoch,
    replicaNodes: [NODE_ID],
    isrNodes: [NODE_ID],
    offlineReplicas: [],
  };
}

function noTopic(name: string | null, topicId: string, errorCode: number) {
  return { errorCode, name, topicId, isInternal: false, partitions: [] };
}

/** Kafka's rule: up to 249 of letters, digits, dot, underscore and minus, but no dots alone. */
function isTopicName(name: string): boolean {
  return /^[a-zA-Z0-9._-]{1,249}$/.test(name) && name !== '.' && name !== '..';
}

function createFor(name: string, topics: TopicManager, config: BrokerConfig) {
  const created = topics.createTopic({
    name,
    partitions: config.number('num.partitions'),
    configs: new Map(),
  });
  return created.topic === undefined
    ? noTopic(name, ZERO_UUID, created.error)
    : describeTopic(created.topic, false);
}

interface Cursor {
  readonly topicName: string;
  readonly partitionIndex: number;
}

/** From the cursor on, in order of names, until the limit; the rest begins at `nextCursor`. */
function pageOfPartitions(
  topics: TopicManager,
  names: readonly string[],
  cursor: Cursor | null,
  { limit }: { readonly limit: number },
) {
  const page = [];
  let left = limit;
  for (const name of names) {
    if (cursor !== null && name < cursor.topicName) continue;
    const topic = topics.topic(name);
    if (topic === undefined) {
      page.push(noTopic(name, ZERO_UUID, Errors.UNKNOWN_TOPIC_OR_PARTITION));
      continue;
    }
    const start = name === cursor?.topicName ? cursor.partitionIndex : 0;
    if (left === 0) return { topics: page, nextCursor: { topicName: name, partitionIndex: start } };
    const partitions = topic.partitions.slice(start, start + left);
    left -= partitions.length;
    page.push({
      ...describeTopic(topic, true),
      partitions: partitions.map((each) => ({
        ...describePartition(each),
        eligibleLeaderReplicas: [],
        lastKnownElr: [],
      })),
    });
    const next = start + partitions.length;
    if (next < topic.partitions.length) {
      return { topics: page, nextCursor: { topicName: name, partitionIndex: next } };
    }
  }
  return { topics: page, nextCursor: null };
}
