import { type Admin, ConfigResourceTypes, Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BrokerChild } from './broker-child.ts';

let broker: BrokerChild;
let kafka: Kafka;
let admin: Admin;

beforeAll(async () => {
  process.env['KAFKAJS_NO_PARTITIONER_WARNING'] = '1';
  broker = await BrokerChild.start();
  kafka = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING });
  admin = kafka.admin();
  await admin.connect();
});

afterAll(async () => {
  await admin.disconnect();
  await broker.remove();
});

async function createTopic(topic: string, numPartitions = 1): Promise<void> {
  expect(await admin.createTopics({ topics: [{ topic, numPartitions }] })).toBe(true);
}

/** Reads until `count` values have come, as a member of the group. */
async function consume(topic: string, groupId: string, count: number): Promise<string[]> {
  const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 100 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const values: string[] = [];
  await new Promise<void>((resolve) => {
    void consumer.run({
      eachMessage: async ({ message }) => {
        values.push(String(message.value));
        if (values.length === count) resolve();
      },
    });
  });
  await consumer.disconnect();
  return values;
}

async function committed(groupId: string, topic: string): Promise<string | undefined> {
  const [found] = await admin.fetchOffsets({ groupId, topics: [topic] });
  return found?.partitions[0]?.offset;
}

describe('kafkajs', () => {
  test('writes, and reads as a group that remembers where it was', async () => {
    await createTopic('plain', 3);
    const producer = kafka.producer({ idempotent: true });
    await producer.connect();
    const values = Array.from({ length: 500 }, (_, index) => `v${index}`);
    const messages = values.map((value) => ({ key: value, value }));
    await producer.send({ topic: 'plain', messages });
    expect((await consume('plain', 'readers', 500)).toSorted()).toEqual(values.toSorted());
    await producer.send({ topic: 'plain', messages: [{ key: 'k', value: 'after' }] });
    expect(await consume('plain', 'readers', 1)).toEqual(['after']);
    await producer.disconnect();
  });

  test('shares partitions among the members of a group, and hands them over when one leaves', async () => {
    await createTopic('shared', 4);
    const assignments = new Map<string, number>();
    const join = async (name: string) => {
      const consumer = kafka.consumer({
        groupId: 'sharers',
        heartbeatInterval: 100,
        maxWaitTimeInMs: 100,
      });
      const rebalanced = () =>
        new Promise<void>((resolve) => {
          const off = consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
            assignments.set(name, payload.memberAssignment['shared']?.length ?? 0);
            off();
            resolve();
          });
        });
      const joined = rebalanced();
      await consumer.connect();
      await consumer.subscribe({ topic: 'shared' });
      await consumer.run({ eachMessage: async () => {} });
      await joined;
      return { consumer, rebalanced };
    };
    const one = await join('one');
    expect(assignments.get('one')).toBe(4);
    const shared = one.rebalanced();
    const two = await join('two');
    await shared;
    expect([assignments.get('one'), assignments.get('two')]).toEqual([2, 2]);
    const alone = one.rebalanced();
    await two.consumer.disconnect();
    await alone;
    expect(assignments.get('one')).toBe(4);
    await one.consumer.disconnect();
  });

  test('commits and aborts transactions, offsets included, and only committed ones are read', async () => {
    await createTopic('from');
    await createTopic('to');
    const producer = kafka.producer({
      transactionalId: 'kafkajs',
      idempotent: true,
      maxInFlightRequests: 1,
    });
    await producer.connect();
    for (let turn = 0; turn < 6; turn++) {
      const transaction = await producer.transaction();
      await transaction.send({ topic: 'to', messages: [{ value: `${turn}` }] });
      await transaction.sendOffsets({
        consumerGroupId: 'mover',
        topics: [{ topic: 'from', partitions: [{ partition: 0, offset: String(turn) }] }],
      });
      if (turn % 2 === 0) await transaction.commit();
      else await transaction.abort();
    }
    await producer.disconnect();
    expect(await consume('to', 'committed-only', 3)).toEqual(['0', '2', '4']);
    expect(await committed('mover', 'from')).toBe('4');
  });

  test('administers topics, settings, offsets and groups', async () => {
    await createTopic('managed');
    await admin.createPartitions({ topicPartitions: [{ topic: 'managed', count: 3 }] });
    const { topics } = await admin.fetchTopicMetadata({ topics: ['managed'] });
    expect(topics[0]?.partitions).toHaveLength(3);
    const type = ConfigResourceTypes.TOPIC;
    const configEntries = [{ name: 'retention.ms', value: '1234' }];
    await admin.alterConfigs({
      validateOnly: false,
      resources: [{ type, name: 'managed', configEntries }],
    });
    const described = await admin.describeConfigs({
      includeSynonyms: true,
      resources: [{ type, name: 'managed', configNames: ['retention.ms'] }],
    });
    expect(described.resources[0]?.configEntries[0]?.configValue).toBe('1234');
    const producer = kafka.producer();
    await producer.connect();
    await producer.send({ topic: 'managed', messages: [{ value: 'x', partition: 0 }] });
    await producer.disconnect();
    await consume('managed', 'managed-group', 1);
    expect(await committed('managed-group', 'managed')).toBe('1');
    const { groups } = await admin.describeGroups(['managed-group']);
    expect(groups[0]?.state).toBe('Empty');
    await admin.deleteGroups(['managed-group']);
    await admin.deleteTopics({ topics: ['managed'] });
    expect(await admin.listTopics()).not.toContain('managed');
  });

  test('loses nothing that was acknowledged when the broker is killed and comes back', async () => {
    await createTopic('killed');
    const producer = kafka.producer({ idempotent: true });
    await producer.connect();
    const acknowledged: string[] = [];
    let isRunning = true;
    const producing = (async () => {
      for (let next = 0; isRunning; next++) {
        await producer.send({ topic: 'killed', messages: [{ value: `${next}` }] });
        acknowledged.push(`${next}`);
      }
    })();
    const progress = async (count: number) => {
      const until = acknowledged.length + count;
      while (acknowledged.length < until) await new Promise(setImmediate);
    };
    for (let kill = 0; kill < 3; kill++) {
      await progress(50);
      await broker.stop('SIGKILL');
      await broker.start();
    }
    await progress(50);
    isRunning = false;
    await producing;
    await producer.disconnect();
    const read = await consume('killed', 'auditors', acknowledged.length);
    expect(read).toEqual(acknowledged);
  });
});
