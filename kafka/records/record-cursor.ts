/**
 * RecordCursor: walks the records of one batch without allocating. Its fields are overwritten by
 * every next(); key and value are ranges of `buffer`. Header keys and values are decoded on demand.
 */

import { decompress } from './compression/compression.ts';
import {
  BATCH_HEADER_BYTES,
  compressionOf,
  lastOffset,
  recordCorrupt,
  usesLogAppendTime,
} from './record-batch.ts';
import type { FetchedBatch, RecordCursor, RecordHeader } from './types.ts';

const DECOMPRESSED_BYTES_MAX = 64 * 1024 * 1024;
const NOTHING = Buffer.alloc(0);

/** `decompressedBytesMax`: a compressed batch that unfolds to more is RECORD_CORRUPT. */
export function createRecordCursor(
  options: { readonly decompressedBytesMax?: number } = {},
): RecordCursor {
  return new BatchCursor(options.decompressedBytesMax ?? DECOMPRESSED_BYTES_MAX);
}

class BatchCursor implements RecordCursor {
  buffer: Buffer = NOTHING;
  offset = -1;
  timestampMs = -1;
  keyStart = -1;
  keyEnd = -1;
  valueStart = -1;
  valueEnd = -1;
  headerCount = 0;

  readonly #decompressedBytesMax: number;
  #position = 0;
  #end = 0;
  #remaining = 0;
  #headersStart = 0;
  #recordEnd = 0;
  #baseOffset = 0;
  #lastOffset = 0;
  #baseTimestampMs = 0;
  #appendTimeMs: number | undefined;

  constructor(decompressedBytesMax: number) {
    this.#decompressedBytesMax = decompressedBytesMax;
  }

  open({ buffer, header }: FetchedBatch): void {
    const start = header.position + BATCH_HEADER_BYTES;
    const end = header.position + header.sizeBytes;
    const compression = compressionOf(header);
    if (compression === 'none') {
      this.buffer = buffer;
      this.#position = start;
      this.#end = end;
    } else {
      const records = buffer.subarray(start, end);
      this.buffer = decompress(compression, records, this.#decompressedBytesMax);
      this.#position = 0;
      this.#end = this.buffer.length;
    }
    this.#remaining = header.recordCount;
    this.#baseOffset = header.baseOffset;
    this.#lastOffset = lastOffset(header);
    this.#baseTimestampMs = header.baseTimestampMs;
    this.#appendTimeMs = usesLogAppendTime(header) ? header.maxTimestampMs : undefined;
  }

  next(): boolean {
    if (this.#remaining <= 0) {
      if (this.#position !== this.#end) throw recordCorrupt('bytes after the last record');
      return false;
    }
    this.#remaining--;
    const sizeBytes = this.#readVarint();
    const recordEnd = this.#position + sizeBytes;
    if (sizeBytes < 0 || recordEnd > this.#end) throw recordCorrupt('a record beyond its batch');
    this.#recordEnd = recordEnd;
    this.#position++; // record attributes: unused by format v2
    const timestampMs = this.#baseTimestampMs + this.#readVarlong();
    this.timestampMs = this.#appendTimeMs ?? timestampMs;
    this.offset = this.#baseOffset + this.#readVarint();
    if (this.offset < this.#baseOffset || this.offset > this.#lastOffset) {
      throw recordCorrupt(`offset ${this.offset} is not in its batch`);
    }
    this.#readKeyAndValue(recordEnd);
    this.headerCount = this.#readVarint();
    if (this.headerCount < 0) throw recordCorrupt('a negative number of record headers');
    this.#headersStart = this.#position;
    const isWhole =
      this.headerCount === 0 ? this.#position === recordEnd : this.#position < recordEnd;
    if (!isWhole) throw recordCorrupt('a record is shorter or longer than it says');
    this.#position = recordEnd;
    return true;
  }

  headers(): RecordHeader[] {
    const resumeAt = this.#position;
    this.#position = this.#headersStart;
    const headers: RecordHeader[] = [];
    for (let count = 0; count < this.headerCount; count++) {
      const key = this.#readRange();
      if (key === null) throw recordCorrupt('a record header without a key');
      headers.push({ key: key.toString('utf8'), value: this.#readRange() });
    }
    if (this.#position !== this.#recordEnd)
      throw recordCorrupt('bytes after the last record header');
    this.#position = resumeAt;
    return headers;
  }

  #readKeyAndValue(recordEnd: number): void {
    const keyLength = this.#readVarint();
    this.keyStart = keyLength < 0 ? -1 : this.#position;
    this.keyEnd = this.keyStart + Math.max(0, keyLength);
    if (keyLength > 0) this.#position = this.keyEnd;
    if (this.#position > recordEnd) throw recordCorrupt('a key beyond its record');
    const valueLength = this.#readVarint();
    this.valueStart = valueLength < 0 ? -1 : this.#position;
    this.valueEnd = this.valueStart + Math.max(0, valueLength);
    if (valueLength > 0) this.#position = this.valueEnd;
    if (this.#position > recordEnd) throw recordCorrupt('a value beyond its record');
  }

  #readRange(): Buffer | null {
    const length = this.#readVarint();
    if (length < 0) return null;
    const start = this.#position;
    this.#position += length;
    if (this.#position > this.#recordEnd) throw recordCorrupt('a record header beyond its record');
    return this.buffer.subarray(start, this.#position);
  }

  /** A zigzag varint of at most 5 bytes. One byte is the common case and stays here. */
  #readVarint(): number {
    const byte = this.buffer[this.#position]!;
    if (byte < 0x80) {
      this.#position++;
      return (byte >>> 1) ^ -(byte & 1);
    }
    return this.#readLongVarint();
  }

  #readLongVarint(): number {
    let bits = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#readByte();
      bits |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (bits >>> 1) ^ -(bits & 1);
    }
    throw recordCorrupt('a varint of more than 5 bytes');
  }

  /** A zigzag varint of at most 10 bytes, as a number: exact below 2^53. */
  #readVarlong(): number {
    const start = this.#position;
    const first = this.buffer[start]!;
    if (first < 0x80) {
      this.#position++;
      return (first >>> 1) ^ -(first & 1);
    }
    let value = 0;
    let scale = 1;
    for (let count = 0; count < 10; count++) {
      const byte = this.#readByte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return (first & 1) === 0 ? value / 2 : -(value + 1) / 2;
      scale *= 128;
    }
    throw recordCorrupt('a varint of more than 10 bytes');
  }

  #readByte(): number {
    if (this.#position >= this.#end) throw recordCorrupt('a batch that ends inside a record');
    return this.buffer[this.#position++]!;
  }
}
