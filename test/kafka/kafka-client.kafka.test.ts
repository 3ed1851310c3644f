import { describe, expect, test } from 'vitest';
import { createKafkaClient } from '../../kafka/kafka-client.ts';
import type { FetchedPartition, GroupProtocol } from '../../kafka/ports.ts';
import { encodedBatch, recordsIn } from '../kit/batches.ts';
import { deps, kafkaBrokers, uniqueName } from '../kit/real-kafka.ts';

function open(brokers = kafkaBrokers ?? '') {
  const addresses = brokers.split(',').map((one) => {
    const [host, port] = one.split(':');
    return { host: host ?? '', port: Number(port) };
  });
  const connection = { kind: 'tcp', brokers: addresses, clientId: 'client-test' } as const;
  return createKafkaClient({ connection, ...deps });
}

/** Whoever leads gives everything to the first member. */
function takeAll(topic: string, count: number): GroupProtocol {
  const partitions = Array.from({ length: count }, (_, partition) => ({ topic, partition }));
  return {
    name: 'take-all',
    topics: () => [topic],
    userData: () => null,
    assign: async (members) =>
      new Map(
        members.map(({ memberId }, index) => [
          memberId,
          { partitions: index === 0 ? partitions : [], userData: null },
        ]),
      ),
    onRevoked: async () => {},
    onAssigned: async () => {},
    onLost: async () => {},
    onFatal: (error) => {
      throw error;
    },
  };
}

describe('a Kafka client', () => {
  test('waits until a broker answers, and says what it waits for', async () => {
    const stop = new AbortController();
    const nobody = open('127.0.0.1:1');
    const complaints: string[] = [];
    const waiting = nobody.waitUntilReachable(stop.signal, ({ message }) => {
      if (complaints.push(message) === 2) stop.abort();
    });
    await expect(waiting).rejects.toThrow();
    expect(complaints[0]).toMatch(/cannot connect to 127.0.0.1:1/);
    await nobody.close();
    const client = open();
    await client.waitUntilReachable(new AbortController().signal, () => {});
    await client.close();
  });

  test('joins a group, commits a transaction under it, and reads what it wrote', async () => {
    const client = open();
    const topic = uniqueName('client');
    await client.admin.createTopics([
      { name: topic, partitions: 2, replicationFactor: -1, configs: {} },
    ]);
    expect(await client.partitionCount(topic)).toBe(2);
    expect(await client.partitionCount(uniqueName('nowhere'))).toBeUndefined();
    const plain = client.producer({ deliveryTimeoutMs: 30_000, lingerMs: 0, compression: 'zstd' });
    await plain.send(topic, 0, { key: null, value: Buffer.from('plain') });
    await plain.close();

    const member = client.groupMember(
      {
        groupId: uniqueName('group'),
        groupInstanceId: null,
        sessionTimeoutMs: 10_000,
        rebalanceTimeoutMs: 10_000,
        heartbeatIntervalMs: 1_000,
      },
      takeAll(topic, 2),
    );
    await member.start();
    const producer = client.transactionalProducer(uniqueName('txn'), {
      transactionTimeoutMs: 10_000,
    });
    await producer.init();
    const position = { topic, partition: 0, offset: 1, leaderEpoch: -1, metadata: '' };
    const outcome = await producer.commit({
      batches: [encodedBatch(topic, 0, ['together'])],
      offsets: new Map([[`${topic}-0`, position]]),
      group: async () => member.metadata(),
    });
    expect(outcome).toMatchObject({ kind: 'committed' });
    producer.close();

    const fetcher = client.fetcher({
      isolation: 'read_committed',
      bufferedBytesMax: 1_000_000,
      partitionBytesMax: 1_000_000,
      maxWaitMs: 200,
      channel: 'fetch',
    });
    fetcher.seek(topic, 0, 0);
    const values: string[] = [];
    while (values.length < 2) {
      const fetched: readonly FetchedPartition[] = await fetcher.poll(1_000);
      for (const { batches } of fetched) values.push(...recordsIn(batches));
    }
    expect(values).toEqual(['0:plain', '1:together']);
    const partitions = [{ topic, partition: 0 }];
    const groupId = member.metadata()?.groupId ?? '';
    const committed = await client.admin.committedOffsets(groupId, partitions, {
      requireStable: true,
    });
    expect(committed.get(`${topic}-0`)?.offset).toBe(1);
    await member.stop({ leave: true });
    await fetcher.close();
    await client.close();
  });
});
