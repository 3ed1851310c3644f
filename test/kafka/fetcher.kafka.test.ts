/** The fetcher on a real broker: what only a real log can say. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createFetcher } from '../../kafka/fetcher.ts';
import type { Fetcher } from '../../kafka/ports.ts';
import { createProducer } from '../../kafka/producer.ts';
import { encodedBatch, recordsIn } from '../kit/batches.ts';
import {
  connectToKafka,
  createTopic,
  deps,
  kafkaBrokers,
  type RealKafka,
  uniqueName,
} from '../kit/real-kafka.ts';

describe.runIf(kafkaBrokers !== undefined)('fetching from a real Kafka', () => {
  let kafka: RealKafka;
  let topic: string;
  const fetchers: Fetcher[] = [];

  beforeAll(async () => {
    kafka = connectToKafka();
    topic = await createTopic(kafka.admin, 3);
    await produce(
      topic,
      [0, 1, 2].map((partition) => [partition, ['a', 'b', 'c']] as const),
    );
  });

  afterAll(async () => {
    for (const each of fetchers) await each.close();
    kafka.cluster.close();
  });

  async function produce(name: string, batches: readonly (readonly [number, string[]])[]) {
    const options = { deliveryTimeoutMs: 20_000, lingerMs: 0, compression: 'none' } as const;
    const producer = createProducer(kafka.cluster, { ...options, channel: uniqueName('p') }, deps);
    await producer.sendBatches(
      batches.map(([partition, values]) => encodedBatch(name, partition, values)),
    );
    await producer.close();
  }

  function fetcher(): Fetcher {
    const made = createFetcher(
      kafka.cluster,
      {
        isolation: 'read_committed',
        bufferedBytesMax: 1e6,
        partitionBytesMax: 1e5,
        maxWaitMs: 100,
        channel: uniqueName('fetch'),
      },
      deps,
    );
    fetchers.push(made);
    return made;
  }

  async function read(from: Fetcher, count: number): Promise<string[]> {
    const records: string[] = [];
    while (records.length < count) {
      for (const { topic: name, partition, batches, error } of await from.poll(1_000)) {
        if (error !== undefined) throw error;
        records.push(...recordsIn(batches).map((record) => `${name}-${partition}@${record}`));
      }
    }
    return records.map((record) => record.replace(`${topic}-`, '')).toSorted();
  }

  test('all partitions from their positions; a position inside a batch gets the whole batch', async () => {
    const one = fetcher();
    one.seek(topic, 0, 0);
    one.seek(topic, 1, 2);
    one.seek(topic, 2, 3);
    expect(await read(one, 6)).toEqual(['0@0:a', '0@1:b', '0@2:c', '1@0:a', '1@1:b', '1@2:c']);
    await produce(topic, [[2, ['d']]]);
    expect(await read(one, 1)).toEqual(['2@3:d']);
  });

  test('a position beyond the log is reported, with the right epoch or without one', async () => {
    const one = fetcher();
    one.seek(topic, 0, 1_000);
    one.seek(topic, 1, 1_000, 0);
    const reported = new Map<number, unknown>();
    while (reported.size < 2) {
      for (const { partition, error } of await one.poll(1_000)) {
        expect(reported.has(partition)).toBe(false);
        reported.set(partition, error);
      }
    }
    expect(reported.get(0)).toMatchObject({ code: 'KAFKA_OFFSET_OUT_OF_RANGE' });
    expect(reported.get(1)).toMatchObject({
      code: 'KAFKA_OFFSET_OUT_OF_RANGE',
      facts: { divergingOffset: 3 },
    });
    one.seek(topic, 0, 0, 0);
    expect(await read(one, 3)).toEqual(['0@0:a', '0@1:b', '0@2:c']);
  });

  test('a topic that is created later is read as soon as it is there', async () => {
    const one = fetcher();
    const later = uniqueName('later');
    one.seek(later, 0, 0);
    expect(await one.poll(300)).toEqual([]);
    await kafka.admin.createTopics([
      { name: later, partitions: 1, replicationFactor: -1, configs: {} },
    ]);
    await produce(later, [[0, ['first']]]);
    expect(await read(one, 1)).toEqual([`${later}-0@0:first`]);
  });
});
