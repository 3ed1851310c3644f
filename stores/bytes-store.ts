/**
 * The contract below state: ordered bytes. leveldb-store.ts keeps them on disk, memory-store.ts in
 * memory, simulated-disk.ts on a disk that a simulation owns. Keys order as unsigned bytes.
 * It knows nothing of stores, serdes, positions or transactions: task-state.ts does.
 */

/** Half open: from `gte` up to, but without, `lt`. */
export interface BytesRange {
  readonly gte: Buffer;
  readonly lt: Buffer;
  readonly reverse?: boolean;
}

export type BytesEntry = readonly [key: Buffer, value: Buffer];

/** A walk over one snapshot, taken when the scan was created. */
export interface BytesScan {
  /** Up to `max` entries; none = the end. One call at a time. */
  next(max: number): Promise<readonly BytesEntry[]>;
  /** Idempotent. A scan left open holds its snapshot. */
  close(): Promise<void>;
}

/** Writes that become visible and lasting together or not at all. Copies what it is given. */
export interface BytesBatch {
  put(key: Buffer, value: Buffer): void;
  delete(key: Buffer): void;
  /** Once. sync = on stable storage when resolved. Rejects STORE_IO, STORE_DISK_FULL, STORE_CLOSED. */
  write(options?: { readonly sync: boolean }): Promise<void>;
}

export interface BytesStore {
  /** Synchronous; the newest written value. Throws STORE_IO, STORE_CORRUPT, STORE_CLOSED. */
  get(key: Buffer): Buffer | undefined;
  scan(range: BytesRange): BytesScan;
  batch(): BytesBatch;
  /** Bytes this range takes on disk, roughly; what is still in memory may be missing. */
  estimateBytes(range: BytesRange): Promise<number>;
  /**
   * Whatever was written before the call is on stable storage afterwards, provided that the next
   * write succeeds: some implementations report a failed flush only there.
   */
  flush(): Promise<void>;
  /** Waits for what runs, refuses what comes. Idempotent. */
  close(): Promise<void>;
}

/** Opens and destroys bytes stores by directory. */
export interface BytesStoreEngine {
  /**
   * `owner` creates what is missing and waits until an earlier owner of this process has closed;
   * `reader` needs a running owner. Rejects STORE_CORRUPT, STORE_IO, STORE_DISK_FULL,
   * STATE_DIR_LOCKED, QUERY_UNAVAILABLE (a reader without an owner).
   */
  open(directory: string, role: 'owner' | 'reader'): Promise<BytesStore>;
  /** Deletes everything in the directory; it must not be open. */
  destroy(directory: string): Promise<void>;
  /** Where the directories are, unless they are this machine's: a simulation's own. */
  readonly machine?: StoreMachine;
}

/** What else the engine must be asked when its directories are not in the file system. */
export interface StoreMachine {
  /** As /proc/sys/kernel/random/boot_id: changes when the machine restarts. */
  bootId(): string;
  /** Names of the directories below this one that hold a bytes store. */
  list(directory: string): readonly string[];
}
