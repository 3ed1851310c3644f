/**
 * One store's entries in a bytes store, decoded and checked: the lowest layer of a task's store, and
 * all there is for a reader in another thread.
 */
import { MillraceError } from '../../base/errors.ts';
import { UnknownSchemaError } from '../../schemas/serde.ts';
import type { BytesEntry, BytesRange, BytesScan, BytesStore } from '../bytes-store.ts';
import {
  CHECKSUM_BYTES,
  TIMESTAMP_BYTES,
  timestampOf,
  verifyEntry,
} from '../entries/entry-format.ts';
import { KeyEncoder } from '../entries/key-encoder.ts';
import type { KnownKeys } from '../entries/known-keys.ts';
import type { RangeOptions, StoreSpec } from '../state-store.ts';
import { type Entry, entryOf } from './overlay.ts';

/** Up to here entries are counted one by one, above it the rest is estimated from its size. */
const COUNTED_MAX = 10_000;
const COUNT_PAGE = 1000;
const ZERO = Buffer.alloc(1);
const UNREADABLE_HINT =
  'Its changelog has what this version cannot read: run the version that wrote it, or mend the changelog.';

export class CommittedStore<K, V> {
  readonly spec: StoreSpec<K, V>;
  readonly keys: KeyEncoder<K>;
  readonly #bytes: BytesStore;
  readonly #knownKeys: KnownKeys | undefined;

  constructor(spec: StoreSpec<K, V>, storeId: number, bytes: BytesStore, knownKeys?: KnownKeys) {
    this.spec = spec;
    this.keys = new KeyEncoder(storeId, spec.keySerde);
    this.#bytes = bytes;
    this.#knownKeys = knownKeys;
  }

  /** True: nobody has ever announced a write of this key, so no layer can have it. */
  isUnknown(key: K): boolean {
    const known = this.#knownKeys;
    if (known === undefined) return false;
    if (!known.isComplete) {
      known.learn(() => this.scan({}));
      return false;
    }
    const { buffer, end } = this.keys.encodeToScratch(key);
    return known.isAbsent(buffer, 0, end);
  }

  /** To be called before a layer above takes a value under this key. */
  announce(key: K): void {
    if (this.#knownKeys === undefined) return;
    const { buffer, end } = this.keys.encodeToScratch(key);
    this.#knownKeys.add(buffer, 0, end);
  }

  /** Expired entries included. Throws STORE_CORRUPT, STATE_UNREADABLE, STORE_IO, STORE_CLOSED. */
  get(key: K): Entry<K, V> | undefined {
    const dbKey = this.keys.encode(key);
    const stored = this.#bytes.get(dbKey);
    if (stored === undefined) return undefined;
    verifyEntry(dbKey, stored, this.spec.name);
    return entryOf(key, this.#decodeValue(stored), timestampOf(stored));
  }

  /** Expired entries included. Throws STORE_CORRUPT, STATE_UNREADABLE. */
  decode(stored: BytesEntry): Entry<K, V> {
    const [key, value] = stored;
    verifyEntry(key, value, this.spec.name);
    return entryOf(this.#decodeKey(key), this.#decodeValue(value), timestampOf(value));
  }

  scan(options: RangeOptions<K>): BytesScan {
    return this.#bytes.scan(this.keys.range(options));
  }

  /** Everything above this db key; everything at all without one. */
  scanAfter(dbKey: Buffer | undefined): BytesScan {
    const whole = this.keys.range({});
    return this.#bytes.scan(dbKey ? { ...whole, gte: Buffer.concat([dbKey, ZERO]) } : whole);
  }

  isExpired(timestampMs: number, logTimeMs: number): boolean {
    return this.spec.ttlMs !== undefined && logTimeMs - timestampMs > this.spec.ttlMs;
  }

  async approximateCount(): Promise<number> {
    const whole = this.keys.range({});
    const { counted, next } = await this.#count(whole);
    if (next === undefined) return counted;
    const [wholeBytes, countedBytes] = await Promise.all([
      this.#bytes.estimateBytes(whole),
      this.#bytes.estimateBytes({ gte: whole.gte, lt: next }),
    ]);
    if (countedBytes === 0) return counted;
    return Math.max(counted, Math.round((counted * wholeBytes) / countedBytes));
  }

  /** Counts from the front; `next` is where it stopped, undefined at the end. */
  async #count(range: BytesRange): Promise<{ counted: number; next: Buffer | undefined }> {
    const scan = this.#bytes.scan(range);
    try {
      for (let counted = 0; ; ) {
        const page = await scan.next(COUNT_PAGE);
        if (page.length === 0) return { counted, next: undefined };
        if (counted >= COUNTED_MAX) return { counted, next: page[0]![0] };
        counted += page.length;
      }
    } finally {
      await scan.close();
    }
  }

  #decodeKey(stored: Buffer): K {
    try {
      return this.keys.decode(stored);
    } catch (cause) {
      throw this.#unreadable(cause);
    }
  }

  #decodeValue(stored: Buffer): V {
    try {
      return this.spec.valueSerde.decode(stored, TIMESTAMP_BYTES, stored.length - CHECKSUM_BYTES);
    } catch (cause) {
      throw this.#unreadable(cause);
    }
  }

  /** Its checksum says that it was written so: no disk is to blame, and no restore will mend it. */
  #unreadable(cause: unknown): unknown {
    if (cause instanceof UnknownSchemaError) return cause;
    const message = `an entry of store ${this.spec.name} is not of its type`;
    return new MillraceError('STATE_UNREADABLE', message, { cause, hint: UNREADABLE_HINT });
  }
}
