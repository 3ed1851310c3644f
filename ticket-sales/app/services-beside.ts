/**
 * The services inside of the sale's process, so that `npm start` is a whole sale. With the embedded
 * broker each sleeps until something is asked of it for the first time: a sale without holds and
 * notifications never pays for them.
 */
import { systemClock } from '../../base/clock.ts';
import type { KafkaClient, TopicPartition } from '../../kafka/ports.ts';
import type { JobService } from '../jobs/job-service.ts';
import { TOPICS } from '../records.ts';
import type { MailKind, ServiceDeps } from './services.ts';

export interface ServicesBeside {
  /** Resolves when one of them has stopped by itself, or could not start. */
  readonly failed: Promise<Error>;
  stop(timeoutMs: number): Promise<void>;
}

interface Service {
  readonly topics: readonly string[];
  readonly start: () => Promise<JobService>;
}

/** How often a sleeping service looks whether it is asked: one small request to the broker. */
const LOOK_EVERY_MS = 1_000;

/** Starts them, or lets them sleep; does not wait. */
export function startServicesBeside(deps: ServiceDeps, isEmbedded: boolean): ServicesBeside {
  const { config } = deps;
  const {
    PAYMENTS = isEmbedded ? 'simulated' : 'off',
    NOTIFICATIONS = isEmbedded ? 'log' : 'off',
  } = config;
  const services = [
    ...(PAYMENTS === 'off' ? [] : [payments(deps, PAYMENTS)]),
    ...(NOTIFICATIONS === 'off' ? [] : [notifications(deps, NOTIFICATIONS)]),
  ];
  const stopping = new AbortController();
  let fail!: (error: Error) => void;
  const failed = new Promise<Error>((resolve) => {
    fail = resolve;
  });
  const running = services.map(async (service) => {
    // Somebody else may ask on a Kafka outside.
    if (isEmbedded) await untilAsked(service.topics, deps, stopping.signal);
    if (stopping.signal.aborted) return undefined;
    const started = await service.start();
    void started.failed.then(fail);
    return started;
  });
  for (const service of running) service.catch(fail);
  return {
    failed,
    stop: async (timeoutMs) => {
      stopping.abort();
      const ended = await Promise.allSettled(running);
      await Promise.all(
        ended.map(async (service) => {
          if (service.status === 'fulfilled') await service.value?.stop(timeoutMs);
        }),
      );
    },
  };
}

function payments(deps: ServiceDeps, kind: 'simulated' | 'http'): Service {
  return {
    topics: [TOPICS.paymentRequests, TOPICS.refundRequests],
    start: async () => (await import('./services.ts')).startPayments(deps, kind),
  };
}

function notifications(deps: ServiceDeps, kind: MailKind): Service {
  return {
    topics: [TOPICS.notificationRequests],
    start: async () => (await import('./services.ts')).startNotifications(deps, kind),
  };
}

/** Resolves when there is, or ever was, a record in one of the topics; or at the stop. */
async function untilAsked(
  topics: readonly string[],
  { kafka, log }: ServiceDeps,
  stopping: AbortSignal,
): Promise<void> {
  while (!stopping.aborted) {
    try {
      if (await hasRecords(topics, kafka)) return;
    } catch (err) {
      log.warn({ err, topics }, 'cannot see whether a service is asked: looking again');
    }
    await systemClock.sleep(LOOK_EVERY_MS, stopping);
  }
}

async function hasRecords(topics: readonly string[], kafka: KafkaClient): Promise<boolean> {
  const partitions: TopicPartition[] = [];
  for (const topic of topics) {
    const count = (await kafka.partitionCount(topic)) ?? 0;
    for (let partition = 0; partition < count; partition++) partitions.push({ topic, partition });
  }
  const ends = await kafka.admin.listOffsets(partitions, 'latest', 'read_committed');
  return [...ends.values()].some(({ offset }) => offset > 0);
}
