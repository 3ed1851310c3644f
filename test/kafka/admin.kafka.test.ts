import { afterAll, describe, expect, test } from 'vitest';
import { createProducer } from '../../kafka/producer.ts';
import { connectToKafka, createTopic, deps, uniqueName } from '../kit/real-kafka.ts';

const { cluster, admin } = connectToKafka();
const producer = createProducer(
  cluster,
  { deliveryTimeoutMs: 30_000, lingerMs: 0, compression: 'none' },
  deps,
);

afterAll(async () => {
  await producer.close();
  cluster.close();
});

const MEMBERLESS = { generation: -1, memberId: '', groupInstanceId: null };
const write = (topic: string, values: readonly string[], timestampMs?: number) =>
  Promise.all(
    values.map((value) =>
      producer.send(topic, 0, {
        key: null,
        value: Buffer.from(value),
        ...(timestampMs === undefined ? {} : { timestampMs }),
      }),
    ),
  );

describe('topics', () => {
  test('are created with their settings, described, listed and deleted', async () => {
    const name = uniqueName('admin');
    const configs = { 'cleanup.policy': 'compact', 'message.timestamp.type': 'LogAppendTime' };
    const spec = { name, partitions: 3, replicationFactor: -1, configs };
    expect(await admin.createTopics([spec])).toEqual({ created: [name], existing: [] });
    expect(await admin.createTopics([spec])).toEqual({ created: [], existing: [name] });
    const described = await admin.describeTopics([name, uniqueName('nowhere')]);
    expect([...described.keys()]).toEqual([name]);
    expect(described.get(name)).toMatchObject({ partitions: 3 });
    expect(described.get(name)?.topicId).toMatch(/^[0-9a-f]{32}$/);
    expect((await cluster.topic(name))?.topicId).toBe(described.get(name)?.topicId);
    const settings = await admin.topicConfigs(name);
    expect(settings.get('cleanup.policy')).toBe('compact');
    expect(settings.get('retention.ms')).toBeDefined();
    expect(await admin.listTopics()).toContain(name);
    await admin.deleteTopics([name, uniqueName('nowhere')]);
    expect(await admin.listTopics()).not.toContain(name);
  });

  test('that make no sense are refused in words', async () => {
    const spec = { name: 'not/a/name', partitions: 1, replicationFactor: -1, configs: {} };
    await expect(admin.createTopics([spec])).rejects.toThrow(/INVALID_TOPIC_EXCEPTION/);
    const odd = { ...spec, name: uniqueName('odd'), configs: { 'retention.ms': 'soon' } };
    await expect(admin.createTopics([odd])).rejects.toMatchObject({ code: 'KAFKA_FATAL' });
  });
});

describe('offsets', () => {
  test('of a log are its ends, and where a time begins', async () => {
    const topic = await createTopic(admin, 1);
    await write(topic, ['a', 'b'], 1_700_000_000_000);
    await write(topic, ['c'], 1_700_000_005_000);
    const partitions = [{ topic, partition: 0 }];
    const offsetOf = async (spec: Parameters<typeof admin.listOffsets>[1]) =>
      (await admin.listOffsets(partitions, spec, 'read_uncommitted')).get(`${topic}-0`);
    expect(await offsetOf('earliest')).toMatchObject({ offset: 0 });
    expect(await offsetOf('latest')).toMatchObject({ offset: 3 });
    expect(await offsetOf({ timestampMs: 1_700_000_001_000 })).toEqual({
      offset: 2,
      leaderEpoch: 0,
      timestampMs: 1_700_000_005_000,
    });
    expect(await offsetOf({ timestampMs: 1_900_000_000_000 })).toMatchObject({ offset: -1 });
    await admin.deleteRecords([{ topic, partition: 0, offset: 2 }]);
    expect(await offsetOf('earliest')).toMatchObject({ offset: 2 });
  });

  test('of a group are what was committed, and -1 where nothing was', async () => {
    const topic = await createTopic(admin, 2);
    const group = { groupId: uniqueName('group'), ...MEMBERLESS };
    const committed = { topic, partition: 1, offset: 17, leaderEpoch: 0, metadata: 'stream time' };
    await admin.commitOffsets(group, new Map([[`${topic}-1`, committed]]));
    const partitions = [0, 1].map((partition) => ({ topic, partition }));
    const offsets = await admin.committedOffsets(group.groupId, partitions, {
      requireStable: true,
    });
    expect(offsets.get(`${topic}-0`)).toMatchObject({ offset: -1 });
    expect(offsets.get(`${topic}-1`)).toEqual({
      offset: 17,
      leaderEpoch: 0,
      metadata: 'stream time',
    });
  });

  test('from somebody who is no member are refused as fenced', async () => {
    const topic = await createTopic(admin, 1);
    const group = { ...MEMBERLESS, groupId: uniqueName('group'), generation: 3, memberId: 'ghost' };
    const offset = { topic, partition: 0, offset: 1, leaderEpoch: -1, metadata: '' };
    await expect(admin.commitOffsets(group, new Map([['any', offset]]))).rejects.toMatchObject({
      code: 'KAFKA_FENCED',
    });
  });
});

test('the cluster has an id, a controller and finalized features', async () => {
  expect(await admin.clusterId()).toMatch(/^\S{10,}$/);
  expect(cluster.brokers().has(await cluster.controllerId())).toBe(true);
  expect((await cluster.features()).size).toBeGreaterThan(0);
});
