/**
 * Every API at every version that a real broker and we share: the broker understands our request, and its
 * answer decodes to the last byte.
 */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Api } from '../../kafka/protocol/api.ts';
import { allApis } from '../../kafka/protocol/apis.ts';
import { Errors, errorName } from '../../kafka/protocol/error-codes.ts';
import { addOffsetsToTxnApi } from '../../kafka/protocol/messages/add-offsets-to-txn.ts';
import { addPartitionsToTxnApi } from '../../kafka/protocol/messages/add-partitions-to-txn.ts';
import { alterConfigsApi } from '../../kafka/protocol/messages/alter-configs.ts';
import { apiVersionsApi } from '../../kafka/protocol/messages/api-versions.ts';
import { consumerGroupDescribeApi } from '../../kafka/protocol/messages/consumer-group-describe.ts';
import {
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from '../../kafka/protocol/messages/consumer-protocol.ts';
import { createPartitionsApi } from '../../kafka/protocol/messages/create-partitions.ts';
import { createTopicsApi } from '../../kafka/protocol/messages/create-topics.ts';
import { deleteGroupsApi } from '../../kafka/protocol/messages/delete-groups.ts';
import { deleteRecordsApi } from '../../kafka/protocol/messages/delete-records.ts';
import { deleteTopicsApi } from '../../kafka/protocol/messages/delete-topics.ts';
import { describeClusterApi } from '../../kafka/protocol/messages/describe-cluster.ts';
import { describeConfigsApi } from '../../kafka/protocol/messages/describe-configs.ts';
import { describeGroupsApi } from '../../kafka/protocol/messages/describe-groups.ts';
import { describeProducersApi } from '../../kafka/protocol/messages/describe-producers.ts';
import { describeTopicPartitionsApi } from '../../kafka/protocol/messages/describe-topic-partitions.ts';
import { describeTransactionsApi } from '../../kafka/protocol/messages/describe-transactions.ts';
import { endTxnApi } from '../../kafka/protocol/messages/end-txn.ts';
import { fetchApi } from '../../kafka/protocol/messages/fetch.ts';
import { findCoordinatorApi } from '../../kafka/protocol/messages/find-coordinator.ts';
import { heartbeatApi } from '../../kafka/protocol/messages/heartbeat.ts';
import { incrementalAlterConfigsApi } from '../../kafka/protocol/messages/incremental-alter-configs.ts';
import { initProducerIdApi } from '../../kafka/protocol/messages/init-producer-id.ts';
import { joinGroupApi } from '../../kafka/protocol/messages/join-group.ts';
import { leaveGroupApi } from '../../kafka/protocol/messages/leave-group.ts';
import { listGroupsApi } from '../../kafka/protocol/messages/list-groups.ts';
import { listOffsetsApi } from '../../kafka/protocol/messages/list-offsets.ts';
import { listTransactionsApi } from '../../kafka/protocol/messages/list-transactions.ts';
import { metadataApi } from '../../kafka/protocol/messages/metadata.ts';
import { offsetCommitApi } from '../../kafka/protocol/messages/offset-commit.ts';
import { offsetDeleteApi } from '../../kafka/protocol/messages/offset-delete.ts';
import { offsetFetchApi } from '../../kafka/protocol/messages/offset-fetch.ts';
import { offsetForLeaderEpochApi } from '../../kafka/protocol/messages/offset-for-leader-epoch.ts';
import { produceApi } from '../../kafka/protocol/messages/produce.ts';
import { saslHandshakeApi } from '../../kafka/protocol/messages/sasl-handshake.ts';
import { syncGroupApi } from '../../kafka/protocol/messages/sync-group.ts';
import { txnOffsetCommitApi } from '../../kafka/protocol/messages/txn-offset-commit.ts';
import { BatchBuilder, stampProducer } from '../../kafka/records/batch-builder.ts';
import { RawBroker } from '../kit/raw-broker.ts';

const brokers = process.env['KAFKA_BROKERS'];
if (brokers === undefined) {
  console.warn('SKIPPED: KAFKA_BROKERS is unset, nothing was tried against a real Kafka');
}

const unique = randomUUID().slice(0, 8);
const TOPIC = `protocol-${unique}`;
const TOPIC_RESOURCE = 2;
/** AddPartitionsToTxn v4+ is spoken between brokers only. */
const CLIENT_ADD_PARTITIONS_MAX = 3;
const RETRIES_MAX = 200;
const NO_PRODUCER = {
  producerId: -1,
  producerEpoch: -1,
  baseSequence: -1,
  transactional: false,
};

describe.skipIf(brokers === undefined)('a real Kafka', () => {
  let broker: RawBroker;
  let topicId: string;
  let ranges: Map<number, { minVersion: number; maxVersion: number }>;
  const answered = new Set<string>();

  beforeAll(async () => {
    broker = await RawBroker.connect(String(brokers).split(',')[0] as string);
    const { apiKeys } = await broker.request(apiVersionsApi, 0, {});
    ranges = new Map(apiKeys.map((each) => [each.apiKey, each]));
    await send(createTopicsApi, 7, {
      topics: [
        { name: TOPIC, numPartitions: 2, replicationFactor: 1, assignments: [], configs: [] },
      ],
    });
    await untilOk(async () => {
      const { topics } = await send(metadataApi, 12, { topics: [{ name: TOPIC }] });
      topicId = topics[0]?.topicId ?? '';
      return (
        topics[0]?.partitions.find((each) => each.errorCode !== 0)?.errorCode ??
        topics[0]?.errorCode
      );
    });
  });

  afterAll(async () => {
    await send(deleteTopicsApi, 5, { topicNames: [TOPIC], timeoutMs: 5000 });
    broker.close();
  });

  async function send<Request, Response>(
    api: Api<Request, Response>,
    version: number,
    request: Request,
  ): Promise<Response> {
    const response = await broker.request(api, version, request);
    answered.add(`${api.name} v${version}`);
    return response;
  }

  function versionsOf(api: Api<never, unknown>): number[] {
    const range = ranges.get(api.key);
    expect(range, `${api.name} is advertised`).toBeDefined();
    const from = Math.max(api.minVersion, range?.minVersion ?? 0);
    const to = Math.min(api.maxVersion, range?.maxVersion ?? -1);
    return Array.from({ length: to - from + 1 }, (_, index) => from + index);
  }

  /** `version`, or the nearest that the API has. */
  function nearest(api: Api<never, unknown>, version: number): number {
    const versions = versionsOf(api);
    return Math.min(Math.max(version, versions[0] ?? 0), versions.at(-1) ?? 0);
  }

  /** Coordinators load and leaders settle in their own time: repeats what answers with a passing error. */
  async function untilOk(attempt: () => Promise<number | undefined>): Promise<void> {
    const passing: number[] = [
      Errors.COORDINATOR_NOT_AVAILABLE,
      Errors.COORDINATOR_LOAD_IN_PROGRESS,
      Errors.NOT_COORDINATOR,
      Errors.CONCURRENT_TRANSACTIONS,
      Errors.UNKNOWN_TOPIC_OR_PARTITION,
      Errors.LEADER_NOT_AVAILABLE,
    ];
    for (let tries = 0; tries < RETRIES_MAX; tries += 1) {
      const code = await attempt();
      if (code === undefined || !passing.includes(code)) {
        expect(errorName(code ?? 0)).toBe('NONE');
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error('The broker did not come to answer');
  }

  function batch(): Buffer {
    const builder = new BatchBuilder({ sizeBytesMax: 4096 });
    builder.append(1_700_000_000_000, Buffer.from('key'), Buffer.from('value'));
    const { bytes } = builder.finish(TOPIC, 0, 'none');
    stampProducer(bytes, NO_PRODUCER);
    return bytes;
  }

  test('ApiVersions', async () => {
    for (const version of versionsOf(apiVersionsApi)) {
      const answer = await send(apiVersionsApi, version, {
        clientSoftwareName: 'test',
        clientSoftwareVersion: '1',
      });
      expect(answer.errorCode).toBe(0);
      expect(answer.apiKeys.length).toBeGreaterThan(30);
      if (version >= 3) expect(answer.finalizedFeatures.length).toBeGreaterThan(0);
    }
  });

  test('Metadata and DescribeCluster name the broker and the topic', async () => {
    for (const version of versionsOf(metadataApi)) {
      const answer = await send(metadataApi, version, { topics: [{ name: TOPIC }] });
      expect(answer.brokers).toHaveLength(1);
      expect(answer.topics).toMatchObject([{ errorCode: 0, name: TOPIC }]);
      expect(answer.topics[0]?.partitions).toHaveLength(2);
      const all = await send(metadataApi, version, { topics: version === 0 ? [] : null });
      expect(all.topics.map((each) => each.name)).toContain(TOPIC);
    }
    for (const version of versionsOf(describeClusterApi)) {
      const answer = await send(describeClusterApi, version, {
        includeClusterAuthorizedOperations: false,
      });
      expect(answer.brokers).toHaveLength(1);
    }
    for (const version of versionsOf(describeTopicPartitionsApi)) {
      const answer = await send(describeTopicPartitionsApi, version, {
        topics: [{ name: TOPIC }],
        responsePartitionLimit: 1,
      });
      expect(answer.topics).toMatchObject([{ name: TOPIC, topicId }]);
      expect(answer.nextCursor).toEqual({ topicName: TOPIC, partitionIndex: 1 });
    }
  });

  test('Produce appends, and Fetch, ListOffsets and OffsetForLeaderEpoch find it', async () => {
    let produced = 0;
    for (const version of versionsOf(produceApi)) {
      const answer = await send(produceApi, version, {
        acks: -1,
        timeoutMs: 5000,
        topicData: [{ name: TOPIC, topicId, partitionData: [{ index: 0, records: batch() }] }],
      });
      const partition = answer.responses[0]?.partitionResponses[0];
      expect(partition).toMatchObject({ index: 0, errorCode: 0, baseOffset: produced });
      produced += 1;
    }
    for (const version of versionsOf(fetchApi)) {
      const answer = await send(fetchApi, version, {
        maxWaitMs: 100,
        minBytes: 1,
        isolationLevel: 1,
        topics: [
          {
            topic: TOPIC,
            topicId,
            partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 65_536 }],
          },
        ],
      });
      const partition = answer.responses[0]?.partitions[0];
      expect(partition).toMatchObject({ errorCode: 0, highWatermark: produced });
      expect(partition?.records?.length).toBe(batch().length * produced);
    }
    for (const version of versionsOf(listOffsetsApi)) {
      const answer = await send(listOffsetsApi, version, {
        replicaId: -1,
        topics: [{ name: TOPIC, partitions: [{ partitionIndex: 0, timestamp: -1 }] }],
      });
      expect(answer.topics[0]?.partitions).toMatchObject([{ errorCode: 0, offset: produced }]);
    }
    for (const version of versionsOf(offsetForLeaderEpochApi)) {
      const answer = await send(offsetForLeaderEpochApi, version, {
        topics: [{ topic: TOPIC, partitions: [{ partition: 0, leaderEpoch: 0 }] }],
      });
      expect(answer.topics[0]?.partitions).toMatchObject([{ errorCode: 0, endOffset: produced }]);
    }
  });

  test('FindCoordinator names the broker, for groups and for transactions', async () => {
    for (const version of versionsOf(findCoordinatorApi)) {
      for (const keyType of [0, 1]) {
        await untilOk(async () => {
          const key = `coordinated-${unique}`;
          const request = { key, coordinatorKeys: [key], keyType };
          const answer = await send(findCoordinatorApi, version, request);
          return version < 4 ? answer.errorCode : answer.coordinators[0]?.errorCode;
        });
      }
    }
  });

  /** A member of a fresh group, joined and synced at (about) `version`. */
  async function join(groupId: string, version: number) {
    let memberId = '';
    let generationId = -1;
    await untilOk(async () => {
      const request = {
        groupId,
        sessionTimeoutMs: 30_000,
        rebalanceTimeoutMs: 30_000,
        memberId,
        protocolType: 'consumer',
        protocols: [{ name: 'range', metadata: encodeSubscription({ topics: [TOPIC] }, 3) }],
      };
      const first = await send(joinGroupApi, version, request);
      const isRefused = first.errorCode === Errors.MEMBER_ID_REQUIRED;
      expect(isRefused).toBe(version >= 4 && first.memberId !== '' && memberId === '');
      const joined = isRefused
        ? await send(joinGroupApi, version, { ...request, memberId: first.memberId })
        : first;
      ({ memberId, generationId } = joined);
      if (joined.errorCode === 0) {
        const [member] = joined.members;
        expect(decodeSubscription(member?.metadata as Buffer).topics).toEqual([TOPIC]);
      }
      return joined.errorCode;
    });
    const assignment = encodeAssignment(
      { assignedPartitions: [{ topic: TOPIC, partitions: [0, 1] }] },
      3,
    );
    const synced = await send(syncGroupApi, nearest(syncGroupApi, version), {
      groupId,
      generationId,
      memberId,
      protocolType: 'consumer',
      protocolName: 'range',
      assignments: [{ memberId, assignment }],
    });
    expect(synced).toMatchObject({ errorCode: 0, assignment });
    return { groupId, memberId, generationId };
  }

  const groups = Array.from({ length: 10 }, (_, version) => `group-${version}-${unique}`);

  test('a member joins, beats, commits, and leaves', async () => {
    for (const version of versionsOf(joinGroupApi)) {
      const member = await join(groups[version] as string, version);
      for (const heartbeat of versionsOf(heartbeatApi)) {
        const answer = await send(heartbeatApi, heartbeat, member);
        expect(answer.errorCode).toBe(0);
      }
      const commit = nearest(offsetCommitApi, version + 2);
      const committed = await send(offsetCommitApi, commit, {
        groupId: member.groupId,
        memberId: member.memberId,
        generationIdOrMemberEpoch: member.generationId,
        topics: [
          {
            name: TOPIC,
            topicId,
            partitions: [{ partitionIndex: 0, committedOffset: 1, committedMetadata: 'm' }],
          },
        ],
      });
      expect(committed.topics[0]?.partitions).toMatchObject([{ errorCode: 0 }]);
      await describeGroup(member.groupId);
      const left = await send(leaveGroupApi, nearest(leaveGroupApi, version), {
        groupId: member.groupId,
        memberId: member.memberId,
        members: [{ memberId: member.memberId }],
      });
      expect(left.errorCode).toBe(0);
    }
  });

  async function describeGroup(groupId: string): Promise<void> {
    for (const version of versionsOf(describeGroupsApi)) {
      const answer = await send(describeGroupsApi, version, { groups: [groupId] });
      expect(answer.groups).toMatchObject([{ errorCode: 0, groupId, groupState: 'Stable' }]);
      expect(answer.groups[0]?.members).toHaveLength(1);
    }
  }

  test('committed offsets are fetched, deleted, and their groups listed', async () => {
    for (const version of versionsOf(offsetFetchApi)) {
      const topics = [{ name: TOPIC, topicId, partitionIndexes: [0] }];
      const groupId = groups[9] as string;
      const answer = await send(offsetFetchApi, version, {
        groupId,
        topics,
        groups: [{ groupId, topics }],
      });
      const [topic] = version < 8 ? answer.topics : (answer.groups[0]?.topics ?? []);
      expect(topic?.partitions).toMatchObject([
        { errorCode: 0, committedOffset: 1, metadata: 'm' },
      ]);
    }
    for (const version of versionsOf(listGroupsApi)) {
      const answer = await send(listGroupsApi, version, {});
      expect(answer.groups.map((each) => each.groupId)).toContain(groups[9]);
    }
    for (const version of versionsOf(offsetDeleteApi)) {
      const answer = await send(offsetDeleteApi, version, {
        groupId: groups[9] as string,
        topics: [{ name: TOPIC, partitions: [{ partitionIndex: 0 }] }],
      });
      expect(answer.topics[0]?.partitions).toMatchObject([{ errorCode: 0 }]);
    }
    for (const version of versionsOf(consumerGroupDescribeApi)) {
      const answer = await send(consumerGroupDescribeApi, version, {
        groupIds: [groups[0] as string],
        includeAuthorizedOperations: false,
      });
      expect(answer.groups[0]?.errorCode).toBe(Errors.GROUP_ID_NOT_FOUND);
    }
    for (const version of versionsOf(deleteGroupsApi)) {
      const answer = await send(deleteGroupsApi, version, {
        groupsNames: [groups[version] as string],
      });
      expect(answer.results).toMatchObject([{ errorCode: 0 }]);
    }
  });

  test('a transaction takes partitions and offsets, and ends', async () => {
    const transactionalId = `tx-${unique}`;
    for (const version of versionsOf(endTxnApi)) {
      let producer = { producerId: -1, producerEpoch: -1 };
      await untilOk(async () => {
        const answer = await send(initProducerIdApi, nearest(initProducerIdApi, version), {
          transactionalId,
          transactionTimeoutMs: 10_000,
        });
        producer = answer;
        return answer.errorCode;
      });
      const { producerId, producerEpoch } = producer;
      const add = Math.min(nearest(addPartitionsToTxnApi, version), CLIENT_ADD_PARTITIONS_MAX);
      await untilOk(async () => {
        const answer = await send(addPartitionsToTxnApi, add, {
          v3AndBelowTransactionalId: transactionalId,
          v3AndBelowProducerId: producerId,
          v3AndBelowProducerEpoch: producerEpoch,
          v3AndBelowTopics: [{ name: TOPIC, partitions: [0] }],
        });
        return answer.resultsByTopicV3AndBelow[0]?.resultsByPartition[0]?.partitionErrorCode;
      });
      const groupId = `offsets-${unique}`;
      await untilOk(async () => {
        const answer = await send(addOffsetsToTxnApi, nearest(addOffsetsToTxnApi, version), {
          transactionalId,
          producerId,
          producerEpoch,
          groupId,
        });
        return answer.errorCode;
      });
      await untilOk(async () => {
        const answer = await send(txnOffsetCommitApi, nearest(txnOffsetCommitApi, version), {
          transactionalId,
          groupId,
          producerId,
          producerEpoch,
          topics: [
            {
              name: TOPIC,
              partitions: [{ partitionIndex: 0, committedOffset: 1, committedMetadata: null }],
            },
          ],
        });
        return answer.topics[0]?.partitions[0]?.errorCode;
      });
      await describeTransaction(transactionalId);
      await untilOk(async () => {
        const answer = await send(endTxnApi, version, {
          transactionalId,
          producerId,
          producerEpoch,
          committed: true,
        });
        if (version >= 5) expect(answer.producerEpoch).toBe(producerEpoch + 1);
        return answer.errorCode;
      });
    }
  });

  async function describeTransaction(transactionalId: string): Promise<void> {
    for (const version of versionsOf(describeTransactionsApi)) {
      const answer = await send(describeTransactionsApi, version, {
        transactionalIds: [transactionalId],
      });
      expect(answer.transactionStates).toMatchObject([
        { errorCode: 0, transactionalId, transactionState: 'Ongoing' },
      ]);
    }
    for (const version of versionsOf(listTransactionsApi)) {
      const answer = await send(listTransactionsApi, version, {
        stateFilters: [],
        producerIdFilters: [],
      });
      expect(answer.transactionStates.map((each) => each.transactionalId)).toContain(
        transactionalId,
      );
    }
    for (const version of versionsOf(describeProducersApi)) {
      const answer = await send(describeProducersApi, version, {
        topics: [{ name: TOPIC, partitionIndexes: [0] }],
      });
      expect(answer.topics[0]?.partitions).toMatchObject([{ errorCode: 0 }]);
    }
  }

  async function cleanupPolicyOf(
    topic: string,
    version: number,
  ): Promise<string | null | undefined> {
    const answer = await send(describeConfigsApi, version, {
      resources: [{ resourceType: TOPIC_RESOURCE, resourceName: topic, configurationKeys: null }],
      includeSynonyms: true,
      includeDocumentation: true,
    });
    return answer.results[0]?.configs.find((each) => each.name === 'cleanup.policy')?.value;
  }

  test('topics are created, described, changed, and deleted', async () => {
    for (const version of versionsOf(createTopicsApi)) {
      const name = `admin-${version}-${unique}`;
      const created = await send(createTopicsApi, version, {
        topics: [
          {
            name,
            numPartitions: 1,
            replicationFactor: 1,
            assignments: [],
            configs: [{ name: 'cleanup.policy', value: 'compact' }],
          },
        ],
      });
      expect(created.topics).toMatchObject([{ errorCode: 0, name }]);
    }
    const name = `admin-7-${unique}`;
    for (const version of versionsOf(describeConfigsApi)) {
      // A topic is known to the broker a moment after its creation is answered.
      await expect.poll(() => cleanupPolicyOf(name, version), { timeout: 10_000 }).toBe('compact');
    }
    for (const version of versionsOf(alterConfigsApi)) {
      const configs = [{ name: 'segment.ms', value: '60000' }];
      const answer = await send(alterConfigsApi, version, {
        resources: [{ resourceType: TOPIC_RESOURCE, resourceName: name, configs }],
        validateOnly: true,
      });
      expect(answer.responses).toMatchObject([{ errorCode: 0, resourceName: name }]);
    }
    for (const version of versionsOf(incrementalAlterConfigsApi)) {
      const configs = [{ name: 'segment.ms', configOperation: 0, value: '60000' }];
      const answer = await send(incrementalAlterConfigsApi, version, {
        resources: [{ resourceType: TOPIC_RESOURCE, resourceName: name, configs }],
        validateOnly: false,
      });
      expect(answer.responses).toMatchObject([{ errorCode: 0, resourceName: name }]);
    }
    for (const version of versionsOf(createPartitionsApi)) {
      const answer = await send(createPartitionsApi, version, {
        topics: [{ name, count: 2 + version, assignments: null }],
        timeoutMs: 5000,
        validateOnly: false,
      });
      expect(answer.results).toMatchObject([{ errorCode: 0, name }]);
    }
    for (const version of versionsOf(deleteRecordsApi)) {
      const answer = await send(deleteRecordsApi, version, {
        topics: [{ name: TOPIC, partitions: [{ partitionIndex: 0, offset: 1 }] }],
        timeoutMs: 5000,
      });
      expect(answer.topics[0]?.partitions).toMatchObject([{ errorCode: 0, lowWatermark: 1 }]);
    }
    for (const version of versionsOf(deleteTopicsApi)) {
      // One topic per version; v6 takes them in another list.
      const doomed = `admin-${version + 1}-${unique}`;
      const answer = await send(deleteTopicsApi, version, {
        topicNames: [doomed],
        topics: [{ name: doomed, topicId: '0'.repeat(32) }],
        timeoutMs: 5000,
      });
      expect(answer.responses).toMatchObject([{ errorCode: 0, name: doomed }]);
    }
  });

  test('SaslHandshake is answered even where it is refused', async () => {
    const other = await RawBroker.connect(String(brokers).split(',')[0] as string);
    for (const version of versionsOf(saslHandshakeApi)) {
      const answer = await other.request(saslHandshakeApi, version, { mechanism: 'PLAIN' });
      expect(answer.errorCode).not.toBe(Errors.UNSUPPORTED_VERSION);
      answered.add(`SaslHandshake v${version}`);
    }
    other.close();
  });

  test('nothing that both sides speak was left out', () => {
    // Brokers' business, and what needs a SASL listener.
    const exempt = new Set(['AddPartitionsToTxn v4', 'AddPartitionsToTxn v5']);
    const missing = allApis
      .filter((api) => api.name !== 'SaslAuthenticate')
      .flatMap((api) => versionsOf(api).map((version) => `${api.name} v${version}`))
      .filter((each) => !answered.has(each) && !exempt.has(each));
    expect(missing).toEqual([]);
  });
});
