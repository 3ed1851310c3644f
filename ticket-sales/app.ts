/**
 * The composition root: embedded broker (or an outside Kafka), registry, topics, engine, HTTP, in
 * the order in which they need each other, and back again at the stop.
 */
import { systemClock } from '../base/clock.ts';
import { MillraceError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { systemRandom } from '../base/random.ts';
import {
  type EmbeddedBroker,
  startEmbeddedBroker,
} from '../embedded-kafka/server/embedded-broker.ts';
import type { KafkaConnection } from '../kafka/connection.ts';
import { createKafkaClient } from '../kafka/kafka-client.ts';
import type { KafkaClient } from '../kafka/ports.ts';
import { KafkaStreams } from '../runtime/kafka-streams.ts';
import { type RegistryServer, startRegistryServer } from '../schemas/registry/registry-server.ts';
import { SchemaRegistryService } from '../schemas/registry/schema-registry-service.ts';
import type { SchemaRegistry } from '../schemas/schema-registry.ts';
import { createCommandSender } from './command-sender.ts';
import { type AppConfig, applicationServer, hostInUrl, outsideKafka } from './config.ts';
import { createTicketApi } from './http/ticket-api.ts';
import { createSchemasTopic, kafkaSchemaLog } from './kafka-schema-log.ts';
import { packageVersion } from './package-version.ts';
import { TOPICS, ticketSerdes } from './records.ts';
import type { TicketModuleArgument } from './ticket-module.ts';
import { ensureTopics, ticketTopics } from './topics.ts';

export interface TicketApp {
  readonly httpUrl: string;
  readonly registryUrl: string;
  readonly brokers: string;
  readonly isEmbedded: boolean;
  /** Resolves when the engine has stopped by itself: a fatal error. */
  readonly failed: Promise<Error>;
  /** Orderly: no new requests, commit, leave, close. Idempotent. */
  stop(): Promise<void>;
}

export interface AppHooks {
  /** Said once per thing that is waited for, and again now and then. */
  readonly onWaiting: (what: string) => void;
  /** Aborts the start. */
  readonly signal: AbortSignal;
}

const version = packageVersion();

/** Starts everything. Rejects with a named error and leaves nothing running. */
export async function startTicketApp(
  config: AppConfig,
  log: Log,
  hooks: AppHooks,
): Promise<TicketApp> {
  const stops: (() => Promise<void>)[] = [];
  const stop = once(async () => {
    for (const step of stops.reverse()) {
      await step().catch((error: unknown) => log.error({ error }, 'a step of the stop failed'));
    }
  });
  try {
    return await start(config, log, hooks, stops, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

async function start(
  config: AppConfig,
  log: Log,
  hooks: AppHooks,
  stops: (() => Promise<void>)[],
  stop: () => Promise<void>,
): Promise<TicketApp> {
  const kafkaSide = await reachKafka(config, log, stops);
  const kafka = createKafkaClient({
    connection: kafkaSide.connect(),
    clock: systemClock,
    random: systemRandom,
    log,
  });
  stops.push(() => kafka.close());
  await kafka.waitUntilReachable(hooks.signal, (error) =>
    hooks.onWaiting(`Kafka at ${kafkaSide.brokers}: ${error.message}`),
  );
  if (hooks.signal.aborted) throw new MillraceError('STREAMS_STATE', 'stopped while starting');
  const producer = kafka.producer({
    deliveryTimeoutMs: config.PRODUCE_TIMEOUT_MS,
    lingerMs: 0,
    compression: config.KAFKA_COMPRESSION_TYPE,
  });
  stops.push(() => producer.close());
  await ensureTopics(
    kafka.admin,
    ticketTopics(config.TICKETS_PARTITIONS, config.STREAMS_REPLICATION_FACTOR),
  );
  const registry = await reachRegistry(config, kafka, log, hooks, stops);

  const serdes = ticketSerdes(registry.registry);
  await waitForRegistry(hooks, registry.url, async () => {
    await serdes.command.prepare?.(TOPICS.commands, 'value');
    await serdes.event.prepare?.(TOPICS.events, 'value');
    await serdes.venue.prepare?.(TOPICS.venues, 'value');
    await serdes.customer.prepare?.(TOPICS.customers, 'value');
    await serdes.purchase.prepare?.(TOPICS.purchaseStatus, 'value');
    await serdes.outcome.prepare?.(TOPICS.purchaseStatus, 'value');
    await serdes.inventory.prepare?.(TOPICS.inventory, 'value');
  });

  const self = applicationServer(config);
  const argument: TicketModuleArgument = {
    registryUrl: registry.url,
    registryBasicAuth: config.SCHEMA_REGISTRY_BASIC_AUTH_USER_INFO ?? null,
    commandPartitions: (await kafka.partitionCount(TOPICS.commands)) ?? config.TICKETS_PARTITIONS,
  };
  const streams = new KafkaStreams({
    topology: {
      module: new URL('./ticket-module.ts', import.meta.url).href,
      export: 'createTicketTopology',
      args: argument,
    },
    connection: kafkaSide.connect,
    log,
    config: {
      applicationId: config.STREAMS_APPLICATION_ID,
      applicationServer: self,
      stateDir: config.STREAMS_STATE_DIR,
      numStreamThreads: config.STREAMS_NUM_STREAM_THREADS,
      numStandbyReplicas: config.STREAMS_NUM_STANDBY_REPLICAS,
      processingGuarantee: config.STREAMS_PROCESSING_GUARANTEE,
      commitIntervalMs: config.STREAMS_COMMIT_INTERVAL_MS,
      transactionTimeoutMs: config.STREAMS_TRANSACTION_TIMEOUT_MS,
      sessionTimeoutMs: config.STREAMS_SESSION_TIMEOUT_MS,
      groupInstanceId: config.STREAMS_GROUP_INSTANCE_ID ?? null,
      replicationFactor: config.STREAMS_REPLICATION_FACTOR,
      compression: config.KAFKA_COMPRESSION_TYPE,
    },
  });
  const failed = new Promise<Error>((resolve) => {
    streams.onStateChange((state) => {
      if (state === 'ERROR') resolve(streams.failure() ?? new Error('the engine stopped'));
    });
  });
  stops.push(async () => {
    const inTime = await streams.close({ timeoutMs: config.SHUTDOWN_GRACE_MS });
    if (!inTime)
      log.warn(
        {},
        'the engine did not stop in time: it goes on from its last commit at the next start',
      );
  });

  const sender = createCommandSender(kafka, producer);
  const http = createTicketApi({ config, streams, sender, serdes, log, self, version });
  const httpPort = await http.app.listen(config.HTTP_HOST, config.HTTP_PORT, 'HTTP_PORT');
  stops.push(() => http.app.close(config.SHUTDOWN_GRACE_MS));
  await streams.start();
  return {
    httpUrl: `http://${hostInUrl(config.HTTP_HOST)}:${httpPort}`,
    registryUrl: registry.url,
    brokers: kafkaSide.brokers,
    isEmbedded: kafkaSide.isEmbedded,
    failed: Promise.race([failed, kafkaSide.failed]),
    stop: () => {
      http.stopping();
      return stop();
    },
  };
}

// ── Kafka ──────────────────────────────────────────────────────────────────────────────────────

interface KafkaSide {
  readonly brokers: string;
  readonly isEmbedded: boolean;
  /** A connection of one's own, for each thread that asks. */
  readonly connect: () => KafkaConnection;
  readonly failed: Promise<Error>;
}

async function reachKafka(
  config: AppConfig,
  log: Log,
  stops: (() => Promise<void>)[],
): Promise<KafkaSide> {
  if (config.KAFKA_BROKERS !== undefined) {
    const connection = outsideKafka(config);
    return {
      brokers: connection.brokers.map(({ host, port }) => `${host}:${port}`).join(','),
      isEmbedded: false,
      connect: () => connection,
      failed: new Promise(() => {}),
    };
  }
  const broker: EmbeddedBroker = await startEmbeddedBroker({
    dataDirectory: config.EMBEDDED_DATA_DIR,
    listen: config.EMBEDDED_LISTEN,
    advertised: config.EMBEDDED_ADVERTISED ?? null,
    config: {},
    log,
  });
  stops.push(() => broker.stop());
  const { host, port } = broker.address ?? config.EMBEDDED_LISTEN;
  return {
    brokers: `${host}:${port}`,
    isEmbedded: true,
    connect: () => broker.connectionFor(config.KAFKA_CLIENT_ID),
    failed: new Promise((resolve) => broker.onExit(resolve)),
  };
}

// ── Registry ───────────────────────────────────────────────────────────────────────────────────

interface RegistrySide {
  readonly url: string;
  readonly registry: SchemaRegistry;
}

async function reachRegistry(
  config: AppConfig,
  kafka: KafkaClient,
  log: Log,
  hooks: AppHooks,
  stops: (() => Promise<void>)[],
): Promise<RegistrySide> {
  const outside = config.SCHEMA_REGISTRY_URL;
  if (outside !== undefined) {
    const basicAuth = config.SCHEMA_REGISTRY_BASIC_AUTH_USER_INFO;
    // Its library takes a tenth of a second to load, and most starts have a registry of their own.
    const { confluentRegistryClient } = await import('../schemas/confluent-registry-client.ts');
    const registry = confluentRegistryClient({
      url: outside,
      ...(basicAuth === undefined ? {} : { basicAuth }),
    });
    return { url: outside, registry };
  }
  await createSchemasTopic(kafka, config.STREAMS_REPLICATION_FACTOR);
  const producer = kafka.producer({
    deliveryTimeoutMs: config.PRODUCE_TIMEOUT_MS,
    lingerMs: 0,
    compression: 'none',
  });
  stops.push(() => producer.close());
  const service = new SchemaRegistryService(kafkaSchemaLog(kafka, producer, log));
  stops.push(() => service.close());
  hooks.onWaiting('the schemas to be read');
  await service.start();
  const server: RegistryServer = await startRegistryServer(
    service,
    config.EMBEDDED_REGISTRY_HOST,
    config.EMBEDDED_REGISTRY_PORT,
  );
  stops.push(() => server.close());
  return { url: server.url, registry: service };
}

/** A registry that is away is waited for, visibly; one that refuses stops the start. */
async function waitForRegistry(
  hooks: AppHooks,
  url: string,
  attempt: () => Promise<void>,
): Promise<void> {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      const away = error instanceof MillraceError && error.code === 'SCHEMA_REGISTRY_UNAVAILABLE';
      if (!away || hooks.signal.aborted) throw error;
      hooks.onWaiting(`the schema registry at ${url}: ${error.message}`);
      await systemClock.sleep(1_000, hooks.signal);
    }
  }
}

function once(action: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => {
    running ??= action();
    return running;
  };
}
