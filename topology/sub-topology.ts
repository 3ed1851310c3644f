/**
 * A topology as the runtime gets it: plain data, already validated and cut into sub-topologies.
 * processor-graph.ts turns one SubTopology into connected nodes for one task.
 */
import type { Serde } from '../schemas/serde.ts';
import type { StoreSpec } from '../stores/state-store.ts';
import type { ProcessorSupplier, StreamPartitioner, TimestampExtractor } from './processor.ts';

export interface SourceNode {
  readonly kind: 'source';
  readonly name: string;
  readonly topics: readonly string[];
  readonly keySerde: Serde<unknown>;
  readonly valueSerde: Serde<unknown>;
  /** Null keys / null values reach the node only when true; else they go to the bad-record policy. Default true. */
  readonly nullKeys?: boolean;
  readonly nullValues?: boolean;
  readonly timestampExtractor?: TimestampExtractor;
  readonly offsetReset?: 'earliest' | 'latest';
  /** Records may wait so long for more, ms: for what is off the fast path, so that it commits less often. Default 0. */
  readonly lingerMs?: number;
  readonly children: readonly string[];
}

export interface ProcessorNode {
  readonly kind: 'processor';
  readonly name: string;
  readonly supplier: ProcessorSupplier;
  readonly stores: readonly string[];
  readonly children: readonly string[];
  readonly parents: readonly string[];
}

export interface SinkNode {
  readonly kind: 'sink';
  readonly name: string;
  readonly topic: string | ((record: { readonly key: unknown; readonly value: unknown }) => string);
  readonly keySerde: Serde<unknown>;
  readonly valueSerde: Serde<unknown>;
  readonly partitioner?: StreamPartitioner;
  readonly parents: readonly string[];
}

export type TopologyNode = SourceNode | ProcessorNode | SinkNode;

export interface RepartitionTopic {
  /** Without the application id; the real topic is `<application id>-<name>`. */
  readonly name: string;
  /** Default: as many as the widest source of the sub-topology that writes it. */
  readonly partitions?: number;
}

export interface SubTopology {
  readonly id: number;
  /** Topologically sorted: parents before children. */
  readonly nodes: readonly TopologyNode[];
  /** External and repartition topics read; repartition ones without the application id's prefix. */
  readonly sourceTopics: readonly string[];
  /** Those of sourceTopics / sink topics that are repartition topics. */
  readonly repartitionSources: readonly RepartitionTopic[];
  readonly repartitionSinks: readonly RepartitionTopic[];
  readonly stores: readonly StoreSpec[];
  /** Source topics that must have equally many partitions. */
  readonly copartitionGroups: readonly (readonly string[])[];
}

/** A store whose changelog is the source topic itself (a table read from a compacted topic). */
export interface SourceChangelog {
  readonly storeName: string;
  readonly topic: string;
}

export interface BuiltTopology {
  readonly subTopologies: readonly SubTopology[];
  readonly sourceChangelogs: readonly SourceChangelog[];
}
