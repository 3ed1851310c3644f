/**
 * Runs a job service: its topics, its topology in the caller's loop, its worker, and the stop in the
 * order that leaves least in doubt. The same in a process of its own and inside of the sale's.
 */
import type { Clock } from '../../base/clock.ts';
import { MillraceError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import type { QueryableStreams } from '../../interactive-queries/queryable-streams.ts';
import type { KafkaConnection } from '../../kafka/connection.ts';
import type { KafkaClient, Producer, TopicSpec } from '../../kafka/ports.ts';
import { forEachBatch } from '../../kafka/records/record-batch.ts';
import { KafkaStreams } from '../../runtime/kafka-streams.ts';
import type { StreamsOptions } from '../../runtime/streams-config.ts';
import type { JobPolicies } from './job.ts';
import type { ServiceFigures } from './job-figures.ts';
import type { JobTopologyOptions } from './job-topology.ts';
import {
  attemptSerde,
  deadLetterTopic,
  jobTopics,
  jobTopology,
  resultSerde,
} from './job-topology.ts';
import { JobWorker, type PerformJob } from './job-worker.ts';
import { oldestJobs } from './open-jobs.ts';

/** What the service stands on; whoever gives it closes it. */
export interface JobServiceDeps {
  readonly connect: () => KafkaConnection;
  readonly kafka: KafkaClient;
  readonly producer: Producer;
  readonly streams: StreamsOptions;
  /** Of topics that do not exist yet. */
  readonly partitions: number;
  /** Counts what becomes of its jobs. */
  readonly figures: ServiceFigures;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface JobServiceOptions<R>
  extends Pick<JobTopologyOptions<R>, 'sources' | 'sourceOf' | 'retentionMs'> {
  readonly policies: JobPolicies;
  readonly perform: PerformJob<R>;
}

export interface JobService {
  readonly applicationId: string;
  readonly streams: QueryableStreams;
  /** Resolves when the service has stopped by itself: a fatal error. */
  readonly failed: Promise<Error>;
  /** Attempts that are begun come to an end, within the time; what is left goes on at the next start. */
  stop(timeoutMs: number): Promise<void>;
}

const HOUR_MS = 60 * 60 * 1000;
/** Of a stop, however long the attempts took: to leave the group, and to give back what is left. */
const LAST_STEPS_MS = 500;

/** Rejects with a named error, and leaves nothing running then. */
export async function startJobService<R>(
  deps: JobServiceDeps,
  options: JobServiceOptions<R>,
): Promise<JobService> {
  const { clock, random, log } = deps;
  const { applicationId } = deps.streams;
  const topics = jobTopics(applicationId);
  await createTopics(deps, options, [topics.attempts, topics.results]);
  const owner = random.uuid();
  const worker = new JobWorker<R>({
    owner,
    policies: options.policies,
    perform: options.perform,
    attemptSerde,
    resultSerde,
    resultsTopic: topics.results,
    producer: deps.producer,
    clock,
    random,
    log,
  });
  const topology = jobTopology<R>({
    ...options,
    topics,
    owner,
    random,
    isBusyWith: (jobId) => worker.isBusyWith(jobId),
    mayAttempt: () => !worker.isStopping,
    onSettled: (jobId) => worker.settled(jobId),
    listener: deps.figures,
  });
  const streams = new KafkaStreams({
    topology: topology.build(),
    connection: deps.connect,
    log,
    config: { ...deps.streams, numStreamThreads: 0 },
  });
  streams.onCommitted(
    [topics.attempts],
    () => true,
    (notice) => worker.onCommitted(notice),
  );
  sayWhatIsPutAside(streams, options, log);
  const failed = new Promise<Error>((resolve) => {
    streams.onStateChange((state) => {
      if (state === 'ERROR') resolve(streams.failure() ?? new Error(`${applicationId} stopped`));
    });
  });
  deps.figures.open = {
    inFlight: () => worker.inFlight(),
    oldest: () => oldestJobs(streams, options.policies.keys()),
  };
  await streams.start();
  return {
    applicationId,
    streams,
    failed,
    stop: async (timeoutMs) => {
      const endMs = clock.monotonicMs() + timeoutMs;
      const leftMs = () => Math.max(LAST_STEPS_MS, endMs - clock.monotonicMs());
      await worker.close((timeoutMs * 3) / 4);
      const inTime = await streams.close({ timeoutMs: leftMs() });
      // What its last commit has said.
      await worker.close(leftMs());
      if (!inTime) log.warn({ applicationId }, 'did not stop in time: goes on at the next start');
    },
  };
}

/** A dead letter is somebody's mail or money: people should look. */
function sayWhatIsPutAside<R>(
  streams: KafkaStreams,
  { sources }: JobServiceOptions<R>,
  log: Log,
): void {
  const topics = sources.map(({ topic }) => deadLetterTopic(topic));
  streams.onCommitted(
    topics,
    () => true,
    ({ outputs }) => {
      for (const { topic, partition, batch } of outputs) {
        forEachBatch(batch, ({ recordCount }) => {
          log.error({ topic, partition, jobs: recordCount }, 'jobs were put aside as dead letters');
        });
      }
    },
  );
}

/** Of requests and of our own: all with equally many partitions. */
async function createTopics<R>(
  { kafka, partitions: wanted, streams: { replicationFactor = -1 } }: JobServiceDeps,
  { sources }: JobServiceOptions<R>,
  own: readonly string[],
): Promise<void> {
  const requests = sources.map(({ topic }) => topic);
  const counts = await Promise.all(requests.map((topic) => kafka.partitionCount(topic)));
  const known = new Set(counts.filter((count) => count !== undefined));
  if (known.size > 1) {
    const names = requests.join(', ');
    throw new MillraceError('TOPOLOGY_INVALID', `${names} have different numbers of partitions`);
  }
  const [partitions = wanted] = known;
  const spec = (name: string, configs: TopicSpec['configs']): TopicSpec => {
    return { name, partitions, replicationFactor, configs };
  };
  const kept = { 'cleanup.policy': 'delete' };
  const passing = { ...kept, 'retention.ms': String(24 * HOUR_MS) };
  await kafka.admin.createTopics([
    ...requests.map((name) => spec(name, kept)),
    ...requests.map((name) => spec(deadLetterTopic(name), kept)),
    ...own.map((name) => spec(name, passing)),
  ]);
}
