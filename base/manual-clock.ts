import { type Clock, sleepOn, turnOfSystem } from './clock.ts';

interface Timer {
  readonly atMs: number;
  readonly order: number;
  readonly callback: () => void;
}

/** A clock that moves only when it is told to. Timers fire in order of time, then of creation. */
export class ManualClock implements Clock {
  #nowMs: number;
  #monotonicMs = 0;
  #order = 0;
  readonly #timers = new Set<Timer>();

  constructor(startMs = 0) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = {
      atMs: this.#monotonicMs + Math.max(0, delayMs),
      order: this.#order++,
      callback,
    };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepOn((ms, callback) => this.after(ms, callback), delayMs, signal);
  }

  turn(): Promise<void> {
    return turnOfSystem();
  }

  /** Milliseconds until the next timer is due; undefined when there is none. */
  nextTimerInMs(): number | undefined {
    const next = this.#next();
    return next === undefined ? undefined : Math.max(0, next.atMs - this.#monotonicMs);
  }

  /** Moves time forward and fires what falls due on the way, each at its own time. */
  advance(durationMs: number): void {
    const untilMs = this.#monotonicMs + durationMs;
    for (let next = this.#next(); next !== undefined && next.atMs <= untilMs; next = this.#next()) {
      this.#moveTo(next.atMs);
      this.#timers.delete(next);
      next.callback();
    }
    this.#moveTo(untilMs);
  }

  /** Makes the wall clock jump, forward or back; monotonic time and timers do not notice. */
  jumpWallClock(byMs: number): void {
    this.#nowMs += byMs;
  }

  #moveTo(monotonicMs: number): void {
    if (monotonicMs <= this.#monotonicMs) return;
    this.#nowMs += monotonicMs - this.#monotonicMs;
    this.#monotonicMs = monotonicMs;
  }

  #next(): Timer | undefined {
    let best: Timer | undefined;
    for (const timer of this.#timers) {
      if (
        best === undefined ||
        timer.atMs < best.atMs ||
        (timer.atMs === best.atMs && timer.order < best.order)
      ) {
        best = timer;
      }
    }
    return best;
  }
}
