/**
 * A table: the latest value of each key, and what can be computed from it. A table has a store only
 * when it is given a name for one (`store`) or something must be looked up in it. See kstream.ts K2.
 */
import type { Serde } from '../../schemas/serde.ts';
import { KGroupedTable } from './kgrouped-table.ts';
import { KStream, union } from './kstream.ts';
import { storeSpec } from './materialize.ts';
import { type Grouped, isAnonymous, type Materialized, type Named } from './options.ts';
import type { Change } from './processors/change.ts';
import { regroupProcessor } from './processors/regroup.ts';
import {
  type KeyValueMapper,
  type KeyValuePair,
  mapValuesProcessor,
  type Predicate,
  type ValueMapper,
} from './processors/stateless.ts';
import { type Derive, DerivedTable } from './processors/table-derived.ts';
import { JoinedTable } from './processors/table-table-join.ts';
import type { TableOrigin } from './table-origin.ts';
import type { TopologyPlan } from './topology-plan.ts';

export interface TableNode<K, V> {
  readonly plan: TopologyPlan;
  /** The node that the changes come from. */
  readonly name: string;
  readonly sources: readonly string[];
  readonly keySerde: Serde<K> | undefined;
  readonly valueSerde: Serde<V> | undefined;
  readonly origin: TableOrigin<K, V>;
  readonly storeName: string | undefined;
}

export class KTable<K, V> {
  /** For the DSL itself. */
  readonly node: TableNode<K, V>;

  constructor(node: TableNode<K, V>) {
    this.node = node;
  }

  /** What to ask queries for; undefined when the table was not given a store's name. */
  get queryableStoreName(): string | undefined {
    return this.node.storeName;
  }

  filter(predicate: Predicate<K, V>, options: Materialized<K, V> = {}): KTable<K, V> {
    return this.#filter((key, value) => (predicate(key, value) ? value : null), options);
  }

  filterNot(predicate: Predicate<K, V>, options: Materialized<K, V> = {}): KTable<K, V> {
    return this.#filter((key, value) => (predicate(key, value) ? null : value), options);
  }

  mapValues<VR>(mapper: ValueMapper<K, V, VR>, options: Materialized<K, VR> = {}): KTable<K, VR> {
    const derive: Derive<K, V, VR> = (key, value) => mapper(value, key);
    return this.#derive('KTABLE-MAPVALUES-', derive, options, false);
  }

  /** Every update as a record; null says that the key is gone. */
  toStream(options: Named = {}): KStream<K, V> {
    const { plan, name: parent, sources, keySerde, valueSerde } = this.node;
    const name = plan.nameOf(options.name, 'KTABLE-TOSTREAM-');
    const supplier = mapValuesProcessor<K, Change<V>, V | null>((change) => change.newValue);
    plan.add((topology) => topology.addProcessor({ name, supplier, parents: [parent] }));
    const repartitionRequired = false;
    return new KStream({ plan, name, sources, keySerde, valueSerde, repartitionRequired });
  }

  /** By another key: repartitions. The name is also that of the repartition topic. */
  groupBy<KR, VR>(
    selector: KeyValueMapper<K, V, KeyValuePair<KR, VR>>,
    options: Grouped<KR, VR> = {},
  ): KGroupedTable<KR, VR> {
    const { plan, name: parent } = this.node;
    const name = plan.nameOf(options.name, 'KTABLE-SELECT-');
    const supplier = regroupProcessor(selector);
    plan.add((topology) => topology.addProcessor({ name, supplier, parents: [parent] }));
    this.node.origin.sendOldValues(true);
    const { keySerde, valueSerde } = options;
    return new KGroupedTable({ plan, name, keySerde, valueSerde }, options.name);
  }

  /** Rows that both tables have. */
  join<VO, VR>(
    other: KTable<K, VO>,
    joiner: (left: V, right: VO, key: K) => VR,
    options: Materialized<K, VR> = {},
  ): KTable<K, VR> {
    // A joiner of present values only: an inner join has nothing else for it.
    const present = joiner as (left: V | null, right: VO | null, key: K) => VR;
    return this.#join(other, present, options, { leftRequired: true, rightRequired: true });
  }

  /** Rows of this table; `right` is null when the other one has none. */
  leftJoin<VO, VR>(
    other: KTable<K, VO>,
    joiner: (left: V, right: VO | null, key: K) => VR,
    options: Materialized<K, VR> = {},
  ): KTable<K, VR> {
    const present = joiner as (left: V | null, right: VO | null, key: K) => VR;
    return this.#join(other, present, options, { leftRequired: true, rightRequired: false });
  }

  /** Rows that either table has; the other value is null. */
  outerJoin<VO, VR>(
    other: KTable<K, VO>,
    joiner: (left: V | null, right: VO | null, key: K) => VR,
    options: Materialized<K, VR> = {},
  ): KTable<K, VR> {
    return this.#join(other, joiner, options, { leftRequired: false, rightRequired: false });
  }

  #filter(derive: Derive<K, V, V>, options: Materialized<K, V>): KTable<K, V> {
    const valueSerde = options.valueSerde ?? this.node.valueSerde;
    const inherited = { ...options, valueSerde };
    return this.#derive('KTABLE-FILTER-', derive, inherited, true, isAnonymous(options));
  }

  #derive<VR>(
    prefix: string,
    derive: Derive<K, V, VR>,
    options: Materialized<K, VR>,
    skipsNothing: boolean,
    anonymous: boolean = isAnonymous(options),
  ): KTable<K, VR> {
    const { plan, origin: parent, sources } = this.node;
    if (anonymous) plan.generateStoreName(prefix); // Kafka takes an index here, too.
    const name = plan.nameOf(options.name, prefix);
    const storeName = options.store;
    const origin = new DerivedTable({ parent, derive, storeName, skipsNothing });
    const supplier = () => origin.newProcessor();
    const parents = [this.node.name];
    plan.add((topology) => topology.addProcessor({ name, supplier, parents }));
    const keySerde = options.keySerde ?? this.node.keySerde;
    this.#addStore(name, options, keySerde);
    const { valueSerde } = options;
    return new KTable({ plan, name, sources, keySerde, valueSerde, origin, storeName });
  }

  #join<VO, VR>(
    other: KTable<K, VO>,
    joiner: (left: V | null, right: VO | null, key: K) => VR,
    options: Materialized<K, VR>,
    required: { readonly leftRequired: boolean; readonly rightRequired: boolean },
  ): KTable<K, VR> {
    const { plan } = this.node;
    const storeName = options.store;
    if (isAnonymous(options)) plan.generateStoreName('KTABLE-MERGE-');
    const name = plan.nameOf(options.name, 'KTABLE-MERGE-');
    const left = plan.nameOf(options.name, 'KTABLE-JOINTHIS-', '-join-this');
    const right = plan.nameOf(options.name, 'KTABLE-JOINOTHER-', '-join-other');
    const origins = { left: this.node.origin, right: other.node.origin };
    const origin = new JoinedTable({ ...origins, ...required, joiner, storeName });
    const sources = union(this.node.sources, other.node.sources);
    plan.add((topology) =>
      topology
        .copartitionSources(...sources)
        .addProcessor({
          name: left,
          supplier: () => origin.newLeftProcessor(),
          parents: [this.node.name],
          stores: origin.rightView.storeNames,
        })
        .addProcessor({
          name: right,
          supplier: () => origin.newRightProcessor(),
          parents: [other.node.name],
          stores: origin.leftView.storeNames,
        })
        .addProcessor({
          name,
          supplier: () => origin.newMergeProcessor(),
          parents: [left, right],
        }),
    );
    const keySerde = options.keySerde ?? this.node.keySerde ?? other.node.keySerde;
    this.#addStore(name, options, keySerde);
    const { valueSerde } = options;
    return new KTable({ plan, name, sources, keySerde, valueSerde, origin, storeName });
  }

  #addStore<VR>(name: string, options: Materialized<K, VR>, keySerde: Serde<K> | undefined): void {
    if (options.store === undefined) return;
    const spec = storeSpec(options.store, { ...options, keySerde });
    this.node.plan.add((topology) => topology.addStateStore(spec, name));
  }
}
