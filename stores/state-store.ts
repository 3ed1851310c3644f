/**
 * The contract of state: what a topology declares (StoreSpec), what a processor sees
 * (KeyValueStore), what a query sees (ReadOnlyKeyValueStore), and what a task does with all of its
 * stores at once (TaskState). leveldb-store.ts and memory-store.ts keep the bytes below it.
 *
 * S1. Uncommitted writes live in memory only; disk is never ahead of Kafka (design invariant 4).
 * S2. Data and position are written in one atomic batch.
 * S3. Values handed out are shared: nobody mutates them. Whoever changes one puts a new object.
 */
import type { Serde } from '../schemas/serde.ts';

export interface StoreSpec<K = unknown, V = unknown> {
  readonly kind: 'keyValue';
  /** Letters, digits, `.`, `_`, `-`; part of the changelog topic's name. */
  readonly name: string;
  readonly keySerde: Serde<K>;
  readonly valueSerde: Serde<V>;
  /** What is in 'memory' is read by its own task alone: queries of it are refused (QUERY_UNSUPPORTED). */
  readonly persistence: 'leveldb' | 'memory';
  /** false = not logged: lost with the disk. */
  readonly changelog: false | { readonly configs: Readonly<Record<string, string>> };
  /** Entries older than this (log time) are absent to every reader. */
  readonly ttlMs?: number;
  /** Decoded, committed entries kept in memory in front of the disk. Default 10,000. */
  readonly cacheEntriesMax?: number;
  /**
   * For stores on disk that are asked mostly for keys they do not have (is this id new?): remembers
   * in memory which keys were ever written, up to so many per task, so that a new one is known
   * without a read. 5 to 12 bytes each; beyond it every read asks the disk. Default 0.
   */
  readonly knownKeysMax?: number;
}

export interface RangeOptions<K> {
  /** Inclusive, both; order is that of the encoded keys' bytes, unsigned. */
  readonly from?: K;
  readonly to?: K;
  /** Only keys whose encoded bytes start with these. */
  readonly prefix?: Buffer;
  readonly reverse?: boolean;
  readonly limit?: number;
}

export interface ReadOnlyKeyValueStore<K, V> {
  readonly name: string;
  /** Synchronous. Throws STORE_CORRUPT when the checksum is wrong, STORE_CLOSED, STORE_IO. */
  get(key: K): V | undefined;
  getMany(keys: readonly K[]): readonly (V | undefined)[];
  /** Sees one snapshot from its first step to its end. LevelDB can only be walked asynchronously. */
  range(options?: RangeOptions<K>): AsyncIterableIterator<readonly [K, V]>;
  approximateEntryCount(): Promise<number>;
}

export interface KeyValueStore<K, V> extends ReadOnlyKeyValueStore<K, V> {
  /** Log time of the entry that get() returns; undefined when there is none. */
  timestampMsOf(key: K): number | undefined;
  /** Timestamp: log time of the record being processed unless given. */
  put(key: K, value: V, timestampMs?: number): void;
  /** Returns what was there before, undefined when it was absent and has now been put. */
  putIfAbsent(key: K, value: V): V | undefined;
  delete(key: K): void;
}

/** Where a changelog has been applied up to. */
export interface ChangelogPosition {
  /** Next changelog offset to apply. */
  readonly offset: number;
  readonly leaderEpoch: number;
  readonly topicId: string;
  /** Wall clock when this was written: older than delete.retention.ms / 2 means wipe. */
  readonly positionAtMs: number;
}

/** One committed set of writes, encoded once: for the changelog and for the LevelDB batch. */
export interface FrozenWrites {
  readonly entryCount: number;
  readonly sizeBytes: number;
  /**
   * Every write in order of first put, for stores that are logged. value undefined = tombstone.
   * The ranges are valid until the writes are applied or dropped; the object that visit() gets is
   * the same every time.
   */
  forEachLogged(visit: (write: FrozenWrite) => void): void;
}

export interface FrozenWrite {
  readonly storeName: string;
  readonly buffer: Buffer;
  readonly keyStart: number;
  readonly keyEnd: number;
  /** -1 = tombstone. */
  readonly valueStart: number;
  readonly valueEnd: number;
  readonly timestampMs: number;
}

export interface TaskPositions {
  /** By store name. */
  readonly changelogs: ReadonlyMap<string, ChangelogPosition>;
  /** By `<topic>-<partition>`: next input offset; what Store-Position tells. */
  readonly inputs: ReadonlyMap<string, number>;
}

/**
 * All stores of one task. Life: open -> (restore)* -> [ freeze -> applied | dropUncommitted ]* -> close.
 * Layers a read goes through: active writes, frozen writes, writes being applied, committed cache, disk.
 */
export interface TaskState {
  readonly directory: string | undefined;
  store<K, V>(name: string): KeyValueStore<K, V>;
  /** As of the last applied batch. undefined offset = nothing applied: restore from the start. */
  positions(): TaskPositions;
  /** Log time that put() stamps and TTL looks at. */
  setTimestamp(timestampMs: number): void;
  /** Bytes of uncommitted writes, for the cap of a transaction. */
  uncommittedBytes(): number;
  hasUncommitted(): boolean;
  /** Moves the active writes aside; processing goes on above them. Only one frozen set at a time. */
  freeze(): FrozenWrites;
  /**
   * The frozen writes are committed: visible to everyone at once, written in ONE batch with the
   * positions. Resolves when written; the next apply() waits for it. Rejects STORE_IO / STORE_DISK_FULL:
   * then the state must be closed, wiped and restored (disk full: closed and tried again).
   */
  apply(positions: TaskPositions): Promise<void>;
  /** The transaction failed: active and frozen writes and every cached object are forgotten. */
  dropUncommitted(): void;
  /** Restore: adds changelog records straight to the disk's next batch (undefined start = tombstone). */
  restore(storeName: string, record: RestoredRecord): void;
  /** Writes what restore() gathered, with the position up to which it is complete. */
  flushRestored(storeName: string, position: ChangelogPosition): Promise<void>;
  /** compactRange on an empty range, then notes the earlier positions as flushed (power-loss safety). */
  checkpointFlushed(): Promise<void>;
  /** True a minute after the last checkpoint if anything was written since, and every 64 MB. */
  checkpointDue(): boolean;
  /**
   * Looks at up to `limit` entries of the stores that have a TTL, going on where it stopped last
   * time, and deletes expired ones: ordinary writes of the current transaction, so only an active
   * task calls it, and awaits it before freeze(). Resolves with how many were deleted.
   */
  expireSome(limit: number): Promise<number>;
  /** clean = leaves the clean-close mark, if it can. Waits for readers in other threads. Idempotent. */
  close(options: { readonly clean: boolean }): Promise<void>;
  /** Closes and deletes everything of this task from the disk. */
  wipe(): Promise<void>;
}

export interface RestoredRecord {
  readonly buffer: Buffer;
  readonly keyStart: number;
  readonly keyEnd: number;
  readonly valueStart: number;
  readonly valueEnd: number;
  readonly timestampMs: number;
}

/** A second, read-only opening of a running task's LevelDB, from another thread of the same process. */
export interface TaskReader {
  store<K, V>(name: string): ReadOnlyKeyValueStore<K, V>;
  positions(): TaskPositions;
  close(): Promise<void>;
}
