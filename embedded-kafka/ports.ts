/**
 * The seams of the embedded broker. Its core is deterministic: clock, randomness and disk are given
 * to it, so that a simulation can drive it; server/ (TCP, MessagePort, worker) is a thin shell.
 *
 *   server/         sockets and worker ports -> frames -> broker.ts
 *   broker.ts       one frame in, one frame out: decode, dispatch by api key, encode
 *   handlers/       one file per group of APIs: translate messages to calls below, and error codes
 *   log/            a partition on disk: segments, recovery, index, compaction, retention
 *   partitions/     topics and partitions: append with producer state, fetch, LSO, aborted index
 *   coordinators/   groups, transactions, producer ids: state machines over compacted internal topics
 */
import type { BatchHeader } from '../kafka/records/types.ts';

// ── The disk ───────────────────────────────────────────────────────────────────────────────────

/** An append-only file, plus what recovery needs. Positions are bytes from the start. */
export interface DiskFile {
  /** Writes all the bytes at the end; synchronous, into the OS cache. Throws on ENOSPC / EIO. */
  append(bytes: readonly Uint8Array[]): void;
  /** fdatasync. A rejection is final: the broker stops (its copy is the only copy). */
  sync(): Promise<void>;
  /** Reads up to `length` bytes; fewer at the end of the file. */
  read(position: number, length: number): Buffer;
  truncate(sizeBytes: number): void;
  sizeBytes(): number;
  close(): void;
}

export interface Disk {
  open(path: string, options: { readonly create: boolean }): DiskFile;
  list(directory: string): readonly string[];
  exists(path: string): boolean;
  makeDirectory(path: string): void;
  remove(path: string): void;
  /** Atomic replacement, then the directory is synced. */
  rename(from: string, to: string): void;
  /** Whole small file, written to a temporary name, synced and renamed. */
  writeAtomically(path: string, bytes: Uint8Array): void;
}

// ── Partitions, as handlers and coordinators use them ──────────────────────────────────────────

/** Kafka's own error code; 0 = none. Names in kafka/protocol/error-codes.ts. */
export type ErrorCodeNumber = number;

export interface AppendResult {
  readonly error: ErrorCodeNumber;
  readonly errorMessage?: string;
  /** Which records of the batch are to blame, for INVALID_RECORD and INVALID_TIMESTAMP. */
  readonly recordErrors?: readonly { readonly batchIndex: number; readonly message: string }[];
  readonly baseOffset: number;
  /** -1 unless the topic uses LogAppendTime. */
  readonly logAppendTimeMs: number;
  readonly logStartOffset: number;
}

export interface AppendRequest {
  readonly records: Buffer;
  /** acks=0/1 resolve after the write, -1 after fdatasync. */
  readonly acks: number;
  readonly transactionalId: string | null;
  /** Coordinators' own appends skip sequence and size checks (producer epochs are still checked). */
  readonly internal?: boolean;
  /** Nobody waits for it: it becomes durable with the next append that somebody does wait for. */
  readonly lazily?: boolean;
  /** Transactions V2 (Produce v12+): a producer without state here must begin with sequence 0. */
  readonly supportsEpochBump?: boolean;
}

export interface ReadRequest {
  readonly fetchOffset: number;
  readonly maxBytes: number;
  readonly isolation: 'read_committed' | 'read_uncommitted';
  /** -1 = not checked. */
  readonly currentLeaderEpoch: number;
  /** Epoch of the last record the client has; -1 = unknown. */
  readonly lastFetchedEpoch: number;
  /** At least one batch, even beyond maxBytes. */
  readonly atLeastOneBatch: boolean;
}

export interface ReadResult {
  readonly error: ErrorCodeNumber;
  readonly records: Buffer;
  readonly highWatermark: number;
  readonly lastStableOffset: number;
  readonly logStartOffset: number;
  readonly abortedTransactions:
    | readonly { readonly producerId: number; readonly firstOffset: number }[]
    | null;
  /** Set, with no records, when the log diverged from what the client has read (KIP-320). */
  readonly divergingEpoch?: { readonly epoch: number; readonly endOffset: number };
}

export interface ProducerStateView {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly lastSequence: number;
  readonly lastTimestampMs: number;
  readonly coordinatorEpoch: number;
  /** First offset of the open transaction, -1 = none. */
  readonly currentTransactionStartOffset: number;
}

export interface Partition {
  readonly topic: string;
  readonly partition: number;
  readonly highWatermark: number;
  readonly lastStableOffset: number;
  readonly logStartOffset: number;
  readonly leaderEpoch: number;
  append(request: AppendRequest): Promise<AppendResult>;
  /**
   * Writes a transaction marker and ends that producer's transaction here.
   * Resolves after fdatasync; harmless when the producer has no open transaction.
   */
  appendMarker(marker: TransactionMarker): Promise<AppendResult>;
  read(request: ReadRequest): ReadResult;
  /** Resolves when something new is readable, at the latest when cancelled. */
  onAppend(listener: () => void): () => void;
  /** Earliest offset whose timestamp is >= the given one; undefined when there is none. */
  offsetForTimestamp(
    timestampMs: number,
  ): { readonly offset: number; readonly timestampMs: number } | undefined;
  maxTimestamp(): { readonly offset: number; readonly timestampMs: number };
  /** End offset of the largest epoch <= the given one. */
  endOffsetForEpoch(leaderEpoch: number): {
    readonly leaderEpoch: number;
    readonly endOffset: number;
  };
  deleteRecordsBefore(offset: number): Promise<ErrorCodeNumber>;
  producers(): readonly ProducerStateView[];
  /** Every batch from logStart to the end, for coordinators loading their state. */
  batches(): Iterable<{ readonly buffer: Buffer; readonly header: BatchHeader }>;
  sizeBytes(): number;
}

export interface TransactionMarker {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly coordinatorEpoch: number;
  readonly committed: boolean;
}

export interface Topic {
  readonly name: string;
  /** 32 hex digits. */
  readonly topicId: string;
  readonly isInternal: boolean;
  readonly partitions: readonly Partition[];
  /** Overrides only; effective values come from configOf. */
  readonly configs: ReadonlyMap<string, string>;
}

export interface TopicManager {
  topic(name: string): Topic | undefined;
  topicById(topicId: string): Topic | undefined;
  topics(): readonly Topic[];
  partition(topic: string, partition: number): Partition | undefined;
  /** Validates name, count and configs; returns Kafka's code. */
  createTopic(spec: {
    readonly name: string;
    readonly partitions: number;
    readonly configs: ReadonlyMap<string, string>;
    readonly isInternal?: boolean;
    readonly validateOnly?: boolean;
  }): { readonly error: ErrorCodeNumber; readonly errorMessage?: string; readonly topic?: Topic };
  deleteTopic(name: string): ErrorCodeNumber;
  addPartitions(
    name: string,
    totalCount: number,
  ): { readonly error: ErrorCodeNumber; readonly errorMessage?: string };
  alterConfigs(
    name: string,
    changes: readonly {
      readonly name: string;
      readonly operation: 'set' | 'delete' | 'append' | 'subtract';
      readonly value: string | null;
    }[],
    validateOnly: boolean,
  ): { readonly error: ErrorCodeNumber; readonly errorMessage?: string };
  /** Effective values with where each comes from. */
  configOf(
    name: string,
  ): readonly { readonly name: string; readonly value: string; readonly isDefault: boolean }[];
  /** One round of retention and compaction. */
  maintain(): Promise<void>;
  close(): Promise<void>;
}

// ── What the produce path asks the transaction coordinator (KIP-890) ───────────────────────────

export interface TransactionVerifier {
  /**
   * Before a transactional append: is the partition part of an ongoing transaction of this producer?
   * V2 (Produce v12+, addIfMissing) adds it. 0, or Kafka's code.
   */
  verify(request: {
    readonly transactionalId: string;
    readonly producerId: number;
    readonly producerEpoch: number;
    readonly partitions: readonly { readonly topic: string; readonly partition: number }[];
    readonly addIfMissing: boolean;
  }): Promise<ErrorCodeNumber>;
}

export interface ConnectionContext {
  readonly connectionId: number;
  /** From ApiVersions v3+, else 'unknown'. */
  clientSoftwareName: string;
  readonly clientHost: string;
  /** The address advertised to this client: a configured one, else where it has reached us. */
  readonly localHost: string;
  readonly localPort: number;
}

/** One frame in (without the 4-byte size), one out; undefined = nothing to answer (acks=0). Rejects = close the connection. */
export interface FrameHandler {
  handle(frame: Buffer, connection: ConnectionContext): Promise<Buffer | undefined>;
  connectionClosed(connection: ConnectionContext): void;
}
