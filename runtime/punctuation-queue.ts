/**
 * The punctuators of one task and one kind of time, ordered by when they fall due. Pure: it is told
 * the time and calls nobody; the task runs what due() yields.
 *
 * Q1. A schedule keeps its grid (start + n * interval). One that is late fires once; ticks that were
 *     missed are skipped.
 * Q2. Each schedule fires at most once per due(), so a task always gets back to its records.
 */
import { MillraceError } from '../base/errors.ts';
import type { Cancellable, PunctuationType, Punctuator } from '../topology/processor.ts';

export interface DuePunctuation {
  /** The node that scheduled it. */
  readonly nodeName: string;
  /** What the punctuator is to be called with. */
  readonly timestampMs: number;
  readonly punctuator: Punctuator;
}

interface Schedule {
  readonly nodeName: string;
  readonly intervalMs: number;
  readonly punctuator: Punctuator;
  dueMs: number;
  cancelled: boolean;
}

export class PunctuationQueue {
  /** By dueMs; equal ones in order of insertion. */
  readonly #schedules: Schedule[] = [];

  /** First due at `startMs`. Throws TOPOLOGY_INVALID for an interval below 1 ms. */
  schedule(
    nodeName: string,
    startMs: number,
    intervalMs: number,
    punctuator: Punctuator,
  ): Cancellable {
    if (!(intervalMs >= 1)) {
      throw new MillraceError(
        'TOPOLOGY_INVALID',
        `${nodeName} schedules a punctuator every ${intervalMs} ms; at least 1 ms is needed`,
      );
    }
    const schedule = { nodeName, intervalMs, punctuator, dueMs: startMs, cancelled: false };
    this.#insert(schedule);
    return { cancel: () => this.#cancel(schedule) };
  }

  /** undefined = nothing is scheduled. */
  nextDueMs(): number | undefined {
    return this.#schedules[0]?.dueMs;
  }

  /**
   * What is due at `nowMs`, earliest first, and to be told `toldMs`: another clock's time, where the one
   * that schedules is not the one that punctuators know. Run each before taking the next: a punctuator may cancel
   * another one. What a punctuator schedules meanwhile waits for the next call.
   */
  *due(nowMs: number, toldMs = nowMs): Generator<DuePunctuation, void, void> {
    const firstLater = this.#schedules.findIndex((schedule) => schedule.dueMs > nowMs);
    const due = this.#schedules.splice(0, firstLater === -1 ? this.#schedules.length : firstLater);
    for (const schedule of due) {
      const { intervalMs, dueMs } = schedule;
      schedule.dueMs = dueMs + (Math.floor((nowMs - dueMs) / intervalMs) + 1) * intervalMs;
      this.#insert(schedule);
    }
    for (const { nodeName, punctuator, cancelled } of due) {
      if (!cancelled) yield { nodeName, punctuator, timestampMs: toldMs };
    }
  }

  #insert(schedule: Schedule): void {
    const index = this.#schedules.findIndex((other) => other.dueMs > schedule.dueMs);
    this.#schedules.splice(index === -1 ? this.#schedules.length : index, 0, schedule);
  }

  #cancel(schedule: Schedule): void {
    schedule.cancelled = true;
    const index = this.#schedules.indexOf(schedule);
    if (index !== -1) this.#schedules.splice(index, 1);
  }
}

/**
 * When a new schedule first falls due, as in Kafka Streams: stream time has a grid from 0, so the
 * first record fires it; wall-clock time starts one interval from now.
 */
export function punctuationStartMs(
  type: PunctuationType,
  intervalMs: number,
  nowMs: number,
): number {
  return type === 'stream-time' ? 0 : nowMs + intervalMs;
}
