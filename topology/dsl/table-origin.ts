/** What one table knows of another: can it send old values, and how is it read from a third node. */
import type { KeyValueStore } from '../../stores/state-store.ts';
import type { ProcessorContext } from '../processor.ts';

/** How a table came about. Asked while the topology is planned, before any task runs. */
export interface TableOrigin<K, V> {
  /**
   * Asks that changes carry the old value from now on. Only with `force` may a store be added for it;
   * false = without one there is no old value.
   */
  sendOldValues(force: boolean): boolean;
  /** Adds a store where there is none to read from. */
  view(): TableView<K, V>;
}

export interface TableView<K, V> {
  /** Whoever opens the view must be connected to these. */
  readonly storeNames: readonly string[];
  open(context: ProcessorContext): TableReader<K, V>;
}

export interface TableReader<K, V> {
  get(key: K): V | null;
  /** To be asked only when get() gives a value. */
  timestampMsOf(key: K): number;
}

export function storeView<K, V>(storeName: string): TableView<K, V> {
  return {
    storeNames: [storeName],
    open: (context) => storeReader(context.getStateStore<K, V>(storeName)),
  };
}

function storeReader<K, V>(store: KeyValueStore<K, V>): TableReader<K, V> {
  return {
    get: (key) => store.get(key) ?? null,
    timestampMsOf: (key) => store.timestampMsOf(key) ?? -1,
  };
}

/** null and undefined delete. */
export function putOrDelete<K, V>(
  store: KeyValueStore<K, V>,
  key: K,
  value: V | null | undefined,
  timestampMs: number,
): void {
  if (value === null || value === undefined) store.delete(key);
  else store.put(key, value, timestampMs);
}
