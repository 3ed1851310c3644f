import { describe, expect, test } from 'vitest';
import { ZERO_UUID } from '../../kafka/protocol/api.ts';
import { Errors } from '../../kafka/protocol/error-codes.ts';
import { alterConfigsApi } from '../../kafka/protocol/messages/alter-configs.ts';
import { apiVersionsApi } from '../../kafka/protocol/messages/api-versions.ts';
import { consumerGroupDescribeApi } from '../../kafka/protocol/messages/consumer-group-describe.ts';
import { createPartitionsApi } from '../../kafka/protocol/messages/create-partitions.ts';
import { createTopicsApi } from '../../kafka/protocol/messages/create-topics.ts';
import { deleteTopicsApi } from '../../kafka/protocol/messages/delete-topics.ts';
import { describeClusterApi } from '../../kafka/protocol/messages/describe-cluster.ts';
import { describeConfigsApi } from '../../kafka/protocol/messages/describe-configs.ts';
import { describeTopicPartitionsApi } from '../../kafka/protocol/messages/describe-topic-partitions.ts';
import { findCoordinatorApi } from '../../kafka/protocol/messages/find-coordinator.ts';
import { incrementalAlterConfigsApi } from '../../kafka/protocol/messages/incremental-alter-configs.ts';
import { metadataApi } from '../../kafka/protocol/messages/metadata.ts';
import { saslHandshakeApi } from '../../kafka/protocol/messages/sasl-handshake.ts';
import { BrokerHarness } from './kit/broker-harness.ts';

const TOPIC = 2;
const BROKER = 4;

const newTopic = (name: string, rest: object = {}) => ({
  name,
  numPartitions: 2,
  replicationFactor: 1,
  assignments: [],
  configs: [],
  ...rest,
});

async function create(harness: BrokerHarness, topics: ReturnType<typeof newTopic>[], rest = {}) {
  return (await harness.send(createTopicsApi, 7, { topics, timeoutMs: 1000, ...rest })).topics;
}

async function metadataOf(harness: BrokerHarness, name: string, allowAutoTopicCreation = false) {
  const answer = await harness.send(metadataApi, 12, {
    topics: [{ name }],
    allowAutoTopicCreation,
  });
  return answer.topics[0];
}

describe('ApiVersions', () => {
  const ask = (harness: BrokerHarness, name = 'test-client') =>
    harness.send(apiVersionsApi, 4, { clientSoftwareName: name, clientSoftwareVersion: '1.0' });
  const rangeOf = (answer: Awaited<ReturnType<typeof ask>>, key: number) => {
    const found = answer.apiKeys.find(({ apiKey }) => apiKey === key);
    return found === undefined ? undefined : [found.minVersion, found.maxVersion];
  };

  test('tells of transactions V2 as a finalized feature', async () => {
    const answer = await ask(await BrokerHarness.start());
    expect(answer.finalizedFeatures).toEqual([
      { name: 'transaction.version', maxVersionLevel: 2, minVersionLevel: 2 },
    ]);
    expect(rangeOf(answer, 24)).toEqual([0, 5]);
    expect(rangeOf(answer, 11)).toEqual([0, 9]);
    expect(rangeOf(answer, 68)).toBeUndefined();
  });

  test('does not, and caps AddPartitionsToTxn, when the feature is off', async () => {
    const answer = await ask(await BrokerHarness.start({ 'transaction.version': '1' }));
    expect(answer.finalizedFeatures[0]?.maxVersionLevel).toBe(1);
    expect(rangeOf(answer, 24)).toEqual([0, 3]);
  });

  test('refuses a client whose name is not one', async () => {
    const answer = await ask(await BrokerHarness.start(), 'b@d name');
    expect(answer.errorCode).toBe(Errors.INVALID_REQUEST);
  });
});

describe('the cluster', () => {
  test('is one node, at the address by which the client came', async () => {
    const harness = await BrokerHarness.start();
    const address = { host: 'broker.test', port: 9092 };
    const cluster = await harness.send(describeClusterApi, 1, {
      includeClusterAuthorizedOperations: false,
    });
    expect(cluster.brokers).toMatchObject([{ brokerId: 1, ...address }]);
    expect(cluster.clusterId).toBe(harness.broker.clusterId);
    const metadata = await harness.send(metadataApi, 13, { topics: [] });
    expect(metadata.brokers).toMatchObject([{ nodeId: 1, ...address }]);
    const coordinators = await harness.send(findCoordinatorApi, 6, {
      keyType: 1,
      coordinatorKeys: ['a', 'b'],
    });
    expect(coordinators.coordinators).toMatchObject([
      { key: 'a', nodeId: 1, errorCode: 0, ...address },
      { key: 'b', nodeId: 1, errorCode: 0, ...address },
    ]);
    const old = await harness.send(findCoordinatorApi, 1, { key: 'a', keyType: 7 });
    expect(old.errorCode).toBe(Errors.INVALID_REQUEST);
  });

  test('keeps its id over a restart', async () => {
    const harness = await BrokerHarness.start();
    const { clusterId } = harness.broker;
    expect(clusterId).toHaveLength(22);
    await harness.kill();
    expect(harness.broker.clusterId).toBe(clusterId);
  });

  test('asks for no credentials', async () => {
    const harness = await BrokerHarness.start();
    const answer = await harness.send(saslHandshakeApi, 1, { mechanism: 'PLAIN' });
    expect(answer.errorCode).toBe(Errors.ILLEGAL_SASL_STATE);
  });

  test('has no groups of the new protocol, so that admin clients ask for classic ones', async () => {
    const harness = await BrokerHarness.start();
    const answer = await harness.send(consumerGroupDescribeApi, 0, {
      groupIds: ['g'],
      includeAuthorizedOperations: false,
    });
    expect(answer.groups[0]?.errorCode).toBe(Errors.GROUP_ID_NOT_FOUND);
  });
});

describe('topics', () => {
  test('are created with their settings, and found by name and by id', async () => {
    const harness = await BrokerHarness.start();
    const configs = [{ name: 'retention.ms', value: '1234' }];
    const [created] = await create(harness, [newTopic('t', { configs })]);
    expect(created).toMatchObject({ errorCode: 0, numPartitions: 2, replicationFactor: 1 });
    const retention = created?.configs?.find(({ name }) => name === 'retention.ms');
    expect(retention).toMatchObject({ value: '1234', configSource: 1 });
    const byId = await harness.send(metadataApi, 12, {
      topics: [{ name: null, topicId: created?.topicId ?? ZERO_UUID }],
    });
    expect(byId.topics[0]).toMatchObject({ name: 't', errorCode: 0 });
    expect(byId.topics[0]?.partitions.map((each) => each.leaderId)).toEqual([1, 1]);
    await harness.kill();
    expect(await metadataOf(harness, 't')).toMatchObject({ topicId: created?.topicId });
  });

  test('may be laid out by hand, but only on the one node there is', async () => {
    const harness = await BrokerHarness.start();
    const byHand = (brokerIds: number[]) =>
      newTopic(`t${brokerIds.join('')}`, {
        numPartitions: -1,
        replicationFactor: -1,
        assignments: [0, 1, 2].map((partitionIndex) => ({ partitionIndex, brokerIds })),
      });
    const answers = await create(harness, [byHand([1]), byHand([2]), byHand([1, 2])]);
    const bad = Errors.INVALID_REPLICA_ASSIGNMENT;
    expect(answers.map((each) => each.errorCode)).toEqual([0, bad, bad]);
    expect((await metadataOf(harness, 't1'))?.partitions).toHaveLength(3);
  });

  test('that make no sense are refused, each for its own reason', async () => {
    const harness = await BrokerHarness.start();
    await create(harness, [newTopic('there')]);
    const answers = await create(harness, [
      newTopic('there'),
      newTopic('no spaces'),
      newTopic('none', { numPartitions: 0 }),
      newTopic('many', { replicationFactor: 3 }),
      newTopic('odd', { configs: [{ name: 'cleanup.policy', value: 'burn' }] }),
      newTopic('twice'),
      newTopic('twice'),
    ]);
    expect(answers.map((each) => each.errorCode)).toEqual([
      Errors.TOPIC_ALREADY_EXISTS,
      Errors.INVALID_TOPIC_EXCEPTION,
      Errors.INVALID_PARTITIONS,
      Errors.INVALID_REPLICATION_FACTOR,
      Errors.INVALID_CONFIG,
      Errors.INVALID_REQUEST,
      Errors.INVALID_REQUEST,
    ]);
  });

  test('that are only validated do not come into being', async () => {
    const harness = await BrokerHarness.start();
    const answers = await create(harness, [newTopic('t')], { validateOnly: true });
    expect(answers[0]?.errorCode).toBe(0);
    expect((await metadataOf(harness, 't'))?.errorCode).toBe(Errors.UNKNOWN_TOPIC_OR_PARTITION);
  });

  test('come into being when asked for only if broker and client both want it', async () => {
    const strict = await BrokerHarness.start();
    expect((await metadataOf(strict, 't', true))?.errorCode).toBe(
      Errors.UNKNOWN_TOPIC_OR_PARTITION,
    );
    const config = { 'auto.create.topics.enable': 'true', 'num.partitions': '3' };
    const generous = await BrokerHarness.start(config);
    expect((await metadataOf(generous, 't'))?.errorCode).toBe(Errors.UNKNOWN_TOPIC_OR_PARTITION);
    expect((await metadataOf(generous, 't', true))?.partitions).toHaveLength(3);
    expect((await metadataOf(generous, 'a b', true))?.errorCode).toBe(
      Errors.INVALID_TOPIC_EXCEPTION,
    );
  });

  test('grow, but never shrink', async () => {
    const harness = await BrokerHarness.start();
    await create(harness, [newTopic('t')]);
    const grow = async (count: number, rest = {}) => {
      const topics = [{ name: 't', count, assignments: null, ...rest }];
      const request = { topics, timeoutMs: 1000, validateOnly: false };
      return (await harness.send(createPartitionsApi, 3, request)).results[0]?.errorCode;
    };
    expect(await grow(2)).toBe(Errors.INVALID_PARTITIONS);
    expect(await grow(3, { assignments: [{ brokerIds: [9] }] })).toBe(
      Errors.INVALID_REPLICA_ASSIGNMENT,
    );
    expect(await grow(4)).toBe(0);
    expect((await metadataOf(harness, 't'))?.partitions).toHaveLength(4);
    expect(await grow(9, { name: 'nowhere' })).toBe(Errors.UNKNOWN_TOPIC_OR_PARTITION);
  });

  test('are deleted by name or by id, but not those that the broker needs', async () => {
    const harness = await BrokerHarness.start();
    const [one] = await create(harness, [newTopic('one'), newTopic('two')]);
    const answer = await harness.send(deleteTopicsApi, 6, {
      topics: [
        { topicId: one?.topicId ?? '' },
        { name: 'two', topicId: ZERO_UUID },
        { name: 'three', topicId: ZERO_UUID },
        { topicId: 'f'.repeat(32) },
        { name: '__consumer_offsets', topicId: ZERO_UUID },
      ],
      timeoutMs: 1000,
    });
    expect(answer.responses.map((each) => [each.name, each.errorCode])).toEqual([
      ['one', 0],
      ['two', 0],
      ['three', Errors.UNKNOWN_TOPIC_OR_PARTITION],
      [null, Errors.UNKNOWN_TOPIC_ID],
      ['__consumer_offsets', Errors.INVALID_REQUEST],
    ]);
  });

  test('are described page by page', async () => {
    const harness = await BrokerHarness.start();
    await create(harness, [newTopic('a', { numPartitions: 3 }), newTopic('b'), newTopic('c')]);
    const seen: string[] = [];
    let cursor: { topicName: string; partitionIndex: number } | null = null;
    let pages = 0;
    do {
      const page: Awaited<ReturnType<typeof ask>> = await ask(cursor);
      for (const topic of page.topics) {
        for (const { partitionIndex } of topic.partitions) {
          seen.push(`${topic.name}${partitionIndex}`);
        }
      }
      cursor = page.nextCursor;
      pages++;
    } while (cursor !== null);
    expect(pages).toBe(4);
    expect(seen).toEqual(['a0', 'a1', 'a2', 'b0', 'b1', 'c0', 'c1']);

    function ask(from: typeof cursor) {
      return harness.send(describeTopicPartitionsApi, 0, {
        topics: [{ name: 'c' }, { name: 'a' }, { name: 'b' }],
        responsePartitionLimit: 2,
        cursor: from,
      });
    }
  });
});

describe('settings', () => {
  async function describeOne(
    harness: BrokerHarness,
    resourceType: number,
    resourceName: string,
    configurationKeys: string[] | null = null,
  ) {
    const resources = [{ resourceType, resourceName, configurationKeys }];
    const answer = await harness.send(describeConfigsApi, 4, { resources, includeSynonyms: true });
    return answer.results[0];
  }

  test('of the broker are shown, and cannot be changed while it runs', async () => {
    const harness = await BrokerHarness.start({ 'group.max.size': '7' });
    const found = await describeOne(harness, BROKER, '1', ['group.max.size', 'num.partitions']);
    const shown = found?.configs.map(({ name, value, configSource, readOnly }) => [
      name,
      value,
      configSource,
      readOnly,
    ]);
    expect(shown).toEqual([
      ['num.partitions', '1', 5, true],
      ['group.max.size', '7', 4, true],
    ]);
    expect((await describeOne(harness, BROKER, '2'))?.errorCode).toBe(Errors.INVALID_REQUEST);
    const altered = await harness.send(incrementalAlterConfigsApi, 1, {
      resources: [
        {
          resourceType: BROKER,
          resourceName: '1',
          configs: [{ name: 'group.max.size', configOperation: 0, value: '9' }],
        },
      ],
      validateOnly: false,
    });
    expect(altered.responses[0]?.errorCode).toBe(Errors.INVALID_REQUEST);
  });

  test('of a topic are changed one by one, or replaced as a whole', async () => {
    const harness = await BrokerHarness.start();
    await create(harness, [newTopic('t')]);
    const settingOf = async (name: string) =>
      (await describeOne(harness, TOPIC, 't', [name]))?.configs[0]?.value;
    const change = async (name: string, configOperation: number, value: string | null) => {
      const configs = [{ name, configOperation, value }];
      const resources = [{ resourceType: TOPIC, resourceName: 't', configs }];
      const request = { resources, validateOnly: false };
      return (await harness.send(incrementalAlterConfigsApi, 1, request)).responses[0]?.errorCode;
    };
    expect(await change('retention.ms', 0, '5000')).toBe(0);
    expect(await change('cleanup.policy', 2, 'compact')).toBe(0);
    expect(await settingOf('cleanup.policy')).toBe('delete,compact');
    expect(await change('cleanup.policy', 3, 'delete')).toBe(0);
    expect(await settingOf('cleanup.policy')).toBe('compact');
    expect(await change('retention.ms', 9, '1')).toBe(Errors.INVALID_REQUEST);
    expect(await change('retention.ms', 0, 'soon')).toBe(Errors.INVALID_CONFIG);
    expect(await settingOf('retention.ms')).toBe('5000');
    const replaced = await harness.send(alterConfigsApi, 2, {
      resources: [
        {
          resourceType: TOPIC,
          resourceName: 't',
          configs: [{ name: 'retention.ms', value: '7000' }],
        },
      ],
      validateOnly: false,
    });
    expect(replaced.responses[0]?.errorCode).toBe(0);
    expect([await settingOf('retention.ms'), await settingOf('cleanup.policy')]).toEqual([
      '7000',
      'delete',
    ]);
  });
});
