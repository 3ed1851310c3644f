/**
 * A stream of updates becomes a table. It has a store only if somebody asked for one by name or needs
 * to look things up in it; without, updates just pass through.
 */
import type { KeyValueStore } from '../../../stores/state-store.ts';
import type { Processor, ProcessorContext, StreamRecord } from '../../processor.ts';
import { putOrDelete, storeView, type TableOrigin, type TableView } from '../table-origin.ts';
import { type Change, changed } from './change.ts';

export class TableSource<K, V> implements TableOrigin<K, V> {
  readonly #storeName: string;
  readonly #checkStoreName: () => void;
  #isMaterialized = false;

  /** `checkStoreName` is called when the store turns out to be needed, and may refuse its name. */
  constructor(storeName: string, checkStoreName: () => void) {
    this.#storeName = storeName;
    this.#checkStoreName = checkStoreName;
  }

  materialize(): void {
    if (!this.#isMaterialized) this.#checkStoreName();
    this.#isMaterialized = true;
  }

  /** undefined = it has no store. Final when the topology is built. */
  get storeName(): string | undefined {
    return this.#isMaterialized ? this.#storeName : undefined;
  }

  sendOldValues(force: boolean): boolean {
    if (force) this.materialize();
    return this.#isMaterialized;
  }

  view(): TableView<K, V> {
    this.materialize();
    return storeView(this.#storeName);
  }

  newProcessor(): Processor<K, V | null, K, Change<V>> {
    return new TableSourceProcessor<K, V>(this.storeName);
  }
}

class TableSourceProcessor<K, V> implements Processor<K, V | null, K, Change<V>> {
  readonly #storeName: string | undefined;
  #context!: ProcessorContext<K, Change<V>>;
  #store: KeyValueStore<K, V> | undefined;

  constructor(storeName: string | undefined) {
    this.#storeName = storeName;
  }

  init(context: ProcessorContext<K, Change<V>>): void {
    this.#context = context;
    if (this.#storeName !== undefined) this.#store = context.getStateStore(this.#storeName);
  }

  process(record: StreamRecord<K, V | null>): void | Promise<void> {
    const { key, value, timestampMs } = record;
    if (key === null) return this.#context.recordDropped?.('null key');
    if (this.#store === undefined) return this.#context.forward(changed(record, value, null));
    const oldValue = this.#store.get(key) ?? null;
    putOrDelete(this.#store, key, value, timestampMs);
    return this.#context.forward(changed(record, value, oldValue));
  }
}
