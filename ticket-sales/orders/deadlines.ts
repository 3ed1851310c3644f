/**
 * The orders that wait for something, by the log time at which they end. Kept in a store beside the
 * orders, changed in the same transaction. While nothing is due, looking costs one comparison.
 */
import type { KeyValueStore } from '../../stores/state-store.ts';

/** Enough digits for every time that a record can have. */
const DIGITS = 16;

export class Deadlines {
  readonly #store: KeyValueStore<string, string>;
  /** No entry is before this time. What was deleted lies there, and need not be walked over again. */
  #firstMs = 0;

  constructor(store: KeyValueStore<string, string>) {
    this.#store = store;
  }

  /** 0 = none. */
  move(orderId: string, fromMs: number, toMs: number): void {
    if (fromMs === toMs) return;
    if (fromMs > 0) this.#store.delete(keyOf(fromMs, orderId));
    if (toMs <= 0) return;
    this.#store.put(keyOf(toMs, orderId), orderId);
    this.#firstMs = Math.min(this.#firstMs, toMs);
  }

  /** The first `limit` of those whose time has come, earliest first. */
  async due(nowMs: number, limit: number): Promise<readonly string[]> {
    if (nowMs < this.#firstMs) return [];
    const due: string[] = [];
    let firstMs = Number.POSITIVE_INFINITY;
    for await (const [key, orderId] of this.#store.range({
      from: timeKey(this.#firstMs),
      limit: limit + 1,
    })) {
      const deadlineMs = Number(key.slice(0, DIGITS));
      if (deadlineMs > nowMs || due.length === limit) {
        firstMs = deadlineMs;
        break;
      }
      due.push(orderId);
    }
    this.#firstMs = firstMs;
    return due;
  }
}

function keyOf(deadlineMs: number, orderId: string): string {
  return `${timeKey(deadlineMs)}/${orderId}`;
}

function timeKey(timeMs: number): string {
  return String(timeMs).padStart(DIGITS, '0');
}
