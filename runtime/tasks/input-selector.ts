/**
 * Which input of a task comes next: the one with the smallest timestamp, so that inputs are joined
 * in the order of log time. An empty input is waited for: always while the log has more of it, or may
 * have, because it has not been looked at since the last seek; else for `maxTaskIdleMs` (-1: never at
 * all). A parked one is not waited for.
 */
import type { Clock } from '../../base/clock.ts';
import type { RecordQueue } from './record-queue.ts';

export class InputSelector {
  readonly #queues: readonly RecordQueue[];
  readonly #maxTaskIdleMs: number;
  readonly #clock: Clock;
  #idleSinceMs: number | undefined;

  constructor(
    queues: readonly RecordQueue[],
    options: { readonly maxTaskIdleMs: number; readonly clock: Clock },
  ) {
    this.#queues = queues;
    this.#maxTaskIdleMs = options.maxTaskIdleMs;
    this.#clock = options.clock;
  }

  /** undefined: nothing to process, or not yet. */
  next(streamTimeMs: number): RecordQueue | undefined {
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
