/** The Processor API: what a user writes, and what the engine gives it. Names as in Kafka Streams. */
import type { KeyValueStore } from '../stores/state-store.ts';

export interface RecordHeaders {
  readonly key: string;
  readonly value: Buffer | null;
}

/** Kafka Streams' `Record`. Immutable: forward a new one to change it. */
export interface StreamRecord<K, V> {
  readonly key: K;
  readonly value: V;
  readonly timestampMs: number;
  readonly headers: readonly RecordHeaders[];
}

export interface RecordMetadata {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

export type PunctuationType = 'stream-time' | 'wall-clock-time';

export interface Cancellable {
  cancel(): void;
}

/** Called with the time that fell due. May be asynchronous (to walk a range); its task waits meanwhile. */
export type Punctuator = (timestampMs: number) => void | Promise<void>;

export interface ProcessorContext<KOut = unknown, VOut = unknown> {
  readonly applicationId: string;
  /** `<subtopology>_<partition>` */
  readonly taskId: string;
  readonly partition: number;
  /** To all children, or to the named one. Return its result from process(): downstream may be asynchronous. */
  forward(record: StreamRecord<KOut, VOut>, child?: string): void | Promise<void>;
  /** Throws STORE_UNKNOWN unless the store was connected to this processor. */
  getStateStore<K, V>(name: string): KeyValueStore<K, V>;
  schedule(intervalMs: number, type: PunctuationType, punctuator: Punctuator): Cancellable;
  /** Asks for a commit soon. */
  commit(): void;
  /** Counts a record that was left out on purpose (no key to group by, say), for the metrics. */
  recordDropped?(reason: string): void;
  /** Of the record being processed; undefined in a punctuator. */
  recordMetadata(): RecordMetadata | undefined;
  /** Partition time: highest timestamp seen by this task, -1 before the first. */
  currentStreamTimeMs(): number;
  currentSystemTimeMs(): number;
  /** Milliseconds since some fixed point; never goes back: what durations are measured with. */
  currentMonotonicMs(): number;
}

export interface Processor<KIn = unknown, VIn = unknown, KOut = unknown, VOut = unknown> {
  init?(context: ProcessorContext<KOut, VOut>): void;
  /** Synchronous unless it returns a promise, which the task then awaits before the next record. */
  process(record: StreamRecord<KIn, VIn>): void | Promise<void>;
  /** Just before every commit: forward what was held back (at most one update per key and commit, say). */
  flush?(): void | Promise<void>;
  close?(): void;
}

export type ProcessorSupplier<
  KIn = unknown,
  VIn = unknown,
  KOut = unknown,
  VOut = unknown,
> = () => Processor<KIn, VIn, KOut, VOut>;

/** Chooses a sink's partition; undefined = by murmur2 of the key's bytes, as Java does. */
export type StreamPartitioner<K = unknown, V = unknown> = (target: {
  readonly topic: string;
  readonly key: K;
  readonly value: V;
  readonly partitionCount: number;
  readonly taskPartition: number;
}) => number | undefined;

/** Log time of a record. `partitionTimeMs` is the highest so far (-1 = none). Negative = drop the record. */
export type TimestampExtractor = (record: {
  readonly timestampMs: number;
  readonly value: unknown;
  readonly partitionTimeMs: number;
}) => number;
