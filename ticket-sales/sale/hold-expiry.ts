/**
 * Ends holds in time: walks the index of holds from its beginning, in pieces between slices of input.
 *
 * X1. Log time decides. Partition time is the last append time that this task has seen plus what a
 *     monotonic clock counts since; the wall clock only decides when to look.
 * X2. A hold is ended a little later than it could be: a payment that is in the log by then, and is
 *     about to be read, finds it alive.
 * X3. Where no hold ends, a tick compares two numbers. Whatever is ended lies behind `#first` from
 *     then on, so that no tick walks over what earlier ones have deleted.
 * X4. However many end at once, input goes on: what a tick takes is bounded, and so is what is done
 *     between two commits, so that transactions, and whoever waits for them, stay short. Where the clock
 *     stands still (in a simulation), their number is the only bound.
 */
import type { KeyValueStore } from '../../stores/state-store.ts';
import type { Cancellable, ProcessorContext } from '../../topology/processor.ts';
import { LogTime } from '../log-time.ts';
import { heldUntilOf, holdKey, timeKey } from './sale-stores.ts';

/** How often to look while nothing is due, and while something is: after each slice of input. */
const IDLE_TICK_MS = 250;
const BUSY_TICK_MS = 1;
const GRACE_MS = 1_000;
/** Of one tick: a little less than a slice of input may take. */
const WORK_MS = 4;
/** Of all ticks between two commits. */
const WORK_PER_COMMIT_MS = 20;
/** Looking at the clock costs a tenth of ending a hold. */
const CLOCK_EVERY_HOLDS = 16;
export const HOLDS_PER_COMMIT = 1_000;
/** After every key that begins with a digit. */
const NONE = ':';

type Context = ProcessorContext<never, never>;

export class HoldExpiry {
  readonly #context: Context;
  readonly #holds: KeyValueStore<string, string>;
  readonly #expire: (purchaseId: string, nowMs: number) => boolean;
  /** Entries of the index that were read ahead, and which of them is next. */
  #ahead: readonly string[] = [];
  #next = 0;
  /** No hold that is not among those lies before this key of the index. */
  #first = '';
  #firstEndsAtMs = 0;
  /** Since the last commit. */
  #ended = 0;
  #workedMs = 0;
  #tickMs = IDLE_TICK_MS;
  #schedule: Cancellable;
  readonly #logTime = new LogTime();

  /** `expire` ends the hold, and takes its entry out of the index; false = there was nothing to end. */
  constructor(
    context: Context,
    holds: KeyValueStore<string, string>,
    expire: (purchaseId: string, nowMs: number) => boolean,
  ) {
    this.#context = context;
    this.#holds = holds;
    this.#expire = expire;
    this.#schedule = this.#scheduled();
  }

  /** A hold was put into the index. What was read ahead is due all the same, and comes first. */
  added(heldUntilMs: number, purchaseId: string): void {
    const key = holdKey(heldUntilMs, purchaseId);
    if (key < this.#first) this.#startAt(key);
  }

  /** What was ended until now is on its way: the next transaction may end as many again. */
  committing(): void {
    this.#ended = 0;
    this.#workedMs = 0;
  }

  #tick(): void | Promise<void> {
    const nowMs = this.#logTime.nowMs(this.#context);
    const isDue = this.#next < this.#ahead.length || this.#firstEndsAtMs <= nowMs - GRACE_MS;
    this.#tickEvery(isDue ? BUSY_TICK_MS : IDLE_TICK_MS);
    if (isDue) return this.#endSome(nowMs);
  }

  async #endSome(nowMs: number): Promise<void> {
    if (this.#isEnoughForCommit()) return;
    const beganAtMs = this.#context.currentMonotonicMs();
    await this.#endFor(WORK_MS, nowMs);
    this.#workedMs += this.#context.currentMonotonicMs() - beganAtMs;
    if (this.#isEnoughForCommit()) this.#context.commit();
  }

  #isEnoughForCommit(): boolean {
    return this.#ended >= HOLDS_PER_COMMIT || this.#workedMs >= WORK_PER_COMMIT_MS;
  }

  async #endFor(durationMs: number, nowMs: number): Promise<void> {
    const dueBefore = timeKey(nowMs - GRACE_MS + 1);
    const untilMs = this.#context.currentMonotonicMs() + durationMs;
    for (let looked = 1; looked <= HOLDS_PER_COMMIT; looked++) {
      if (this.#next === this.#ahead.length) await this.#readAhead(dueBefore);
      const key = this.#ahead[this.#next];
      // Partition time may turn out to be less than was thought when it was read.
      if (key === undefined || key >= dueBefore) return;
      this.#next++;
      if (this.#expire(key.slice(key.indexOf('/') + 1), nowMs)) this.#ended++;
      if (this.#ended >= HOLDS_PER_COMMIT) return;
      const isTimeToLook = looked % CLOCK_EVERY_HOLDS === 0;
      if (isTimeToLook && this.#context.currentMonotonicMs() >= untilMs) return;
    }
  }

  /** The next entries that are due, as many as one transaction ends. */
  async #readAhead(dueBefore: string): Promise<void> {
    const ahead: string[] = [];
    let first = NONE;
    const range = { from: this.#first, limit: HOLDS_PER_COMMIT + 1 };
    for await (const [key] of this.#holds.range(range)) {
      if (key < dueBefore && ahead.length < HOLDS_PER_COMMIT) ahead.push(key);
      else {
        first = key;
        break;
      }
    }
    this.#ahead = ahead;
    this.#next = 0;
    this.#startAt(first);
  }

  #startAt(key: string): void {
    this.#first = key;
    this.#firstEndsAtMs = key === NONE ? Infinity : heldUntilOf(key);
  }

  #tickEvery(tickMs: number): void {
    if (this.#tickMs === tickMs) return;
    this.#tickMs = tickMs;
    this.#schedule.cancel();
    this.#schedule = this.#scheduled();
  }

  #scheduled(): Cancellable {
    return this.#context.schedule(this.#tickMs, 'wall-clock-time', () => this.#tick());
  }
}
