/**
 * The services beside the sale, put together from the settings: payments and notifications. Each is
 * its own application with its own group, so it may run here, or in a process of its own, or both.
 */
import { systemClock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import { systemRandom } from '../../base/random.ts';
import type { KafkaConnection } from '../../kafka/connection.ts';
import type { KafkaClient, Producer } from '../../kafka/ports.ts';
import { createCommandSender } from '../command-sender.ts';
import type { JobFigures } from '../jobs/job-figures.ts';
import { type JobService, startJobService } from '../jobs/job-service.ts';
import type { Channel } from '../notifications/channel.ts';
import { addressByTemplate } from '../notifications/mail.ts';
import { type MailTransport, mailChannel } from '../notifications/mail-channel.ts';
import { notificationService } from '../notifications/notification-service.ts';
import { fileTransport, logTransport } from '../notifications/simple-transports.ts';
import { webhookChannel } from '../notifications/webhook-channel.ts';
import { httpProvider } from '../payments/http-provider.ts';
import type { PaymentProvider, ReportPayment } from '../payments/payment-provider.ts';
import { paymentService } from '../payments/payment-service.ts';
import { reportPayment } from '../payments/report-payment.ts';
import { SimulatedProvider } from '../payments/simulated-provider.ts';
import { type TicketSerdes, TOPICS } from '../records.ts';
import type { AppConfig } from './config.ts';

export interface ServiceDeps {
  readonly config: AppConfig;
  readonly connect: () => KafkaConnection;
  readonly kafka: KafkaClient;
  readonly producer: Producer;
  readonly serdes: TicketSerdes;
  /** Of all services of the process. */
  readonly figures: JobFigures;
  readonly log: Log;
}

const clock = systemClock;

/** How long an HTTP provider may take to take a request over. */
const PROVIDER_TIMEOUT_MS = 10_000;

/** Resolves when it runs. Rejects with a named error. */
export async function startPayments(
  deps: ServiceDeps,
  kind: 'simulated' | 'http',
): Promise<JobService> {
  const { config, kafka, producer, serdes } = deps;
  await serdes.payment.prepare?.(TOPICS.payments, 'value');
  const report = reportPayment(createCommandSender(kafka, producer), serdes);
  const provider = providerOf(config, kind, report);
  return startJobService(
    jobServiceDeps(deps, 'payments'),
    paymentService(serdes, { provider, report, clock }),
  );
}

function providerOf(
  config: AppConfig,
  kind: 'simulated' | 'http',
  report: ReportPayment,
): PaymentProvider {
  const { PAYMENT_PROVIDER_URL: url, PAYMENT_PROVIDER_SECRET: secret } = config;
  if (kind === 'http' && url !== undefined && secret !== undefined) {
    return httpProvider({ url, secret, timeoutMs: PROVIDER_TIMEOUT_MS, clock });
  }
  const settings = {
    seed: config.PAYMENT_SIM_SEED,
    delayMs: config.PAYMENT_SIM_DELAY_MS,
    declined: config.PAYMENT_SIM_DECLINED_PERCENT,
    late: config.PAYMENT_SIM_LATE_PERCENT,
    doubled: config.PAYMENT_SIM_DOUBLED_PERCENT,
    lost: config.PAYMENT_SIM_LOST_PERCENT,
  };
  return new SimulatedProvider(settings, report, clock);
}

export type MailKind = 'log' | 'file' | 'smtp' | 'webhooks';

/** The same for notifications. */
export async function startNotifications(deps: ServiceDeps, kind: MailKind): Promise<JobService> {
  const { config, log, serdes } = deps;
  const channels = [...(await mailChannels(config, kind, log)), ...webhookChannels(config)];
  const service = await startJobService(
    jobServiceDeps(deps, 'notifications'),
    notificationService(serdes, channels),
  );
  return {
    ...service,
    stop: async (timeoutMs) => {
      await service.stop(timeoutMs);
      await Promise.all(channels.map((channel) => channel.close()));
    },
  };
}

async function mailChannels(config: AppConfig, kind: MailKind, log: Log): Promise<Channel[]> {
  const transport = await mailTransport(config, kind, log);
  if (transport === undefined) return [];
  const channel = mailChannel({
    transport,
    from: config.MAIL_FROM,
    addressOf: addressByTemplate(config.MAIL_TO_TEMPLATE),
    attemptsMax: config.NOTIFICATION_ATTEMPTS_MAX,
    timeoutMs: config.NOTIFICATION_TIMEOUT_MS,
    whenInDoubt: config.MAIL_IN_DOUBT,
  });
  return [channel];
}

async function mailTransport(
  config: AppConfig,
  kind: MailKind,
  log: Log,
): Promise<MailTransport | undefined> {
  switch (kind) {
    case 'log':
      return logTransport(log);
    case 'file':
      return fileTransport(config.NOTIFICATION_FILE);
    case 'smtp': {
      // Loaded only where mails are really sent.
      const { smtpTransport } = await import('../notifications/smtp-transport.ts');
      const { SMTP_URL: url = '', NOTIFICATION_TIMEOUT_MS: timeoutMs } = config;
      return smtpTransport({ url, timeoutMs });
    }
    case 'webhooks':
      return undefined;
  }
}

function webhookChannels(config: AppConfig): Channel[] {
  return (config.WEBHOOK_URLS ?? []).map((url) =>
    webhookChannel({
      url,
      secrets: config.WEBHOOK_SECRETS ?? [],
      attemptsMax: config.NOTIFICATION_ATTEMPTS_MAX,
      timeoutMs: config.NOTIFICATION_TIMEOUT_MS,
      clock,
    }),
  );
}

function jobServiceDeps(
  { config, connect, kafka, producer, figures, log }: ServiceDeps,
  name: string,
) {
  return {
    figures: figures.of(name),
    connect,
    kafka,
    producer,
    partitions: config.TICKETS_PARTITIONS,
    clock,
    random: systemRandom,
    log: log.child({ service: name }),
    streams: {
      applicationId: `${config.STREAMS_APPLICATION_ID}-${name}`,
      stateDir: config.STREAMS_STATE_DIR,
      // Attempts are made once they are committed: with less there is no such moment.
      processingGuarantee: 'exactly_once_v2' as const,
      commitIntervalMs: config.STREAMS_COMMIT_INTERVAL_MS,
      transactionTimeoutMs: config.STREAMS_TRANSACTION_TIMEOUT_MS,
      sessionTimeoutMs: config.STREAMS_SESSION_TIMEOUT_MS,
      replicationFactor: config.STREAMS_REPLICATION_FACTOR,
      compression: config.KAFKA_COMPRESSION_TYPE,
      // Few jobs, and small: the sale needs the memory.
      storeBytesMax: 16 * 1024 * 1024,
    },
  };
}
