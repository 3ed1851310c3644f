/**
 * count, reduce and aggregate: one value per key, updated by each record. Records without a key or a
 * value say nothing and are dropped. An aggregate is as new as its newest record.
 */
import type { KeyValueStore } from '../../../stores/state-store.ts';
import type { Processor, ProcessorContext, StreamRecord } from '../../processor.ts';
import { putOrDelete, storeView, type TableOrigin, type TableView } from '../table-origin.ts';
import { type Change, changed } from './change.ts';

/** The next aggregate, from the one before (undefined = none yet). null or undefined deletes it. */
export type Fold<K, V, VA> = (key: K, value: V, aggregate: VA | undefined) => VA | null | undefined;

export class AggregateTable<K, V, VA> implements TableOrigin<K, VA> {
  readonly #storeName: string;
  readonly #fold: Fold<K, V, VA>;
  #sendsOldValues = false;

  constructor(storeName: string, fold: Fold<K, V, VA>) {
    this.#storeName = storeName;
    this.#fold = fold;
  }

  sendOldValues(): boolean {
    this.#sendsOldValues = true;
    return true;
  }

  view(): TableView<K, VA> {
    return storeView(this.#storeName);
  }

  newProcessor(): Processor<K, V, K, Change<VA>> {
    return new AggregateProcessor(this.#storeName, this.#fold, this.#sendsOldValues);
  }
}

class AggregateProcessor<K, V, VA> implements Processor<K, V, K, Change<VA>> {
  readonly #storeName: string;
  readonly #fold: Fold<K, V, VA>;
  readonly #sendsOldValues: boolean;
  #context!: ProcessorContext<K, Change<VA>>;
  #store!: KeyValueStore<K, VA>;

  constructor(storeName: string, fold: Fold<K, V, VA>, sendsOldValues: boolean) {
    this.#storeName = storeName;
    this.#fold = fold;
    this.#sendsOldValues = sendsOldValues;
  }

  init(context: ProcessorContext<K, Change<VA>>): void {
    this.#context = context;
    this.#store = context.getStateStore(this.#storeName);
  }

  process(record: StreamRecord<K, V>): void | Promise<void> {
    const { key, value } = record;
    if (key === null) return this.#context.recordDropped?.('null key');
    if (value === null) return this.#context.recordDropped?.('null value');
    const before = this.#store.get(key);
    const timestampMs = Math.max(record.timestampMs, this.#store.timestampMsOf(key) ?? -1);
    const after = this.#fold(key, value, before) ?? null;
    putOrDelete(this.#store, key, after, timestampMs);
    const oldValue = this.#sendsOldValues ? (before ?? null) : null;
    return this.#context.forward(changed(record, after, oldValue, timestampMs));
  }
}
