/** A whole engine on an embedded broker whose topics take less than the engine sends by itself. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { silentLog } from '../../base/log.ts';
import { systemRandom } from '../../base/random.ts';
import {
  type EmbeddedBroker,
  startEmbeddedBroker,
} from '../../embedded-kafka/server/embedded-broker.ts';
import { createKafkaClient } from '../../kafka/kafka-client.ts';
import type { KafkaClient } from '../../kafka/ports.ts';
import { KafkaStreams } from '../../runtime/kafka-streams.ts';
import { stringSerde } from '../../schemas/serdes.ts';
import { StreamsBuilder } from '../../topology/streams-builder.ts';

const LIMIT_BYTES = 2_000;
const INPUT = { topic: 'input', partition: 0 };
const strings = { keySerde: stringSerde, valueSerde: stringSerde };

let directory: string;
let broker: EmbeddedBroker;
let client: KafkaClient;
let streams: KafkaStreams | undefined;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'batch-limits-'));
  const dataDirectory = join(directory, 'kafka');
  broker = await startEmbeddedBroker({ dataDirectory, listen: null, config: {}, log: silentLog });
  client = createKafkaClient({
    connection: broker.connectionFor('test'),
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  });
  const small = { 'max.message.bytes': String(LIMIT_BYTES) };
  const topic = (name: string, configs: Record<string, string>) => ({
    ...{ name, partitions: 1, replicationFactor: 1, configs },
  });
  await client.admin.createTopics([
    topic('input', {}),
    topic('output', small),
    topic('app-kept-changelog', { ...small, 'cleanup.policy': 'compact' }),
  ]);
});

afterEach(async () => {
  await streams?.close();
  await client.close();
  await broker.stop();
  rmSync(directory, { recursive: true, force: true });
});

async function write(values: readonly string[]): Promise<void> {
  const producer = client.producer({ deliveryTimeoutMs: 10_000, lingerMs: 5, compression: 'none' });
  const record = (value: string, index: number) => ({
    key: Buffer.from(`k${index}`),
    value: Buffer.from(value),
  });
  await Promise.all(values.map((value, index) => producer.send('input', 0, record(value, index))));
  await producer.close();
}

async function start(build: (builder: StreamsBuilder) => void): Promise<KafkaStreams> {
  const builder = new StreamsBuilder();
  build(builder);
  streams = new KafkaStreams({
    topology: builder.build().build(),
    connection: () => broker.connectionFor('app'),
    config: { applicationId: 'app', numStreamThreads: 0, stateDir: join(directory, 'state') },
  });
  await streams.start();
  return streams;
}

/** Records and markers in the topic. */
async function lengthOf(topic: string): Promise<number> {
  const partition = [{ topic, partition: 0 }];
  const ends = await client.admin.listOffsets(partition, 'latest', 'read_committed');
  return [...ends.values()][0]!.offset;
}

async function committed(): Promise<number | undefined> {
  const offsets = await client.admin.committedOffsets('app', [INPUT], { requireStable: true });
  return offsets.get('input-0')?.offset;
}

test('batches are cut to what a topic takes once it has refused one, and a record that never fits is a dead letter', async () => {
  const values = Array.from({ length: 200 }, (_, index) => `${index} ${'x'.repeat(100)}`);
  await write([...values, 'y'.repeat(3 * LIMIT_BYTES)]);
  const running = await start((builder) => {
    builder.stream('input', strings).to('output', strings);
  });
  const ended = async () => running.failure() ?? (await committed());
  await expect.poll(ended, { timeout: 20_000 }).toBe(values.length + 1);
  expect(await lengthOf('output')).toBeGreaterThan(values.length);
  expect(await lengthOf('input.dlq')).toBeGreaterThan(1);
}, 40_000);

test('an entry that its changelog does not take ends the engine, with store, size and setting', async () => {
  await write(['z'.repeat(3 * LIMIT_BYTES)]);
  const running = await start((builder) => {
    builder
      .stream('input', strings)
      .groupByKey(strings)
      .reduce((_, value) => value, { name: 'latest', store: 'kept' });
  });
  await expect.poll(() => running.state(), { timeout: 20_000 }).toBe('ERROR');
  expect(running.failure()).toMatchObject({
    code: 'PROCESSING_FAILED',
    message: expect.stringMatching(/store kept .* key of \d+ bytes .* app-kept-changelog/),
    hint: expect.stringContaining('max.message.bytes of app-kept-changelog (2000)'),
    facts: { store: 'kept' },
  });
}, 40_000);
