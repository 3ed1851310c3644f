/**
 * Counts what a task does to the outside while it processes: writes to stores, records to sinks.
 * A record that failed before its first effect can be dead-lettered in place; one that failed
 * later has to be rolled back with the transaction.
 */
import type { KeyValueStore, RangeOptions } from '../../stores/state-store.ts';

export class EffectCounter {
  count = 0;
}

/** The store, with every write counted. */
export class CountedStore<K, V> implements KeyValueStore<K, V> {
  readonly name: string;
  readonly #inner: KeyValueStore<K, V>;
  readonly #effects: EffectCounter;

  constructor(inner: KeyValueStore<K, V>, effects: EffectCounter) {
    this.name = inner.name;
    this.#inner = inner;
    this.#effects = effects;
  }

  get(key: K): V | undefined {
    return this.#inner.get(key);
  }

  getMany(keys: readonly K[]): readonly (V | undefined)[] {
    return this.#inner.getMany(keys);
  }

  range(options?: RangeOptions<K>): AsyncIterableIterator<readonly [K, V]> {
    return this.#inner.range(options);
  }

  approximateEntryCount(): Promise<number> {
    return this.#inner.approximateEntryCount();
  }

  timestampMsOf(key: K): number | undefined {
    return this.#inner.timestampMsOf(key);
  }

  put(key: K, value: V, timestampMs?: number): void {
    this.#effects.count++;
    this.#inner.put(key, value, timestampMs);
  }

  putIfAbsent(key: K, value: V): V | undefined {
    const before = this.#inner.putIfAbsent(key, value);
    if (before === undefined) this.#effects.count++;
    return before;
  }

  delete(key: K): void {
    this.#effects.count++;
    this.#inner.delete(key);
  }
}
