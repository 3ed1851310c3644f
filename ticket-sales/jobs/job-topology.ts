/**
 * The dataflow of a job service: requests and results in, attempts and dead letters out, all of one
 * partition in one task.
 *
 *   requests -> jobs -> attempts -> (worker) -> results -> jobs
 */

import type { Serde } from '../../schemas/serde.ts';
import { jsonSerde, stringSerde } from '../../schemas/serdes.ts';
import type { Processor, ProcessorContext, StreamRecord } from '../../topology/processor.ts';
import { Topology } from '../../topology/topology.ts';
import type { Attempt, AttemptResult, Job, JobRequest } from './job.ts';
import {
  type DeadJob,
  JOB_SINKS,
  JOB_STORES,
  JobProcessor,
  type JobProcessorOptions,
} from './job-processor.ts';

/** One topic of requests. */
export interface JobSource<R> {
  readonly topic: string;
  readonly serde: Serde<R>;
  /** The jobs that a record asks for; each has an id that tells it from all others of the service. */
  readonly toJobs: (request: R) => readonly Omit<JobRequest<R>, 'kind'>[];
}

export interface JobTopics {
  readonly attempts: string;
  readonly results: string;
}

export interface JobTopologyOptions<R> extends JobProcessorOptions {
  readonly sources: readonly JobSource<R>[];
  readonly topics: JobTopics;
  /** The topic of requests that a failed job came from. */
  readonly sourceOf: (dead: DeadJob<R>) => JobSource<R>;
  readonly retentionMs: number;
}

export const attemptSerde = jsonSerde<Attempt<never>>();
export const resultSerde = jsonSerde<AttemptResult>();

/** `<application id>-…`: nobody else writes them. */
export function jobTopics(applicationId: string): JobTopics {
  return { attempts: `${applicationId}-attempts`, results: `${applicationId}-results` };
}

export function deadLetterTopic(requestTopic: string): string {
  return `${requestTopic}.dlq`;
}

export function jobTopology<R>(options: JobTopologyOptions<R>): Topology {
  const { sources, topics, sourceOf, retentionMs } = options;
  const topology = new Topology();
  for (const { topic, serde, toJobs } of sources) {
    topology
      .addSource({
        name: topic,
        topics: [topic],
        keySerde: stringSerde,
        valueSerde: serde,
        nullValues: false,
      })
      .addProcessor({
        name: `${topic}-jobs`,
        supplier: () => new RequestReader(toJobs),
        parents: [topic],
      });
  }
  const ofTask = ({ taskPartition }: { taskPartition: number }) => taskPartition;
  const store = {
    kind: 'keyValue',
    keySerde: stringSerde,
    persistence: 'leveldb',
    cacheEntriesMax: 500,
  } as const;
  return topology
    .addSource({
      name: 'results',
      topics: [topics.results],
      keySerde: stringSerde,
      valueSerde: resultSerde,
      nullValues: false,
    })
    .addProcessor({
      name: 'jobs',
      supplier: () => new JobProcessor<R>(options),
      parents: [...sources.map(({ topic }) => `${topic}-jobs`), 'results'],
    })
    .addStateStore(
      {
        ...store,
        name: JOB_STORES.jobs,
        valueSerde: jsonSerde<Job<R>>(),
        changelog: { configs: {} },
        ttlMs: retentionMs,
      },
      'jobs',
    )
    .addStateStore(
      { ...store, name: JOB_STORES.due, valueSerde: stringSerde, changelog: { configs: {} } },
      'jobs',
    )
    .addSink({
      name: JOB_SINKS.attempts,
      topic: topics.attempts,
      keySerde: stringSerde,
      valueSerde: attemptSerde,
      partitioner: ofTask,
      parents: ['jobs'],
    })
    .addSink<string, DeadJob<R>>({
      name: JOB_SINKS.deadLetters,
      topic: ({ value }) => deadLetterTopic(sourceOf(value).topic),
      keySerde: stringSerde,
      valueSerde: deadSerde(sourceOf),
      partitioner: ofTask,
      parents: ['jobs'],
    })
    .copartitionSources(...sources.map(({ topic }) => topic), 'results');
}

class RequestReader<R> implements Processor<string, R, string, JobRequest<R>> {
  readonly #toJobs: JobSource<R>['toJobs'];
  #context!: ProcessorContext<string, JobRequest<R>>;

  constructor(toJobs: JobSource<R>['toJobs']) {
    this.#toJobs = toJobs;
  }

  init(context: ProcessorContext<string, JobRequest<R>>): void {
    this.#context = context;
  }

  process({ value, timestampMs, headers }: StreamRecord<string, R>): void {
    for (const job of this.#toJobs(value)) {
      const request = { kind: 'request', ...job } as const;
      this.#context.forward({ key: job.jobId, value: request, timestampMs, headers });
    }
  }
}

/** A dead letter has the bytes of the request, as everybody reads that topic. */
function deadSerde<R>(sourceOf: JobTopologyOptions<R>['sourceOf']): Serde<DeadJob<R>> {
  return {
    decode: () => {
      throw new Error('dead letters are only written here');
    },
    encode: (dead, target, at) => sourceOf(dead).serde.encode(dead.request, target, at),
  };
}
