/** A client of the Kafka that KAFKA_BROKERS names, with what tests of transactions and groups need. */
import { randomUUID } from 'node:crypto';
import { systemClock } from '../../base/clock.ts';
import { silentLog } from '../../base/log.ts';
import { systemRandom } from '../../base/random.ts';
import { createAdmin } from '../../kafka/admin.ts';
import { createCluster } from '../../kafka/cluster.ts';
import { createFetcher } from '../../kafka/fetcher.ts';
import { createTcpConnector } from '../../kafka/kafkajs-transport.ts';
import type { Admin, TopicPartition } from '../../kafka/ports.ts';
import type { Cluster } from '../../kafka/wire.ts';
import { recordsIn } from './batches.ts';

export const kafkaBrokers = process.env['KAFKA_BROKERS'];
/** test/run.ts started it: topics of an earlier sale there are of no worth to anybody. */
export const isScratchKafka = process.env['KAFKA_IS_SCRATCH'] === 'true';
export const deps = { clock: systemClock, random: systemRandom, log: silentLog };

export interface RealKafka {
  readonly cluster: Cluster;
  readonly admin: Admin;
}

/** Another client: its own sockets and caches, as another process would have. */
export function connectToKafka(brokers = kafkaBrokers ?? ''): RealKafka {
  const bootstrap = brokers.split(',').map((each) => {
    const [host, port] = each.split(':');
    return { host: host!, port: Number(port) };
  });
  const clientId = 'test';
  const connector = createTcpConnector({ clientId }, deps);
  const cluster = createCluster({ ...deps, connector, bootstrap, clientId });
  return { cluster, admin: createAdmin(cluster, deps) };
}

export function uniqueName(prefix: string): string {
  return `${prefix}-${randomUUID().slice(0, 8)}`;
}

export async function createTopic(admin: Admin, partitions: number): Promise<string> {
  const name = uniqueName('topic');
  await admin.createTopics([{ name, partitions, replicationFactor: -1, configs: {} }]);
  return name;
}

/** Everything that a reader sees of a partition up to its end, as `offset:value`. */
export async function readAll(
  { cluster, admin }: RealKafka,
  { topic, partition }: TopicPartition,
  isolation: 'read_committed' | 'read_uncommitted' = 'read_committed',
): Promise<string[]> {
  // Not the last stable offset: EndTxn is answered before the markers are in the log.
  const ends = await admin.listOffsets([{ topic, partition }], 'latest', 'read_uncommitted');
  const endOffset = [...ends.values()][0]!.offset;
  const channel = uniqueName('read');
  const fetcher = createFetcher(
    cluster,
    { isolation, bufferedBytesMax: 1e7, partitionBytesMax: 1e6, maxWaitMs: 100, channel },
    deps,
  );
  const records: string[] = [];
  fetcher.seek(topic, partition, 0);
  for (let position = 0; position < endOffset; ) {
    for (const fetched of await fetcher.poll(1_000)) {
      if (fetched.error !== undefined) throw fetched.error;
      records.push(...recordsIn(fetched.batches));
      position = fetched.nextOffset;
    }
  }
  await fetcher.close();
  return records;
}
