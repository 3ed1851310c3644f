/**
 * All stores of one task over one directory: moves the layers of all of them together, writes data
 * and positions in one batch, one batch at a time. What a layer is: layers/layered-store.ts.
 *
 * T1. A write that failed poisons the state (write-queue.ts says why).
 * T2. Slabs change hands: active -> frozen -> applying -> spare; at most one frozen.
 * T3. Positions on disk never speak of stores that live in memory.
 */
import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { MillraceError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { BytesBatch, BytesStore, BytesStoreEngine } from './bytes-store.ts';
import { KnownKeys } from './entries/known-keys.ts';
import {
  NO_POSITIONS,
  type StatePositions,
  writeBootMark,
  writePositions,
} from './entries/meta-records.ts';
import { RestoreWriter } from './entries/restore-writer.ts';
import { Slab } from './entries/slab.ts';
import { CommittedStore } from './layers/committed-store.ts';
import { ExpirySweep } from './layers/expiry-sweep.ts';
import { EncodedWrites } from './layers/frozen-writes.ts';
import { LayeredStore, type TaskContext } from './layers/layered-store.ts';
import { levelDbEngine } from './leveldb-store.ts';
import { MemoryStore } from './memory-store.ts';
import type {
  ChangelogPosition,
  FrozenWrites,
  KeyValueStore,
  RestoredRecord,
  StoreSpec,
  TaskPositions,
  TaskState,
} from './state-store.ts';
import { openTaskDisk, type TaskDisk } from './task-disk.ts';
import { WriteQueue } from './write-queue.ts';

export interface TaskStateOptions {
  /** undefined = everything in memory, whatever the specs say. */
  readonly directory: string | undefined;
  readonly taskId: string;
  readonly specs: readonly StoreSpec[];
  readonly clock: Clock;
  /** Changes when the machine (not the process) has restarted. */
  readonly bootId: string;
  readonly log: Log;
  /** How long a power loss may set it back, while anything is written; default: a minute. */
  readonly checkpointIntervalMs?: number;
  /** Default: LevelDB with a small budget of its own. */
  readonly engine?: BytesStoreEngine;
}

const SLAB_BYTES = 64 * 1024;
const SPARE_SLABS_MAX = 2;
const CHECKPOINT_INTERVAL_MS = 60_000;
const CHECKPOINT_BYTES = 64 << 20;

/**
 * Rejects STORE_CORRUPT (then engine.destroy and restore from the start), STORE_IO, STORE_DISK_FULL,
 * STATE_DIR_LOCKED.
 */
export async function openTaskState(options: TaskStateOptions): Promise<LocalTaskState> {
  const engine = options.engine ?? levelDbEngine();
  const isStored = (spec: StoreSpec) =>
    options.directory !== undefined && spec.persistence === 'leveldb';
  const disk =
    options.directory === undefined
      ? undefined
      : await openTaskDisk({
          ...options,
          directory: options.directory,
          engine,
          storeNames: options.specs.filter(isStored).map((spec) => spec.name),
        });
  return new LocalTaskState(options, disk, isStored);
}

interface OwnStore {
  readonly layered: LayeredStore<unknown, unknown>;
  readonly restored: RestoreWriter;
  readonly isStored: boolean;
}

export class LocalTaskState implements TaskState {
  readonly directory: string | undefined;
  readonly #options: TaskStateOptions;
  readonly #disk: TaskDisk | undefined;
  readonly #memory = new MemoryStore();
  readonly #stores = new Map<string, OwnStore>();
  readonly #layered: readonly LayeredStore<unknown, unknown>[];
  readonly #sweeps: ExpirySweep<unknown, unknown>[] = [];
  readonly #knownKeys: KnownKeys[] = [];
  readonly #context: TaskContext;
  readonly #writes: WriteQueue;
  readonly #spareSlabs: Slab[] = [];
  #frozen: EncodedWrites | undefined;
  #positions: StatePositions;
  #closing: Promise<void> | undefined;
  #checkpointAtMs: number;
  #checkpointBytes = 0;

  constructor(
    options: TaskStateOptions,
    disk: TaskDisk | undefined,
    isStored: (spec: StoreSpec) => boolean,
  ) {
    this.directory = options.directory;
    this.#options = options;
    this.#disk = disk;
    const { taskId, log } = options;
    this.#writes = new WriteQueue(`the state of task ${taskId}`, (cause) =>
      log.error({ taskId, err: cause }, 'a write of state failed: the state is given up'),
    );
    const positions = disk?.positions ?? NO_POSITIONS;
    this.#checkpointAtMs = options.clock.monotonicMs();
    this.#context = {
      logTimeMs: positions.logTimeMs,
      assertUsable: () => this.#assertUsable(),
    };
    let memoryId = 0;
    for (const spec of options.specs) {
      if (isStored(spec)) this.#add(spec, disk!.storeIds.get(spec.name)!, disk!.bytes, true);
      else this.#add(spec, ++memoryId, this.#memory, false);
    }
    this.#positions = this.#storedOnly(positions);
    this.#layered = [...this.#stores.values()].map((store) => store.layered);
  }

  store<K, V>(name: string): KeyValueStore<K, V> {
    return this.#own(name).layered as LayeredStore<K, V>;
  }

  positions(): TaskPositions {
    return this.#positions;
  }

  setTimestamp(timestampMs: number): void {
    this.#context.logTimeMs = timestampMs;
  }

  uncommittedBytes(): number {
    let bytes = this.#frozen?.sizeBytes ?? 0;
    for (const store of this.#layered) bytes += store.activeBytesEstimate;
    return bytes;
  }

  hasUncommitted(): boolean {
    return this.#frozen !== undefined || this.#layered.some((store) => store.activeCount > 0);
  }

  freeze(): FrozenWrites {
    this.#assertUsable();
    assert(this.#frozen === undefined, 'only one set of writes is frozen at a time');
    const slab = this.#spareSlabs.pop() ?? new Slab(SLAB_BYTES);
    slab.end = 0;
    let entryCount = 0;
    for (const store of this.#layered) {
      store.encodeActive(slab);
      entryCount += store.activeCount;
    }
    for (const store of this.#layered) store.freeze(slab);
    this.#frozen = new EncodedWrites(entryCount, slab, this.#layered);
    return this.#frozen;
  }

  /** Without freeze() before it, only the positions are written. */
  async apply(positions: TaskPositions): Promise<void> {
    this.#assertUsable();
    const writes = this.#frozen;
    const { logTimeMs } = this.#context;
    this.#frozen = undefined;
    if (writes !== undefined) for (const store of this.#layered) store.beginApply();
    await this.#writes.run(async () => {
      const merged = mergePositions(this.#positions, positions, logTimeMs);
      await this.#writeBatch((batchOf) => {
        if (writes === undefined) return;
        for (const store of this.#stores.values()) store.layered.addTo(batchOf(store));
      }, merged);
      if (writes !== undefined) this.#endApply(writes);
    });
  }

  dropUncommitted(): void {
    this.#recycle(this.#frozen?.slab);
    this.#frozen = undefined;
    for (const store of this.#layered) store.dropUncommitted();
  }

  restore(storeName: string, record: RestoredRecord): void {
    this.#assertUsable();
    this.#own(storeName).restored.add(record);
  }

  async flushRestored(storeName: string, position: ChangelogPosition): Promise<void> {
    this.#assertUsable();
    const store = this.#own(storeName);
    const { batch, sizeBytes } = store.restored.take();
    await this.#writes.run(async () => {
      const restored = { changelogs: new Map([[storeName, position]]), inputs: new Map() };
      const merged = mergePositions(this.#positions, restored, this.#positions.logTimeMs);
      if (store.isStored) writePositions(batch, 'positions', this.#storedOnly(merged));
      await batch.write();
      this.#positions = merged;
      this.#checkpointBytes += sizeBytes;
      store.layered.forgetCached();
    });
  }

  checkpointDue(): boolean {
    return (
      this.#checkpointBytes >= CHECKPOINT_BYTES ||
      (this.#checkpointBytes > 0 &&
        this.#options.clock.monotonicMs() - this.#checkpointAtMs >=
          (this.#options.checkpointIntervalMs ?? CHECKPOINT_INTERVAL_MS))
    );
  }

  async checkpointFlushed(): Promise<void> {
    this.#assertUsable();
    const disk = this.#disk;
    this.#checkpointAtMs = this.#options.clock.monotonicMs();
    this.#checkpointBytes = 0;
    if (disk === undefined) return;
    await this.#writes.run(async () => {
      const before = this.#storedOnly(this.#positions);
      await disk.bytes.flush();
      const batch = disk.bytes.batch();
      writePositions(batch, 'flushed', before);
      await batch.write();
    });
  }

  async expireSome(limit: number): Promise<number> {
    let left = limit;
    let expired = 0;
    for (let turn = 0; turn < this.#sweeps.length && left > 0; turn++) {
      this.#assertUsable();
      const sweep = this.#sweeps.shift()!;
      this.#sweeps.push(sweep);
      const seen = await sweep.visit(left, this.#context.logTimeMs);
      left -= seen.visited;
      expired += seen.expired;
    }
    return expired;
  }

  close(options: { readonly clean: boolean }): Promise<void> {
    this.#closing ??= this.#close(options.clean);
    return this.#closing;
  }

  async wipe(): Promise<void> {
    await this.close({ clean: false });
    if (this.#disk !== undefined) await this.#disk.destroy();
  }

  #add(spec: StoreSpec, storeId: number, bytes: BytesStore, isStored: boolean): void {
    assert(!this.#stores.has(spec.name), `two stores are called ${spec.name}`);
    const knownKeys = isStored ? this.#knownKeysOf(spec) : undefined;
    const committed = new CommittedStore(spec, storeId, bytes, knownKeys);
    const layered = new LayeredStore(committed, storeId, this.#context);
    const restored = new RestoreWriter(storeId, bytes, knownKeys);
    this.#stores.set(spec.name, { layered, restored, isStored });
    if (spec.ttlMs !== undefined) this.#sweeps.push(new ExpirySweep(layered, committed));
  }

  /** A store in memory finds out as fast that it does not have a key. */
  #knownKeysOf({ name, knownKeysMax = 0 }: StoreSpec): KnownKeys | undefined {
    if (knownKeysMax === 0) return undefined;
    const knownKeys = new KnownKeys(knownKeysMax);
    if (this.#disk!.newStores.has(name)) knownKeys.assumeEmpty();
    this.#knownKeys.push(knownKeys);
    return knownKeys;
  }

  #own(name: string): OwnStore {
    const store = this.#stores.get(name);
    if (store !== undefined) return store;
    throw new MillraceError('STORE_UNKNOWN', `task ${this.#options.taskId} has no store ${name}`);
  }

  async #writeBatch(
    fill: (batchOf: (store: OwnStore) => BytesBatch) => void,
    merged: StatePositions,
  ): Promise<void> {
    const memory = this.#memory.batch();
    const disk = this.#disk?.bytes.batch();
    fill((store) => (store.isStored ? disk! : memory));
    if (disk !== undefined) writePositions(disk, 'positions', this.#storedOnly(merged));
    await Promise.all([memory.write(), disk?.write()]);
    this.#positions = merged;
  }

  #endApply(writes: EncodedWrites): void {
    for (const store of this.#layered) store.endApply();
    this.#checkpointBytes += writes.sizeBytes;
    this.#recycle(writes.slab);
  }

  #recycle(slab: Slab | undefined): void {
    if (slab?.reusable && this.#spareSlabs.length < SPARE_SLABS_MAX) this.#spareSlabs.push(slab);
  }

  #storedOnly(positions: StatePositions): StatePositions {
    const isStored = (name: string) => this.#stores.get(name)?.isStored ?? true;
    const changelogs = [...positions.changelogs].filter(([name]) => isStored(name));
    return { ...positions, changelogs: new Map(changelogs) };
  }

  #assertUsable(): void {
    if (this.#closing !== undefined) {
      throw new MillraceError(
        'STORE_CLOSED',
        `the state of task ${this.#options.taskId} is closed`,
      );
    }
    if (this.#writes.failure !== undefined) throw this.#writes.failure;
  }

  async #close(clean: boolean): Promise<void> {
    await this.#writes.settled();
    for (const knownKeys of this.#knownKeys) await knownKeys.close();
    const disk = this.#disk;
    if (clean && disk !== undefined && this.#writes.failure === undefined) {
      await this.#leaveCleanMark(disk.bytes).catch((error) => {
        const { taskId, log } = this.#options;
        log.warn({ taskId, err: error }, 'closed without a clean mark: it may cost a replay');
      });
    }
    await disk?.bytes.close();
    await this.#memory.close();
  }

  async #leaveCleanMark(bytes: BytesStore): Promise<void> {
    const { taskId, bootId } = this.#options;
    await bytes.flush();
    const batch = bytes.batch();
    writePositions(batch, 'flushed', this.#storedOnly(this.#positions));
    writeBootMark(batch, { taskId, bootId, clean: true });
    await batch.write({ sync: true });
  }
}

function mergePositions(
  before: StatePositions,
  news: TaskPositions,
  logTimeMs: number,
): StatePositions {
  return {
    changelogs: new Map([...before.changelogs, ...news.changelogs]),
    inputs: new Map([...before.inputs, ...news.inputs]),
    logTimeMs,
  };
}
