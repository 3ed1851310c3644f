/**
 * Where a topology begins, in Kafka's DSL: streams and tables from topics, stores for processors.
 * build() gives the Topology that the Processor API would have made.
 */
import { MillraceError } from '../base/errors.ts';
import type { StoreSpec } from '../stores/state-store.ts';
import { KStream } from './dsl/kstream.ts';
import { KTable } from './dsl/ktable.ts';
import { storeSpec } from './dsl/materialize.ts';
import type { Consumed, Materialized } from './dsl/options.ts';
import { TableSource } from './dsl/processors/table-source.ts';
import { TopologyPlan } from './dsl/topology-plan.ts';
import { Topology } from './topology.ts';

export interface StreamsBuilderOptions {
  /**
   * Default true: a store or a repartition topic without a name of its own is TOPOLOGY_INVALID.
   * Generated names count nodes, so an edit elsewhere would rename topics and lose their state.
   * false = names as Kafka generates them.
   */
  readonly requireNames?: boolean;
}

export type ConsumedTable<K, V> = Consumed<K, V> &
  Omit<Materialized<K, V>, 'keySerde' | 'valueSerde'>;

interface StreamSource {
  readonly name: string;
  readonly consumed: Consumed<unknown, unknown>;
}

export class StreamsBuilder {
  readonly #plan: TopologyPlan;
  readonly #sources = new Map<string, StreamSource>();

  constructor(options: StreamsBuilderOptions = {}) {
    this.#plan = new TopologyPlan({ requireNames: options.requireNames ?? true });
  }

  /** Reads topics. The same topics asked for twice are read once. */
  stream<K, V>(topics: string | readonly string[], consumed: Consumed<K, V>): KStream<K, V> {
    const plan = this.#plan;
    const name = this.#source(
      plan.nameOf(consumed.name, 'KSTREAM-SOURCE-'),
      typeof topics === 'string' ? [topics] : topics,
      consumed,
    );
    const { keySerde, valueSerde } = consumed;
    const sources = [name];
    return new KStream({ plan, name, sources, keySerde, valueSerde, repartitionRequired: false });
  }

  /**
   * The latest value of each key of a topic; a null value deletes. With `store` it is kept under that
   * name and can be queried; without, it gets a store only when something needs one.
   */
  table<K, V>(topic: string, consumed: ConsumedTable<K, V>): KTable<K, V> {
    const plan = this.#plan;
    const storeName = consumed.store ?? plan.generateStoreName(`${topic}-`);
    const source = plan.nameOf(consumed.name, 'KSTREAM-SOURCE-', '-source');
    const name = plan.nameOf(consumed.name, 'KTABLE-SOURCE-');
    const origin = new TableSource<K, V>(storeName, () => {
      if (consumed.store === undefined) plan.checkTopicName('store', storeName, 'store');
    });
    if (consumed.store !== undefined) origin.materialize();
    plan.add((topology) => {
      topology
        .addSource({ ...sourceOptions(consumed), name: source, topics: [topic] })
        .addProcessor({ name, supplier: () => origin.newProcessor(), parents: [source] });
      if (origin.storeName !== undefined)
        topology.addStateStore(storeSpec(storeName, consumed), name);
    });
    const { keySerde, valueSerde } = consumed;
    const sources = [source];
    return new KTable({
      plan,
      name,
      sources,
      keySerde,
      valueSerde,
      origin,
      storeName: consumed.store,
    });
  }

  /** A store for process() and processValues(), which name it in `stores`. */
  addStateStore<K, V>(spec: StoreSpec<K, V>): this {
    this.#plan.add((topology) => topology.addStateStore(spec));
    return this;
  }

  /** Throws TOPOLOGY_INVALID. */
  build(): Topology {
    return this.#plan.writeTo(new Topology());
  }

  /** The source that reads these topics: a new one, or the one that does already. */
  #source<K, V>(name: string, topics: readonly string[], consumed: Consumed<K, V>): string {
    const id = [...topics].sort().join('\n');
    const existing = this.#sources.get(id);
    if (existing !== undefined) {
      checkSame(topics, existing.consumed, consumed);
      return existing.name;
    }
    this.#sources.set(id, { name, consumed: consumed as Consumed<unknown, unknown> });
    this.#plan.add((topology) => topology.addSource({ ...sourceOptions(consumed), name, topics }));
    return name;
  }
}

function sourceOptions<K, V>(consumed: Consumed<K, V>) {
  const { keySerde, valueSerde, timestampExtractor, offsetReset, lingerMs } = consumed;
  return {
    keySerde,
    valueSerde,
    ...(timestampExtractor === undefined ? {} : { timestampExtractor }),
    ...(offsetReset === undefined ? {} : { offsetReset }),
    ...(lingerMs === undefined ? {} : { lingerMs }),
  };
}

function checkSame<K, V>(
  topics: readonly string[],
  first: Consumed<unknown, unknown>,
  second: Consumed<K, V>,
): void {
  const properties = [
    'keySerde',
    'valueSerde',
    'timestampExtractor',
    'offsetReset',
    'lingerMs',
  ] as const;
  const different = properties.find((property) => first[property] !== second[property]);
  if (different === undefined) return;
  throw new MillraceError(
    'TOPOLOGY_INVALID',
    `topic ${topics.join(', ')} is read twice, with a different ${different}`,
  );
}
