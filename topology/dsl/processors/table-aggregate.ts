/**
 * Aggregates of a table by another key: each change takes its old value out and puts its new value
 * in, so the aggregate always is that of the table as it stands.
 */
import type { KeyValueStore } from '../../../stores/state-store.ts';
import type { Processor, ProcessorContext, ProcessorSupplier } from '../../processor.ts';
import { putOrDelete, storeView, type TableOrigin, type TableView } from '../table-origin.ts';
import { type Change, type ChangeRecord, changed } from './change.ts';
import { functionProcessor } from './function-processor.ts';
import type { KeyValueMapper, KeyValuePair } from './stateless.ts';

/**
 * Sends each change to the group of its old value, as a removal, and to that of its new value, as an
 * addition; both in one when the group is the same. A null key or value belongs to no group.
 */
export function regroupProcessor<K, V, KR, VR>(
  selector: KeyValueMapper<K, V, KeyValuePair<KR, VR>>,
): ProcessorSupplier<K, Change<V>, KR, Change<VR>> {
  const groupOf = (key: K, value: V | null): KeyValuePair<KR, VR> | undefined => {
    const pair = value === null ? undefined : selector(key, value);
    return pair === undefined || isNothing(pair[0]) || isNothing(pair[1]) ? undefined : pair;
  };
  return functionProcessor(({ key, value: change, timestampMs, headers }, context) => {
    const from = groupOf(key, change.oldValue);
    const to = groupOf(key, change.newValue);
    const forward = (group: KR, newValue: VR | null, oldValue: VR | null) =>
      context.forward({ key: group, value: { newValue, oldValue }, timestampMs, headers });
    if (from === undefined) return to && forward(to[0], to[1], null);
    if (to === undefined) return forward(from[0], null, from[1]);
    // Equal keys that are objects go as two records: the result is the same.
    if (from[0] === to[0]) return forward(to[0], to[1], from[1]);
    const removed = forward(from[0], null, from[1]);
    if (removed === undefined) return forward(to[0], to[1], null);
    return removed.then(() => forward(to[0], to[1], null));
  });
}

function isNothing(value: unknown): boolean {
  return value === null || value === undefined;
}

export interface TableFold<K, V, VA> {
  add(key: K, value: V, aggregate: VA | undefined): VA | null | undefined;
  /** Only called when there is an aggregate. */
  subtract(key: K, value: V, aggregate: VA): VA | null | undefined;
}

export class TableAggregate<K, V, VA> implements TableOrigin<K, VA> {
  readonly #storeName: string;
  readonly #fold: TableFold<K, V, VA>;
  #sendsOldValues = false;

  constructor(storeName: string, fold: TableFold<K, V, VA>) {
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

  newProcessor(): Processor<K, Change<V>, K, Change<VA>> {
    return new TableAggregateProcessor(this.#storeName, this.#fold, this.#sendsOldValues);
  }
}

class TableAggregateProcessor<K, V, VA> implements Processor<K, Change<V>, K, Change<VA>> {
  readonly #storeName: string;
  readonly #fold: TableFold<K, V, VA>;
  readonly #sendsOldValues: boolean;
  #context!: ProcessorContext<K, Change<VA>>;
  #store!: KeyValueStore<K, VA>;

  constructor(storeName: string, fold: TableFold<K, V, VA>, sendsOldValues: boolean) {
    this.#storeName = storeName;
    this.#fold = fold;
    this.#sendsOldValues = sendsOldValues;
  }

  init(context: ProcessorContext<K, Change<VA>>): void {
    this.#context = context;
    this.#store = context.getStateStore(this.#storeName);
  }

  process(record: ChangeRecord<K, V>): void | Promise<void> {
    const { key, value: change } = record;
    const before = this.#store.get(key);
    const timestampMs = Math.max(record.timestampMs, this.#store.timestampMsOf(key) ?? -1);
    const after = this.#next(key, change, before);
    putOrDelete(this.#store, key, after, timestampMs);
    const oldValue = this.#sendsOldValues ? (before ?? null) : null;
    return this.#context.forward(changed(record, after ?? null, oldValue, timestampMs));
  }

  #next(key: K, { oldValue, newValue }: Change<V>, before: VA | undefined): VA | null | undefined {
    let aggregate: VA | null | undefined = before;
    if (oldValue !== null && before !== undefined) {
      aggregate = this.#fold.subtract(key, oldValue, before);
    }
    if (newValue === null) return aggregate;
    return this.#fold.add(key, newValue, aggregate ?? undefined);
  }
}
