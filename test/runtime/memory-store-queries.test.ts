/** A store in memory belongs to its task's thread, even where all run in one loop: a query is told so. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { silentLog } from '../../base/log.ts';
import { systemRandom } from '../../base/random.ts';
import { startEmbeddedBroker } from '../../embedded-kafka/server/embedded-broker.ts';
import { createKafkaClient } from '../../kafka/kafka-client.ts';
import { KafkaStreams } from '../../runtime/kafka-streams.ts';
import { oneProcessorTopology } from './runtime-fixtures.ts';

test('a query of a store in memory is refused for good, not as if it might come later', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'memory-store-queries-'));
  const dataDirectory = join(directory, 'kafka');
  const broker = await startEmbeddedBroker({
    dataDirectory,
    listen: null,
    config: {},
    log: silentLog,
  });
  const client = createKafkaClient({
    connection: broker.connectionFor('test'),
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  });
  const topic = (name: string) => ({ name, partitions: 1, replicationFactor: 1, configs: {} });
  await client.admin.createTopics([topic('input'), topic('output')]);
  const streams = new KafkaStreams({
    topology: oneProcessorTopology(() => ({ process: () => {} })),
    connection: () => broker.connectionFor('app'),
    config: { applicationId: 'app', numStreamThreads: 0, stateDir: join(directory, 'state') },
  });
  await streams.start();
  expect(() => streams.openLocal('counts', 0)).toThrowError(
    expect.objectContaining({
      code: 'QUERY_UNSUPPORTED',
      hint: 'Declare it with persistence "leveldb" to query it.',
    }),
  );
  await streams.close();
  await client.close();
  await broker.stop();
  rmSync(directory, { recursive: true, force: true });
}, 60_000);
