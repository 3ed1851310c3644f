/**
 * Control batches: the markers that end a transaction in a partition. One record each, never
 * compressed; its key is (version int16, type int16), its value (version int16, coordinatorEpoch int32).
 */
import { sealBatch } from './batch-builder.ts';
import {
  BATCH_HEADER_BYTES,
  BATCH_LAYOUT,
  CONTROL_FLAG,
  CURRENT_MAGIC,
  LOG_OVERHEAD_BYTES,
  recordCorrupt,
  TRANSACTIONAL_FLAG,
  writeInt64,
} from './record-batch.ts';
import { createRecordCursor } from './record-cursor.ts';
import type { FetchedBatch } from './types.ts';

export interface ControlMarker {
  readonly kind: 'commit' | 'abort';
  readonly coordinatorEpoch: number;
}

const ABORT_TYPE = 0;
const COMMIT_TYPE = 1;
const KEY_BYTES = 4;
const VALUE_BYTES = 6;
/** Length, attributes, timestamp delta, offset delta, key length, value length, header count: a byte each. */
const RECORD_BYTES = 7 + KEY_BYTES + VALUE_BYTES;

/**
 * The transaction marker in a control batch; undefined for control records of other kinds (leader
 * changes, snapshots, whatever comes). Throws RECORD_CORRUPT when the batch holds no control record.
 */
export function readControlMarker(batch: FetchedBatch): ControlMarker | undefined {
  const cursor = createRecordCursor();
  cursor.open(batch);
  // A control batch that compaction has emptied ends nothing.
  if (!cursor.next()) return undefined;
  if (cursor.keyStart < 0 || cursor.keyEnd - cursor.keyStart < KEY_BYTES) {
    throw recordCorrupt('a control record without a type');
  }
  const type = cursor.buffer.readInt16BE(cursor.keyStart + 2);
  if (type !== ABORT_TYPE && type !== COMMIT_TYPE) return undefined;
  if (cursor.valueStart < 0 || cursor.valueEnd - cursor.valueStart < VALUE_BYTES) {
    throw recordCorrupt('a transaction marker without a coordinator epoch');
  }
  return {
    kind: type === COMMIT_TYPE ? 'commit' : 'abort',
    coordinatorEpoch: cursor.buffer.readInt32BE(cursor.valueStart + 2),
  };
}

export interface ControlBatchFields extends ControlMarker {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly timestampMs: number;
}

/** A whole control batch with baseOffset 0 and leader epoch 0, sealed; see stampOffsets. */
export function buildControlBatch(fields: ControlBatchFields): Buffer {
  const bytes = Buffer.alloc(BATCH_HEADER_BYTES + RECORD_BYTES);
  bytes.writeInt32BE(bytes.length - LOG_OVERHEAD_BYTES, BATCH_LAYOUT.batchLength);
  bytes.writeInt8(CURRENT_MAGIC, BATCH_LAYOUT.magic);
  bytes.writeInt16BE(TRANSACTIONAL_FLAG | CONTROL_FLAG, BATCH_LAYOUT.attributes);
  writeInt64(bytes, fields.timestampMs, BATCH_LAYOUT.baseTimestamp);
  writeInt64(bytes, fields.timestampMs, BATCH_LAYOUT.maxTimestamp);
  writeInt64(bytes, fields.producerId, BATCH_LAYOUT.producerId);
  bytes.writeInt16BE(fields.producerEpoch, BATCH_LAYOUT.producerEpoch);
  bytes.writeInt32BE(-1, BATCH_LAYOUT.baseSequence);
  bytes.writeInt32BE(1, BATCH_LAYOUT.recordCount);
  writeMarkerRecord(bytes, fields);
  sealBatch(bytes);
  return bytes;
}

function writeMarkerRecord(bytes: Buffer, marker: ControlMarker): void {
  const zigzag = (value: number) => value << 1;
  let at = bytes.writeInt8(zigzag(RECORD_BYTES - 1), BATCH_LAYOUT.records);
  at = bytes.writeInt8(0, at);
  at = bytes.writeInt8(0, at);
  at = bytes.writeInt8(0, at);
  at = bytes.writeInt8(zigzag(KEY_BYTES), at);
  at = bytes.writeInt16BE(0, at);
  at = bytes.writeInt16BE(marker.kind === 'commit' ? COMMIT_TYPE : ABORT_TYPE, at);
  at = bytes.writeInt8(zigzag(VALUE_BYTES), at);
  at = bytes.writeInt16BE(0, at);
  at = bytes.writeInt32BE(marker.coordinatorEpoch, at);
  bytes.writeInt8(0, at);
}
