/**
 * Which input of a task comes next: the one with the smallest timestamp, so that inputs are joined
 * in the order of log time. An empty input is waited for: always while the log has more of it, or may
 * have, because it has not been looked at since the last seek; else for `maxTaskIdleMs` (-1: never at
 * all). A parked one is not waited for.
 *
 * What lingers is let gather: from its first record on nothing is processed for `lingerMs`, or until many
 * are there; then all of it is. Inputs of the same task whose records are younger wait with it.
 */
import type { Clock } from '../../base/clock.ts';
import type { RecordQueue } from './record-queue.ts';

/** So many are worth a commit of their own. */
const LINGERING_RECORDS_MAX = 1_000;

export class InputSelector {
  readonly #queues: readonly RecordQueue[];
  readonly #maxTaskIdleMs: number;
  readonly #clock: Clock;
  #idleSinceMs: number | undefined;
  /** -Infinity: it is over, until everything is processed. undefined: nothing is there. */
  #lingersUntilMs: number | undefined;

  constructor(
    queues: readonly RecordQueue[],
    options: { readonly maxTaskIdleMs: number; readonly clock: Clock },
  ) {
    this.#queues = queues;
    this.#maxTaskIdleMs = options.maxTaskIdleMs;
    this.#clock = options.clock;
  }

  /** On the monotonic clock: when what is gathering will be processed; Infinity when nothing is. */
  get lingersUntilMs(): number {
    const untilMs = this.#lingersUntilMs;
    return untilMs === undefined || untilMs < 0 ? Infinity : untilMs;
  }

  /** undefined: nothing to process, or not yet. */
  next(streamTimeMs: number): RecordQueue | undefined {
    const queue = this.#first(streamTimeMs);
    if (queue === undefined) this.#lingersUntilMs = undefined;
    else if (this.#isLingering(queue)) return undefined;
    return queue;
  }

  #isLingering({ source, bufferedRecords }: RecordQueue): boolean {
    const { lingerMs } = source.node;
    if (lingerMs === undefined || this.#lingersUntilMs === -Infinity) return false;
    const nowMs = this.#clock.monotonicMs();
    this.#lingersUntilMs ??= nowMs + lingerMs;
    if (nowMs < this.#lingersUntilMs && bufferedRecords < LINGERING_RECORDS_MAX) return true;
    this.#lingersUntilMs = -Infinity;
    return false;
  }

  #first(streamTimeMs: number): RecordQueue | undefined {
    let best: RecordQueue | undefined;
    let isEmpty = false;
    let isBehind = false;
    for (const queue of this.#queues) {
      const kind = queue.head(streamTimeMs);
      if (kind === 'parked') continue;
      if (kind === 'none') {
        isEmpty = true;
        isBehind ||= queue.isBehind;
      } else if (best === undefined || queue.headTimestampMs < best.headTimestampMs) {
        best = queue;
      }
    }
    if (best === undefined || !isEmpty || this.#maxTaskIdleMs < 0) {
      this.#idleSinceMs = undefined;
      return best;
    }
    if (isBehind) return undefined;
    // No clock is looked at, record by record, to wait for nothing.
    if (this.#maxTaskIdleMs === 0) return best;
    this.#idleSinceMs ??= this.#clock.monotonicMs();
    const idleMs = this.#clock.monotonicMs() - this.#idleSinceMs;
    return idleMs >= this.#maxTaskIdleMs ? best : undefined;
  }
}
