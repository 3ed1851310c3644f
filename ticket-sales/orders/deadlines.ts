/**
 * The orders that wait for something, by the log time at which they end. Kept in a store beside the
 * orders, changed in the same transaction.
 */
import type { KeyValueStore } from '../../stores/state-store.ts';

/** Enough digits for every time that a record can have. */
const DIGITS = 16;

export class Deadlines {
  readonly #store: KeyValueStore<string, string>;
  /** No deadline is earlier: until then nothing has to be looked at. */
  #earliestMs = 0;

  constructor(store: KeyValueStore<string, string>) {
    this.#store = store;
  }

  /** 0 = none. */
  move(orderId: string, fromMs: number, toMs: number): void {
    if (fromMs === toMs) return;
    if (fromMs > 0) this.#store.delete(keyOf(fromMs, orderId));
    if (toMs <= 0) return;
    this.#store.put(keyOf(toMs, orderId), orderId);
    this.#earliestMs = Math.min(this.#earliestMs, toMs);
  }

  /** The first `limit` of those whose time has come, earliest first. */
  async due(nowMs: number, limit: number): Promise<readonly string[]> {
    if (nowMs < this.#earliestMs) return [];
    // What is put while the store is walked, lowers it again.
    this.#earliestMs = Number.POSITIVE_INFINITY;
    const due: string[] = [];
    for await (const [key, orderId] of this.#store.range({ limit: limit + 1 })) {
      const deadlineMs = Number(key.slice(0, DIGITS));
      if (deadlineMs > nowMs || due.length === limit) {
        this.#earliestMs = Math.min(this.#earliestMs, deadlineMs);
        break;
      }
      due.push(orderId);
    }
    return due;
  }
}

function keyOf(deadlineMs: number, orderId: string): string {
  return `${String(deadlineMs).padStart(DIGITS, '0')}/${orderId}`;
}
