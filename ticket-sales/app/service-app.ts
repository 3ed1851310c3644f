/** A service in a process of its own: Kafka, topics, registry, service, probes, and back again at the stop. */
import { systemClock } from '../../base/clock.ts';
import { MillraceError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { systemRandom } from '../../base/random.ts';
import { createHttpApp, type HttpApp } from '../../interactive-queries/http/http-app.ts';
import { Metrics } from '../../interactive-queries/metrics.ts';
import { metricsRoute } from '../../interactive-queries/routes/document-routes.ts';
import { probeRoutes } from '../../interactive-queries/routes/probe-routes.ts';
import { createKafkaClient } from '../../kafka/kafka-client.ts';
import { JobFigures } from '../jobs/job-figures.ts';
import { watchJobs } from '../jobs/job-metrics.ts';
import type { JobService } from '../jobs/job-service.ts';
import { ticketSerdes } from '../records.ts';
import { ensureTopics, ticketTopics } from '../topics.ts';
import type { AppHooks } from './app.ts';
import { type AppConfig, hostInUrl, outsideKafka } from './config.ts';
import { packageVersion } from './package-version.ts';
import { reachUnservedRegistry } from './registry-side.ts';
import { type ServiceDeps, startNotifications, startPayments } from './services.ts';
import { Stops } from './stops.ts';

export const SERVICES = ['payments', 'notifications'] as const;
export type ServiceName = (typeof SERVICES)[number];

export interface ServiceApp {
  readonly applicationId: string;
  readonly failed: Promise<Error>;
  /** Where its probes and metrics are; undefined: nowhere. */
  readonly httpUrl: string | undefined;
  /** Orderly. */
  stop(): Promise<void>;
}

/** Rejects with a named error and leaves nothing running. */
export async function startServiceApp(
  name: ServiceName,
  config: AppConfig,
  log: Log,
  hooks: AppHooks,
): Promise<ServiceApp> {
  if (config.KAFKA_BROKERS === undefined) {
    throw new MillraceError('CONFIG_MISSING', 'KAFKA_BROKERS says where the sale is', {
      hint: `With the embedded broker ${name} run inside of millrace start; KAFKA_BROKERS may also name that broker.`,
    });
  }
  const stops = new Stops(log);
  let isStopping = false;
  const stop = () => {
    isStopping = true;
    return stops.run();
  };
  try {
    const deps = await reach(config, log, hooks, stops);
    const service = await startService(name, deps);
    stops.add('service', () => service.stop((config.SHUTDOWN_GRACE_MS * 3) / 4));
    const http = probesOf(service, deps, () => isStopping);
    const { HTTP_HOST: host, SERVICE_HTTP_PORT: port } = config;
    let httpUrl: string | undefined;
    if (port !== undefined) {
      const open = await http.listen(host, port, 'SERVICE_HTTP_PORT');
      stops.add('probes', () => http.close(config.SHUTDOWN_GRACE_MS / 4));
      httpUrl = `http://${hostInUrl(host)}:${open}`;
    }
    const { applicationId, failed } = service;
    return { applicationId, failed, httpUrl, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What supervisors and Prometheus ask; nothing of the sale, so nobody has to log in. */
function probesOf(
  { streams }: JobService,
  { config, figures, log }: ServiceDeps,
  isStopping: () => boolean,
): HttpApp {
  const metrics = new Metrics(streams, packageVersion());
  watchJobs(metrics, figures, () => systemClock.nowMs());
  return createHttpApp({
    routes: [...probeRoutes({ streams, isStopping }), metricsRoute(metrics)],
    authenticate: 'none',
    bodyLimitBytes: config.HTTP_BODY_LIMIT,
    log,
    onAnswered: (...answer) => metrics.answered(...answer),
    onProblem: (slug) => metrics.problem(slug),
    headers: {},
    monotonicMs: () => performance.now(),
  });
}

async function reach(
  config: AppConfig,
  log: Log,
  hooks: AppHooks,
  stops: Stops,
): Promise<ServiceDeps> {
  const connection = outsideKafka(config);
  const kafka = createKafkaClient({ connection, clock: systemClock, random: systemRandom, log });
  stops.add('client', () => kafka.close());
  await kafka.waitUntilReachable(hooks.signal, (error) =>
    hooks.onWaiting(`Kafka: ${error.message}`),
  );
  if (hooks.signal.aborted) throw new MillraceError('STREAMS_STATE', 'stopped while starting');
  const producer = kafka.producer({
    deliveryTimeoutMs: config.PRODUCE_TIMEOUT_MS,
    lingerMs: 0,
    compression: config.KAFKA_COMPRESSION_TYPE,
  });
  stops.add('producer', () => producer.close());
  await ensureTopics(
    kafka.admin,
    ticketTopics(config.TICKETS_PARTITIONS, config.STREAMS_REPLICATION_FACTOR),
  );
  const { registry } = await reachUnservedRegistry(config, kafka, log, hooks, stops);
  const serdes = ticketSerdes(registry);
  const figures = new JobFigures();
  return { config, connect: () => connection, kafka, producer, serdes, figures, log };
}

/** Whoever starts it this way wants it: `off` is for the sale's process. */
async function startService(name: ServiceName, deps: ServiceDeps): Promise<JobService> {
  const { PAYMENTS, NOTIFICATIONS } = deps.config;
  switch (name) {
    case 'payments':
      return startPayments(deps, PAYMENTS === 'http' ? 'http' : 'simulated');
    case 'notifications':
      return startNotifications(deps, orLog(NOTIFICATIONS));
  }
}

function orLog<T extends string>(kind: T | 'off' | undefined): T | 'log' {
  return kind === undefined || kind === 'off' ? 'log' : kind;
}
