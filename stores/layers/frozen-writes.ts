import { CHECKSUM_BYTES, TIMESTAMP_BYTES } from '../entries/entry-format.ts';
import type { Slab } from '../entries/slab.ts';
import type { FrozenWrite, FrozenWrites } from '../state-store.ts';
import type { LayeredStore } from './layered-store.ts';

/** One commit's writes, encoded; the ranges point into one slab. */
export class EncodedWrites implements FrozenWrites {
  readonly entryCount: number;
  readonly slab: Slab;
  readonly #stores: readonly LayeredStore<unknown, unknown>[];

  constructor(entryCount: number, slab: Slab, stores: readonly LayeredStore<unknown, unknown>[]) {
    this.entryCount = entryCount;
    this.slab = slab;
    this.#stores = stores;
  }

  get sizeBytes(): number {
    return this.slab.end;
  }

  /** Store by store. The visitor gets one object over and over: copy what must outlive the call. */
  forEachLogged(visit: (write: FrozenWrite) => void): void {
    const write = {
      storeName: '',
      buffer: this.slab.buffer,
      keyStart: 0,
      keyEnd: 0,
      valueStart: 0,
      valueEnd: 0,
      timestampMs: 0,
    };
    for (const store of this.#stores) {
      if (!store.isLogged) continue;
      write.storeName = store.name;
      for (const entry of store.frozenEntries()) {
        const isTombstone = entry.end === entry.keyEnd;
        write.keyStart = entry.keyStart + 1;
        write.keyEnd = entry.keyEnd;
        write.valueStart = isTombstone ? -1 : entry.keyEnd + TIMESTAMP_BYTES;
        write.valueEnd = isTombstone ? -1 : entry.end - CHECKSUM_BYTES;
        write.timestampMs = entry.timestampMs;
        visit(write);
      }
    }
  }
}
