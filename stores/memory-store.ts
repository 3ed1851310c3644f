/**
 * Ordered bytes in memory: a hash map for reads, and a sorted list of its keys that is brought up to
 * date only when somebody scans. Keys are latin1 strings, whose order is that of the bytes.
 */
import { MillraceError } from '../base/errors.ts';
import type { BytesBatch, BytesEntry, BytesRange, BytesScan, BytesStore } from './bytes-store.ts';

type Write = readonly [key: string, value: Buffer | undefined];

export class MemoryStore implements BytesStore {
  readonly #values = new Map<string, Buffer>();
  #sorted: string[] = [];
  /** Put since #sorted was built. */
  #added: string[] = [];
  /** In #sorted or #added, but no longer in #values. */
  readonly #removed = new Set<string>();
  #closed = false;

  get(key: Buffer): Buffer | undefined {
    this.#assertOpen();
    return this.#values.get(key.toString('latin1'));
  }

  scan(range: BytesRange): BytesScan {
    this.#assertOpen();
    const entries = this.#capture(range);
    let at = 0;
    return {
      next: (max) => {
        const page: BytesEntry[] = [];
        for (; at < entries.length && page.length < max; at++) {
          const [key, value] = entries[at]!;
          page.push([Buffer.from(key, 'latin1'), value]);
        }
        return Promise.resolve(page);
      },
      close: () => {
        entries.length = 0;
        return Promise.resolve();
      },
    };
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
      write: async () => this.applyAll(writes),
    };
  }

  /** The synchronous way in, for whoever composes stores. */
  applyAll(writes: readonly Write[]): void {
    this.#assertOpen();
    for (const [key, value] of writes) {
      if (value === undefined) this.#delete(key);
      else this.#put(key, value);
    }
  }

  estimateBytes(range: BytesRange): Promise<number> {
    this.#assertOpen();
    let bytes = 0;
    for (const [key, value] of this.#capture(range)) bytes += key.length + value.length;
    return Promise.resolve(bytes);
  }

  flush(): Promise<void> {
    this.#assertOpen();
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#values.clear();
    this.#sorted = [];
    this.#added = [];
    this.#removed.clear();
    return Promise.resolve();
  }

  #put(key: string, value: Buffer): void {
    if (!this.#values.has(key) && !this.#removed.delete(key)) this.#added.push(key);
    this.#values.set(key, value);
  }

  #delete(key: string): void {
    if (this.#values.delete(key)) this.#removed.add(key);
  }

  #capture(range: BytesRange): (readonly [string, Buffer])[] {
    this.#sort();
    const from = lowerBound(this.#sorted, range.gte.toString('latin1'));
    const to = lowerBound(this.#sorted, range.lt.toString('latin1'));
    const entries: (readonly [string, Buffer])[] = [];
    for (let index = from; index < to; index++) {
      const key = this.#sorted[index]!;
      entries.push([key, this.#values.get(key)!]);
    }
    return range.reverse === true ? entries.reverse() : entries;
  }

  #sort(): void {
    if (this.#removed.size > 0) {
      this.#sorted = this.#sorted.filter((key) => !this.#removed.has(key));
      this.#added = this.#added.filter((key) => !this.#removed.has(key));
      this.#removed.clear();
    }
    if (this.#added.length === 0) return;
    this.#sorted = mergeSorted(this.#sorted, this.#added.sort(byteOrder));
    this.#added = [];
  }

  #assertOpen(): void {
    if (this.#closed) throw new MillraceError('STORE_CLOSED', 'the memory store is closed');
  }
}

function byteOrder(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function mergeSorted(a: readonly string[], b: readonly string[]): string[] {
  const merged: string[] = [];
  let right = 0;
  for (const key of a) {
    while (right < b.length && b[right]! < key) merged.push(b[right++]!);
    merged.push(key);
  }
  while (right < b.length) merged.push(b[right++]!);
  return merged;
}

/** First index whose key is not below `key`. */
function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
