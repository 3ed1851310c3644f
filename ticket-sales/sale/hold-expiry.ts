/**
 * Ends holds in time: walks the index of holds from its beginning, a bounded piece per tick.
 *
 * X1. Log time decides. Partition time is the last append time that this task has seen plus what a
 *     monotonic clock counts since; the wall clock only decides when to look.
 * X2. A hold is ended a little later than it could be: a payment that is in the log by then, and is
 *     about to be read, finds it alive.
 * X3. Where no hold ends, a tick compares two numbers. Whatever is ended lies behind `#first` from
 *     then on, so that no tick walks over what earlier ones have deleted.
 */
import type { KeyValueStore } from '../../stores/state-store.ts';
import type { ProcessorContext } from '../../topology/processor.ts';
import { heldUntilOf, holdKey, timeKey } from './sale-stores.ts';

const TICK_MS = 250;
const GRACE_MS = 1_000;
/** Some tens of milliseconds of work. */
const HOLDS_PER_TICK = 1_000;
/** After every key that begins with a digit. */
const NONE = ':';

export class HoldExpiry {
  readonly #context: ProcessorContext<never, never>;
  readonly #holds: KeyValueStore<string, string>;
  readonly #expire: (purchaseId: string, nowMs: number) => void;
  /** No hold lies before this key of the index. */
  #first = '';
  #firstEndsAtMs = 0;
  #streamTimeMs = -1;
  #streamTimeSeenAtMs = 0;

  /** `expire` ends the hold, and takes its entry out of the index. */
  constructor(
    context: ProcessorContext<never, never>,
    holds: KeyValueStore<string, string>,
    expire: (purchaseId: string, nowMs: number) => void,
  ) {
    this.#context = context;
    this.#holds = holds;
    this.#expire = expire;
    context.schedule(TICK_MS, 'wall-clock-time', () => this.#tick());
  }

  /** A hold was put into the index. */
  added(heldUntilMs: number, purchaseId: string): void {
    const key = holdKey(heldUntilMs, purchaseId);
    if (key < this.#first) this.#startAt(key);
  }

  #tick(): void | Promise<void> {
    const nowMs = this.#partitionTimeMs();
    if (this.#firstEndsAtMs <= nowMs - GRACE_MS) return this.#endUntil(nowMs - GRACE_MS, nowMs);
  }

  async #endUntil(dueMs: number, nowMs: number): Promise<void> {
    const ended: string[] = [];
    let next = NONE;
    const range = { from: this.#first, to: timeKey(dueMs + 1), limit: HOLDS_PER_TICK + 1 };
    for await (const [key] of this.#holds.range(range)) {
      if (ended.length < HOLDS_PER_TICK) ended.push(key);
      else next = key;
    }
    for (const key of ended) this.#expire(key.slice(key.indexOf('/') + 1), nowMs);
    this.#startAt(next === NONE ? await this.#firstAfter(dueMs) : next);
  }

  async #firstAfter(timeMs: number): Promise<string> {
    for await (const [key] of this.#holds.range({ from: timeKey(timeMs + 1), limit: 1 }))
      return key;
    return NONE;
  }

  #startAt(key: string): void {
    this.#first = key;
    this.#firstEndsAtMs = key === NONE ? Infinity : heldUntilOf(key);
  }

  /** -1 before the first record of a partition that never had one. */
  #partitionTimeMs(): number {
    const streamTimeMs = this.#context.currentStreamTimeMs();
    const nowMs = this.#context.currentMonotonicMs();
    if (streamTimeMs !== this.#streamTimeMs) {
      this.#streamTimeMs = streamTimeMs;
      this.#streamTimeSeenAtMs = nowMs;
    }
    if (streamTimeMs < 0) return -1;
    return streamTimeMs + Math.floor(nowMs - this.#streamTimeSeenAtMs);
  }
}
