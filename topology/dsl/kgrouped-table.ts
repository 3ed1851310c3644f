/** A table grouped by another key, about to become a table of aggregates. */
import { int64Serde } from '../../schemas/serdes.ts';
import { aggregatedTable, aggregateStoreName } from './aggregated-table.ts';
import type { Aggregator, Reducer } from './kgrouped-stream.ts';
import type { KTable, TableNode } from './ktable.ts';
import { requireSerde } from './materialize.ts';
import type { Materialized, MaterializedValues } from './options.ts';
import type { Fold } from './processors/aggregate.ts';
import { type Change, changeSerde } from './processors/change.ts';
import { foldOfChanges } from './processors/regroup.ts';
import { repartitionTopicName } from './repartition.ts';

type FunctionPrefix = 'KTABLE-AGGREGATE-' | 'KTABLE-REDUCE-';

/** `name` is the node that regroups; its records are changes. */
export type GroupedTableNode<K, V> = Pick<
  TableNode<K, V>,
  'plan' | 'name' | 'keySerde' | 'valueSerde'
>;

export class KGroupedTable<K, V> {
  readonly #node: GroupedTableNode<K, V>;
  /** Of the repartition topic; else it is named after the store. */
  readonly #name: string | undefined;
  /** Aggregates of a named grouping share its repartition topic. */
  #repartitioned: string | undefined;

  constructor(node: GroupedTableNode<K, V>, name: string | undefined) {
    this.#node = node;
    this.#name = name;
  }

  /** Rows per group. */
  count(options: Materialized<K, number> = {}): KTable<K, number> {
    const fold = foldOfChanges<K, V, number>(
      (_key, _value, count = 0) => count + 1,
      (_key, _value, count) => count - 1,
    );
    const valueSerde = options.valueSerde ?? int64Serde;
    return this.#aggregate('KTABLE-AGGREGATE-', fold, { ...options, valueSerde });
  }

  /** Values per group, combined two by two; `subtractor` takes a value out again. */
  reduce(
    adder: Reducer<V>,
    subtractor: Reducer<V>,
    options: Materialized<K, V> = {},
  ): KTable<K, V> {
    const fold = foldOfChanges<K, V, V>(
      (_key, value, aggregate) => (aggregate === undefined ? value : adder(aggregate, value)),
      (_key, value, aggregate) => subtractor(aggregate, value),
    );
    const valueSerde = options.valueSerde ?? this.#node.valueSerde;
    return this.#aggregate('KTABLE-REDUCE-', fold, { ...options, valueSerde });
  }

  aggregate<VA>(
    initializer: () => VA,
    adder: Aggregator<K, V, VA>,
    subtractor: Aggregator<K, V, VA>,
    options: MaterializedValues<K, VA>,
  ): KTable<K, VA> {
    const fold = foldOfChanges<K, V, VA>(
      (key, value, aggregate) => adder(key, value, aggregate ?? initializer()),
      subtractor,
    );
    return this.#aggregate('KTABLE-AGGREGATE-', fold, options);
  }

  #aggregate<VA>(
    prefix: FunctionPrefix,
    fold: Fold<K, Change<V>, VA>,
    options: Materialized<K, VA>,
  ): KTable<K, VA> {
    const { plan } = this.#node;
    const storeName = aggregateStoreName(plan, options, 'KTABLE-AGGREGATE-');
    const sink = plan.nameOf(options.name, 'KSTREAM-SINK-', '-sink');
    const source = plan.nameOf(options.name, 'KSTREAM-SOURCE-', '-source');
    const name = plan.nameOf(options.name, prefix);
    const keySerde = options.keySerde ?? this.#node.keySerde;
    const parentName = this.#repartition(sink, source, storeName);
    const parent = { name: parentName, sources: [parentName] };
    return aggregatedTable(plan, { name, storeName, parent, fold, keySerde }, options);
  }

  #repartition(sink: string, source: string, storeName: string): string {
    if (this.#repartitioned !== undefined) return this.#repartitioned;
    const { plan, name: parent } = this.#node;
    const topic = repartitionTopicName(this.#name ?? storeName);
    const user = `repartition topic ${topic}`;
    const keySerde = requireSerde(this.#node.keySerde, 'keySerde', user);
    const valueSerde = changeSerde(requireSerde(this.#node.valueSerde, 'valueSerde', user));
    plan.add((topology) =>
      topology
        .addRepartitionTopic({ name: topic })
        .addSink<K, Change<V>>({ name: sink, topic, keySerde, valueSerde, parents: [parent] })
        .addSource({ name: source, topics: [topic], keySerde, valueSerde }),
    );
    if (this.#name !== undefined) this.#repartitioned = source;
    return source;
  }
}
