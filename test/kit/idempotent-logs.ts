/**
 * Partitions that append as a Kafka leader does for idempotent producers: the next sequence is appended,
 * one of the last five batches is a duplicate, anything else is out of order.
 */
import { Errors } from '../../kafka/protocol/error-codes.ts';
import { incrementSequence } from '../../kafka/records/batch-builder.ts';
import { readBatchHeader, verifyBatch } from '../../kafka/records/record-batch.ts';
import { recordsIn } from './batches.ts';

const REMEMBERED_BATCHES = 5;

interface Appended {
  readonly baseSequence: number;
  readonly lastSequence: number;
  readonly baseOffset: number;
}

export interface AppendAnswer {
  readonly errorCode: number;
  readonly baseOffset: number;
}

export class IdempotentLog {
  /** Values in the order of the log. */
  readonly values: string[] = [];
  /** What the broker remembers of each producer id; clear it to play a broker that lost it. */
  readonly producers = new Map<number, Appended[]>();

  append(records: Buffer): AppendAnswer {
    const header = readBatchHeader(records, 0);
    if (header === undefined || header.sizeBytes !== records.length) {
      return { errorCode: Errors.INVALID_RECORD, baseOffset: -1 };
    }
    verifyBatch(records, header);
    const { producerId, baseSequence, recordCount } = header;
    const known = this.producers.get(producerId) ?? [];
    const lastSequence = incrementSequence(baseSequence, recordCount - 1);
    const duplicate = known.find(
      (one) => one.baseSequence === baseSequence && one.lastSequence === lastSequence,
    );
    if (duplicate !== undefined) return { errorCode: 0, baseOffset: duplicate.baseOffset };
    const last = known.at(-1);
    const expected = last === undefined ? baseSequence : incrementSequence(last.lastSequence, 1);
    if (baseSequence !== expected) {
      return { errorCode: Errors.OUT_OF_ORDER_SEQUENCE_NUMBER, baseOffset: -1 };
    }
    const baseOffset = this.values.length;
    const appended = { baseSequence, lastSequence, baseOffset };
    this.producers.set(producerId, [...known, appended].slice(-REMEMBERED_BATCHES));
    for (const record of recordsIn([{ buffer: records, header }])) {
      this.values.push(record.slice(record.indexOf(':') + 1));
    }
    return { errorCode: 0, baseOffset };
  }
}
