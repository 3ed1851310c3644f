/**
 * The composition root: embedded broker (or an outside Kafka), registry, topics, engine, HTTP, in
 * the order in which they need each other, and back again at the stop.
 */
import { systemClock } from '../../base/clock.ts';
import { MillraceError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { systemRandom } from '../../base/random.ts';
import { createKafkaClient } from '../../kafka/kafka-client.ts';
import { KafkaStreams } from '../../runtime/kafka-streams.ts';
import { createCommandSender } from '../command-sender.ts';
import { festivalOptions } from '../festival/festival-api.ts';
import { festivalTopics } from '../festival/festival-topology.ts';
import { READ_MODEL_TOPIC } from '../festival/read-model.ts';
import { createTicketApi } from '../http/ticket-api.ts';
import { INTAKE_TOPIC, intakeTopics } from '../intake/intake-topology.ts';
import { ORDER_TOPICS, orderSerdes } from '../orders/order-records.ts';
import { orderTopics } from '../orders/order-topology.ts';
import { callbackSecrets } from '../payments/callback-secrets.ts';
import { TOPICS, ticketSerdes } from '../records.ts';
import type { TicketModuleArgument } from '../ticket-module.ts';
import { ensureTopics, ticketTopics } from '../topics.ts';
import { type AppConfig, agreedSettings, applicationServer, hostInUrl } from './config.ts';
import { reachKafka } from './kafka-side.ts';
import { packageVersion } from './package-version.ts';
import { reachRegistry, waitForRegistry } from './registry-side.ts';
import { startServicesBeside } from './services-beside.ts';
import { Stops } from './stops.ts';

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

/** For the last commit, however long requests took. */
const ENGINE_STOP_MS = 2_000;

/** Starts everything. Rejects with a named error and leaves nothing running. */
export async function startTicketApp(
  config: AppConfig,
  log: Log,
  hooks: AppHooks,
): Promise<TicketApp> {
  const stops = new Stops(log);
  try {
    return await start(config, log, hooks, stops);
  } catch (error) {
    await stops.run();
    throw error;
  }
}

async function start(
  config: AppConfig,
  log: Log,
  hooks: AppHooks,
  stops: Stops,
): Promise<TicketApp> {
  const kafkaSide = await reachKafka(config, log, stops);
  const kafka = createKafkaClient({
    connection: kafkaSide.connect(),
    clock: systemClock,
    random: systemRandom,
    log,
  });
  stops.add('client', () => kafka.close());
  await kafka.waitUntilReachable(hooks.signal, (error) =>
    hooks.onWaiting(`Kafka at ${kafkaSide.brokers}: ${error.message}`),
  );
  if (hooks.signal.aborted) throw new MillraceError('STREAMS_STATE', 'stopped while starting');
  const producer = kafka.producer({
    deliveryTimeoutMs: config.PRODUCE_TIMEOUT_MS,
    lingerMs: 0,
    compression: config.KAFKA_COMPRESSION_TYPE,
  });
  stops.add('producer', () => producer.close());
  const festival = festivalOptions(config);
  const takesOrders = config.TICKETS_ORDERS !== 'off';
  const hasIntake = config.TICKETS_INTAKE !== 'off';
  const { TICKETS_PARTITIONS, STREAMS_REPLICATION_FACTOR: replicas } = config;
  // Topics that come with a newer version are joined with those that are there.
  const partitions = (await kafka.partitionCount(TOPICS.commands)) ?? TICKETS_PARTITIONS;
  await ensureTopics(kafka.admin, [
    ...ticketTopics(partitions, replicas),
    ...(takesOrders ? orderTopics(partitions, replicas) : []),
    ...(hasIntake ? intakeTopics(partitions, replicas) : []),
    ...(festival === null ? [] : festivalTopics(festival, partitions, replicas)),
  ]);
  const registry = await reachRegistry(config, kafka, log, hooks, stops);

  const serdes = ticketSerdes(registry.registry);
  const orders = takesOrders ? orderSerdes(registry.registry) : undefined;
  await waitForRegistry(hooks, registry.url, async () => {
    await serdes.command.prepare?.(TOPICS.commands, 'value');
    await serdes.event.prepare?.(TOPICS.events, 'value');
    await serdes.venue.prepare?.(TOPICS.venues, 'value');
    await serdes.customer.prepare?.(TOPICS.customers, 'value');
    await serdes.purchase.prepare?.(TOPICS.purchaseStatus, 'value');
    await serdes.outcome.prepare?.(TOPICS.purchaseStatus, 'value');
    await serdes.inventory.prepare?.(TOPICS.inventory, 'value');
    await serdes.payment.prepare?.(TOPICS.payments, 'value');
    await orders?.command.prepare?.(ORDER_TOPICS.orders, 'value');
    await orders?.order.prepare?.(ORDER_TOPICS.orderStatus, 'value');
    if (festival !== null) await serdes.festivalReadModel.prepare?.(READ_MODEL_TOPIC, 'value');
  });

  const self = applicationServer(config);
  const countOf = async (topic: string) => (await kafka.partitionCount(topic)) ?? partitions;
  const argument: TicketModuleArgument = {
    registryUrl: registry.url,
    registryBasicAuth: config.SCHEMA_REGISTRY_BASIC_AUTH_USER_INFO ?? null,
    commandPartitions: await countOf(TOPICS.commands),
    orderPartitions: takesOrders ? await countOf(ORDER_TOPICS.orders) : null,
    intakePartitions: hasIntake ? await countOf(INTAKE_TOPIC) : null,
    festival,
    reports: {
      bucketMs: config.TICKETS_SALES_BUCKET_MS,
      timelineMs: config.TICKETS_SALES_RETENTION_MS,
      isIndexedByBuyer: config.TICKETS_BUYER_QUERIES === 'on',
    },
  };
  const streams = new KafkaStreams({
    topology: {
      module: new URL('../ticket-module.ts', import.meta.url).href,
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
      agreedSettings: agreedSettings(config),
      replicationFactor: config.STREAMS_REPLICATION_FACTOR,
      compression: config.KAFKA_COMPRESSION_TYPE,
    },
  });
  const failed = new Promise<Error>((resolve) => {
    streams.onStateChange((state) => {
      if (state === 'ERROR') resolve(streams.failure() ?? new Error('the engine stopped'));
    });
  });
  let stopBeganMs = Number.POSITIVE_INFINITY;
  stops.add('engine', async () => {
    const spentMs = Math.max(0, performance.now() - stopBeganMs);
    const leftMs = Math.max(ENGINE_STOP_MS, config.SHUTDOWN_GRACE_MS - spentMs);
    const inTime = await streams.close({ timeoutMs: Math.min(leftMs, config.SHUTDOWN_GRACE_MS) });
    if (!inTime)
      log.warn(
        {},
        'the engine did not stop in time: it goes on from its last commit at the next start',
      );
  });

  const sender = createCommandSender(kafka, producer);
  const http = createTicketApi({
    config,
    streams,
    sender,
    serdes,
    orders,
    hasIntake,
    callbackSecrets: callbackSecrets(config),
    log,
    self,
    version,
  });
  const httpPort = await http.app.listen(config.HTTP_HOST, config.HTTP_PORT, 'HTTP_PORT');
  // Half of the time for requests and, meanwhile, for the services; the engine decides until then.
  const graceMs = config.SHUTDOWN_GRACE_MS / 2;
  stops.add('requests', () => http.close(graceMs));
  await streams.start();
  const { figures } = http;
  const deps = { config, connect: kafkaSide.connect, kafka, producer, serdes, figures, log };
  const services = startServicesBeside(deps, kafkaSide.isEmbedded);
  stops.add('services', () => services.stop(graceMs));
  return {
    httpUrl: `http://${hostInUrl(config.HTTP_HOST)}:${httpPort}`,
    registryUrl: registry.url,
    brokers: kafkaSide.brokers,
    isEmbedded: kafkaSide.isEmbedded,
    failed: Promise.race([failed, kafkaSide.failed, services.failed]),
    stop: () => {
      stopBeganMs = Math.min(stopBeganMs, performance.now());
      http.stopping();
      void http.close(graceMs);
      return stops.run();
    },
  };
}
