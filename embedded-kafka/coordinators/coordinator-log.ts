/**
 * A coordinator's side of its internal topic: appends records and waits until they are durable, and
 * replays them all at start. What the records mean is the coordinator's business.
 */
import type { Clock } from '../../base/clock.ts';
import { Errors } from '../../kafka/protocol/error-codes.ts';
import { BatchBuilder, sealBatch, stampProducer } from '../../kafka/records/batch-builder.ts';
import { readControlMarker } from '../../kafka/records/control-batch.ts';
import { isControl, isTransactional } from '../../kafka/records/record-batch.ts';
import { createRecordCursor } from '../../kafka/records/record-cursor.ts';
import type { BatchHeader, RecordCursor } from '../../kafka/records/types.ts';
import type { ErrorCodeNumber, Partition } from '../ports.ts';

export interface CoordinatorRecord {
  readonly key: Buffer;
  /** null deletes the key. */
  readonly value: Buffer | null;
}

/** Records of an open transaction: they count once its marker is there. */
export interface TransactionStamp {
  readonly producerId: number;
  readonly producerEpoch: number;
}

export type ReplayedRecord =
  | {
      readonly kind: 'record';
      readonly offset: number;
      readonly key: Buffer;
      readonly value: Buffer | null;
      /** The producer whose transaction it belongs to; undefined when it counts by itself. */
      readonly transactionOf: number | undefined;
    }
  | { readonly kind: 'marker'; readonly producerId: number; readonly committed: boolean };

/** A coordinator's request is one batch, however large. */
const BATCH_SIZE_BYTES_MAX = 64 * 1024 * 1024;
const ACKS_ALL = -1;
const ACKS_LEADER = 1;
const NO_SEQUENCE = -1;

export class CoordinatorLog {
  readonly #clock: Clock;
  readonly #builder = new BatchBuilder({ sizeBytesMax: BATCH_SIZE_BYTES_MAX });

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Appends the records as one batch, at once and in order of the calls; resolves when they are durable,
   * or only written if the caller says that this is enough (whatever is made durable next covers it).
   * NONE; or COORDINATOR_NOT_AVAILABLE when there is no room on the disk, and nothing was written; or why
   * a transaction's records were refused (its producer has been fenced meanwhile).
   * Rejects when the disk has failed: then the broker is about to stop.
   */
  async append(
    partition: Partition,
    records: readonly CoordinatorRecord[],
    options: {
      readonly transaction?: TransactionStamp | undefined;
      readonly until?: 'durable' | 'written';
    } = {},
  ): Promise<ErrorCodeNumber> {
    const { error } = await partition.append({
      records: this.#encode(partition, records, options.transaction),
      acks: options.until === 'written' ? ACKS_LEADER : ACKS_ALL,
      lazily: options.until === 'written',
      transactionalId: null,
      internal: true,
    });
    return error === Errors.KAFKA_STORAGE_ERROR ? Errors.COORDINATOR_NOT_AVAILABLE : error;
  }

  #encode(
    partition: Partition,
    records: readonly CoordinatorRecord[],
    transaction: TransactionStamp | undefined,
  ): Buffer {
    const nowMs = this.#clock.nowMs();
    this.#builder.reset();
    for (const { key, value } of records) this.#builder.append(nowMs, key, value);
    const { bytes } = this.#builder.finish(partition.topic, partition.partition, 'none');
    if (transaction === undefined) sealBatch(bytes);
    else stampProducer(bytes, { ...transaction, baseSequence: NO_SEQUENCE, transactional: true });
    return bytes;
  }
}

/** Everything in the log, in order. Throws RECORD_CORRUPT when a batch cannot be read. */
export function* replay(partition: Partition): Iterable<ReplayedRecord> {
  const cursor = createRecordCursor();
  for (const batch of partition.batches()) {
    if (isControl(batch.header)) {
      const marker = readControlMarker(batch);
      if (marker === undefined) continue;
      const committed = marker.kind === 'commit';
      yield { kind: 'marker', producerId: batch.header.producerId, committed };
    } else {
      cursor.open(batch);
      yield* replayRecords(cursor, batch.header);
    }
  }
}

function* replayRecords(cursor: RecordCursor, header: BatchHeader): Iterable<ReplayedRecord> {
  const transactionOf = isTransactional(header) ? header.producerId : undefined;
  while (cursor.next()) {
    if (cursor.keyStart < 0) continue;
    const isTombstone = cursor.valueStart < 0;
    yield {
      kind: 'record',
      offset: cursor.offset,
      // Copies: what is kept of a record must not keep its whole segment in memory.
      key: Buffer.from(cursor.buffer.subarray(cursor.keyStart, cursor.keyEnd)),
      value: isTombstone
        ? null
        : Buffer.from(cursor.buffer.subarray(cursor.valueStart, cursor.valueEnd)),
      transactionOf,
    };
  }
}
