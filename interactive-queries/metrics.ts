/**
 * Metrics in Prometheus' text format. Listens and reads; steers nothing. The only file that names
 * prom-client. Labels never carry a buyer, a purchase or a seat.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { QueryableStreams, StreamsState } from './queryable-streams.ts';

const STATES: readonly StreamsState[] = [
  'CREATED',
  'REBALANCING',
  'RUNNING',
  'PENDING_SHUTDOWN',
  'NOT_RUNNING',
  'PENDING_ERROR',
  'ERROR',
];
const LATENCY_BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export class Metrics {
  readonly #registry = new Registry();
  readonly #requests: Histogram<'http_request_method' | 'http_route' | 'http_response_status_code'>;
  readonly #decisions: Counter<'outcome' | 'reason'>;

  constructor(streams: QueryableStreams, version: string) {
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry });
    this.#requests = new Histogram({
      name: 'http_server_request_duration_seconds',
      help: 'Time from the request to its answer',
      labelNames: ['http_request_method', 'http_route', 'http_response_status_code'],
      buckets: LATENCY_BUCKETS_S,
      registers,
    });
    this.#decisions = new Counter({
      name: 'tickets_purchase_decisions_total',
      help: 'Decisions announced to waiters of this instance',
      labelNames: ['outcome', 'reason'],
      registers,
    });
    new Gauge({
      name: 'kstream_build_info',
      help: 'Version, always 1',
      labelNames: ['version', 'application_id'],
      registers,
    }).set({ version, application_id: streams.applicationId }, 1);
    this.#watch(streams);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  answered(route: string, method: string, status: number, durationMs: number): void {
    const labels = {
      http_request_method: method,
      http_route: route,
      http_response_status_code: String(status),
    };
    this.#requests.observe(labels, durationMs / 1_000);
  }

  decided(outcome: string, reason: string): void {
    this.#decisions.inc({ outcome, reason });
  }

  #watch(streams: QueryableStreams): void {
    this.#gauge('kstream_state', 'State of the engine, 1 for the current one', ['state'], (set) => {
      for (const state of STATES) set({ state }, streams.state() === state ? 1 : 0);
    });
    this.#gauge('kstream_tasks', 'Tasks of this instance', ['role', 'status'], (set) => {
      const counts = new Map<string, number>();
      for (const { role, status } of streams.tasks())
        counts.set(`${role} ${status}`, (counts.get(`${role} ${status}`) ?? 0) + 1);
      for (const [key, count] of counts)
        set({ role: key.split(' ')[0]!, status: key.split(' ')[1]! }, count);
    });
    this.#gauge(
      'kstream_consumer_lag_records',
      'Input records not yet processed',
      ['task'],
      (set) => {
        for (const { taskId, inputLag } of streams.tasks()) set({ task: taskId }, inputLag);
      },
    );
    this.#gauge(
      'kstream_restore_remaining_records',
      'Changelog records still to restore',
      ['task'],
      (set) => {
        for (const { taskId, remainingRestoreRecords } of streams.tasks())
          set({ task: taskId }, remainingRestoreRecords);
      },
    );
    this.#gauge('kstream_kafka_silent_seconds', 'Since Kafka was last heard of', [], (set) =>
      set({}, streams.kafkaSilentForMs() / 1_000),
    );
  }

  #gauge(
    name: string,
    help: string,
    labelNames: string[],
    collect: (set: (labels: Record<string, string>, value: number) => void) => void,
  ): void {
    new Gauge({
      name,
      help,
      labelNames,
      registers: [this.#registry],
      collect() {
        this.reset();
        collect((labels, value) => this.set(labels, value));
      },
    });
  }
}
