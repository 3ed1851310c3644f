import { afterAll, describe, expect, test } from 'vitest';
import { partitionForKey } from '../../kafka/murmur2.ts';
import type { Compression } from '../../kafka/ports.ts';
import { createProducer } from '../../kafka/producer.ts';
import { encodedBatch } from '../kit/batches.ts';
import { kcat, whyNoKcat } from '../kit/kcat.ts';
import {
  connectToKafka,
  createTopic,
  deps,
  kafkaBrokers,
  readAll,
  uniqueName,
} from '../kit/real-kafka.ts';

const kafka = connectToKafka();
const { cluster, admin } = kafka;
const CODECS: readonly Compression[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];
const noKcat = whyNoKcat();
if (noKcat !== undefined) console.log(`SKIPPED: interoperation with kcat (${noKcat})`);

afterAll(() => cluster.close());

function open(compression: Compression = 'none') {
  const options = { deliveryTimeoutMs: 30_000, lingerMs: 5, compression };
  return createProducer(cluster, { ...options, channel: uniqueName('producer') }, deps);
}

/** Texts of all lengths, together far more than one block of any codec. */
const texts = Array.from(
  { length: 400 },
  (_, index) => `${index}: ${'row 7 seat 12, '.repeat(index % 40)}${(index * 7_919) % 1_000}`,
);

describe('an idempotent producer', () => {
  test('writes in order and knows the offset of each record', async () => {
    const topic = await createTopic(admin, 1);
    const producer = open();
    const sent: Promise<{ offset: number }>[] = [];
    for (let index = 0; index < 5_000; index++) {
      sent.push(producer.send(topic, 0, { key: null, value: Buffer.from(`${index}`) }));
      if (index % 500 === 0) await sent.at(-1);
    }
    const offsets = (await Promise.all(sent)).map(({ offset }) => offset);
    await producer.close();
    expect(offsets).toEqual(offsets.map((_, index) => index));
    const expected = offsets.map((offset) => `${offset}:${offset}`);
    expect(await readAll(kafka, { topic, partition: 0 })).toEqual(expected);
  });

  test('writes whole batches and tells where they are', async () => {
    const topic = await createTopic(admin, 2);
    const producer = open();
    const batches = [
      encodedBatch(topic, 0, ['a', 'b']),
      encodedBatch(topic, 1, ['x']),
      encodedBatch(topic, 0, ['c']),
    ];
    const ranges = await producer.sendBatches(batches);
    await producer.close();
    expect(ranges.get(`${topic}-0`)).toMatchObject({ baseOffset: 0, nextOffset: 3 });
    expect(await readAll(kafka, { topic, partition: 0 })).toEqual(['0:a', '1:b', '2:c']);
    expect(await readAll(kafka, { topic, partition: 1 })).toEqual(['0:x']);
  });

  test('says KAFKA_FATAL of a record that the topic does not take, and goes on', async () => {
    const topic = uniqueName('small');
    const configs = { 'max.message.bytes': '2000' };
    await admin.createTopics([{ name: topic, partitions: 1, replicationFactor: -1, configs }]);
    const producer = open();
    const send = (size: number) =>
      producer.send(topic, 0, { key: null, value: Buffer.alloc(size, 'x') });
    await send(100);
    await expect(send(5_000)).rejects.toMatchObject({ code: 'KAFKA_FATAL' });
    expect(await send(100)).toEqual({ partition: 0, offset: 1 });
    await producer.close();
  });
});

describe.skipIf(noKcat !== undefined).each(CODECS)('with %s', (compression) => {
  const brokers = kafkaBrokers ?? '';

  test('kcat reads what we wrote', async () => {
    const topic = await createTopic(admin, 1);
    const producer = open(compression);
    const headers = [{ key: 'trace', value: Buffer.from('abc') }];
    await Promise.all(
      texts.map((text, index) =>
        producer.send(topic, 0, {
          key: Buffer.from(`key-${index}`),
          value: Buffer.from(text),
          headers,
        }),
      ),
    );
    await producer.close();
    const format = ['-C', '-t', topic, '-e', '-q', '-X', 'check.crcs=true', '-f', '%k|%s|%h\\n'];
    const lines = (await kcat(brokers, format)).trimEnd().split('\n');
    expect(lines).toEqual(texts.map((text, index) => `key-${index}|${text}|trace=abc`));
  });

  test('we read what kcat wrote, and it lies where our partitioner says', async () => {
    const topic = await createTopic(admin, 3);
    const input = texts.map((text, index) => `key-${index}\t${text}\n`).join('');
    const settings = ['linger.ms=200', 'partitioner=murmur2_random'].flatMap((one) => ['-X', one]);
    await kcat(brokers, ['-P', '-t', topic, '-z', compression, '-K', '\t', ...settings], input);
    for (let partition = 0; partition < 3; partition++) {
      const mine = texts.filter((_, index) => {
        const key = Buffer.from(`key-${index}`);
        return partitionForKey(key, 0, key.length, 3) === partition;
      });
      expect(mine.length).toBeGreaterThan(50);
      const expected = mine.map((text, offset) => `${offset}:${text}`);
      expect(await readAll(kafka, { topic, partition })).toEqual(expected);
    }
  });
});
