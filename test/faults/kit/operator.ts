/** What an operator, by mistake or not, does to topics and offsets: for the fault program only. */
import { systemClock } from '../../../base/clock.ts';
import { silentLog } from '../../../base/log.ts';
import { systemRandom } from '../../../base/random.ts';
import { createAdmin } from '../../../kafka/admin.ts';
import { createCluster } from '../../../kafka/cluster.ts';
import { createTcpConnector } from '../../../kafka/kafkajs-transport.ts';
import type { Admin, TopicPartition } from '../../../kafka/ports.ts';
import { partitionKey } from '../../../kafka/ports.ts';
import { alterConfigsApi } from '../../../kafka/protocol/messages/alter-configs.ts';
import { createPartitionsApi } from '../../../kafka/protocol/messages/create-partitions.ts';
import type { Cluster } from '../../../kafka/wire.ts';
import { expect } from '../scenario.ts';

const TOPIC_RESOURCE = 2;
const GONE_WITHIN_MS = 30_000;
const NO_GENERATION = -1;

export interface Operator {
  readonly admin: Admin;
  /** Replaces the whole configuration of a topic. */
  configure(topic: string, configs: Readonly<Record<string, string>>): Promise<void>;
  /** Deletes the first `share` of every partition's records; resolves with how many. */
  deleteHead(topic: string, share: number): Promise<number>;
  /** A new, empty topic of the same name, partition count and configuration. */
  recreate(topic: string): Promise<void>;
  /** A topic gets more partitions: `count` in all. */
  addPartitions(topic: string, count: number): Promise<void>;
  /** Sets what a group without members has committed. */
  commit(
    groupId: string,
    offsets: ReadonlyMap<string, TopicPartition & { offset: number }>,
  ): Promise<void>;
  close(): void;
}

export function operatorOf(brokers: string): Operator {
  const deps = { clock: systemClock, random: systemRandom, log: silentLog };
  const clientId = 'operator';
  const bootstrap = brokers.split(',').map((text) => {
    const cut = text.lastIndexOf(':');
    return { host: text.slice(0, cut), port: Number(text.slice(cut + 1)) };
  });
  const connector = createTcpConnector({ clientId }, deps);
  const cluster = createCluster({ ...deps, connector, bootstrap, clientId });
  const admin = createAdmin(cluster, deps);
  return {
    admin,
    configure: (topic, configs) => configure(cluster, topic, configs),
    deleteHead: (topic, share) => deleteHead(admin, topic, share),
    recreate: (topic) => recreate(admin, topic),
    addPartitions: (topic, count) => addPartitions(cluster, topic, count),
    commit: (groupId, offsets) => {
      const group = { groupId, memberId: '', generation: NO_GENERATION, groupInstanceId: null };
      const withMetadata = [...offsets].map(
        ([key, one]) => [key, { ...one, leaderEpoch: -1, metadata: '' }] as const,
      );
      return admin.commitOffsets(group, new Map(withMetadata));
    },
    close: () => cluster.close(),
  };
}

export async function partitionsOf(admin: Admin, topic: string): Promise<TopicPartition[]> {
  const described = (await admin.describeTopics([topic])).get(topic);
  expect(described !== undefined, `the topic ${topic}`);
  return Array.from({ length: described.partitions }, (_, partition) => ({ topic, partition }));
}

async function configure(
  cluster: Cluster,
  topic: string,
  configs: Readonly<Record<string, string>>,
): Promise<void> {
  const target = { nodeId: await cluster.controllerId(), channel: 'operator' };
  const response = await cluster.request(target, alterConfigsApi, {
    resources: [
      {
        resourceType: TOPIC_RESOURCE,
        resourceName: topic,
        configs: Object.entries(configs).map(([name, value]) => ({ name, value })),
      },
    ],
    validateOnly: false,
  });
  const [answer] = response.responses;
  expect(answer?.errorCode === 0, `${topic} to be configured: ${answer?.errorMessage}`);
}

async function addPartitions(cluster: Cluster, topic: string, count: number): Promise<void> {
  const target = { nodeId: await cluster.controllerId(), channel: 'operator' };
  const response = await cluster.request(target, createPartitionsApi, {
    topics: [{ name: topic, count, assignments: null }],
    timeoutMs: GONE_WITHIN_MS,
    validateOnly: false,
  });
  const [answer] = response.results;
  expect(answer?.errorCode === 0, `${topic} to get partitions: ${answer?.errorMessage}`);
}

async function deleteHead(admin: Admin, topic: string, share: number): Promise<number> {
  const partitions = await partitionsOf(admin, topic);
  const ends = await admin.listOffsets(partitions, 'latest', 'read_uncommitted');
  const cuts = partitions.map((one) => ({
    ...one,
    offset: Math.floor(ends.get(partitionKey(one.topic, one.partition))!.offset * share),
  }));
  await admin.deleteRecords(cuts);
  const starts = await admin.listOffsets(partitions, 'earliest', 'read_uncommitted');
  for (const { partition, offset } of cuts) {
    const start = starts.get(partitionKey(topic, partition))!.offset;
    expect(start === offset, `${topic}-${partition} to begin at ${offset}, not ${start}`);
  }
  return cuts.reduce((sum, { offset }) => sum + offset, 0);
}

async function recreate(admin: Admin, topic: string): Promise<void> {
  const before = (await admin.describeTopics([topic])).get(topic);
  expect(before !== undefined, `the topic ${topic}`);
  const configs = Object.fromEntries(await admin.topicConfigs(topic));
  await admin.deleteTopics([topic]);
  const deadlineMs = performance.now() + GONE_WITHIN_MS;
  while ((await admin.listTopics()).includes(topic)) {
    expect(performance.now() < deadlineMs, `${topic} to be deleted`);
    await systemClock.sleep(100);
  }
  const { partitions } = before;
  await admin.createTopics([{ name: topic, partitions, replicationFactor: -1, configs }]);
  const after = (await admin.describeTopics([topic])).get(topic);
  expect(after !== undefined && after.topicId !== before.topicId, `another ${topic}`);
}
