/**
 * A running task's stores, read from another thread of the same process: committed state only, as of
 * the last batch that was written. It sees one batch or the next, never half of one.
 * It must be closed before the task's state is: LevelDB frees what both share with its first opener.
 */
import { MillraceError } from '../base/errors.ts';
import type { BytesStore, BytesStoreEngine } from './bytes-store.ts';
import { readPositions, readStoreIds } from './entries/meta-records.ts';
import { CommittedStore } from './layers/committed-store.ts';
import type { Entry } from './layers/overlay.ts';
import { levelDbEngine } from './leveldb-store.ts';
import { limitOf, walkRange } from './range.ts';
import type {
  RangeOptions,
  ReadOnlyKeyValueStore,
  StoreSpec,
  TaskPositions,
  TaskReader,
} from './state-store.ts';

export interface TaskReaderOptions {
  readonly directory: string;
  readonly specs: readonly StoreSpec[];
  /** The one that the task's state was opened with. Default: LevelDB. */
  readonly engine?: BytesStoreEngine;
}

/** Rejects QUERY_UNAVAILABLE when the task does not run in this process, STORE_IO, STORE_CORRUPT. */
export async function openTaskReader(options: TaskReaderOptions): Promise<TaskReader> {
  const engine = options.engine ?? levelDbEngine();
  const bytes = await engine.open(options.directory, 'reader');
  const ids = readStoreIds(bytes) ?? new Map<string, number>();
  const stores = new Map<string, CommittedReader<unknown, unknown>>();
  for (const spec of options.specs) {
    const id = ids.get(spec.name);
    if (spec.persistence !== 'leveldb' || id === undefined) continue;
    stores.set(spec.name, new CommittedReader(new CommittedStore(spec, id, bytes), bytes));
  }
  return {
    store: <K, V>(name: string) => {
      const store = stores.get(name);
      if (store !== undefined) return store as unknown as ReadOnlyKeyValueStore<K, V>;
      throw new MillraceError('STORE_UNKNOWN', `no store ${name} on disk in ${options.directory}`, {
        hint: 'A store in memory can be read only by the thread that runs its task.',
      });
    },
    positions: (): TaskPositions => readPositions(bytes, 'positions'),
    close: () => bytes.close(),
  };
}

class CommittedReader<K, V> implements ReadOnlyKeyValueStore<K, V> {
  readonly name: string;
  readonly #committed: CommittedStore<K, V>;
  readonly #bytes: BytesStore;

  constructor(committed: CommittedStore<K, V>, bytes: BytesStore) {
    this.name = committed.spec.name;
    this.#committed = committed;
    this.#bytes = bytes;
  }

  get(key: K): V | undefined {
    const entry = this.#committed.get(key);
    return entry === undefined || this.#isExpired(entry, this.#logTimeMs())
      ? undefined
      : entry.value;
  }

  getMany(keys: readonly K[]): readonly (V | undefined)[] {
    return keys.map((key) => this.get(key));
  }

  async *range(options: RangeOptions<K> = {}): AsyncGenerator<readonly [K, V], undefined> {
    const logTimeMs = this.#logTimeMs();
    yield* walkRange({
      limit: limitOf(options.limit),
      reverse: options.reverse ?? false,
      overlaid: [],
      scan: this.#committed.scan(options),
      assertUsable: () => {},
      decode: (stored) => {
        const entry = this.#committed.decode(stored);
        return entry.value === undefined || this.#isExpired(entry, logTimeMs)
          ? undefined
          : [entry.key, entry.value];
      },
    });
  }

  approximateEntryCount(): Promise<number> {
    return this.#committed.approximateCount();
  }

  #isExpired(entry: Entry<K, V>, logTimeMs: number): boolean {
    return this.#committed.isExpired(entry.timestampMs, logTimeMs);
  }

  /** The task's log time travels with its positions; a store without a TTL never needs it. */
  #logTimeMs(): number {
    return this.#committed.spec.ttlMs === undefined
      ? 0
      : readPositions(this.#bytes, 'positions').logTimeMs;
  }
}
