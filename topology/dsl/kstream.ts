/**
 * A stream of records, and what can be done with it. Each operation adds a node to the plan and
 * returns a handle on what comes out; nothing runs here. What the nodes do is in processors/.
 *
 * K1. An operation that may change the key marks the stream; the next one that needs all records of a
 *     key in one place sends a marked stream through a repartition topic first.
 * K2. Streams, tables and their groupings make each other: these modules import each other in a
 *     circle, and use each other only when called.
 */
import type { Serde } from '../../schemas/serde.ts';
import type { ProcessorSupplier } from '../processor.ts';
import { BranchedKStream } from './branched-kstream.ts';
import { KGroupedStream } from './kgrouped-stream.ts';
import { KTable } from './ktable.ts';
import { requireSerde, storeSpec } from './materialize.ts';
import type {
  Grouped,
  Joined,
  Materialized,
  Named,
  Processed,
  Produced,
  Repartitioned,
  Typed,
} from './options.ts';
import { fixedKeyProcessor } from './processors/fixed-key.ts';
import {
  filterProcessor,
  flatMapProcessor,
  flatMapValuesProcessor,
  forEachProcessor,
  type KeyValueMapper,
  type KeyValuePair,
  mapProcessor,
  mapValuesProcessor,
  type Predicate,
  passThroughProcessor,
  peekProcessor,
  selectKeyProcessor,
  type ValueMapper,
} from './processors/stateless.ts';
import { StreamTableJoinProcessor } from './processors/stream-table-join.ts';
import { TableSource } from './processors/table-source.ts';
import { repartition, skipRepartitionNames } from './repartition.ts';
import type { TopologyPlan } from './topology-plan.ts';

export interface StreamNode<K, V> {
  readonly plan: TopologyPlan;
  /** The node that the records come from. */
  readonly name: string;
  /** Sources upstream in the same sub-topology: what a join has to copartition. */
  readonly sources: readonly string[];
  readonly keySerde: Serde<K> | undefined;
  readonly valueSerde: Serde<V> | undefined;
  /** Records may lie in another partition than their key belongs to. */
  readonly repartitionRequired: boolean;
}

export class KStream<K, V> {
  /** For the DSL itself. */
  readonly node: StreamNode<K, V>;
  /** Joins of one stream share its repartition topic. */
  #repartitioned: KStream<K, V> | undefined;

  constructor(node: StreamNode<K, V>) {
    this.node = node;
  }

  filter(predicate: Predicate<K, V>, options: Named = {}): KStream<K, V> {
    const name = this.#name(options, 'KSTREAM-FILTER-');
    return this.#next(name, filterProcessor(predicate, true), this.node);
  }

  filterNot(predicate: Predicate<K, V>, options: Named = {}): KStream<K, V> {
    const name = this.#name(options, 'KSTREAM-FILTER-');
    return this.#next(name, filterProcessor(predicate, false), this.node);
  }

  /** A new key and value for each record. Marks the stream: use mapValues when the key stays. */
  map<KR, VR>(
    mapper: KeyValueMapper<K, V, KeyValuePair<KR, VR>>,
    options: Typed<KR, VR> = {},
  ): KStream<KR, VR> {
    const name = this.#name(options, 'KSTREAM-MAP-');
    return this.#next(name, mapProcessor(mapper), rekeyed(options));
  }

  mapValues<VR>(
    mapper: ValueMapper<K, V, VR>,
    options: Named & { readonly valueSerde?: Serde<VR> | undefined } = {},
  ): KStream<K, VR> {
    const name = this.#name(options, 'KSTREAM-MAPVALUES-');
    return this.#next(name, mapValuesProcessor(mapper), this.#revalued(options.valueSerde));
  }

  /** Any number of records for each one. Marks the stream: use flatMapValues when the key stays. */
  flatMap<KR, VR>(
    mapper: KeyValueMapper<K, V, Iterable<KeyValuePair<KR, VR>>>,
    options: Typed<KR, VR> = {},
  ): KStream<KR, VR> {
    const name = this.#name(options, 'KSTREAM-FLATMAP-');
    return this.#next(name, flatMapProcessor(mapper), rekeyed(options));
  }

  flatMapValues<VR>(
    mapper: ValueMapper<K, V, Iterable<VR>>,
    options: Named & { readonly valueSerde?: Serde<VR> | undefined } = {},
  ): KStream<K, VR> {
    const name = this.#name(options, 'KSTREAM-FLATMAPVALUES-');
    return this.#next(name, flatMapValuesProcessor(mapper), this.#revalued(options.valueSerde));
  }

  selectKey<KR>(
    selector: KeyValueMapper<K, V, KR>,
    options: Named & { readonly keySerde?: Serde<KR> | undefined } = {},
  ): KStream<KR, V> {
    const name = this.#name(options, 'KSTREAM-KEY-SELECT-');
    const { keySerde } = options;
    const { valueSerde } = this.node;
    const changes = { keySerde, valueSerde, repartitionRequired: true };
    return this.#next(name, selectKeyProcessor(selector), changes);
  }

  /** Looks at each record and passes it on. */
  peek(action: KeyValueMapper<K, V, void>, options: Named = {}): KStream<K, V> {
    const name = this.#name(options, 'KSTREAM-PEEK-');
    return this.#next(name, peekProcessor(action), this.node);
  }

  /** The end of a stream. The action may be asynchronous; the task then waits for it. */
  forEach(action: KeyValueMapper<K, V, void | Promise<void>>, options: Named = {}): void {
    this.#add(this.#name(options, 'KSTREAM-FOREACH-'), forEachProcessor(action));
  }

  /** Both streams as one, in no particular order. */
  merge(other: KStream<K, V>, options: Named = {}): KStream<K, V> {
    const name = this.#name(options, 'KSTREAM-MERGE-');
    const parents = [this.node.name, other.node.name];
    this.node.plan.add((topology) =>
      topology.addProcessor({ name, supplier: passThroughProcessor<K, V>(), parents }),
    );
    return new KStream({
      plan: this.node.plan,
      name,
      sources: union(this.node.sources, other.node.sources),
      keySerde: same(this.node.keySerde, other.node.keySerde),
      valueSerde: same(this.node.valueSerde, other.node.valueSerde),
      repartitionRequired: this.node.repartitionRequired || other.node.repartitionRequired,
    });
  }

  /** Each record into the first branch whose predicate takes it. */
  split(options: Named = {}): BranchedKStream<K, V> {
    return new BranchedKStream(this.node, this.#name(options, 'KSTREAM-BRANCH-'));
  }

  /** Through an internal topic, whatever the key was before. */
  repartition(options: Repartitioned<K, V> = {}): KStream<K, V> {
    const prefix = options.name ?? this.node.plan.generateName('KSTREAM-REPARTITION-');
    return this.#through(prefix, options.name === undefined, options);
  }

  /** By the key it has. Options give serdes and the name of the repartition topic, should one be needed. */
  groupByKey(options: Grouped<K, V> = {}): KGroupedStream<K, V> {
    return new KGroupedStream(this.#withSerdes(options), options.name);
  }

  /** By another key: repartitions. */
  groupBy<KR>(
    selector: KeyValueMapper<K, V, KR>,
    options: Grouped<KR, V> = {},
  ): KGroupedStream<KR, V> {
    const selected = this.selectKey(selector, options);
    return new KGroupedStream(selected.#withSerdes(options), options.name);
  }

  /** Any processor, with the stores it names. It may change keys: marks the stream. */
  process<KR, VR>(
    supplier: ProcessorSupplier<K, V, KR, VR>,
    options: Processed<KR, VR> = {},
  ): KStream<KR, VR> {
    const name = this.#name(options, 'KSTREAM-PROCESSOR-');
    return this.#next(name, supplier, rekeyed(options), options.stores);
  }

  /** Any processor that keeps the keys; forwarding another key throws PROCESSING_FAILED. */
  processValues<VR>(
    supplier: ProcessorSupplier<K, V, K, VR>,
    options: Processed<K, VR> = {},
  ): KStream<K, VR> {
    const name = this.#name(options, 'KSTREAM-PROCESSVALUES-');
    const changes = this.#revalued(options.valueSerde);
    return this.#next(name, fixedKeyProcessor(supplier), changes, options.stores);
  }

  /** Writes to a topic, or to the one that a function names for each record. */
  to(
    topic: string | ((record: { readonly key: K; readonly value: V }) => string),
    options: Produced<K, V> = {},
  ): void {
    const { plan, name: parent } = this.node;
    const name = this.#name(options, 'KSTREAM-SINK-');
    const keySerde = requireSerde(options.keySerde ?? this.node.keySerde, 'keySerde', name);
    const valueSerde = requireSerde(options.valueSerde ?? this.node.valueSerde, 'valueSerde', name);
    const { partitioner } = options;
    plan.add((topology) =>
      topology.addSink({
        name,
        topic,
        keySerde,
        valueSerde,
        parents: [parent],
        ...(partitioner === undefined ? {} : { partitioner }),
      }),
    );
  }

  /** The latest value of each key; null deletes. */
  toTable(options: Materialized<K, V> = {}): KTable<K, V> {
    const { plan } = this.node;
    const name = this.#name(options, 'KSTREAM-TOTABLE-');
    const storeName = options.store ?? plan.generateStoreName('KSTREAM-TOTABLE-');
    const typed = new KStream(this.#withSerdes(options));
    const isNamed = options.name !== undefined;
    const parent = this.node.repartitionRequired ? typed.#through(name, !isNamed, {}) : typed;
    const { keySerde, valueSerde, sources } = parent.node;
    const origin = new TableSource<K, V>(storeName, () => {
      if (options.store === undefined) plan.checkTopicName('store', storeName, 'store');
    });
    if (options.store !== undefined) origin.materialize();
    plan.add((topology) => {
      const supplier = () => origin.newProcessor();
      topology.addProcessor({ name, supplier, parents: [parent.node.name] });
      if (origin.storeName === undefined) return;
      topology.addStateStore(storeSpec(storeName, { ...options, ...serdes(parent.node) }), name);
    });
    return new KTable({
      plan,
      name,
      sources,
      keySerde,
      valueSerde,
      origin,
      storeName: options.store,
    });
  }

  /** Looks records up in the table; what is not there is left out. */
  join<VT, VR>(
    table: KTable<K, VT>,
    joiner: (left: V, right: VT, key: K) => VR,
    options: Joined<K, V> = {},
  ): KStream<K, VR> {
    // A joiner of present values only: the processor of an inner join has nothing else for it.
    const present = joiner as (left: V, right: VT | null, key: K) => VR;
    return this.#joinTable(table, present, options, false);
  }

  /** Looks records up in the table; `right` is null when it is not there. */
  leftJoin<VT, VR>(
    table: KTable<K, VT>,
    joiner: (left: V, right: VT | null, key: K) => VR,
    options: Joined<K, V> = {},
  ): KStream<K, VR> {
    return this.#joinTable(table, joiner, options, true);
  }

  #joinTable<VT, VR>(
    table: KTable<K, VT>,
    joiner: (left: V, right: VT | null, key: K) => VR,
    options: Joined<K, V>,
    isLeft: boolean,
  ): KStream<K, VR> {
    const { plan } = this.node;
    const stream = this.#partitionedByKey(options);
    const sources = union(stream.node.sources, table.node.sources);
    plan.add((topology) => topology.copartitionSources(...sources));
    if (isLeft) plan.keepNullKeys(stream.node.sources);
    const name = this.#name(options, isLeft ? 'KSTREAM-LEFTJOIN-' : 'KSTREAM-JOIN-');
    const view = table.node.origin.view();
    const supplier = () => new StreamTableJoinProcessor({ table: view, joiner, isLeft });
    const joined = stream.#next<K, VR>(
      name,
      supplier,
      stream.#revalued(undefined),
      view.storeNames,
    );
    return new KStream({ ...joined.node, sources });
  }

  #partitionedByKey(options: Joined<K, V>): KStream<K, V> {
    if (!this.node.repartitionRequired) return this;
    if (options.name !== undefined) return this.#through(options.name, false, options);
    if (this.#repartitioned !== undefined) skipRepartitionNames(this.node.plan);
    this.#repartitioned ??= this.#through(this.node.name, true, options);
    return this.#repartitioned;
  }

  #through(
    prefix: string,
    isPrefixGenerated: boolean,
    options: Omit<Repartitioned<K, V>, 'name'>,
  ): KStream<K, V> {
    const { plan, name: parent } = this.node;
    const { partitions, partitioner } = options;
    const types = serdes(this.#withSerdes(options));
    const route = { plan, parent, prefix, isPrefixGenerated, partitions, partitioner };
    const name = repartition({ ...route, ...types });
    return new KStream({ plan, name, sources: [name], ...types, repartitionRequired: false });
  }

  #name(options: Named, prefix: string): string {
    return this.node.plan.nameOf(options.name, prefix);
  }

  #add<KR, VR>(
    name: string,
    supplier: ProcessorSupplier<K, V, KR, VR>,
    stores: readonly string[] = [],
  ): void {
    const { plan, name: parent } = this.node;
    plan.add((topology) => topology.addProcessor({ name, supplier, parents: [parent], stores }));
  }

  #next<KR, VR>(
    name: string,
    supplier: ProcessorSupplier<K, V, KR, VR>,
    changes: StreamChanges<KR, VR>,
    stores: readonly string[] = [],
  ): KStream<KR, VR> {
    this.#add(name, supplier, stores);
    const { plan, sources } = this.node;
    const { keySerde, valueSerde, repartitionRequired } = changes;
    return new KStream({ plan, sources, name, keySerde, valueSerde, repartitionRequired });
  }

  #revalued<VR>(valueSerde: Serde<VR> | undefined): StreamChanges<K, VR> {
    const { keySerde, repartitionRequired } = this.node;
    return { keySerde, valueSerde, repartitionRequired };
  }

  #withSerdes(options: Typed<K, V>): StreamNode<K, V> {
    const keySerde = options.keySerde ?? this.node.keySerde;
    return { ...this.node, keySerde, valueSerde: options.valueSerde ?? this.node.valueSerde };
  }
}

type StreamChanges<K, V> = Pick<
  StreamNode<K, V>,
  'keySerde' | 'valueSerde' | 'repartitionRequired'
>;

function rekeyed<K, V>(options: Typed<K, V>): StreamChanges<K, V> {
  const { keySerde, valueSerde } = options;
  return { keySerde, valueSerde, repartitionRequired: true };
}

function serdes<K, V>(node: StreamNode<K, V>): Pick<StreamNode<K, V>, 'keySerde' | 'valueSerde'> {
  return { keySerde: node.keySerde, valueSerde: node.valueSerde };
}

export function union(a: readonly string[], b: readonly string[]): readonly string[] {
  return [...new Set([...a, ...b])];
}

function same<T>(a: T | undefined, b: T | undefined): T | undefined {
  return a === b ? a : undefined;
}
