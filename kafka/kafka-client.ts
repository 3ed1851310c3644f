/** Opens the KafkaClient port over a connection: one cluster view, and the parts that share it. */
import { backoffMs } from '../base/backoff.ts';
import { isMillraceError } from '../base/errors.ts';
import { createAdmin } from './admin.ts';
import type { ClientDeps } from './client-deps.ts';
import { createCluster } from './cluster.ts';
import { connectorFor, type KafkaConnection } from './connection.ts';
import { createFetcher } from './fetcher.ts';
import { createGroupMember } from './group/group-member.ts';
import type { KafkaClient } from './ports.ts';
import { createProducer } from './producer.ts';
import { createTransactionalProducer } from './transactional-producer.ts';
import type { BrokerAddress, BrokerConnector, Cluster } from './wire.ts';

const REACHABLE_BACKOFF = { initialMs: 100, maxMs: 2_000 };

export interface KafkaClientOptions extends ClientDeps {
  readonly connection: KafkaConnection;
}

/** One client: nothing is connected before something is asked. */
export function createKafkaClient({ connection, ...deps }: KafkaClientOptions): KafkaClient {
  const { connector, bootstrap } = connectorFor(connection, deps);
  return createKafkaClientOver({ connector, bootstrap, clientId: connection.clientId, ...deps });
}

export interface KafkaClientOverOptions extends ClientDeps {
  readonly connector: BrokerConnector;
  readonly bootstrap: readonly BrokerAddress[];
  readonly clientId: string;
}

/** The same over any connector: a simulated network, a test's script. */
export function createKafkaClientOver(options: KafkaClientOverOptions): KafkaClient {
  const { clock, random, log } = options;
  const deps: ClientDeps = { clock, random, log };
  const cluster = createCluster(options);
  let producers = 0;
  return {
    admin: createAdmin(cluster, deps),
    fetcher: (fetching) => createFetcher(cluster, fetching, deps),
    groupMember: (member, protocol) => createGroupMember(cluster, member, protocol, deps),
    transactionalProducer: (id, how) => createTransactionalProducer(cluster, id, how, deps),
    producer: (how) =>
      createProducer(cluster, { ...how, channel: `producer-${producers++}` }, deps),
    waitUntilReachable: (signal, onWaiting) => untilReachable(cluster, deps, signal, onWaiting),
    partitionCount: async (topic) => (await cluster.topic(topic))?.partitions.size,
    close: async () => cluster.close(),
  };
}

async function untilReachable(
  cluster: Cluster,
  { clock, random }: ClientDeps,
  signal: AbortSignal,
  onWaiting: (error: Error) => void,
): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    signal.throwIfAborted();
    try {
      return await cluster.refreshMetadata();
    } catch (error) {
      if (!isMillraceError(error, 'KAFKA_UNAVAILABLE', 'KAFKA_RETRIABLE')) throw error;
      onWaiting(error);
      await clock.sleep(backoffMs(attempt, REACHABLE_BACKOFF, random), signal);
    }
  }
}
