/** A stream grouped by its key, about to become a table of aggregates. */
import type { Serde } from '../../schemas/serde.ts';
import { int64Serde } from '../../schemas/serdes.ts';
import { aggregatedTable, aggregateStoreName } from './aggregated-table.ts';
import type { StreamNode } from './kstream.ts';
import type { KTable } from './ktable.ts';
import { isAnonymous, type Materialized, type MaterializedValues } from './options.ts';
import type { Fold } from './processors/aggregate.ts';
import { repartition, skipRepartitionNames } from './repartition.ts';

/** Combines the values so far with the next one. */
export type Reducer<V> = (aggregate: V, value: V) => V | null;
/** Adds a value to (or takes it out of) an aggregate: returns a new one, never changes the old. */
export type Aggregator<K, V, VA> = (key: K, value: V, aggregate: VA) => VA | null;

type FunctionPrefix = 'KSTREAM-AGGREGATE-' | 'KSTREAM-REDUCE-';

export class KGroupedStream<K, V> {
  readonly #node: StreamNode<K, V>;
  /** Of the repartition topic; else it is named after the store. */
  readonly #name: string | undefined;
  /** Aggregates of a named grouping share its repartition topic. */
  #repartitioned: string | undefined;

  constructor(node: StreamNode<K, V>, name: string | undefined) {
    this.#node = node;
    this.#name = name;
  }

  /** Records per key. */
  count(options: Materialized<K, number> = {}): KTable<K, number> {
    if (isAnonymous(options)) this.#node.plan.generateStoreName('KSTREAM-AGGREGATE-');
    const fold: Fold<K, V, number> = (_key, _value, count = 0) => count + 1;
    const valueSerde = options.valueSerde ?? int64Serde;
    return this.#aggregate('KSTREAM-AGGREGATE-', fold, { ...options, valueSerde });
  }

  /** Values per key, combined two by two; the first one is taken as it is. */
  reduce(reducer: Reducer<V>, options: Materialized<K, V> = {}): KTable<K, V> {
    const fold: Fold<K, V, V> = (_key, value, aggregate) =>
      aggregate === undefined ? value : reducer(aggregate, value);
    const valueSerde = options.valueSerde ?? this.#node.valueSerde;
    return this.#aggregate('KSTREAM-REDUCE-', fold, { ...options, valueSerde });
  }

  aggregate<VA>(
    initializer: () => VA,
    aggregator: Aggregator<K, V, VA>,
    options: MaterializedValues<K, VA>,
  ): KTable<K, VA> {
    const fold: Fold<K, V, VA> = (key, value, aggregate) =>
      aggregator(key, value, aggregate ?? initializer());
    return this.#aggregate('KSTREAM-AGGREGATE-', fold, options);
  }

  #aggregate<VA>(
    prefix: FunctionPrefix,
    fold: Fold<K, V, VA>,
    options: Materialized<K, VA>,
  ): KTable<K, VA> {
    const { plan } = this.#node;
    const storeName = aggregateStoreName(plan, options, prefix);
    const name = plan.nameOf(options.name, prefix);
    const keySerde = options.keySerde ?? this.#node.keySerde;
    const parent = this.#partitionedByKey(storeName, keySerde);
    return aggregatedTable(plan, { name, storeName, parent, fold, keySerde }, options);
  }

  #partitionedByKey(
    storeName: string,
    keySerde: Serde<K> | undefined,
  ): { readonly name: string; readonly sources: readonly string[] } {
    if (!this.#node.repartitionRequired) return this.#node;
    const { plan, name: parent, valueSerde } = this.#node;
    if (this.#repartitioned !== undefined) {
      skipRepartitionNames(plan);
      return { name: this.#repartitioned, sources: [this.#repartitioned] };
    }
    const prefix = this.#name ?? storeName;
    const name = repartition({ plan, parent, prefix, keySerde, valueSerde });
    if (this.#name !== undefined) this.#repartitioned = name;
    return { name, sources: [name] };
  }
}
