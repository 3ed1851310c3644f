/**
 * Reading the 61-byte header of a record batch (message format v2), its attributes and checksum.
 * Records inside are record-cursor.ts's business, writing is batch-builder.ts's.
 * Bytes from outside are never trusted: whatever is wrong with them is RECORD_CORRUPT.
 */
import { crc32c } from '../../base/crc32c.ts';
import { MillraceError } from '../../base/errors.ts';
import type { Compression } from '../ports.ts';
import type { BatchHeader } from './types.ts';

/** Where each field lies, counted from the start of the batch. */
export const BATCH_LAYOUT = {
  baseOffset: 0,
  batchLength: 8,
  leaderEpoch: 12,
  magic: 16,
  crc: 17,
  /** Everything from here to the end is under the checksum. */
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  recordCount: 57,
  records: 61,
} as const;

export const BATCH_HEADER_BYTES = BATCH_LAYOUT.records;
/** Offset and length, which `batchLength` does not count. */
export const LOG_OVERHEAD_BYTES = 12;
export const CURRENT_MAGIC = 2;

export const COMPRESSION_MASK = 0x07;
export const TIMESTAMP_TYPE_FLAG = 0x08;
export const TRANSACTIONAL_FLAG = 0x10;
export const CONTROL_FLAG = 0x20;

/** Compression by its number in the attributes. */
export const COMPRESSION_IDS: readonly Compression[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];

export function recordCorrupt(message: string, cause?: unknown): MillraceError {
  return new MillraceError('RECORD_CORRUPT', message, cause === undefined ? {} : { cause });
}

/** A big-endian int64 as a number; beyond 2^53 it loses low digits (callers check where it matters). */
export function readInt64(buffer: Buffer, position: number): number {
  return buffer.readInt32BE(position) * 4_294_967_296 + buffer.readUInt32BE(position + 4);
}

/** Writes an integer as a big-endian int64. */
export function writeInt64(buffer: Buffer, value: number, position: number): void {
  const high = Math.floor(value / 4_294_967_296);
  buffer.writeInt32BE(high, position);
  buffer.writeUInt32BE(value - high * 4_294_967_296, position + 4);
}

/**
 * Decodes the header of the batch that starts at `position`; undefined when the batch is not
 * complete before `end`. Throws RECORD_CORRUPT when it cannot be a v2 batch. The checksum is not
 * looked at: see verifyBatch.
 */
export function readBatchHeader(
  buffer: Buffer,
  position: number,
  end: number = buffer.length,
): BatchHeader | undefined {
  if (end - position <= BATCH_LAYOUT.magic) return undefined;
  const magic = buffer.readInt8(position + BATCH_LAYOUT.magic);
  if (magic !== CURRENT_MAGIC) throw recordCorrupt(describeMagic(magic));
  const sizeBytes = buffer.readInt32BE(position + BATCH_LAYOUT.batchLength) + LOG_OVERHEAD_BYTES;
  if (sizeBytes < BATCH_HEADER_BYTES) {
    throw recordCorrupt(`a record batch of ${sizeBytes} bytes is shorter than its header`);
  }
  if (end - position < sizeBytes) return undefined;
  return decodeHeader(buffer, position, sizeBytes);
}

function decodeHeader(buffer: Buffer, position: number, sizeBytes: number): BatchHeader {
  return {
    position,
    sizeBytes,
    baseOffset: readInt64(buffer, position + BATCH_LAYOUT.baseOffset),
    leaderEpoch: buffer.readInt32BE(position + BATCH_LAYOUT.leaderEpoch),
    magic: CURRENT_MAGIC,
    crc: buffer.readUInt32BE(position + BATCH_LAYOUT.crc),
    attributes: buffer.readInt16BE(position + BATCH_LAYOUT.attributes),
    lastOffsetDelta: buffer.readInt32BE(position + BATCH_LAYOUT.lastOffsetDelta),
    baseTimestampMs: readInt64(buffer, position + BATCH_LAYOUT.baseTimestamp),
    maxTimestampMs: readInt64(buffer, position + BATCH_LAYOUT.maxTimestamp),
    producerId: readInt64(buffer, position + BATCH_LAYOUT.producerId),
    producerEpoch: buffer.readInt16BE(position + BATCH_LAYOUT.producerEpoch),
    baseSequence: buffer.readInt32BE(position + BATCH_LAYOUT.baseSequence),
    recordCount: buffer.readInt32BE(position + BATCH_LAYOUT.recordCount),
  };
}

function describeMagic(magic: number): string {
  return magic === 0 || magic === 1
    ? `message format v${magic} is too old: only record batches (v2, Kafka 0.11 and later) are read`
    : `unknown message format ${magic}`;
}

/** Throws RECORD_CORRUPT unless the checksum fits and the header's counts make sense. */
export function verifyBatch(buffer: Buffer, header: BatchHeader): void {
  const { position, sizeBytes, crc } = header;
  const actual = crc32c(buffer, position + BATCH_LAYOUT.attributes, position + sizeBytes);
  if (actual !== crc) {
    throw recordCorrupt(
      `checksum of the batch at offset ${header.baseOffset} is ${actual}, not ${crc} as it says`,
    );
  }
  const isCounted = header.recordCount >= 0 && header.lastOffsetDelta >= 0;
  const isAddressable = header.baseOffset >= 0 && Number.isSafeInteger(lastOffset(header));
  if (!isCounted || !isAddressable) {
    throw recordCorrupt(`the batch header at offset ${header.baseOffset} contradicts itself`);
  }
}

/**
 * Calls `visit` for every complete batch in `buffer[start, end)` and returns where the first
 * incomplete one starts (= `end` when there is none). Throws RECORD_CORRUPT.
 */
export function forEachBatch(
  buffer: Buffer,
  visit: (header: BatchHeader) => void,
  start = 0,
  end: number = buffer.length,
): number {
  let position = start;
  for (;;) {
    const header = readBatchHeader(buffer, position, end);
    if (header === undefined) return position;
    visit(header);
    position += header.sizeBytes;
  }
}

/** Offset of the last record, or of where it was before compaction. */
export function lastOffset(header: BatchHeader): number {
  return header.baseOffset + header.lastOffsetDelta;
}

export function isTransactional(header: BatchHeader): boolean {
  return (header.attributes & TRANSACTIONAL_FLAG) !== 0;
}

export function isControl(header: BatchHeader): boolean {
  return (header.attributes & CONTROL_FLAG) !== 0;
}

/** True when all records carry the broker's append time (`maxTimestampMs`) instead of their own. */
export function usesLogAppendTime(header: BatchHeader): boolean {
  return (header.attributes & TIMESTAMP_TYPE_FLAG) !== 0;
}

/** Throws RECORD_CORRUPT for a number that no codec has. */
export function compressionOf(header: BatchHeader): Compression {
  const compression = COMPRESSION_IDS[header.attributes & COMPRESSION_MASK];
  if (compression === undefined) {
    throw recordCorrupt(`unknown compression ${header.attributes & COMPRESSION_MASK}`);
  }
  return compression;
}
