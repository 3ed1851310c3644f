/**
 * Log time between two records: the partition's time, and what has passed here since it last moved.
 * It stands still while the task does not run.
 */
import type { ProcessorContext } from '../topology/processor.ts';

type Times = Pick<ProcessorContext, 'currentStreamTimeMs' | 'currentMonotonicMs'>;

export class LogTime {
  #streamTimeMs = -1;
  #seenAtMs = 0;

  /** -1 before the first record. */
  nowMs(context: Times): number {
    const streamTimeMs = context.currentStreamTimeMs();
    const nowMs = context.currentMonotonicMs();
    if (streamTimeMs !== this.#streamTimeMs) {
      this.#streamTimeMs = streamTimeMs;
      this.#seenAtMs = nowMs;
    }
    if (streamTimeMs < 0) return -1;
    return streamTimeMs + Math.floor(nowMs - this.#seenAtMs);
  }
}
