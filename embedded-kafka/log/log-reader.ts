/**
 * Reading a partition's log: by offset, by timestamp, from end to end. Whole batches only; what comes
 * from the disk is checked (CRC-32C) before it is handed out, what is still in memory already was.
 * All functions throw RECORD_CORRUPT or STORE_IO when the disk fails them.
 */

import {
  BATCH_LAYOUT,
  LOG_OVERHEAD_BYTES,
  readInt64,
  verifyBatch,
} from '../../kafka/records/record-batch.ts';
import { createRecordCursor } from '../../kafka/records/record-cursor.ts';
import type { FetchedBatch } from '../../kafka/records/types.ts';
import type { PartitionLog } from './partition-log.ts';
import { type AbortedTransaction, type Segment, verifyBatches } from './segment.ts';

const NOTHING = Buffer.alloc(0);
/** Room for the batches between an index entry and the wanted one. */
const SEEK_BYTES = 4096;
const SCAN_WINDOW_BYTES = 256 * 1024;

export interface LogRange {
  readonly offset: number;
  /** Batches from here on are not visible; it never lies inside a batch. */
  readonly limitOffset: number;
  readonly bytesMax: number;
  /** The first batch comes whole even when it is larger than bytesMax. */
  readonly atLeastOneBatch: boolean;
}

/**
 * Batches from the one that holds `offset` (or the next) on. May give less than there is: what is
 * contiguous in memory, or one segment's.
 */
export function readLog(log: PartitionLog, range: LogRange): Buffer {
  if (range.offset >= range.limitOffset) return NOTHING;
  for (let at = segmentAt(log.segments, range.offset); at < log.segments.length; at++) {
    const segment = log.segments[at]!;
    if (segment.baseOffset >= range.limitOffset) return NOTHING;
    const walker = segment.walkFromOffset(range.offset, range.bytesMax + SEEK_BYTES);
    while (walker.next()) {
      if (walker.lastOffset < range.offset) continue;
      if (walker.baseOffset >= range.limitOffset) return NOTHING;
      if (walker.sizeBytes > range.bytesMax && !range.atLeastOneBatch) return NOTHING;
      const bytes = wholeBatches(walker.windowFromBatch(), walker.sizeBytes, range);
      if (!segment.isRecent(walker.windowPosition)) verifyBatches(bytes);
      return bytes;
    }
  }
  return NOTHING;
}

/** The prefix of `window` that fits: its first batch (of `firstBytes`) is in it anyway. */
function wholeBatches(window: Buffer, firstBytes: number, range: LogRange): Buffer {
  let end = firstBytes;
  while (end + BATCH_LAYOUT.records <= window.length) {
    const next = end + window.readInt32BE(end + BATCH_LAYOUT.batchLength) + LOG_OVERHEAD_BYTES;
    if (next > window.length || next > range.bytesMax) break;
    if (readInt64(window, end) >= range.limitOffset) break;
    end = next;
  }
  return window.subarray(0, end);
}

/** Index of the last segment that starts at or before `offset`; 0 when there is none. */
export function segmentAt(segments: readonly Segment[], offset: number): number {
  const behind = lowerBound(segments.length, (index) => segments[index]!.baseOffset > offset);
  return Math.max(0, behind - 1);
}

/** Offset after the last batch in `bytes` (whole batches); undefined when there is none. */
export function endOffsetOf(bytes: Buffer): number | undefined {
  let end: number | undefined;
  for (let at = 0; at < bytes.length; ) {
    end = readInt64(bytes, at) + bytes.readInt32BE(at + BATCH_LAYOUT.lastOffsetDelta) + 1;
    at += bytes.readInt32BE(at + BATCH_LAYOUT.batchLength) + LOG_OVERHEAD_BYTES;
  }
  return end;
}

/**
 * Aborted transactions that have records in [offset, upperOffset), in the order of their markers:
 * what a read_committed reader must be told with these batches.
 */
export function abortedIn(
  log: PartitionLog,
  offset: number,
  upperOffset: number,
): AbortedTransaction[] {
  const found: AbortedTransaction[] = [];
  for (let at = segmentAt(log.segments, offset); at < log.segments.length; at++) {
    const { aborted } = log.segments[at]!.facts;
    for (let index = firstEndingFrom(aborted, offset); index < aborted.length; index++) {
      const transaction = aborted[index]!;
      if (transaction.firstOffset < upperOffset) found.push(transaction);
      // Every transaction that ends later began at or after this one's last stable offset.
      if (transaction.lastStableOffset >= upperOffset) return found;
    }
  }
  return found;
}

function firstEndingFrom(aborted: readonly AbortedTransaction[], offset: number): number {
  return lowerBound(aborted.length, (index) => aborted[index]!.lastOffset >= offset);
}

/** The first of `count` indexes for which `holds` is true, which it then is for all behind it. */
function lowerBound(count: number, holds: (index: number) => boolean): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

export interface TimestampedOffset {
  readonly offset: number;
  readonly timestampMs: number;
}

/** The first record at or after `fromOffset` with a timestamp of `timestampMs` or later. */
export function firstAtTimestamp(
  log: PartitionLog,
  timestampMs: number,
  fromOffset: number,
): TimestampedOffset | undefined {
  for (let at = segmentAt(log.segments, fromOffset); at < log.segments.length; at++) {
    const segment = log.segments[at]!;
    if (segment.facts.maxTimestampMs < timestampMs) continue;
    const walker = segment.walkFromTimestamp(timestampMs, SCAN_WINDOW_BYTES);
    while (walker.next()) {
      if (walker.maxTimestampMs < timestampMs || walker.lastOffset < fromOffset) continue;
      const found = firstRecordAt(walker.batch(), timestampMs, fromOffset);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

/** The first record with the largest timestamp of all; undefined in a log without records. */
export function atMaxTimestamp(log: PartitionLog): TimestampedOffset | undefined {
  let newest: Segment | undefined;
  for (const segment of log.segments) {
    if (segment.sizeBytes === 0) continue;
    if (segment.facts.maxTimestampMs > (newest?.facts.maxTimestampMs ?? -1)) newest = segment;
  }
  if (newest === undefined) return undefined;
  return firstAtTimestamp(log, newest.facts.maxTimestampMs, log.logStartOffset);
}

const cursor = createRecordCursor();

function firstRecordAt(
  batch: FetchedBatch,
  timestampMs: number,
  fromOffset: number,
): TimestampedOffset | undefined {
  verifyBatch(batch.buffer, batch.header);
  if (batch.header.recordCount === 0) return undefined;
  cursor.open(batch);
  while (cursor.next()) {
    if (cursor.timestampMs >= timestampMs && cursor.offset >= fromOffset) {
      return { offset: cursor.offset, timestampMs: cursor.timestampMs };
    }
  }
  return undefined;
}

/** Every batch that holds `fromOffset` or more, checked. The log must not be compacted meanwhile. */
export function* batchesFrom(log: PartitionLog, fromOffset: number): Generator<FetchedBatch> {
  for (const segment of log.segments.slice(segmentAt(log.segments, fromOffset))) {
    const walker = segment.walkFromOffset(fromOffset, SCAN_WINDOW_BYTES);
    while (walker.next()) {
      if (walker.lastOffset < fromOffset) continue;
      const batch = walker.batch();
      if (!segment.isRecent(walker.windowPosition)) verifyBatch(batch.buffer, batch.header);
      yield batch;
    }
  }
}
