/** An instance as queries see it: stores as maps, and where each partition is. */

import { MillraceError } from '../../base/errors.ts';
import type {
  CommitNotice,
  HostInfo,
  InstanceInfo,
  LocalStore,
  PartitionLocation,
  QueryableStreams,
  StreamsState,
  TaskInfo,
} from '../../interactive-queries/queryable-streams.ts';
import { partitionForKey } from '../../kafka/murmur2.ts';
import type { Serde } from '../../schemas/serde.ts';
import { stringSerde } from '../../schemas/serdes.ts';
import type { RangeOptions, ReadOnlyKeyValueStore, StoreSpec } from '../../stores/state-store.ts';

export interface FakeStoreOptions {
  readonly keySerde?: Serde<unknown>;
  readonly valueSerde?: Serde<unknown>;
  readonly partitionCount?: number;
  /** The topic that its task reads: only positions of it are told with this store. Default: all. */
  readonly topic?: string;
}

export class FakeStreams implements QueryableStreams {
  readonly applicationId = 'test';
  currentState: StreamsState = 'RUNNING';
  silentMs = 0;
  currentTasks: TaskInfo[] = [];
  /** Partitions of all stores that are elsewhere, with their owner; `undefined` = nobody has it. */
  readonly elsewhere = new Map<number, HostInfo | undefined>();
  /** Other instances that follow a partition. */
  readonly standbys = new Map<number, readonly HostInfo[]>();
  /** Partitions that we follow, with how far we are behind. */
  readonly followed = new Map<number, number>();
  /** Partitions that are being restored. */
  readonly restoring = new Map<number, number>();
  /** What openLocal says of a partition although locatePartition calls it ours. */
  readonly gone = new Set<number>();
  /** Stores that only their own thread can read. */
  readonly inMemory = new Set<string>();
  readonly positions = new Map<number, Map<string, number>>();
  /** Of all stores; undefined = answers are not to be kept. */
  revision: object | undefined;
  /** Thrown by the next read of any store, once. */
  nextReadError: Error | undefined;
  opened = 0;
  readonly #specs = new Map<
    string,
    { readonly spec: StoreSpec; readonly partitionCount: number }
  >();
  readonly #topics = new Map<string, string>();
  readonly #values = new Map<string, Map<unknown, unknown>>();
  #listeners: ((notice: CommitNotice) => void)[] = [];

  addStore(name: string, options: FakeStoreOptions = {}): void {
    const { keySerde = stringSerde as Serde<unknown>, valueSerde = stringSerde as Serde<unknown> } =
      options;
    const spec: StoreSpec = {
      kind: 'keyValue',
      name,
      keySerde,
      valueSerde,
      persistence: 'memory',
      changelog: false,
    };
    if (options.topic !== undefined) this.#topics.set(name, options.topic);
    this.#specs.set(name, { spec, partitionCount: options.partitionCount ?? 1 });
  }

  /** As before the start. */
  forget(): void {
    this.#specs.clear();
  }

  put(storeName: string, partition: number, key: unknown, value: unknown): void {
    this.#mapOf(storeName, partition).set(key, value);
  }

  remove(storeName: string, partition: number, key: unknown): void {
    this.#mapOf(storeName, partition).delete(key);
  }

  valueOf(storeName: string, partition: number, key: unknown): unknown {
    return this.#mapOf(storeName, partition).get(key);
  }

  position(partition: number, name: string, offset: number): void {
    const position = this.positions.get(partition) ?? new Map<string, number>();
    this.positions.set(partition, position.set(name, offset));
  }

  commit(notice: CommitNotice): void {
    for (const listener of this.#listeners) listener(notice);
  }

  state(): StreamsState {
    return this.currentState;
  }

  kafkaSilentForMs(): number {
    return this.silentMs;
  }

  stores() {
    return [...this.#specs.values()];
  }

  locateKey(storeName: string, keyBytes: Buffer): PartitionLocation {
    const { partitionCount } = this.#specs.get(storeName)!;
    return this.locatePartition(
      storeName,
      partitionForKey(keyBytes, 0, keyBytes.length, partitionCount),
    );
  }

  locatePartition(_storeName: string, partition: number): PartitionLocation {
    const isLocal = !this.elsewhere.has(partition);
    const active = isLocal ? { host: '127.0.0.1', port: 1 } : this.elsewhere.get(partition);
    return { partition, active, standbys: this.standbys.get(partition) ?? [], isLocal };
  }

  async openLocal(storeName: string, partition: number): Promise<LocalStore> {
    this.opened++;
    if (this.inMemory.has(storeName)) {
      throw new MillraceError('QUERY_UNSUPPORTED', `store ${storeName} is kept in memory`);
    }
    const lag = this.followed.get(partition);
    const isElsewhere = this.gone.has(partition) || this.elsewhere.has(partition);
    if (isElsewhere && lag === undefined) return { kind: 'not-here' };
    const remainingRecords = this.restoring.get(partition);
    if (remainingRecords !== undefined) return { kind: 'restoring', remainingRecords };
    return {
      kind: 'available',
      role: lag === undefined ? 'active' : 'standby',
      store: this.#reader(storeName, partition),
      position: this.#positionOf(storeName, partition),
      revision: this.revision,
      lag: lag ?? 0,
    };
  }

  instances(): readonly InstanceInfo[] {
    return [];
  }

  tasks(): readonly TaskInfo[] {
    return this.currentTasks;
  }

  onCommitted(
    topics: readonly string[],
    wanted: () => boolean,
    listener: (notice: CommitNotice) => void,
  ): () => void {
    const guarded = (notice: CommitNotice) => {
      const outputs = notice.outputs.filter(({ topic }) => topics.includes(topic));
      if (wanted()) listener({ ...notice, outputs });
    };
    this.#listeners.push(guarded);
    return () => {
      this.#listeners = this.#listeners.filter((each) => each !== guarded);
    };
  }

  #positionOf(storeName: string, partition: number): ReadonlyMap<string, number> {
    const all = this.positions.get(partition) ?? new Map<string, number>();
    const topic = this.#topics.get(storeName);
    if (topic === undefined) return all;
    return new Map([...all].filter(([name]) => name === `${topic}-${partition}`));
  }

  #mapOf(storeName: string, partition: number): Map<unknown, unknown> {
    const name = `${storeName}-${partition}`;
    const values = this.#values.get(name) ?? new Map<unknown, unknown>();
    this.#values.set(name, values);
    return values;
  }

  #reader(name: string, partition: number): ReadOnlyKeyValueStore<unknown, unknown> {
    const values = this.#mapOf(name, partition);
    const guarded = <T>(read: () => T): T => {
      const error = this.nextReadError;
      this.nextReadError = undefined;
      if (error !== undefined) throw error;
      return read();
    };
    return {
      name,
      get: (key) => guarded(() => values.get(key)),
      getMany: (keys) => guarded(() => keys.map((key) => values.get(key))),
      approximateEntryCount: async () => guarded(() => values.size),
      async *range(options: RangeOptions<unknown> = {}) {
        const { prefix, limit = Number.POSITIVE_INFINITY } = options;
        const [from, to] = [String(options.from ?? ''), String(options.to ?? '\u{10ffff}')];
        const entries = guarded(() => [...values.entries()]).sort(([a], [b]) =>
          String(a) < String(b) ? -1 : 1,
        );
        const fitting = entries.filter(
          ([key]) =>
            String(key).startsWith(prefix?.toString() ?? '') &&
            String(key) >= from &&
            String(key) <= to,
        );
        for (const [key, value] of fitting.slice(0, limit)) yield [key, value] as const;
      },
    };
  }
}
