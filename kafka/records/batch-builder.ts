/**
 * Writing record batches (message format v2): records are encoded once, straight into a slab that
 * is reused; finish() cuts an independent copy. Producer fields, offsets and the checksum are
 * stamped afterwards, because only the sender (or the broker) knows them.
 */

import { crc32c } from '../../base/crc32c.ts';
import type { Compression } from '../ports.ts';
import { compress } from './compression/compression.ts';
import {
  BATCH_HEADER_BYTES,
  BATCH_LAYOUT,
  COMPRESSION_IDS,
  CURRENT_MAGIC,
  LOG_OVERHEAD_BYTES,
  TIMESTAMP_TYPE_FLAG,
  TRANSACTIONAL_FLAG,
  writeInt64,
} from './record-batch.ts';
import type { EncodedBatch, RecordHeader } from './types.ts';
import { varintSize, varlongSize, writeVarint, writeVarlong } from './varint.ts';

const INITIAL_SLAB_BYTES = 16 * 1024;
const NO_HEADERS: readonly RecordHeader[] = [];
const NO_BYTES = Buffer.alloc(0);
const INT32_MAX = 0x7fffffff;

export interface BatchBuilderOptions {
  /** Size of the finished batch (uncompressed) that append() does not pass, header included. */
  readonly sizeBytesMax: number;
}

/** Collects the records of one batch. Reusable after reset(). */
export class BatchBuilder {
  readonly #sizeBytesMax: number;
  #slab: Buffer;
  #sizeBytes: number = BATCH_HEADER_BYTES;
  #count = 0;
  #baseTimestampMs = 0;
  #maxTimestampMs = 0;

  constructor({ sizeBytesMax }: BatchBuilderOptions) {
    this.#sizeBytesMax = sizeBytesMax;
    this.#slab = Buffer.allocUnsafeSlow(Math.min(INITIAL_SLAB_BYTES, sizeBytesMax));
  }

  /** Records so far. */
  get count(): number {
    return this.#count;
  }

  /** Size of the batch so far, uncompressed, header included. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** As appendRange(), for whole buffers. */
  append(
    timestampMs: number,
    key: Buffer | null,
    value: Buffer | null,
    headers: readonly RecordHeader[] = NO_HEADERS,
  ): boolean {
    return this.appendRange(
      timestampMs,
      key ?? NO_BYTES,
      key === null ? -1 : 0,
      key === null ? -1 : key.length,
      value ?? NO_BYTES,
      value === null ? -1 : 0,
      value === null ? -1 : value.length,
      headers,
    );
  }

  /**
   * Adds a record whose key and value are ranges (start -1 = null). Returns false, with nothing
   * changed, when it does not fit: finish and reset first. The first record always fits, however
   * large; whether the broker takes it is the broker's answer.
   */
  appendRange(
    timestampMs: number,
    keyBuffer: Buffer,
    keyStart: number,
    keyEnd: number,
    valueBuffer: Buffer,
    valueStart: number,
    valueEnd: number,
    headers: readonly RecordHeader[] = NO_HEADERS,
  ): boolean {
    const timestampDelta = this.#count === 0 ? 0 : timestampMs - this.#baseTimestampMs;
    const keyLength = keyStart < 0 ? -1 : keyEnd - keyStart;
    const valueLength = valueStart < 0 ? -1 : valueEnd - valueStart;
    const bodyBytes =
      1 +
      varlongSize(timestampDelta) +
      varintSize(this.#count) +
      varintSize(keyLength) +
      Math.max(0, keyLength) +
      varintSize(valueLength) +
      Math.max(0, valueLength) +
      headersSize(headers);
    const end = this.#sizeBytes + varintSize(bodyBytes) + bodyBytes;
    if (end > this.#sizeBytesMax && this.#count > 0) return false;
    if (end > this.#slab.length) this.#grow(end);

    const slab = this.#slab;
    let at = writeVarint(slab, bodyBytes, this.#sizeBytes);
    slab[at++] = 0;
    at = writeVarlong(slab, timestampDelta, at);
    at = writeVarint(slab, this.#count, at);
    at = writeVarint(slab, keyLength, at);
    if (keyLength > 0) at = copyRange(keyBuffer, keyStart, keyEnd, slab, at);
    at = writeVarint(slab, valueLength, at);
    if (valueLength > 0) at = copyRange(valueBuffer, valueStart, valueEnd, slab, at);
    writeHeaders(slab, headers, at);

    if (this.#count === 0) {
      this.#baseTimestampMs = timestampMs;
      this.#maxTimestampMs = timestampMs;
    } else if (timestampMs > this.#maxTimestampMs) {
      this.#maxTimestampMs = timestampMs;
    }
    this.#sizeBytes = end;
    this.#count++;
    return true;
  }

  /**
   * The batch as an independent copy, with baseOffset 0 and no producer; its checksum is not set
   * before stampProducer or sealBatch. Stays uncompressed when compression would not make it smaller.
   */
  finish(topic: string, partition: number, compression: Compression): EncodedBatch {
    const raw = this.#slab.subarray(BATCH_HEADER_BYTES, this.#sizeBytes);
    const compressed = compression === 'none' ? raw : compress(compression, raw);
    const isSmaller = compressed.length < raw.length;
    const records = isSmaller ? compressed : raw;
    const bytes = Buffer.allocUnsafeSlow(BATCH_HEADER_BYTES + records.length);
    records.copy(bytes, BATCH_HEADER_BYTES);
    this.#writeHeader(bytes, isSmaller ? COMPRESSION_IDS.indexOf(compression) : 0);
    return { topic, partition, bytes, recordCount: this.#count };
  }

  /** Forgets the records and keeps the slab. */
  reset(): void {
    this.#sizeBytes = BATCH_HEADER_BYTES;
    this.#count = 0;
  }

  #writeHeader(bytes: Buffer, attributes: number): void {
    writeInt64(bytes, 0, BATCH_LAYOUT.baseOffset);
    bytes.writeInt32BE(bytes.length - LOG_OVERHEAD_BYTES, BATCH_LAYOUT.batchLength);
    bytes.writeInt32BE(-1, BATCH_LAYOUT.leaderEpoch);
    bytes.writeInt8(CURRENT_MAGIC, BATCH_LAYOUT.magic);
    bytes.writeUInt32BE(0, BATCH_LAYOUT.crc);
    bytes.writeInt16BE(attributes, BATCH_LAYOUT.attributes);
    bytes.writeInt32BE(Math.max(0, this.#count - 1), BATCH_LAYOUT.lastOffsetDelta);
    writeInt64(bytes, this.#baseTimestampMs, BATCH_LAYOUT.baseTimestamp);
    writeInt64(bytes, this.#maxTimestampMs, BATCH_LAYOUT.maxTimestamp);
    writeInt64(bytes, -1, BATCH_LAYOUT.producerId);
    bytes.writeInt16BE(-1, BATCH_LAYOUT.producerEpoch);
    bytes.writeInt32BE(-1, BATCH_LAYOUT.baseSequence);
    bytes.writeInt32BE(this.#count, BATCH_LAYOUT.recordCount);
  }

  #grow(neededBytes: number): void {
    const doubled = Math.min(this.#slab.length * 2, this.#sizeBytesMax);
    const slab = Buffer.allocUnsafeSlow(Math.max(neededBytes, doubled));
    this.#slab.copy(slab, 0, 0, this.#sizeBytes);
    this.#slab = slab;
  }
}

/** Short ranges byte by byte: a native call costs more than it saves. */
const NATIVE_COPY_FROM_BYTES = 48;

function copyRange(from: Buffer, start: number, end: number, to: Buffer, position: number): number {
  if (end - start >= NATIVE_COPY_FROM_BYTES) return position + from.copy(to, position, start, end);
  let at = position;
  for (let index = start; index < end; index++) to[at++] = from[index]!;
  return at;
}

function headersSize(headers: readonly RecordHeader[]): number {
  if (headers.length === 0) return 1;
  let size = varintSize(headers.length);
  for (const { key, value } of headers) {
    const keyLength = Buffer.byteLength(key);
    size += varintSize(keyLength) + keyLength;
    size += value === null ? 1 : varintSize(value.length) + value.length;
  }
  return size;
}

function writeHeaders(slab: Buffer, headers: readonly RecordHeader[], position: number): void {
  let at = writeVarint(slab, headers.length, position);
  if (headers.length === 0) return;
  for (const { key, value } of headers) {
    at = writeVarint(slab, Buffer.byteLength(key), at);
    at += slab.write(key, at, 'utf8');
    at = writeVarint(slab, value === null ? -1 : value.length, at);
    if (value !== null) at = copyRange(value, 0, value.length, slab, at);
  }
}

export interface ProducerStamp {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly transactional: boolean;
}

/** Makes the whole batch `bytes` this producer's, and seals it. May be done again with other fields. */
export function stampProducer(bytes: Buffer, stamp: ProducerStamp): void {
  const attributes = bytes.readInt16BE(BATCH_LAYOUT.attributes);
  bytes.writeInt16BE(
    stamp.transactional ? attributes | TRANSACTIONAL_FLAG : attributes & ~TRANSACTIONAL_FLAG,
    BATCH_LAYOUT.attributes,
  );
  writeInt64(bytes, stamp.producerId, BATCH_LAYOUT.producerId);
  bytes.writeInt16BE(stamp.producerEpoch, BATCH_LAYOUT.producerEpoch);
  bytes.writeInt32BE(stamp.baseSequence, BATCH_LAYOUT.baseSequence);
  sealBatch(bytes);
}

export interface OffsetStamp {
  readonly baseOffset: number;
  readonly leaderEpoch: number;
  /** Given: the topic uses LogAppendTime, and this is it. */
  readonly logAppendTimeMs?: number;
}

/** What a broker does to the batch `bytes` when it appends it; the batch stays sealed. */
export function stampOffsets(bytes: Buffer, stamp: OffsetStamp): void {
  writeInt64(bytes, stamp.baseOffset, BATCH_LAYOUT.baseOffset);
  bytes.writeInt32BE(stamp.leaderEpoch, BATCH_LAYOUT.leaderEpoch);
  if (stamp.logAppendTimeMs === undefined) return;
  const attributes = bytes.readInt16BE(BATCH_LAYOUT.attributes) | TIMESTAMP_TYPE_FLAG;
  bytes.writeInt16BE(attributes, BATCH_LAYOUT.attributes);
  writeInt64(bytes, stamp.logAppendTimeMs, BATCH_LAYOUT.maxTimestamp);
  sealBatch(bytes);
}

/** Writes the checksum of the whole batch `bytes` into its header. */
export function sealBatch(bytes: Buffer): void {
  bytes.writeUInt32BE(crc32c(bytes, BATCH_LAYOUT.attributes, bytes.length), BATCH_LAYOUT.crc);
}

/** Sequence numbers wrap from 2^31 - 1 to 0, as the broker expects. */
export function incrementSequence(sequence: number, by: number): number {
  const next = sequence + by;
  return next > INT32_MAX ? next - INT32_MAX - 1 : next;
}
