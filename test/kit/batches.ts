/** Record batches as a broker stores them, for tests: data, markers, holes that compaction left. */
import {
  BatchBuilder,
  sealBatch,
  stampOffsets,
  stampProducer,
} from '../../kafka/records/batch-builder.ts';
import { buildControlBatch } from '../../kafka/records/control-batch.ts';
import { BATCH_LAYOUT, forEachBatch } from '../../kafka/records/record-batch.ts';
import { createRecordCursor } from '../../kafka/records/record-cursor.ts';
import type { EncodedBatch, FetchedBatch } from '../../kafka/records/types.ts';

export function encodedBatch(
  topic: string,
  partition: number,
  values: readonly string[],
): EncodedBatch {
  const builder = new BatchBuilder({ sizeBytesMax: 1_000_000 });
  for (const value of values) builder.append(Date.now(), Buffer.from('key'), Buffer.from(value));
  return builder.finish(topic, partition, 'none');
}

export interface StoredBatch {
  readonly baseOffset: number;
  readonly values: readonly string[];
  /** Default: 0. */
  readonly leaderEpoch?: number;
  /** Given: the batch belongs to a transaction of this producer. */
  readonly producerId?: number;
  readonly key?: Buffer;
}

export function storedBatch(stored: StoredBatch): Buffer {
  const builder = new BatchBuilder({ sizeBytesMax: 1_000_000 });
  for (const value of stored.values) builder.append(0, stored.key ?? null, Buffer.from(value));
  const { bytes } = builder.finish('any', 0, 'none');
  const isTransactional = stored.producerId !== undefined;
  stampProducer(bytes, {
    producerId: stored.producerId ?? -1,
    producerEpoch: isTransactional ? 0 : -1,
    baseSequence: isTransactional ? stored.baseOffset : -1,
    transactional: isTransactional,
  });
  stampOffsets(bytes, { baseOffset: stored.baseOffset, leaderEpoch: stored.leaderEpoch ?? 0 });
  return bytes;
}

export function storedMarker(
  baseOffset: number,
  producerId: number,
  kind: 'commit' | 'abort',
): Buffer {
  const bytes = buildControlBatch({
    producerId,
    producerEpoch: 0,
    kind,
    coordinatorEpoch: 0,
    timestampMs: 0,
  });
  stampOffsets(bytes, { baseOffset, leaderEpoch: 0 });
  return bytes;
}

/** What compaction leaves of a batch whose records are all gone: the header alone. */
export function emptiedBatch(baseOffset: number, lastOffset: number): Buffer {
  const bytes = storedBatch({ baseOffset, values: ['gone'] }).subarray(0, BATCH_LAYOUT.records);
  bytes.writeInt32BE(BATCH_LAYOUT.records - 12, BATCH_LAYOUT.batchLength);
  bytes.writeInt32BE(lastOffset - baseOffset, BATCH_LAYOUT.lastOffsetDelta);
  bytes.writeInt32BE(0, BATCH_LAYOUT.recordCount);
  sealBatch(bytes);
  return Buffer.from(bytes);
}

/** `offset:value` of every record. */
export function recordsIn(batches: readonly FetchedBatch[]): string[] {
  const cursor = createRecordCursor();
  const records: string[] = [];
  for (const batch of batches) {
    cursor.open(batch);
    while (cursor.next()) {
      const value = cursor.buffer.toString('utf8', cursor.valueStart, cursor.valueEnd);
      records.push(`${cursor.offset}:${value}`);
    }
  }
  return records;
}

/** The batches that lie in these bytes, as a Fetch hands them out. */
export function batchesIn(buffer: Buffer): FetchedBatch[] {
  const batches: FetchedBatch[] = [];
  forEachBatch(buffer, (header) => {
    batches.push({ buffer, header });
  });
  return batches;
}
