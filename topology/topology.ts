/**
 * The Processor API's builder: nodes, stores and their connections, checked as they are added.
 * build() hands the runtime plain data, cut into sub-topologies (sub-topologies.ts does the cutting,
 * describe.ts the printing, StreamsBuilder writes into one of these).
 *
 * T1. Parents are added before their children, so there can be no cycle and insertion order is
 *     already topological.
 * T2. A topic has one source node.
 */
import { MillraceError } from '../base/errors.ts';
import type { Serde } from '../schemas/serde.ts';
import type { StoreSpec } from '../stores/state-store.ts';
import { TopologyDescription } from './describe/topology-description.ts';
import type { ProcessorSupplier, StreamPartitioner, TimestampExtractor } from './processor.ts';
import { cutIntoSubTopologies } from './sub-topologies.ts';
import type {
  BuiltTopology,
  ProcessorNode,
  RepartitionTopic,
  SinkNode,
  SourceNode,
  TopologyNode,
} from './sub-topology.ts';

export interface SourceOptions<K, V> {
  readonly name: string;
  readonly topics: readonly string[];
  readonly keySerde: Serde<K>;
  readonly valueSerde: Serde<V>;
  /** False sends records without a key / a value to the bad-record policy. Default true. */
  readonly nullKeys?: boolean;
  readonly nullValues?: boolean;
  readonly timestampExtractor?: TimestampExtractor;
  readonly offsetReset?: 'earliest' | 'latest';
  /**
   * Records may wait so long for more before they are processed, ms. For what is off the fast path and
   * follows from it: without it each commit of the one leads to a commit of the other. Default 0.
   */
  readonly lingerMs?: number;
}

export interface ProcessorOptions<KIn, VIn, KOut, VOut> {
  readonly name: string;
  /** Returns a new processor each time: every task has its own. */
  readonly supplier: ProcessorSupplier<KIn, VIn, KOut, VOut>;
  readonly parents: readonly string[];
  /** Names of stores added before. */
  readonly stores?: readonly string[];
}

export interface SinkOptions<K, V> {
  readonly name: string;
  /** A topic, or a function that names one for each record (it must exist then). */
  readonly topic: string | ((record: { readonly key: K; readonly value: V }) => string);
  readonly keySerde: Serde<K>;
  readonly valueSerde: Serde<V>;
  readonly partitioner?: StreamPartitioner<K, V>;
  readonly parents: readonly string[];
}

/** The most a topic's name may have, internal prefixes not counted. */
const NAME_LENGTH_MAX = 249;
const NAME = /^[A-Za-z0-9._-]+$/;
/** What waits longer is not read late but forgotten. */
const LINGER_MS_MAX = 60_000;

export class Topology {
  readonly #nodes = new Map<string, TopologyNode>();
  readonly #children = new Map<string, string[]>();
  readonly #storesOfProcessor = new Map<string, string[]>();
  readonly #stores = new Map<string, StoreSpec>();
  readonly #repartitionTopics = new Map<string, RepartitionTopic>();
  readonly #copartitionedSources: (readonly string[])[] = [];
  readonly #sourceOfTopic = new Map<string, string>();

  /** Reads topics. A topic may have one source only. */
  addSource<K, V>(options: SourceOptions<K, V>): this {
    this.#checkNewNode(options.name);
    if (options.topics.length === 0) throw invalid(`source ${options.name} reads no topic`);
    for (const topic of options.topics) {
      checkName('topic', topic);
      const other = this.#sourceOfTopic.get(topic);
      if (other !== undefined) throw invalid(`topic ${topic} is read by ${other} already`);
      this.#sourceOfTopic.set(topic, options.name);
    }
    const { lingerMs = 0 } = options;
    if (!(lingerMs >= 0 && lingerMs <= LINGER_MS_MAX)) {
      throw invalid(`lingerMs of source ${options.name} is not within 0 and ${LINGER_MS_MAX}`);
    }
    const children: string[] = [];
    const topics = [...options.topics];
    return this.#add({ ...options, kind: 'source', topics, children } as SourceNode, children);
  }

  addProcessor<KIn, VIn, KOut, VOut>(options: ProcessorOptions<KIn, VIn, KOut, VOut>): this {
    this.#checkNewNode(options.name);
    this.#checkParents(options.name, options.parents);
    const children: string[] = [];
    const stores: string[] = [];
    this.#storesOfProcessor.set(options.name, stores);
    const { name, supplier } = options;
    const parents = [...options.parents];
    const node: ProcessorNode = {
      kind: 'processor',
      name,
      supplier: supplier as ProcessorSupplier,
      stores,
      children,
      parents,
    };
    this.#add(node, children);
    return this.connectProcessorAndStateStores(name, ...(options.stores ?? []));
  }

  /** Writes to a topic; nothing can follow it. */
  addSink<K, V>(options: SinkOptions<K, V>): this {
    this.#checkNewNode(options.name);
    this.#checkParents(options.name, options.parents);
    if (typeof options.topic === 'string') checkName('topic', options.topic);
    return this.#add({ ...options, kind: 'sink', parents: [...options.parents] } as SinkNode);
  }

  /** Declares a store and connects it to processors added before. The same spec may be added again. */
  addStateStore<K, V>(spec: StoreSpec<K, V>, ...processorNames: string[]): this {
    checkName('store', spec.name);
    const existing = this.#stores.get(spec.name);
    if (existing !== undefined && existing !== spec) {
      throw invalid(`there are two different stores named ${spec.name}`);
    }
    this.#stores.set(spec.name, spec);
    for (const processor of processorNames)
      this.connectProcessorAndStateStores(processor, spec.name);
    return this;
  }

  /** Processors that share a store end up in one sub-topology. */
  connectProcessorAndStateStores(processorName: string, ...storeNames: string[]): this {
    const connected = this.#storesOfProcessor.get(processorName);
    if (connected === undefined) {
      throw invalid(
        this.#nodes.has(processorName)
          ? `${processorName} is not a processor: only processors have stores`
          : `there is no processor ${processorName} to connect stores to`,
      );
    }
    for (const store of storeNames) {
      if (!this.#stores.has(store)) {
        throw invalid(`processor ${processorName} wants store ${store}, which was not added`, {
          hint: 'Call addStateStore before connecting it.',
        });
      }
      if (!connected.includes(store)) connected.push(store);
    }
    return this;
  }

  /**
   * Makes a topic internal: created by the runtime as `<application id>-<name>`, written and read by
   * this topology only, deleted up to what is committed.
   */
  addRepartitionTopic(topic: RepartitionTopic): this {
    checkName('repartition topic', topic.name);
    if (this.#repartitionTopics.has(topic.name)) {
      throw invalid(`there are two repartition topics named ${topic.name}`);
    }
    const { partitions } = topic;
    if (partitions !== undefined && (!Number.isInteger(partitions) || partitions < 1)) {
      throw invalid(`repartition topic ${topic.name} cannot have ${partitions} partitions`);
    }
    this.#repartitionTopics.set(topic.name, topic);
    return this;
  }

  /** All topics of these sources must have equally many partitions, and one task reads them all. */
  copartitionSources(...sourceNames: string[]): this {
    for (const name of sourceNames) {
      if (this.#nodes.get(name)?.kind !== 'source') throw invalid(`${name} is not a source`);
    }
    this.#copartitionedSources.push(sourceNames);
    return this;
  }

  /** Throws TOPOLOGY_INVALID for what only the whole shows: loose stores, half repartition topics. */
  build(): BuiltTopology {
    if (this.#sourceOfTopic.size === 0) throw invalid('the topology reads no topic');
    this.#checkStoresAreConnected();
    this.#checkRepartitionTopicsAreLinked();
    const subTopologies = cutIntoSubTopologies({
      nodes: [...this.#nodes.values()],
      stores: this.#stores,
      repartitionTopics: this.#repartitionTopics,
      copartitionedSources: this.#copartitionedSources,
    });
    return { subTopologies, sourceChangelogs: [] };
  }

  /** Kafka's text with toString(), or the same as data, Mermaid or DOT. */
  describe(): TopologyDescription {
    return new TopologyDescription(this.build());
  }

  #add(node: TopologyNode, children?: string[]): this {
    this.#nodes.set(node.name, node);
    if (children !== undefined) this.#children.set(node.name, children);
    if (node.kind !== 'source') {
      for (const parent of node.parents) this.#children.get(parent)?.push(node.name);
    }
    return this;
  }

  #checkNewNode(name: string): void {
    checkName('node', name);
    if (this.#nodes.has(name)) throw invalid(`there are two nodes named ${name}`);
  }

  #checkParents(name: string, parents: readonly string[]): void {
    if (parents.length === 0) throw invalid(`${name} has no parent: nothing would ever reach it`);
    if (new Set(parents).size !== parents.length) throw invalid(`${name} names a parent twice`);
    for (const parent of parents) {
      if (parent === name) throw invalid(`${name} cannot be its own parent`);
      const node = this.#nodes.get(parent);
      if (node === undefined) {
        throw invalid(`${name} has the unknown parent ${parent}`, {
          hint: 'Add parents before their children; a topology has no cycles.',
        });
      }
      if (node.kind === 'sink') throw invalid(`the sink ${parent} cannot be a parent (of ${name})`);
    }
  }

  #checkStoresAreConnected(): void {
    const connected = new Set([...this.#storesOfProcessor.values()].flat());
    for (const name of this.#stores.keys()) {
      if (!connected.has(name)) throw invalid(`store ${name} is connected to no processor`);
    }
  }

  #checkRepartitionTopicsAreLinked(): void {
    const written = new Set<unknown>();
    for (const node of this.#nodes.values()) if (node.kind === 'sink') written.add(node.topic);
    for (const topic of this.#repartitionTopics.keys()) {
      if (!written.has(topic)) throw invalid(`no sink writes repartition topic ${topic}`);
      if (!this.#sourceOfTopic.has(topic))
        throw invalid(`no source reads repartition topic ${topic}`);
    }
  }
}

function checkName(what: string, name: string): void {
  if (NAME.test(name) && name.length <= NAME_LENGTH_MAX && name !== '.' && name !== '..') return;
  throw invalid(`${JSON.stringify(name)} cannot be the name of a ${what}`, {
    hint: `Use 1 to ${NAME_LENGTH_MAX} of A-Z a-z 0-9 . _ -`,
  });
}

function invalid(message: string, details: { readonly hint?: string } = {}): MillraceError {
  return new MillraceError('TOPOLOGY_INVALID', message, details);
}
