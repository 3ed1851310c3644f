/** One timer that rings at the earliest of the times it was given. */
import type { Clock } from '../../base/clock.ts';

export class Alarm {
  readonly #clock: Clock;
  readonly #ring: () => void;
  #atMs = Number.POSITIVE_INFINITY;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  /** `atMs` is on the monotonic clock; a time that is not earlier than the one that is set is ignored. */
  setAt(atMs: number): void {
    if (atMs >= this.#atMs) return;
    this.clear();
    this.#atMs = atMs;
    this.#cancel = this.#clock.after(Math.max(0, atMs - this.#clock.monotonicMs()), () => {
      this.#atMs = Number.POSITIVE_INFINITY;
      this.#ring();
    });
  }

  clear(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#atMs = Number.POSITIVE_INFINITY;
  }
}
