/**
 * The port that queries stand on and the runtime fulfils: who owns what, and committed state.
 *
 * Q1. A local store shows committed state only, and nothing older than what this instance has
 *     already announced through onCommitted (openLocal waits the millisecond until it is on disk).
 */
import type { ReadOnlyKeyValueStore, StoreSpec } from '../stores/state-store.ts';

export interface HostInfo {
  readonly host: string;
  readonly port: number;
}

export type StreamsState =
  | 'CREATED'
  | 'REBALANCING'
  | 'RUNNING'
  | 'PENDING_SHUTDOWN'
  | 'NOT_RUNNING'
  | 'PENDING_ERROR'
  | 'ERROR';

export interface PartitionLocation {
  readonly partition: number;
  /** undefined while nobody is known to own it (rebalancing). */
  readonly active: HostInfo | undefined;
  readonly standbys: readonly HostInfo[];
  readonly isLocal: boolean;
}

export type LocalStore =
  | {
      readonly kind: 'available';
      readonly role: 'active' | 'standby';
      readonly store: ReadOnlyKeyValueStore<unknown, unknown>;
      /** By `<topic>-<partition>`: next input offset that the state contains. */
      readonly position: ReadonlyMap<string, number>;
      /**
       * The same object as long as what was read under it may still be answered; undefined = nobody
       * can tell. Another one, at the latest, when a commit has been announced and applied (Q1).
       */
      readonly revision?: object | undefined;
      /** Changelog records a standby is behind; 0 for an active. */
      readonly lag: number;
    }
  | { readonly kind: 'restoring'; readonly remainingRecords: number }
  | { readonly kind: 'not-here' };

export interface TaskInfo {
  readonly taskId: string;
  readonly role: 'active' | 'standby';
  readonly status: 'created' | 'restoring' | 'running' | 'paused' | 'suspended';
  readonly thread: string;
  readonly inputLag: number;
  readonly remainingRestoreRecords: number;
  readonly restoreTotalRecords: number;
  readonly lastCommitAtMs: number;
  /** Left out by processors on purpose, since the task came here; not of standbys. */
  readonly droppedRecords?: number;
}

export interface InstanceInfo {
  readonly host: HostInfo;
  readonly processId: string;
  readonly isLocal: boolean;
  /** Store name -> partitions. */
  readonly active: ReadonlyMap<string, readonly number[]>;
  readonly standby: ReadonlyMap<string, readonly number[]>;
}

/** What one committed transaction wrote to a listened topic: the encoded record batches, as produced. */
export interface CommittedOutput {
  readonly topic: string;
  readonly partition: number;
  readonly batch: Buffer;
}

export interface CommitNotice {
  readonly taskPartitions: readonly number[];
  readonly outputs: readonly CommittedOutput[];
  readonly committedAtMs: number;
}

export interface QueryableStreams {
  readonly applicationId: string;
  state(): StreamsState;
  /** ms since Kafka was last heard of; readiness and the age of answers use it. */
  kafkaSilentForMs(): number;
  stores(): readonly { readonly spec: StoreSpec; readonly partitionCount: number }[];
  /** By murmur2 of the encoded key, as producers partition. Throws STORE_UNKNOWN. */
  locateKey(storeName: string, keyBytes: Buffer): PartitionLocation;
  locatePartition(storeName: string, partition: number): PartitionLocation;
  /** A promise only where something must be waited for. */
  openLocal(storeName: string, partition: number): LocalStore | Promise<LocalStore>;
  instances(): readonly InstanceInfo[];
  tasks(): readonly TaskInfo[];
  /**
   * Listens to what this instance commits to these topics, after EndTxn and before the store batch.
   * While `wanted()` is false nothing is copied: return whether anybody is waiting.
   */
  onCommitted(
    topics: readonly string[],
    wanted: () => boolean,
    listener: (notice: CommitNotice) => void,
  ): () => void;
}
