/**
 * A table computed from another one value by value: filter and mapValues. With a store of its own or,
 * by default, computed afresh whenever somebody looks.
 */
import type { KeyValueStore } from '../../../stores/state-store.ts';
import type { Processor, ProcessorContext } from '../../processor.ts';
import {
  putOrDelete,
  storeView,
  type TableOrigin,
  type TableReader,
  type TableView,
} from '../table-origin.ts';
import { type Change, type ChangeRecord, changed } from './change.ts';

/** Never called with null: what is not there stays so. null = not in the derived table. */
export type Derive<K, V, VR> = (key: K, value: V) => VR | null;

export interface DerivedTableOptions<K, V, VR> {
  readonly parent: TableOrigin<K, V>;
  readonly derive: Derive<K, V, VR>;
  readonly storeName: string | undefined;
  /** Keeps quiet about what was not there before and is not there now, if it can tell. */
  readonly skipsNothing: boolean;
}

export class DerivedTable<K, V, VR> implements TableOrigin<K, VR> {
  readonly #options: DerivedTableOptions<K, V, VR>;
  #sendsOldValues: boolean;

  constructor(options: DerivedTableOptions<K, V, VR>) {
    this.#options = options;
    this.#sendsOldValues = options.skipsNothing && options.parent.sendOldValues(false);
  }

  sendOldValues(force: boolean): boolean {
    const { storeName, parent } = this.#options;
    this.#sendsOldValues ||= storeName !== undefined || parent.sendOldValues(force);
    return this.#sendsOldValues;
  }

  view(): TableView<K, VR> {
    const { storeName, parent, derive } = this.#options;
    if (storeName !== undefined) return storeView(storeName);
    const view = parent.view();
    return {
      storeNames: view.storeNames,
      open: (context) => derivedReader(view.open(context), derive),
    };
  }

  newProcessor(): Processor<K, Change<V>, K, Change<VR>> {
    return new DerivedTableProcessor(this.#options, this.#sendsOldValues);
  }
}

function derivedReader<K, V, VR>(
  parent: TableReader<K, V>,
  derive: Derive<K, V, VR>,
): TableReader<K, VR> {
  return {
    get: (key) => apply(derive, key, parent.get(key)),
    timestampMsOf: (key) => parent.timestampMsOf(key),
  };
}

class DerivedTableProcessor<K, V, VR> implements Processor<K, Change<V>, K, Change<VR>> {
  readonly #options: DerivedTableOptions<K, V, VR>;
  readonly #sendsOldValues: boolean;
  #context!: ProcessorContext<K, Change<VR>>;
  #store: KeyValueStore<K, VR> | undefined;

  constructor(options: DerivedTableOptions<K, V, VR>, sendsOldValues: boolean) {
    this.#options = options;
    this.#sendsOldValues = sendsOldValues;
  }

  init(context: ProcessorContext<K, Change<VR>>): void {
    this.#context = context;
    const { storeName } = this.#options;
    if (storeName !== undefined) this.#store = context.getStateStore(storeName);
  }

  process(record: ChangeRecord<K, V>): void | Promise<void> {
    const { key, value: change, timestampMs } = record;
    const newValue = apply(this.#options.derive, key, change.newValue);
    const oldValue = this.#sendsOldValues ? this.#oldValue(key, change) : null;
    if (
      this.#options.skipsNothing &&
      this.#sendsOldValues &&
      newValue === null &&
      oldValue === null
    ) {
      return;
    }
    if (this.#store !== undefined) putOrDelete(this.#store, key, newValue, timestampMs);
    return this.#context.forward(changed(record, newValue, oldValue));
  }

  #oldValue(key: K, change: Change<V>): VR | null {
    if (this.#store !== undefined) return this.#store.get(key) ?? null;
    return apply(this.#options.derive, key, change.oldValue);
  }
}

function apply<K, V, VR>(derive: Derive<K, V, VR>, key: K, value: V | null): VR | null {
  return value === null ? null : (derive(key, value) ?? null);
}
