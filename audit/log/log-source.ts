/**
 * What the auditor needs of a log, wherever it lies: Kafka (kafka-source.ts), a crafted one in memory,
 * a simulation. Batches come raw, with control batches and aborted data; the auditor decides itself
 * what was committed.
 */
import type { FetchedBatch } from '../../kafka/records/types.ts';

export interface PartitionBounds {
  readonly startOffset: number;
  /** High watermark: what was ever written lies below. */
  readonly endOffset: number;
  /** Below the first open transaction; = endOffset when there is none. */
  readonly stableOffset: number;
  /** Of the application's group; undefined = nothing committed. */
  readonly committedOffset: number | undefined;
}

/** How things stand at one moment. By `<topic>-<partition>`. */
export interface LogSample {
  /** Members of the application's group. */
  readonly memberCount: number;
  readonly bounds: ReadonlyMap<string, PartitionBounds>;
}

export interface AbortedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
}

export interface RawBatches {
  /** In offset order, CRC checked. */
  readonly batches: readonly FetchedBatch[];
  /** What the log's keeper tells its read_committed readers to leave out; undefined = it tells nothing. */
  readonly aborted: readonly AbortedTransaction[] | undefined;
}

export interface LogSource {
  /** Every topic with its number of partitions. */
  topics(): Promise<ReadonlyMap<string, number>>;
  /** `inputs`: topics that the group consumes; `topics`: all that are audited. */
  sample(topics: readonly string[], inputs: readonly string[]): Promise<LogSample>;
  /** Everything within these bounds, in order. */
  read(topic: string, partition: number, bounds: PartitionBounds): AsyncIterable<RawBatches>;
}
