/** The figures of job services as metrics. Ways are channels and kinds of requests: few, and never a buyer. */
import type { Collect, Labels, Metrics } from '../../interactive-queries/metrics.ts';
import type { JobFigures, ServiceFigures, WayCounts } from './job-figures.ts';

const LABELS = ['service', 'way'];

const TOTALS: readonly (readonly [name: string, help: string, count: keyof WayCounts])[] = [
  ['tickets_jobs_requested_total', 'Jobs that were asked for', 'requested'],
  ['tickets_jobs_attempts_total', 'Attempts at jobs', 'attempted'],
  ['tickets_jobs_retries_total', 'Attempts after the first one of a job', 'retried'],
  ['tickets_jobs_delivered_total', 'Jobs that are done', 'delivered'],
  ['tickets_jobs_dead_lettered_total', 'Jobs that were put aside as dead letters', 'deadLettered'],
];

export function watchJobs(metrics: Metrics, figures: JobFigures, nowMs: () => number): void {
  for (const [name, help, count] of TOTALS) {
    metrics.total(name, help, LABELS, (set) => {
      for (const [service, { counts }] of figures.services) {
        for (const [way, of] of counts) set({ service, way }, of[count]);
      }
    });
  }
  metrics.gauge(
    'tickets_in_flight_jobs',
    'Jobs being attempted by this process, or about to be',
    LABELS,
    (set) => {
      for (const [service, { open }] of figures.services) {
        for (const [way, count] of open?.inFlight() ?? []) set({ service, way }, count);
      }
    },
  );
  metrics.gauge(
    'tickets_jobs_oldest_seconds',
    'Age of the oldest job that is next in line or under way here; without one it is not told',
    LABELS,
    async (set) => {
      for (const [service, of] of figures.services) await tellOldest(service, of, nowMs(), set);
    },
  );
  metrics.histogram(figures.durations);
}

async function tellOldest(
  service: string,
  { open }: ServiceFigures,
  nowMs: number,
  set: Parameters<Collect>[0],
): Promise<void> {
  for (const [way, sinceMs] of (await open?.oldest()) ?? []) {
    const labels: Labels = { service, way };
    set(labels, Math.max(0, nowMs - sinceMs) / 1_000);
  }
}
