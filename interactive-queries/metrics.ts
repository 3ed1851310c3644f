/**
 * Metrics in Prometheus' text format. Listens and reads; steers nothing. The only file that names
 * prom-client. Labels never carry a buyer, a purchase or a seat.
 */
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { Histogram } from './histogram.ts';
import type { ForwardOutcome } from './peers.ts';
import type { QueryableStreams, StreamsState } from './queryable-streams.ts';
import { RequestTimes } from './request-times.ts';

const STATES: readonly StreamsState[] = [
  'CREATED',
  'REBALANCING',
  'RUNNING',
  'PENDING_SHUTDOWN',
  'NOT_RUNNING',
  'PENDING_ERROR',
  'ERROR',
];

export type Labels = Readonly<Record<string, string>>;

/** Called at every scrape with what sets the values; what it does not set is not told. */
export type Collect = (set: (labels: Labels, value: number) => void) => void | Promise<void>;

export class Metrics {
  readonly #registry = new Registry();
  readonly #requestTimes = new RequestTimes();
  readonly #histograms: Histogram[] = [];
  readonly #problemsOf: (labels: Labels) => void;
  readonly #forwardsOf: (labels: Labels) => void;

  constructor(streams: QueryableStreams, version: string) {
    collectDefaultMetrics({ register: this.#registry });
    this.#problemsOf = this.counter('http_server_problems_total', 'Error answers by problem type', [
      'type',
    ]);
    this.#forwardsOf = this.counter('iq_forwards_total', 'Requests forwarded to their owner', [
      'outcome',
    ]);
    this.#watch(streams, version);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  async text(): Promise<string> {
    const histograms = [this.#requestTimes, ...this.#histograms].map((each) => each.text());
    return `${await this.#registry.metrics()}\n${histograms.join('')}`;
  }

  answered(route: string, method: string, status: number, durationMs: number): void {
    this.#requestTimes.observe(route, method, status, durationMs);
  }

  problem(type: string): void {
    this.#problemsOf({ type });
  }

  forwarded(outcome: ForwardOutcome): void {
    this.#forwardsOf({ outcome });
  }

  /** Returns what counts one. */
  counter(
    name: string,
    help: string,
    labelNames: readonly string[] = [],
  ): (labels?: Labels) => void {
    const counter = new Counter({
      name,
      help,
      labelNames: [...labelNames],
      registers: [this.#registry],
    });
    return (labels = {}) => counter.inc(labels);
  }

  /** A counter that somebody else keeps: for what is counted too often to go through labels each time. */
  total(name: string, help: string, labelNames: readonly string[], collect: Collect): void {
    new Counter({
      name,
      help,
      labelNames: [...labelNames],
      registers: [this.#registry],
      async collect() {
        this.reset();
        await collect((labels, value) => this.inc(labels, value));
      },
    });
  }

  /** One that somebody else keeps. */
  histogram(histogram: Histogram): void {
    this.#histograms.push(histogram);
  }

  gauge(name: string, help: string, labelNames: readonly string[], collect: Collect): void {
    new Gauge({
      name,
      help,
      labelNames: [...labelNames],
      registers: [this.#registry],
      async collect() {
        this.reset();
        await collect((labels, value) => this.set(labels, value));
      },
    });
  }

  #watch(streams: QueryableStreams, version: string): void {
    const { applicationId } = streams;
    const build = ['version', 'application_id'];
    this.gauge('kstream_build_info', 'Version, always 1', build, (set) =>
      set({ version, application_id: applicationId }, 1),
    );
    this.gauge('kstream_state', 'State of the engine, 1 for the current one', ['state'], (set) => {
      for (const state of STATES) set({ state }, streams.state() === state ? 1 : 0);
    });
    this.gauge('kstream_tasks', 'Tasks of this instance', ['role', 'status'], (set) => {
      const counts = new Map<string, { labels: Labels; count: number }>();
      for (const { role, status } of streams.tasks()) {
        const counted = counts.get(`${role} ${status}`) ?? { labels: { role, status }, count: 0 };
        counted.count++;
        counts.set(`${role} ${status}`, counted);
      }
      for (const { labels, count } of counts.values()) set(labels, count);
    });
    this.gauge(
      'kstream_consumer_lag_records',
      'Input records not yet processed',
      ['task'],
      (set) => {
        for (const { taskId, inputLag } of streams.tasks()) set({ task: taskId }, inputLag);
      },
    );
    const remaining = 'Changelog records still to restore';
    this.gauge('kstream_restore_remaining_records', remaining, ['task'], (set) => {
      for (const { taskId, remainingRestoreRecords } of streams.tasks()) {
        set({ task: taskId }, remainingRestoreRecords);
      }
    });
    const dropped = 'Records left out by processors, for want of a key, say';
    this.total('kstream_dropped_records_total', dropped, ['task'], (add) => {
      for (const { taskId, droppedRecords = 0 } of streams.tasks()) {
        add({ task: taskId }, droppedRecords);
      }
    });
    this.gauge('kstream_kafka_silent_seconds', 'Since Kafka was last heard of', [], (set) =>
      set({}, streams.kafkaSilentForMs() / 1_000),
    );
  }
}
