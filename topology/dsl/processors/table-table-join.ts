/**
 * Two tables as one: each side's changes look the other side up. Which sides must be there makes the
 * join inner, left or outer. A result is as new as the newer side.
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

export interface JoinedTableOptions<K, V, VO, VR> {
  readonly left: TableOrigin<K, V>;
  readonly right: TableOrigin<K, VO>;
  readonly joiner: (left: V | null, right: VO | null, key: K) => VR;
  readonly leftRequired: boolean;
  readonly rightRequired: boolean;
  readonly storeName: string | undefined;
}

export class JoinedTable<K, V, VO, VR> implements TableOrigin<K, VR> {
  readonly leftView: TableView<K, V>;
  readonly rightView: TableView<K, VO>;
  readonly #options: JoinedTableOptions<K, V, VO, VR>;
  #sendsOldValues = false;

  constructor(options: JoinedTableOptions<K, V, VO, VR>) {
    const { left, right, leftRequired, rightRequired } = options;
    this.#options = options;
    // Without old values a side that may be missing could not tell a deletion from nothing new.
    if (!rightRequired) left.sendOldValues(true);
    if (!leftRequired) right.sendOldValues(true);
    this.leftView = left.view();
    this.rightView = right.view();
  }

  sendOldValues(): boolean {
    this.#options.left.sendOldValues(true);
    this.#options.right.sendOldValues(true);
    this.#sendsOldValues = true;
    return true;
  }

  view(): TableView<K, VR> {
    const { storeName } = this.#options;
    if (storeName !== undefined) return storeView(storeName);
    return {
      storeNames: [...this.leftView.storeNames, ...this.rightView.storeNames],
      open: (context) => this.#reader(this.leftView.open(context), this.rightView.open(context)),
    };
  }

  newLeftProcessor(): Processor<K, Change<V>, K, Change<VR>> {
    return new JoinSideProcessor<K, V, VO, VR>({
      other: this.rightView,
      join: (own, other, key) => this.#join(own, other, key),
      otherRequired: this.#options.rightRequired,
      sendsOldValues: this.#sendsOldValues,
    });
  }

  newRightProcessor(): Processor<K, Change<VO>, K, Change<VR>> {
    return new JoinSideProcessor<K, VO, V, VR>({
      other: this.leftView,
      join: (own, other, key) => this.#join(other, own, key),
      otherRequired: this.#options.leftRequired,
      sendsOldValues: this.#sendsOldValues,
    });
  }

  newMergeProcessor(): Processor<K, Change<VR>, K, Change<VR>> {
    return new JoinMergeProcessor<K, VR>(this.#options.storeName);
  }

  #join(left: V | null, right: VO | null, key: K): VR | null {
    const { joiner, leftRequired, rightRequired } = this.#options;
    if (left === null && (leftRequired || right === null)) return null;
    if (right === null && rightRequired) return null;
    return joiner(left, right, key);
  }

  #reader(left: TableReader<K, V>, right: TableReader<K, VO>): TableReader<K, VR> {
    return {
      get: (key) => this.#join(left.get(key), right.get(key), key),
      timestampMsOf: (key) => Math.max(timestampOrNone(left, key), timestampOrNone(right, key)),
    };
  }
}

function timestampOrNone<K, V>(table: TableReader<K, V>, key: K): number {
  return table.get(key) === null ? -1 : table.timestampMsOf(key);
}

interface JoinSide<K, V, VO, VR> {
  readonly other: TableView<K, VO>;
  readonly join: (own: V | null, other: VO | null, key: K) => VR | null;
  readonly otherRequired: boolean;
  readonly sendsOldValues: boolean;
}

class JoinSideProcessor<K, V, VO, VR> implements Processor<K, Change<V>, K, Change<VR>> {
  readonly #side: JoinSide<K, V, VO, VR>;
  #context!: ProcessorContext<K, Change<VR>>;
  #other!: TableReader<K, VO>;

  constructor(side: JoinSide<K, V, VO, VR>) {
    this.#side = side;
  }

  init(context: ProcessorContext<K, Change<VR>>): void {
    this.#context = context;
    this.#other = this.#side.other.open(context);
  }

  process(record: ChangeRecord<K, V>): void | Promise<void> {
    const { key, value: change } = record;
    const { join, otherRequired, sendsOldValues } = this.#side;
    const other = this.#other.get(key);
    if (other === null) {
      if (otherRequired || (change.newValue === null && change.oldValue === null)) return;
    }
    const newValue = join(change.newValue, other, key);
    const oldValue = sendsOldValues ? join(change.oldValue, other, key) : null;
    const timestampMs =
      other === null
        ? record.timestampMs
        : Math.max(record.timestampMs, this.#other.timestampMsOf(key));
    return this.#context.forward(changed(record, newValue, oldValue, timestampMs));
  }
}

/** Where both sides meet, and where the result is kept if it has a store. */
class JoinMergeProcessor<K, VR> implements Processor<K, Change<VR>, K, Change<VR>> {
  readonly #storeName: string | undefined;
  #context!: ProcessorContext<K, Change<VR>>;
  #store: KeyValueStore<K, VR> | undefined;

  constructor(storeName: string | undefined) {
    this.#storeName = storeName;
  }

  init(context: ProcessorContext<K, Change<VR>>): void {
    this.#context = context;
    if (this.#storeName !== undefined) this.#store = context.getStateStore(this.#storeName);
  }

  process(record: ChangeRecord<K, VR>): void | Promise<void> {
    const { key, value: change, timestampMs } = record;
    if (this.#store !== undefined) putOrDelete(this.#store, key, change.newValue, timestampMs);
    return this.#context.forward(record);
  }
}
