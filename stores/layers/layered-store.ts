/**
 * A store as its task sees it. A read goes down through: active writes, frozen writes, writes being
 * applied, the committed cache, the disk. When a layer moves on is decided by task-state.ts, for all
 * stores of the task at once.
 */
import type { BytesBatch } from '../bytes-store.ts';
import { CHECKSUM_BYTES, sealEntry, TIMESTAMP_BYTES } from '../entries/entry-format.ts';
import type { Slab } from '../entries/slab.ts';
import { limitOf, type Overlaid, walkRange } from '../range.ts';
import type { KeyValueStore, RangeOptions, StoreSpec } from '../state-store.ts';
import { CommittedCache } from './committed-cache.ts';
import type { CommittedStore } from './committed-store.ts';
import { type Entry, entryOf, type KeyIdentity, type Overlay } from './overlay.ts';

const CACHE_ENTRIES_DEFAULT = 10_000;
/** What a write is taken to cost before any has been encoded. */
const ENTRY_BYTES_GUESS = 256;

/** What all stores of a task share. */
export interface TaskContext {
  /** Log time: put() stamps it and TTL looks at it. */
  logTimeMs: number;
  /** Throws STORE_CLOSED, or STORE_IO after a write has failed. */
  assertUsable(): void;
}

interface FrozenLayer<K, V> {
  readonly overlay: Overlay<K, V>;
  readonly slab: Slab;
}

export class LayeredStore<K, V> implements KeyValueStore<K, V> {
  readonly name: string;
  readonly #spec: StoreSpec<K, V>;
  readonly #storeId: number;
  readonly #committed: CommittedStore<K, V>;
  readonly #context: TaskContext;
  readonly #cache: CommittedCache<K, V>;
  #active: Overlay<K, V> = new Map();
  #frozen: FrozenLayer<K, V> | undefined;
  /** Oldest first; more than one only while the first is being written. */
  #applying: FrozenLayer<K, V>[] = [];
  #entryBytes = ENTRY_BYTES_GUESS;

  constructor(committed: CommittedStore<K, V>, storeId: number, context: TaskContext) {
    this.#spec = committed.spec;
    this.name = committed.spec.name;
    this.#storeId = storeId;
    this.#committed = committed;
    this.#context = context;
    this.#cache = new CommittedCache(committed.spec.cacheEntriesMax ?? CACHE_ENTRIES_DEFAULT);
  }

  get(key: K): V | undefined {
    return this.#newest(key)?.value;
  }

  timestampMsOf(key: K): number | undefined {
    const entry = this.#newest(key);
    return entry?.value === undefined ? undefined : entry.timestampMs;
  }

  getMany(keys: readonly K[]): readonly (V | undefined)[] {
    return keys.map((key) => this.get(key));
  }

  put(key: K, value: V, timestampMs: number = this.#context.logTimeMs): void {
    this.#write(key, value, timestampMs);
  }

  putIfAbsent(key: K, value: V): V | undefined {
    const present = this.get(key);
    if (present === undefined) this.put(key, value);
    return present;
  }

  delete(key: K): void {
    this.#write(key, undefined, this.#context.logTimeMs);
  }

  async *range(options: RangeOptions<K> = {}): AsyncGenerator<readonly [K, V], undefined> {
    this.#context.assertUsable();
    const reverse = options.reverse ?? false;
    yield* walkRange({
      limit: limitOf(options.limit),
      reverse,
      overlaid: this.#overlaid(options, reverse),
      scan: this.#committed.scan(options),
      assertUsable: () => this.#context.assertUsable(),
      decode: (stored) => this.#visible(this.#committed.decode(stored)),
    });
  }

  approximateEntryCount(): Promise<number> {
    this.#context.assertUsable();
    return this.#committed.approximateCount();
  }

  // --- what follows is for the task, not for processors ---

  get isLogged(): boolean {
    return this.#spec.changelog !== false;
  }

  get activeCount(): number {
    return this.#active.size;
  }

  /** From the average of what was encoded before. */
  get activeBytesEstimate(): number {
    return this.#active.size * this.#entryBytes;
  }

  /** Encodes the active writes. Throws SERIALIZATION and leaves the layers as they were. */
  encodeActive(slab: Slab): void {
    const start = slab.end;
    for (const entry of this.#active.values()) {
      entry.keyStart = slab.end;
      slab.appendByte(this.#storeId);
      slab.append(this.#spec.keySerde, entry.key);
      entry.keyEnd = slab.end;
      if (entry.value !== undefined) {
        slab.skip(TIMESTAMP_BYTES);
        slab.append(this.#spec.valueSerde, entry.value);
        const valueEnd = slab.end;
        slab.skip(CHECKSUM_BYTES);
        sealEntry(slab.buffer, entry.keyStart, entry.keyEnd, valueEnd, entry.timestampMs);
      }
      entry.end = slab.end;
    }
    if (this.#active.size > 0) this.#entryBytes = (slab.end - start) / this.#active.size;
  }

  /** After encodeActive, with the same slab. */
  freeze(slab: Slab): void {
    this.#frozen = { overlay: this.#active, slab };
    this.#active = new Map();
  }

  frozenEntries(): Iterable<Entry<unknown, unknown>> {
    return this.#frozen?.overlay.values() ?? [];
  }

  /** The frozen writes are committed. */
  beginApply(): void {
    if (this.#frozen === undefined) return;
    this.#applying.push(this.#frozen);
    this.#frozen = undefined;
  }

  /** Puts the oldest writes being applied into a batch. */
  addTo(batch: BytesBatch): void {
    const layer = this.#applying[0];
    if (layer === undefined) return;
    const { buffer } = layer.slab;
    for (const { keyStart, keyEnd, end } of layer.overlay.values()) {
      const key = buffer.subarray(keyStart, keyEnd);
      if (end === keyEnd) batch.delete(key);
      else batch.put(key, buffer.subarray(keyEnd, end));
    }
  }

  /** The oldest writes being applied are on the disk. */
  endApply(): void {
    const layer = this.#applying.shift();
    if (layer === undefined) return;
    for (const [identity, entry] of layer.overlay) this.#cache.set(identity, entry);
  }

  /**
   * Forgets active and frozen writes and every object that a processor may have got hold of and
   * changed. Committed writes on their way to the disk are decoded afresh.
   */
  dropUncommitted(): void {
    this.#active = new Map();
    this.#frozen = undefined;
    this.#cache.clear();
    this.#applying = this.#applying.map((layer) => this.#decodeAfresh(layer));
  }

  /** The disk was changed below: what is cached may be old. */
  forgetCached(): void {
    this.#cache.clear();
  }

  /** Deletes the entry if the newest one under this key is expired. */
  expire(key: K): boolean {
    this.#context.assertUsable();
    const identity = this.#identify(key);
    const entry = this.#find(identity) ?? this.#committed.get(key);
    if (entry?.value === undefined || !this.#isExpired(entry)) return false;
    this.delete(key);
    return true;
  }

  #write(key: K, value: V | undefined, timestampMs: number): void {
    this.#context.assertUsable();
    const identity = this.#identify(key);
    const entry = this.#active.get(identity);
    if (value !== undefined) this.#committed.announce(key);
    if (entry === undefined) {
      this.#active.set(identity, entryOf(key, value, timestampMs));
    } else {
      entry.value = value;
      entry.timestampMs = timestampMs;
    }
  }

  #identify(key: K): KeyIdentity {
    return typeof key === 'string' || typeof key === 'number'
      ? key
      : this.#committed.keys.latin1(key);
  }

  /** The entry that counts, unless it is expired; its value is undefined when it was deleted. */
  #newest(key: K): Entry<K, V> | undefined {
    this.#context.assertUsable();
    if (this.#committed.isUnknown(key)) return undefined;
    const identity = this.#identify(key);
    const entry = this.#find(identity) ?? this.#load(key, identity);
    return entry === undefined || this.#isExpired(entry) ? undefined : entry;
  }

  #find(identity: KeyIdentity): Entry<K, V> | undefined {
    const uncommitted = this.#active.get(identity) ?? this.#frozen?.overlay.get(identity);
    if (uncommitted !== undefined) return uncommitted;
    for (let index = this.#applying.length - 1; index >= 0; index--) {
      const entry = this.#applying[index]!.overlay.get(identity);
      if (entry !== undefined) return entry;
    }
    return this.#cache.get(identity);
  }

  #load(key: K, identity: KeyIdentity): Entry<K, V> | undefined {
    const entry = this.#committed.get(key);
    if (entry !== undefined) this.#cache.set(identity, entry);
    return entry;
  }

  #isExpired(entry: Entry<K, V>): boolean {
    return this.#committed.isExpired(entry.timestampMs, this.#context.logTimeMs);
  }

  #visible(entry: Entry<K, V>): readonly [K, V] | undefined {
    return entry.value === undefined || this.#isExpired(entry)
      ? undefined
      : [entry.key, entry.value];
  }

  #overlaid(options: RangeOptions<K>, reverse: boolean): readonly Overlaid<K, V>[] {
    const layers = [...this.#applying.map((layer) => layer.overlay), this.#active];
    if (this.#frozen !== undefined) layers.splice(-1, 0, this.#frozen.overlay);
    const newest = new Map<KeyIdentity, Entry<K, V>>();
    for (const layer of layers) for (const [identity, entry] of layer) newest.set(identity, entry);
    if (newest.size === 0) return [];
    const { gte, lt } = this.#committed.keys.range(options);
    const from = gte.toString('latin1', 1);
    const isOpenEnded = lt.length === 1;
    const to = lt.toString('latin1', 1);
    const overlaid: Overlaid<K, V>[] = [];
    for (const entry of newest.values()) {
      const orderKey = this.#committed.keys.latin1(entry.key);
      if (orderKey < from || !(isOpenEnded || orderKey < to)) continue;
      overlaid.push({ orderKey, entry: this.#visible(entry) });
    }
    const direction = reverse ? -1 : 1;
    return overlaid.sort((a, b) => (a.orderKey < b.orderKey ? -direction : direction));
  }

  #decodeAfresh({ overlay, slab }: FrozenLayer<K, V>): FrozenLayer<K, V> {
    const fresh: Overlay<K, V> = new Map();
    const { keySerde, valueSerde } = this.#spec;
    for (const [identity, entry] of overlay) {
      const { keyStart, keyEnd, end } = entry;
      const value =
        entry.value === undefined
          ? undefined
          : valueSerde.decode(slab.buffer, keyEnd + TIMESTAMP_BYTES, end - CHECKSUM_BYTES);
      const key = keySerde.decode(slab.buffer, keyStart + 1, keyEnd);
      fresh.set(identity, { ...entry, key, value });
    }
    return { overlay: fresh, slab };
  }
}
