/**
 * What a client may put into a partition: one sound v2 batch whose records fit the topic's
 * configuration. Follows Kafka's log validator, codes included. Producer state is not looked at here.
 */
import { isMillraceError } from '../../base/errors.ts';
import { Errors } from '../../kafka/protocol/error-codes.ts';
import { sealBatch } from '../../kafka/records/batch-builder.ts';
import {
  BATCH_HEADER_BYTES,
  BATCH_LAYOUT,
  CURRENT_MAGIC,
  isControl,
  isTransactional,
  readBatchHeader,
  TIMESTAMP_TYPE_FLAG,
  usesLogAppendTime,
  verifyBatch,
  writeInt64,
} from '../../kafka/records/record-batch.ts';
import { createRecordCursor } from '../../kafka/records/record-cursor.ts';
import type { FetchedBatch } from '../../kafka/records/types.ts';
import type { ErrorCodeNumber } from '../ports.ts';
import type { TopicConfig } from './topic-config.ts';

const NO_TIMESTAMP = -1;

export interface RecordError {
  readonly batchIndex: number;
  readonly message: string;
}

export interface RecordsRefusal {
  readonly error: ErrorCodeNumber;
  readonly message: string;
  readonly recordErrors?: readonly RecordError[];
}

export type ValidatedRecords =
  | { readonly kind: 'valid'; readonly batch: FetchedBatch }
  | { readonly kind: 'refused'; readonly refusal: RecordsRefusal };

const cursor = createRecordCursor();

/** Checks what a client sent. `records` is not changed; the batch is a copy that may be stamped. */
export function validateRecords(
  records: Buffer,
  config: TopicConfig,
  nowMs: number,
): ValidatedRecords {
  const misshapen = refuseShape(records, config);
  if (misshapen !== undefined) return { kind: 'refused', refusal: misshapen };
  const batch = readWhole(Buffer.from(records));
  const unsound = refused(Errors.CORRUPT_MESSAGE, () => verifyBatch(batch.buffer, batch.header));
  if (unsound !== undefined) return unsound;
  const contradiction = refuseHeader(batch);
  if (contradiction !== undefined) return invalidRecord(contradiction);
  const own = withoutAppendTime(batch);
  let validated: ValidatedRecords = { kind: 'valid', batch: own };
  const unreadable = refused(Errors.INVALID_RECORD, () => {
    validated = validateEach(own, config, nowMs);
  });
  return unreadable ?? validated;
}

/** The refusal with this code when `check` finds RECORD_CORRUPT. */
function refused(error: ErrorCodeNumber, check: () => void): ValidatedRecords | undefined {
  try {
    check();
    return undefined;
  } catch (cause) {
    if (!isMillraceError(cause, 'RECORD_CORRUPT')) throw cause;
    return { kind: 'refused', refusal: { error, message: cause.message } };
  }
}

function invalidRecord(message: string): ValidatedRecords {
  return { kind: 'refused', refusal: { error: Errors.INVALID_RECORD, message } };
}

function readWhole(buffer: Buffer): FetchedBatch {
  return { buffer, header: readBatchHeader(buffer, 0)! };
}

/** Append time is the broker's to set: a producer that says so is read by its records' own times. */
function withoutAppendTime(batch: FetchedBatch): FetchedBatch {
  const { buffer, header } = batch;
  if (!usesLogAppendTime(header)) return batch;
  buffer.writeInt16BE(header.attributes & ~TIMESTAMP_TYPE_FLAG, BATCH_LAYOUT.attributes);
  sealBatch(buffer);
  return readWhole(buffer);
}

/** Exactly one batch, of the right format, not too large. */
function refuseShape(records: Buffer, config: TopicConfig): RecordsRefusal | undefined {
  if (records.length === 0) {
    return { error: Errors.INVALID_RECORD, message: 'a partition without a record batch' };
  }
  if (records.length < BATCH_HEADER_BYTES) {
    return { error: Errors.INVALID_RECORD, message: 'a record batch shorter than its header' };
  }
  if (records.readInt8(BATCH_LAYOUT.magic) !== CURRENT_MAGIC) {
    return { error: Errors.INVALID_RECORD, message: 'only record batches of magic 2 are taken' };
  }
  const sizeBytes = records.readInt32BE(BATCH_LAYOUT.batchLength) + BATCH_LAYOUT.leaderEpoch;
  if (sizeBytes < BATCH_HEADER_BYTES || sizeBytes > records.length) {
    const message = `a batch of ${sizeBytes} bytes in ${records.length}`;
    return { error: Errors.INVALID_RECORD, message };
  }
  if (sizeBytes > config.maxMessageBytes) {
    const message = `a batch of ${sizeBytes} bytes, max.message.bytes is ${config.maxMessageBytes}`;
    return { error: Errors.MESSAGE_TOO_LARGE, message };
  }
  if (sizeBytes > config.segmentBytes) {
    const message = `a batch of ${sizeBytes} bytes, segment.bytes is ${config.segmentBytes}`;
    return { error: Errors.RECORD_LIST_TOO_LARGE, message };
  }
  if (sizeBytes < records.length) {
    return { error: Errors.INVALID_RECORD, message: 'more than one record batch for a partition' };
  }
  return undefined;
}

function refuseHeader({ header }: FetchedBatch): string | undefined {
  if (isControl(header)) return 'clients may not write control records';
  if (header.baseOffset !== 0) return `the base offset should be 0, not ${header.baseOffset}`;
  if (header.recordCount < 1 || header.lastOffsetDelta + 1 !== header.recordCount) {
    return `${header.recordCount} records at ${header.lastOffsetDelta + 1} offsets`;
  }
  if (header.producerId >= 0 && header.baseSequence < 0) return 'a producer id without a sequence';
  if (header.producerId >= 0 && header.producerEpoch < 0) return 'a producer id without an epoch';
  if (header.producerId < 0 && isTransactional(header))
    return 'a transaction without a producer id';
  return undefined;
}

function validateEach(batch: FetchedBatch, config: TopicConfig, nowMs: number): ValidatedRecords {
  const { header } = batch;
  const isCreateTime = config.timestampType === 'CreateTime';
  const earliestMs = nowMs - config.timestampBeforeMaxMs;
  const latestMs = nowMs + config.timestampAfterMaxMs;
  const badKeys: RecordError[] = [];
  const badTimes: RecordError[] = [];
  let maxTimestampMs = NO_TIMESTAMP;
  let batchIndex = 0;
  cursor.open(batch);
  for (; cursor.next(); batchIndex++) {
    const { timestampMs } = cursor;
    if (cursor.offset !== batchIndex) {
      return invalidRecords([{ batchIndex, message: `offset ${cursor.offset} out of order` }]);
    }
    if (config.isCompacted && cursor.keyStart < 0) {
      badKeys.push({ batchIndex, message: 'a record without a key in a compacted topic' });
    }
    if (timestampMs > maxTimestampMs) maxTimestampMs = timestampMs;
    if (!isCreateTime || timestampMs === NO_TIMESTAMP) continue;
    if (timestampMs < earliestMs || timestampMs > latestMs) {
      const message = `timestamp ${timestampMs} is not within [${earliestMs}, ${latestMs}]`;
      badTimes.push({ batchIndex, message });
    }
  }
  if (badKeys.length > 0) return invalidRecords(badKeys);
  if (badTimes.length > 0) return invalidRecords(badTimes, Errors.INVALID_TIMESTAMP);
  if (isCreateTime && maxTimestampMs !== header.maxTimestampMs) {
    return { kind: 'valid', batch: withMaxTimestamp(batch, maxTimestampMs) };
  }
  return { kind: 'valid', batch };
}

function invalidRecords(
  recordErrors: readonly RecordError[],
  error: ErrorCodeNumber = Errors.INVALID_RECORD,
): ValidatedRecords {
  const message = `${recordErrors.length} record(s) refused: ${recordErrors[0]!.message}`;
  return { kind: 'refused', refusal: { error, message, recordErrors } };
}

/** Time lookups trust the header: what a producer miscounted is put right. */
function withMaxTimestamp({ buffer }: FetchedBatch, maxTimestampMs: number): FetchedBatch {
  writeInt64(buffer, maxTimestampMs, BATCH_LAYOUT.maxTimestamp);
  sealBatch(buffer);
  return readWhole(buffer);
}

/** The batches of a coordinator's own append, as copies that may be stamped. Throws RECORD_CORRUPT. */
export function splitBatches(records: Buffer): FetchedBatch[] {
  const batches: FetchedBatch[] = [];
  for (let at = 0; at < records.length; ) {
    const header = readBatchHeader(records, at)!;
    const buffer = Buffer.from(records.subarray(at, at + header.sizeBytes));
    verifyBatch(buffer, { ...header, position: 0 });
    batches.push({ buffer, header: { ...header, position: 0 } });
    at += header.sizeBytes;
  }
  return batches;
}
