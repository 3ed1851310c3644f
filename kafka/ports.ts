/**
 * What the engine needs of Kafka, as capabilities: the runtime imports this file (and records/),
 * nothing else of kafka/. Error codes of the protocol do not cross it: failures are MillraceErrors
 * with one of
 *   KAFKA_RETRIABLE   not done, may be tried again          KAFKA_ABORTABLE  the transaction must be given up
 *   KAFKA_FENCED      another owner; give everything up     KAFKA_AMBIGUOUS  done or not: unknown
 *   KAFKA_OFFSET_OUT_OF_RANGE, KAFKA_AUTHENTICATION, KAFKA_FATAL   stop and tell
 * Offsets are numbers below 2^53.
 */
import type { EncodedBatch, FetchedBatch } from './records/types.ts';

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** `<topic>-<partition>`: the key of every map over partitions. */
export function partitionKey(topic: string, partition: number): string {
  return `${topic}-${partition}`;
}

// ── Reading ────────────────────────────────────────────────────────────────────────────────────

export interface FetchedPartition {
  readonly topic: string;
  readonly partition: number;
  /**
   * Visible data batches (control and aborted ones are left out), CRC checked, in offset order. The
   * first may begin below the position: readers skip records with lower offsets.
   */
  readonly batches: readonly FetchedBatch[];
  /** Where to go on, from batch headers: past control batches, aborted data and compacted holes. */
  readonly nextOffset: number;
  /** Leader epoch of the last batch before nextOffset, visible or not; -1 = unknown. Goes with nextOffset. */
  readonly lastLeaderEpoch: number;
  readonly highWatermark: number;
  readonly lastStableOffset: number;
  readonly logStartOffset: number;
  /** KAFKA_OFFSET_OUT_OF_RANGE, or a diverging leader epoch (same code, facts.divergingOffset). */
  readonly error?: Error;
}

export interface FetcherOptions {
  readonly isolation: 'read_committed' | 'read_uncommitted';
  /** Stop fetching while this much is buffered and not yet polled. */
  readonly bufferedBytesMax: number;
  readonly partitionBytesMax: number;
  /** Long poll at the broker. */
  readonly maxWaitMs: number;
  /** Name of the connection set; two fetchers never share one. */
  readonly channel: string;
}

/**
 * Fetches without a group; positions belong to the caller. Prefetches in the background, one request
 * in flight per broker. Leader changes and lost connections are its own business: it retries for ever.
 */
export interface Fetcher {
  /** Adds the partition, or moves it; what was fetched from another position is thrown away. */
  seek(topic: string, partition: number, offset: number, leaderEpoch?: number): void;
  remove(topic: string, partition: number): void;
  /** A paused partition keeps what is buffered but does not hand it out nor fetch more. */
  pause(topic: string, partition: number): void;
  resume(topic: string, partition: number): void;
  /**
   * What is buffered now, or as soon as something is, or nothing after `maxWaitMs`. One partition may be
   * there several times, in order. An entry without batches tells a moved position or moved bounds.
   */
  poll(maxWaitMs: number): Promise<readonly FetchedPartition[]>;
  /** Makes a waiting poll return at once; the next one when none is waiting. */
  wakeup(): void;
  close(): Promise<void>;
}

// ── The group ──────────────────────────────────────────────────────────────────────────────────

export interface GroupMetadata {
  readonly groupId: string;
  readonly generation: number;
  readonly memberId: string;
  readonly groupInstanceId: string | null;
}

export interface MemberSubscription {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly topics: readonly string[];
  readonly ownedPartitions: readonly TopicPartition[];
  readonly userData: Buffer | null;
}

export interface MemberAssignment {
  readonly partitions: readonly TopicPartition[];
  readonly userData: Buffer | null;
}

/** What the engine tells the group and is told by it. All callbacks are awaited. */
export interface GroupProtocol {
  /** Name on the wire; all members must share it. */
  readonly name: string;
  topics(): readonly string[];
  /** Asked before every JoinGroup. */
  userData(): Buffer | null;
  /** The leader's decision, for every member id. Cooperative: GroupMember withholds what others still own. */
  assign(members: readonly MemberSubscription[]): Promise<ReadonlyMap<string, MemberAssignment>>;
  /**
   * Whether the assignment of a former life, that a static member finds when it comes back, is one
   * that can be worked on now: another version may have got it. Left out: any is.
   */
  fits?(partitions: readonly TopicPartition[], userData: Buffer | null): boolean;
  /**
   * Commit and give up; the member rejoins only after this resolves. metadata() is the new generation's
   * already, so this commit, and one that is under way, are committed under it.
   */
  onRevoked(partitions: readonly TopicPartition[]): Promise<void>;
  /** `added` is new; `assignment` is everything, with the leader's user data. */
  onAssigned(added: readonly TopicPartition[], assignment: MemberAssignment): Promise<void>;
  /**
   * Kicked out: nothing may be committed any more; drop. Resolve only when no commit is under way any
   * more: the member rejoins then, and an old commit must not meet the new generation.
   */
  onLost(partitions: readonly TopicPartition[]): Promise<void>;
  /** KAFKA_FATAL, KAFKA_AUTHENTICATION or KAFKA_FENCED (static id taken over): the member has stopped. */
  onFatal(error: Error): void;
}

export interface GroupMemberOptions {
  readonly groupId: string;
  readonly groupInstanceId: string | null;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
}

/** Member of a classic group, cooperative rebalancing, own heartbeat timer. */
export interface GroupMember {
  /** Joins and stays joined until stop(); resolves when the first assignment has been delivered. */
  start(): Promise<void>;
  /**
   * undefined while not a member, from the moment that is known. During a JoinGroup it is still the old
   * generation's, under which commits go on; it changes before onRevoked and onAssigned are called.
   */
  metadata(): GroupMetadata | undefined;
  /** True from the moment a rebalance is known until the new assignment is delivered. */
  readonly isRebalancing: boolean;
  /**
   * Resolves when no JoinGroup is out, or the member is lost: metadata() is then as new as it will be.
   * With `refused` (what met an ILLEGAL_GENERATION) it resolves at once when metadata() is newer already.
   * It does not wait for callbacks, so onRevoked may wait for a commit that waits here.
   */
  settled(refused?: GroupMetadata): Promise<void>;
  /** Asks for a rebalance (lags or subscriptions changed). */
  rejoin(): void;
  /** Stops heartbeats and, if wanted, gives its place in the group up, a static one too. Does not call onRevoked. */
  stop(options: { readonly leave: boolean }): Promise<void>;
}

// ── Writing ────────────────────────────────────────────────────────────────────────────────────

export interface OffsetToCommit {
  /** Next offset to read. */
  readonly offset: number;
  readonly leaderEpoch: number;
  readonly metadata: string;
}

/** Everything of one transaction. Nobody mutates it after it is handed over. */
export interface Transaction {
  /** In order per partition; each below max.message.bytes. */
  readonly batches: readonly EncodedBatch[];
  /** By partitionKey. Never empty: it alone fences zombies. */
  readonly offsets: ReadonlyMap<string, TopicPartition & OffsetToCommit>;
  /**
   * Asked for when the offsets are due; again, with what was refused, after an ILLEGAL_GENERATION: then
   * it resolves with a newer generation as soon as there is one. undefined = the tasks are lost.
   */
  readonly group: (refused?: GroupMetadata) => Promise<GroupMetadata | undefined>;
}

export type TransactionOutcome =
  | {
      readonly kind: 'committed';
      /** By partitionKey: offset of the first and of the last batch's end (next offset); absent where an ack was a duplicate's. */
      readonly produced: ReadonlyMap<string, ProducedRange>;
    }
  /** Surely not committed once the producer has been initialised again. */
  | { readonly kind: 'aborted'; readonly cause: Error }
  /** Committed or not: unknown until the thread has done its full restart (design §1, 6b). */
  | { readonly kind: 'unknown'; readonly cause: Error }
  | { readonly kind: 'fenced'; readonly cause: Error }
  /** Cannot be repaired by trying again: authorization, message too large, configuration. */
  | { readonly kind: 'fatal'; readonly cause: Error };

export interface ProducedRange {
  readonly baseOffset: number;
  readonly nextOffset: number;
  /** Of the leader as metadata named it; the true one may be newer, for acknowledgements do not say it. */
  readonly leaderEpoch: number;
}

/**
 * One transactional id. V2 (KIP-890) where the broker has it, else V1. After any outcome but
 * 'committed' it refuses work until init() has succeeded again.
 */
export interface TransactionalProducer {
  readonly transactionalId: string;
  /** InitProducerId until it succeeds: fences and finishes whatever this id had open. */
  init(signal?: AbortSignal): Promise<void>;
  /** Produce, TxnOffsetCommit, EndTxn. Never rejects: the outcome says it. */
  commit(transaction: Transaction): Promise<TransactionOutcome>;
  close(): void;
}

/** Idempotent, non-transactional; acks=all. Same bytes again until acknowledged or the delivery timeout. */
export interface Producer {
  /**
   * Queues one record; records for one partition are batched while a request is out.
   * Resolves after acks=all. Rejects with KAFKA_AMBIGUOUS (may be in the log), KAFKA_RETRIABLE (is not:
   * not delivered in time, or no room in the buffer) or KAFKA_FATAL (is not, and would not be next time).
   */
  send(topic: string, partition: number, record: RecordToSend): Promise<SentRecord>;
  /** For at_least_once: whole batches. Same outcome rules. */
  sendBatches(batches: readonly EncodedBatch[]): Promise<ReadonlyMap<string, ProducedRange>>;
  flush(): Promise<void>;
  close(): Promise<void>;
}

export interface RecordToSend {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: readonly { readonly key: string; readonly value: Buffer | null }[];
  /** Default: now. */
  readonly timestampMs?: number;
}

export interface SentRecord {
  readonly partition: number;
  /** -1 when the acknowledgement was a duplicate's. */
  readonly offset: number;
}

// ── Administration ─────────────────────────────────────────────────────────────────────────────

export interface TopicSpec {
  readonly name: string;
  readonly partitions: number;
  /** -1 = the cluster's default. */
  readonly replicationFactor: number;
  readonly configs: Readonly<Record<string, string>>;
}

export interface TopicDescription {
  readonly name: string;
  readonly topicId: string;
  readonly partitions: number;
}

export type OffsetSpec = 'earliest' | 'latest' | { readonly timestampMs: number };

export interface CommittedOffset {
  /** -1 when nothing is committed. */
  readonly offset: number;
  readonly leaderEpoch: number;
  readonly metadata: string;
}

export interface Admin {
  /** Existing topics are left as they are and reported. */
  createTopics(
    topics: readonly TopicSpec[],
  ): Promise<{ readonly created: readonly string[]; readonly existing: readonly string[] }>;
  deleteTopics(names: readonly string[]): Promise<void>;
  describeTopics(names: readonly string[]): Promise<ReadonlyMap<string, TopicDescription>>;
  listTopics(): Promise<readonly string[]>;
  topicConfigs(name: string): Promise<ReadonlyMap<string, string>>;
  /** 'latest' under read_uncommitted is the high watermark, under read_committed the LSO. By partitionKey. */
  listOffsets(
    partitions: readonly TopicPartition[],
    spec: OffsetSpec,
    isolation: 'read_committed' | 'read_uncommitted',
  ): Promise<
    ReadonlyMap<
      string,
      { readonly offset: number; readonly leaderEpoch: number; readonly timestampMs: number }
    >
  >;
  /** requireStable: waits out UNSTABLE_OFFSET_COMMIT (a transaction in flight) until the signal aborts. By partitionKey. */
  committedOffsets(
    groupId: string,
    partitions: readonly TopicPartition[],
    options: {
      readonly requireStable: boolean;
      readonly signal?: AbortSignal;
      readonly onWaiting?: () => void;
    },
  ): Promise<ReadonlyMap<string, CommittedOffset>>;
  /** at_least_once commits. Rejects KAFKA_FENCED / KAFKA_RETRIABLE like the transactional path. */
  commitOffsets(
    group: GroupMetadata,
    offsets: ReadonlyMap<string, TopicPartition & OffsetToCommit>,
  ): Promise<void>;
  /** Deletes what lies before the given offsets (repartition topics after a commit). */
  deleteRecords(before: readonly (TopicPartition & { readonly offset: number })[]): Promise<void>;
  clusterId(): Promise<string>;
}

// ── Opening it all ─────────────────────────────────────────────────────────────────────────────

/** One per stream thread (own sockets) and one on the main thread. */
export interface KafkaClient {
  readonly admin: Admin;
  fetcher(options: FetcherOptions): Fetcher;
  groupMember(options: GroupMemberOptions, protocol: GroupProtocol): GroupMember;
  transactionalProducer(
    transactionalId: string,
    options: { readonly transactionTimeoutMs: number },
  ): TransactionalProducer;
  producer(options: {
    readonly deliveryTimeoutMs: number;
    readonly lingerMs: number;
    readonly compression: Compression;
  }): Producer;
  /** Resolves when a broker answers; calls back while it waits (for a visible, patient message). */
  waitUntilReachable(signal: AbortSignal, onWaiting: (error: Error) => void): Promise<void>;
  partitionCount(topic: string): Promise<number | undefined>;
  close(): Promise<void>;
}

export type Compression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd';
