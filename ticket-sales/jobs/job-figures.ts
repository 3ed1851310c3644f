/**
 * What became of jobs in this process since its start, to be asked for by metrics. Counted while it is
 * processed: what a transaction loses and does again is counted again.
 */
import { Histogram, type HistogramCell } from '../../interactive-queries/histogram.ts';

/** Told by the processors of a service. */
export interface JobListener {
  requested(way: string): void;
  /** `attempt`: 1 for the first one of a job. */
  attempted(way: string, attempt: number): void;
  /** `ageMs`: since it was asked for. */
  ended(way: string, state: 'done' | 'failed', ageMs: number): void;
}

/** What a service has open now. */
export interface OpenJobs {
  /** Being attempted here, or about to be, by way. */
  inFlight(): ReadonlyMap<string, number>;
  /** Log time at which the jobs were asked for that are next in line or longest under way, by way. */
  oldest(): Promise<ReadonlyMap<string, number>>;
}

export interface WayCounts {
  requested: number;
  attempted: number;
  retried: number;
  delivered: number;
  deadLettered: number;
}

const DURATIONS = {
  name: 'tickets_job_duration_seconds',
  help: 'Time from the request for a job to its delivery',
  bucketsS: [0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800],
};

/** Of all services of the process. */
export class JobFigures {
  readonly durations = new Histogram(DURATIONS);
  readonly services = new Map<string, ServiceFigures>();

  of(service: string): ServiceFigures {
    const known = this.services.get(service);
    if (known !== undefined) return known;
    const figures = new ServiceFigures((way) => this.durations.cell({ service, way }));
    this.services.set(service, figures);
    return figures;
  }
}

export class ServiceFigures implements JobListener {
  /** Ways are as few as the settings name. */
  readonly counts = new Map<string, WayCounts>();
  /** Once the service runs. */
  open: OpenJobs | undefined;
  readonly #newCell: (way: string) => HistogramCell;
  readonly #durations = new Map<string, HistogramCell>();

  constructor(newCell: (way: string) => HistogramCell) {
    this.#newCell = newCell;
  }

  requested(way: string): void {
    this.#countsOf(way).requested++;
  }

  attempted(way: string, attempt: number): void {
    const counts = this.#countsOf(way);
    counts.attempted++;
    if (attempt > 1) counts.retried++;
  }

  ended(way: string, state: 'done' | 'failed', ageMs: number): void {
    const counts = this.#countsOf(way);
    if (state === 'failed') counts.deadLettered++;
    else {
      counts.delivered++;
      this.#durationsOf(way).observe(Math.max(0, ageMs));
    }
  }

  #countsOf(way: string): WayCounts {
    const known = this.counts.get(way);
    if (known !== undefined) return known;
    const none = { requested: 0, attempted: 0, retried: 0, delivered: 0, deadLettered: 0 };
    this.counts.set(way, none);
    return none;
  }

  #durationsOf(way: string): HistogramCell {
    const known = this.#durations.get(way);
    if (known !== undefined) return known;
    const cell = this.#newCell(way);
    this.#durations.set(way, cell);
    return cell;
  }
}
