/**
 * Walks the batches of a segment through one window of its bytes, header by header, allocating
 * nothing per batch. Bytes that are no batch are RECORD_CORRUPT; checksums are the caller's business.
 */
import {
  BATCH_HEADER_BYTES,
  BATCH_LAYOUT,
  CURRENT_MAGIC,
  LOG_OVERHEAD_BYTES,
  readBatchHeader,
  readInt64,
  recordCorrupt,
} from '../../kafka/records/record-batch.ts';
import type { FetchedBatch } from '../../kafka/records/types.ts';

export interface BatchSource {
  readonly sizeBytes: number;
  /** Bytes from `position` on: `length`, or fewer, but the whole of a batch that starts there if memory holds it. */
  bytesAt(position: number, length: number): Buffer;
}

const NOTHING = Buffer.alloc(0);

export class BatchWalker {
  readonly #source: BatchSource;
  readonly #windowBytes: number;
  #window: Buffer = NOTHING;
  #next: number;

  /** Where the bytes in hand were read from. */
  windowPosition = 0;
  /** Of the current batch, in the file. */
  position = 0;
  sizeBytes = 0;
  baseOffset = 0;
  lastOffset = 0;
  maxTimestampMs = 0;

  /** `position`: where a batch starts. `windowBytes`: how much is read at once. */
  constructor(source: BatchSource, position: number, windowBytes: number) {
    this.#source = source;
    this.#windowBytes = Math.max(windowBytes, BATCH_HEADER_BYTES);
    this.#next = position;
  }

  /** Moves to the next batch; false at the end of the segment. Throws RECORD_CORRUPT. */
  next(): boolean {
    const left = this.#source.sizeBytes - this.#next;
    if (left === 0) return false;
    if (left < BATCH_HEADER_BYTES) throw recordCorrupt('the segment ends inside a batch header');
    const at = this.#load(this.#next, BATCH_HEADER_BYTES);
    const window = this.#window;
    const sizeBytes = window.readInt32BE(at + BATCH_LAYOUT.batchLength) + LOG_OVERHEAD_BYTES;
    if (sizeBytes < BATCH_HEADER_BYTES || sizeBytes > left) {
      throw recordCorrupt(`a batch of ${sizeBytes} bytes where the segment has ${left}`);
    }
    if (window.readInt8(at + BATCH_LAYOUT.magic) !== CURRENT_MAGIC) {
      throw recordCorrupt('bytes that are no record batch');
    }
    this.position = this.#next;
    this.sizeBytes = sizeBytes;
    this.baseOffset = readInt64(window, at + BATCH_LAYOUT.baseOffset);
    this.lastOffset = this.baseOffset + window.readInt32BE(at + BATCH_LAYOUT.lastOffsetDelta);
    this.maxTimestampMs = readInt64(window, at + BATCH_LAYOUT.maxTimestamp);
    this.#next += sizeBytes;
    return true;
  }

  /** The current batch whole, as a view. */
  batch(): FetchedBatch {
    const at = this.#load(this.position, this.sizeBytes);
    const header = readBatchHeader(this.#window, at, at + this.sizeBytes);
    if (header === undefined) throw recordCorrupt('a batch changed while it was read');
    return { buffer: this.#window, header };
  }

  /** All bytes that are in the window already, from the current batch on (it is there whole). */
  windowFromBatch(): Buffer {
    const at = this.#load(this.position, this.sizeBytes);
    return this.#window.subarray(at);
  }

  /** Makes `length` bytes from `position` available and returns where they start in the window. */
  #load(position: number, length: number): number {
    const at = position - this.windowPosition;
    if (at >= 0 && at + length <= this.#window.length) return at;
    this.#window = this.#source.bytesAt(position, Math.max(length, this.#windowBytes));
    this.windowPosition = position;
    if (this.#window.length < length) throw recordCorrupt('a segment file is shorter than it was');
    return 0;
  }
}
