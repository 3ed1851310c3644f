/**
 * The plain objects that name things and choose serdes: Kafka's Named, Consumed, Produced, Grouped,
 * Repartitioned, Joined and Materialized.
 */
import type { Serde } from '../../schemas/serde.ts';
import type { StreamPartitioner, TimestampExtractor } from '../processor.ts';

export interface Named {
  /** Of the node. Generated as Kafka does when left out. */
  readonly name?: string;
}

/** For operations that change keys or values: what later stores, sinks and repartitions encode with. */
export interface Typed<K, V> extends Named {
  readonly keySerde?: Serde<K> | undefined;
  readonly valueSerde?: Serde<V> | undefined;
}

export interface Consumed<K, V> extends Named {
  readonly keySerde: Serde<K>;
  readonly valueSerde: Serde<V>;
  readonly timestampExtractor?: TimestampExtractor;
  readonly offsetReset?: 'earliest' | 'latest';
  /** Records may wait so long for more before they are processed, ms. Default 0. */
  readonly lingerMs?: number;
}

export interface Produced<K, V> extends Typed<K, V> {
  readonly partitioner?: StreamPartitioner<K, V>;
}

/** The name is also the repartition topic's, `<application id>-<name>-repartition`. */
export interface Grouped<K, V> extends Typed<K, V> {}

/** The name is also the repartition topic's, `<application id>-<name>-repartition`. */
export interface Repartitioned<K, V> extends Typed<K, V> {
  /** Default: as many as the widest topic that is read where the stream comes from. */
  readonly partitions?: number;
  readonly partitioner?: StreamPartitioner<K, V>;
}

/** Of a stream-table join: name and serdes are also those of the stream's repartition topic. */
export interface Joined<K, V> extends Typed<K, V> {}

/** How a table is kept. `store` names the store, its changelog, and what queries ask for. */
export interface Materialized<K, V> extends Typed<K, V> {
  readonly store?: string;
  /** Default leveldb. */
  readonly persistence?: 'leveldb' | 'memory';
  /** Topic settings of the changelog; false = none, the state is lost with the disk. */
  readonly changelog?: false | Readonly<Record<string, string>>;
  readonly ttlMs?: number;
  readonly cacheEntriesMax?: number;
}

/** For tables whose values are of a new type: nothing is there to inherit the serde from. */
export interface MaterializedValues<K, V> extends Materialized<K, V> {
  readonly valueSerde: Serde<V>;
}

export interface Processed<K, V> extends Typed<K, V> {
  /** Names of stores added with StreamsBuilder.addStateStore. */
  readonly stores?: readonly string[];
}

/** True when something about the store is said, but not its name (Kafka's `Materialized.with`). */
export function isAnonymous(materialized: Materialized<unknown, unknown>): boolean {
  const { name: _, store, ...rest } = materialized;
  return store === undefined && Object.values(rest).some((value) => value !== undefined);
}
