/** Gathers changelog records of one store for the disk's next batch: no promise, no object per record. */
import type { BytesBatch, BytesStore } from '../bytes-store.ts';
import type { RestoredRecord } from '../state-store.ts';
import { CHECKSUM_BYTES, sealEntry, TIMESTAMP_BYTES } from './entry-format.ts';
import type { KnownKeys } from './known-keys.ts';
import { Slab } from './slab.ts';

export class RestoreWriter {
  readonly #storeId: number;
  readonly #bytes: BytesStore;
  readonly #knownKeys: KnownKeys | undefined;
  /** Holds one entry; a batch copies what it is given. */
  readonly #scratch = new Slab(1024);
  #batch: BytesBatch | undefined;
  #sizeBytes = 0;

  constructor(storeId: number, bytes: BytesStore, knownKeys?: KnownKeys) {
    this.#storeId = storeId;
    this.#bytes = bytes;
    this.#knownKeys = knownKeys;
  }

  add(record: RestoredRecord): void {
    this.#batch ??= this.#bytes.batch();
    const scratch = this.#scratch;
    scratch.end = 0;
    scratch.appendByte(this.#storeId);
    scratch.appendBytes(record.buffer, record.keyStart, record.keyEnd);
    const keyEnd = scratch.end;
    if (record.valueStart < 0) {
      this.#batch.delete(scratch.buffer.subarray(0, keyEnd));
    } else {
      this.#knownKeys?.add(scratch.buffer, 0, keyEnd);
      scratch.skip(TIMESTAMP_BYTES);
      scratch.appendBytes(record.buffer, record.valueStart, record.valueEnd);
      const valueEnd = scratch.end;
      scratch.skip(CHECKSUM_BYTES);
      sealEntry(scratch.buffer, 0, keyEnd, valueEnd, record.timestampMs);
      this.#batch.put(
        scratch.buffer.subarray(0, keyEnd),
        scratch.buffer.subarray(keyEnd, scratch.end),
      );
    }
    this.#sizeBytes += scratch.end;
  }

  /** What was gathered since the last time; an empty batch when there was nothing. */
  take(): { readonly batch: BytesBatch; readonly sizeBytes: number } {
    const taken = { batch: this.#batch ?? this.#bytes.batch(), sizeBytes: this.#sizeBytes };
    this.#batch = undefined;
    this.#sizeBytes = 0;
    return taken;
  }
}
