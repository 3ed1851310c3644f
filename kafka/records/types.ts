/**
 * Record batches (message format v2) as views over bytes: nothing is copied, nothing is allocated
 * per record. record-batch.ts reads, batch-builder.ts writes.
 */

/** The 61-byte header of a batch, decoded. */
export interface BatchHeader {
  /** Where the batch starts in its buffer, and its whole size with the 12 bytes of offset and length. */
  readonly position: number;
  readonly sizeBytes: number;
  readonly baseOffset: number;
  readonly leaderEpoch: number;
  readonly magic: number;
  readonly crc: number;
  readonly attributes: number;
  readonly lastOffsetDelta: number;
  readonly baseTimestampMs: number;
  readonly maxTimestampMs: number;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly recordCount: number;
}

/** A batch as fetched: still compressed, CRC checked. */
export interface FetchedBatch {
  readonly buffer: Buffer;
  readonly header: BatchHeader;
}

export interface RecordHeader {
  readonly key: string;
  readonly value: Buffer | null;
}

/**
 * Walks the records of one batch, reusing itself. Key and value are ranges of `buffer`
 * (start -1 = null). Valid until the next call of next() or open().
 */
export interface RecordCursor {
  readonly buffer: Buffer;
  readonly offset: number;
  readonly timestampMs: number;
  readonly keyStart: number;
  readonly keyEnd: number;
  readonly valueStart: number;
  readonly valueEnd: number;
  readonly headerCount: number;
  /** Opens a batch; decompresses it, bounded by `decompressedBytesMax` (default 64 MiB). Throws RECORD_CORRUPT. */
  open(batch: FetchedBatch): void;
  /** False at the end. Throws RECORD_CORRUPT when the bytes are not a record. */
  next(): boolean;
  /** Decodes the headers of the current record. */
  headers(): RecordHeader[];
}

/** A batch ready to be produced: everything but producer id, epoch and sequence is final. */
export interface EncodedBatch {
  readonly topic: string;
  readonly partition: number;
  /** The batch with baseOffset 0; `stampProducer` (batch-builder.ts) fills in producer fields and the CRC. */
  readonly bytes: Buffer;
  readonly recordCount: number;
}
