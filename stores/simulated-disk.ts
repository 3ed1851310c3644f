/**
 * A disk inside the process for simulations: it outlives close() and reopening, loses what was not
 * synced when the power goes, and fails the n-th write. Like LevelDB, it goes on acknowledging
 * writes after a failed one, and loses them. Nothing here is random: the simulation decides.
 */
import { assert } from '../base/assert.ts';
import { MillraceError } from '../base/errors.ts';
import type {
  BytesBatch,
  BytesRange,
  BytesScan,
  BytesStore,
  BytesStoreEngine,
} from './bytes-store.ts';
import { MemoryStore } from './memory-store.ts';

type Write = readonly [key: string, value: Buffer | undefined];
type Fault = 'EIO' | 'ENOSPC';

interface Written {
  readonly writes: readonly Write[];
  isSynced: boolean;
}

interface Volume {
  written: Written[];
  owner: OpenVolume | undefined;
  readonly readers: Set<SimulatedReader>;
  readonly waiting: (() => void)[];
}

export class SimulatedDisk implements BytesStoreEngine {
  readonly #volumes = new Map<string, Volume>();
  readonly #faults = new Map<number, Fault>();
  readonly #latency: () => Promise<void>;
  readonly #written: () => void;
  #writeCount = 0;

  /** `latency` is awaited before every write and flush takes effect; `written` is told of each batch. */
  constructor(
    latency: () => Promise<void> = () => Promise.resolve(),
    written: () => void = () => {},
  ) {
    this.#latency = latency;
    this.#written = written;
  }

  /** Batches that anybody has tried to write so far. */
  get writeCount(): number {
    return this.#writeCount;
  }

  /** Makes the n-th write from now on (1 = the next one) fail once. */
  failWrite(nth: number, fault: Fault): void {
    this.#faults.set(this.#writeCount + nth, fault);
  }

  /** Forgets the failures that have not come yet. */
  heal(): void {
    this.#faults.clear();
  }

  async open(directory: string, role: 'owner' | 'reader'): Promise<BytesStore> {
    const volume = this.#volume(directory);
    if (role === 'reader') {
      if (volume.owner === undefined) {
        throw new MillraceError('QUERY_UNAVAILABLE', `no task runs in ${directory}`);
      }
      return new SimulatedReader(volume.owner, volume.readers);
    }
    while (volume.owner !== undefined) {
      await new Promise<void>((resolve) => volume.waiting.push(resolve));
    }
    volume.owner = new OpenVolume(this, volume, this.#latency);
    return volume.owner;
  }

  destroy(directory: string): Promise<void> {
    assert(this.#volumes.get(directory)?.owner === undefined, `${directory} is open`);
    this.#volumes.delete(directory);
    return Promise.resolve();
  }

  /** The process dies: handles fail from now on, what was written stays. */
  crash(): void {
    for (const volume of this.#volumes.values()) {
      // Who waits for a directory dies too.
      volume.waiting.length = 0;
      volume.owner?.die();
    }
  }

  /**
   * The machine dies. `survives` decides for each batch that was not synced, by its number among
   * them (0 = oldest): LevelDB can lose one in the middle and keep later ones.
   */
  losePower(survives: (unsynced: number, unsyncedCount: number) => boolean = () => false): void {
    this.crash();
    for (const volume of this.#volumes.values()) {
      const unsynced = volume.written.filter((batch) => !batch.isSynced);
      const lost = new Set(unsynced.filter((_, index) => !survives(index, unsynced.length)));
      volume.written = volume.written.filter((batch) => !lost.has(batch));
    }
  }

  /** Changes what lies under a key, behind everybody's back; the directory must not be open. */
  tamper(directory: string, key: Buffer, value: Buffer | undefined): void {
    const volume = this.#volume(directory);
    assert(volume.owner === undefined, `${directory} is open`);
    volume.written.push({ writes: [[key.toString('latin1'), value]], isSynced: true });
  }

  /** A batch has been written. */
  tellWritten(): void {
    this.#written();
  }

  takeFault(): Fault | undefined {
    const fault = this.#faults.get(++this.#writeCount);
    this.#faults.delete(this.#writeCount);
    return fault;
  }

  #volume(directory: string): Volume {
    let volume = this.#volumes.get(directory);
    if (volume === undefined) {
      volume = { written: [], owner: undefined, readers: new Set(), waiting: [] };
      this.#volumes.set(directory, volume);
    }
    return volume;
  }
}

class OpenVolume implements BytesStore {
  readonly #disk: SimulatedDisk;
  readonly #volume: Volume;
  readonly #latency: () => Promise<void>;
  readonly #view = new MemoryStore();
  #state: 'open' | 'failed' | 'dead' = 'open';

  constructor(disk: SimulatedDisk, volume: Volume, latency: () => Promise<void>) {
    this.#disk = disk;
    this.#volume = volume;
    this.#latency = latency;
    volume.written = compact(volume.written);
    for (const { writes } of volume.written) this.#view.applyAll(writes);
  }

  get(key: Buffer): Buffer | undefined {
    this.#assertAlive();
    const value = this.#view.get(key);
    return value && Buffer.from(value);
  }

  scan(range: BytesRange): BytesScan {
    this.#assertAlive();
    return this.#view.scan(range);
  }

  batch(): BytesBatch {
    const writes: Write[] = [];
    return {
      put: (key, value) => {
        writes.push([key.toString('latin1'), Buffer.from(value)]);
      },
      delete: (key) => {
        writes.push([key.toString('latin1'), undefined]);
      },
      write: (options) => this.#write(writes, options?.sync ?? false),
    };
  }

  estimateBytes(range: BytesRange): Promise<number> {
    this.#assertAlive();
    return this.#view.estimateBytes(range);
  }

  async flush(): Promise<void> {
    this.#assertAlive();
    const before = [...this.#volume.written];
    await this.#latency();
    this.#assertAlive();
    if (this.#state === 'open') for (const batch of before) batch.isSynced = true;
  }

  async close(): Promise<void> {
    if (this.#volume.owner !== this) return;
    assert(this.#volume.readers.size === 0, 'readers are closed before the owner');
    this.#leave();
  }

  die(): void {
    this.#state = 'dead';
    this.#volume.readers.clear();
    this.#leave();
  }

  async #write(writes: readonly Write[], isSynced: boolean): Promise<void> {
    await this.#latency();
    this.#assertAlive();
    const fault = this.#disk.takeFault();
    if (fault !== undefined) {
      this.#state = 'failed';
      throw new MillraceError(
        fault === 'ENOSPC' ? 'STORE_DISK_FULL' : 'STORE_IO',
        `simulated ${fault}`,
      );
    }
    this.#view.applyAll(writes);
    if (this.#state === 'open') this.#volume.written.push({ writes, isSynced });
    this.#disk.tellWritten();
  }

  #leave(): void {
    this.#volume.owner = undefined;
    this.#volume.waiting.shift()?.();
  }

  #assertAlive(): void {
    if (this.#state === 'dead') throw new MillraceError('STORE_IO', 'the simulated process died');
    if (this.#volume.owner !== this) {
      throw new MillraceError('STORE_CLOSED', 'the simulated volume is closed');
    }
  }
}

class SimulatedReader implements BytesStore {
  readonly #owner: OpenVolume;
  readonly #readers: Set<SimulatedReader>;
  #closed = false;

  constructor(owner: OpenVolume, readers: Set<SimulatedReader>) {
    this.#owner = owner;
    this.#readers = readers;
    readers.add(this);
  }

  get(key: Buffer): Buffer | undefined {
    return this.#open().get(key);
  }

  scan(range: BytesRange): BytesScan {
    return this.#open().scan(range);
  }

  batch(): BytesBatch {
    throw new MillraceError('INTERNAL', 'a reader does not write');
  }

  estimateBytes(range: BytesRange): Promise<number> {
    return this.#open().estimateBytes(range);
  }

  flush(): Promise<void> {
    throw new MillraceError('INTERNAL', 'a reader does not write');
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#readers.delete(this);
    return Promise.resolve();
  }

  #open(): OpenVolume {
    if (this.#closed) throw new MillraceError('STORE_CLOSED', 'the reader is closed');
    return this.#owner;
  }
}

/** Folds the synced batches at the front into one, so that a volume does not grow with its age. */
function compact(written: readonly Written[]): Written[] {
  const firstUnsynced = written.findIndex((batch) => !batch.isSynced);
  const syncedCount = firstUnsynced < 0 ? written.length : firstUnsynced;
  if (syncedCount < 2) return [...written];
  const newest = new Map<string, Buffer | undefined>();
  for (const { writes } of written.slice(0, syncedCount)) {
    for (const [key, value] of writes) newest.set(key, value);
  }
  const kept = [...newest].filter(([, value]) => value !== undefined);
  return [{ writes: kept, isSynced: true }, ...written.slice(syncedCount)];
}
