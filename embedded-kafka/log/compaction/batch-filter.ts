/**
 * Rewrites one batch with fewer records, or with a delete horizon. What stays, stays as it was:
 * offsets, timestamps, keys, values, headers, producer fields; the batch keeps its first and last
 * offset. The horizon (when its tombstones may go) takes the place of the base timestamp (KIP-534).
 */
import { sealBatch } from '../../../kafka/records/batch-builder.ts';
import { compress, decompress } from '../../../kafka/records/compression/compression.ts';
import {
  BATCH_HEADER_BYTES,
  BATCH_LAYOUT,
  COMPRESSION_MASK,
  compressionOf,
  LOG_OVERHEAD_BYTES,
  readBatchHeader,
  recordCorrupt,
  usesLogAppendTime,
  writeInt64,
} from '../../../kafka/records/record-batch.ts';
import type { BatchHeader, FetchedBatch } from '../../../kafka/records/types.ts';
import {
  varintSize,
  varlongSize,
  writeVarint,
  writeVarlong,
} from '../../../kafka/records/varint.ts';

const DELETE_HORIZON_FLAG = 0x40;
const DECOMPRESSED_BYTES_MAX = 64 * 1024 * 1024;

/** When tombstones and markers in the batch may be removed; undefined = not decided yet. */
export function deleteHorizonMs(header: BatchHeader): number | undefined {
  return (header.attributes & DELETE_HORIZON_FLAG) === 0 ? undefined : header.baseTimestampMs;
}

/** Where each record of the batch lies; `keep[i]` says whether the i-th stays. */
export function filterBatch(
  batch: FetchedBatch,
  keep: readonly boolean[],
  horizonMs: number | undefined,
): FetchedBatch {
  const { header } = batch;
  const compression = compressionOf(header);
  const payload = payloadOf(batch);
  const from = header.baseTimestampMs;
  const to = horizonMs ?? from;
  const kept = copyRecords(payload, keep, from - to);
  if (kept.count === 0) return emptyBatch(batch);
  const records = compression === 'none' ? kept.bytes : compress(compression, kept.bytes);
  const bytes = Buffer.allocUnsafeSlow(BATCH_HEADER_BYTES + records.length);
  copyHeader(batch, bytes);
  records.copy(bytes, BATCH_HEADER_BYTES);
  bytes.writeInt32BE(kept.count, BATCH_LAYOUT.recordCount);
  if (horizonMs !== undefined) {
    writeInt64(bytes, horizonMs, BATCH_LAYOUT.baseTimestamp);
    bytes.writeInt16BE(header.attributes | DELETE_HORIZON_FLAG, BATCH_LAYOUT.attributes);
  }
  if (!usesLogAppendTime(header)) {
    writeInt64(bytes, from + kept.maxTimestampDelta, BATCH_LAYOUT.maxTimestamp);
  }
  return sealed(bytes);
}

/** The batch without records: what it says of its producer, and its offsets, stay known. */
export function emptyBatch(batch: FetchedBatch): FetchedBatch {
  const bytes = Buffer.allocUnsafeSlow(BATCH_HEADER_BYTES);
  copyHeader(batch, bytes);
  const plain = batch.header.attributes & ~(COMPRESSION_MASK | DELETE_HORIZON_FLAG);
  bytes.writeInt16BE(plain, BATCH_LAYOUT.attributes);
  writeInt64(bytes, batch.header.maxTimestampMs, BATCH_LAYOUT.baseTimestamp);
  bytes.writeInt32BE(0, BATCH_LAYOUT.recordCount);
  return sealed(bytes);
}

function payloadOf({ buffer, header }: FetchedBatch): Buffer {
  const start = header.position + BATCH_HEADER_BYTES;
  const records = buffer.subarray(start, header.position + header.sizeBytes);
  const compression = compressionOf(header);
  return compression === 'none'
    ? records
    : decompress(compression, records, DECOMPRESSED_BYTES_MAX);
}

function copyHeader({ buffer, header }: FetchedBatch, to: Buffer): void {
  buffer.copy(to, 0, header.position, header.position + BATCH_HEADER_BYTES);
  to.writeInt32BE(to.length - LOG_OVERHEAD_BYTES, BATCH_LAYOUT.batchLength);
}

function sealed(bytes: Buffer): FetchedBatch {
  sealBatch(bytes);
  return { buffer: bytes, header: readBatchHeader(bytes, 0)! };
}

interface KeptRecords {
  readonly bytes: Buffer;
  readonly count: number;
  /** Relative to the base timestamp that the batch had. */
  readonly maxTimestampDelta: number;
}

/** Copies the records that stay, their timestamp deltas moved by `shiftMs`. */
function copyRecords(payload: Buffer, keep: readonly boolean[], shiftMs: number): KeptRecords {
  const parts: Buffer[] = [];
  let maxTimestampDelta = Number.NEGATIVE_INFINITY;
  let at = 0;
  for (const stays of keep) {
    const size = readVarint(payload, at);
    const end = size.end + size.value;
    if (size.value < 0 || end > payload.length) throw recordCorrupt('a record beyond its batch');
    if (stays) {
      // Behind the length: one byte of attributes, then the timestamp delta.
      const timestamp = readVarint(payload, size.end + 1);
      maxTimestampDelta = Math.max(maxTimestampDelta, timestamp.value);
      if (shiftMs === 0) parts.push(payload.subarray(at, end));
      else parts.push(shifted(payload, size.end, timestamp, end, shiftMs));
    }
    at = end;
  }
  return { bytes: Buffer.concat(parts), count: parts.length, maxTimestampDelta };
}

function shifted(
  payload: Buffer,
  bodyStart: number,
  timestamp: Varint,
  end: number,
  shiftMs: number,
): Buffer {
  const delta = timestamp.value + shiftMs;
  const sizeBytes = 1 + varlongSize(delta) + (end - timestamp.end);
  const record = Buffer.allocUnsafe(varintSize(sizeBytes) + sizeBytes);
  let at = writeVarint(record, sizeBytes, 0);
  record[at++] = payload[bodyStart]!;
  at = writeVarlong(record, delta, at);
  payload.copy(record, at, timestamp.end, end);
  return record;
}

interface Varint {
  readonly value: number;
  readonly end: number;
}

/** A zigzag varint of up to 10 bytes; exact below 2^53. */
function readVarint(buffer: Buffer, start: number): Varint {
  let bits = 0;
  let scale = 1;
  for (let at = start; at < Math.min(buffer.length, start + 10); at++) {
    const byte = buffer[at]!;
    bits += (byte & 0x7f) * scale;
    if (byte < 0x80) return { value: bits % 2 === 0 ? bits / 2 : -(bits + 1) / 2, end: at + 1 };
    scale *= 128;
  }
  throw recordCorrupt('a varint without an end');
}
