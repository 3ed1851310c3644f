/**
 * One partition, raw batches in, committed records out, in offset order. What is committed is decided
 * here, by the markers alone; where the log's keeper tells what its readers should leave out, that is
 * compared (I13).
 *
 * L1. A transactional batch waits for its producer's next marker; what lies behind it waits with it.
 *     Memory: what open transactions span.
 */

import { readControlMarker } from '../../kafka/records/control-batch.ts';
import {
  isControl,
  isTransactional,
  lastOffset as lastOffsetOf,
} from '../../kafka/records/record-batch.ts';
import { createRecordCursor } from '../../kafka/records/record-cursor.ts';
import type { BatchHeader, FetchedBatch, RecordCursor } from '../../kafka/records/types.ts';
import { PartitionTransactions } from '../checks/transactions.ts';
import { SchemaMissing } from '../records/record-reader.ts';
import type { RawBatches } from './log-source.ts';
import type { ReadingContext } from './reading-context.ts';

/** One object per transaction in this partition. */
export interface LogTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
  fate: 'undecided' | 'committed' | 'aborted';
  /** Append time of its marker. */
  endedAtMs: number | undefined;
}

interface Waiting {
  readonly batch: FetchedBatch;
  /** undefined = written outside of transactions. */
  readonly transaction: LogTransaction | undefined;
}

/** next: go on · keep: not now, show it again · pause: done with it, go on at the next read. */
export type Reaction = 'next' | 'keep' | 'pause';
export type Visit = (record: RecordCursor) => Reaction;

export class CommittedLog {
  readonly topic: string;
  readonly partition: number;
  /** Of committed data; -1 = none yet. */
  lastOffset = -1;
  recordCount = 0;
  /** Offsets that are not there any more, before the current record: compaction takes single records. */
  holes = 0;
  /** Of the current record; undefined = it was written in none. */
  transaction: LogTransaction | undefined;
  /** Markers have gone back in time: the broker's clock was set. */
  hasClockGoneBack = false;
  #latestEndMs = 0;
  readonly #answers: AsyncIterator<RawBatches>;
  readonly #context: ReadingContext;
  readonly #transactions: PartitionTransactions;
  readonly #visitAborted: ((record: RecordCursor) => void) | undefined;
  readonly #cursor = createRecordCursor();
  #waiting: Waiting[] = [];
  #head = 0;
  readonly #open = new Map<number, LogTransaction>();
  #isInBatch = false;
  #isKept = false;
  #nextOffset: number;

  constructor(
    topic: string,
    partition: number,
    context: ReadingContext,
    visitAborted?: (record: RecordCursor) => void,
  ) {
    this.topic = topic;
    this.partition = partition;
    this.#context = context;
    this.#visitAborted = visitAborted;
    this.#transactions = new PartitionTransactions(topic, partition, context);
    this.#answers = context.open(topic, partition);
    this.#nextOffset = context.startOf(topic, partition);
  }

  placeOf(offset: number): string {
    return `${this.topic}-${this.partition}@${offset}`;
  }

  /** Shows committed records until one is kept, the visitor pauses, or the end is reached. */
  async read(visit: Visit): Promise<'end' | 'kept' | 'paused'> {
    for (;;) {
      try {
        const reached = this.#show(visit);
        if (reached !== 'dry') return reached;
      } catch (error) {
        if (!(error instanceof SchemaMissing)) throw error;
        await error.resolve();
        this.#isKept = true;
        continue;
      }
      if (!(await this.#fill())) return 'end';
    }
  }

  #show(visit: Visit): 'dry' | 'kept' | 'paused' {
    for (;;) {
      while (this.#isKept || (this.#isInBatch && this.#cursor.next())) {
        if (!this.#isKept) {
          this.recordCount++;
          this.lastOffset = this.#cursor.offset;
        }
        this.#isKept = true;
        const reaction = visit(this.#cursor);
        if (reaction === 'keep') return 'kept';
        this.#isKept = false;
        if (reaction === 'pause') return 'paused';
      }
      if (!this.#openNext()) return 'dry';
    }
  }

  #openNext(): boolean {
    this.#isInBatch = false;
    for (; this.#head < this.#waiting.length; this.#head++) {
      const { batch, transaction } = this.#waiting[this.#head]!;
      if (transaction?.fate === 'undecided') return false;
      if (transaction?.fate === 'aborted') {
        this.#showAborted(batch);
        continue;
      }
      this.#cursor.open(batch);
      this.transaction = transaction;
      this.#isInBatch = true;
      this.#head++;
      return true;
    }
    this.#waiting = [];
    this.#head = 0;
    return false;
  }

  #showAborted(batch: FetchedBatch): void {
    if (this.#visitAborted === undefined) return;
    const cursor = createRecordCursor();
    cursor.open(batch);
    while (cursor.next()) this.#visitAborted(cursor);
  }

  async #fill(): Promise<boolean> {
    const { value, done } = await this.#answers.next();
    if (done === true) return false;
    this.#transactions.hidden(value.aborted);
    for (const batch of value.batches) this.#take(batch);
    return true;
  }

  #take(batch: FetchedBatch): void {
    const { header } = batch;
    const last = lastOffsetOf(header);
    if (last < this.#nextOffset) return;
    this.#countHoles(header, last);
    this.#context.progress(last - header.baseOffset + 1);
    if (isControl(header)) {
      this.#end(batch);
      return;
    }
    if (!isTransactional(header)) {
      this.#waiting.push({ batch, transaction: undefined });
      return;
    }
    this.#transactions.data(header);
    const { producerId, baseOffset } = header;
    let transaction = this.#open.get(producerId);
    if (transaction === undefined) {
      const fate = 'undecided';
      transaction = { producerId, firstOffset: baseOffset, fate, endedAtMs: undefined };
      this.#open.set(producerId, transaction);
    }
    this.#waiting.push({ batch, transaction });
  }

  #end(batch: FetchedBatch): void {
    const marker = readControlMarker(batch);
    if (marker === undefined) return;
    const { header } = batch;
    this.#transactions.ended(header, marker.kind);
    const { maxTimestampMs } = header;
    if (maxTimestampMs < this.#latestEndMs) this.hasClockGoneBack = true;
    this.#latestEndMs = Math.max(this.#latestEndMs, maxTimestampMs);
    const transaction = this.#open.get(header.producerId);
    if (transaction === undefined) return;
    transaction.endedAtMs = maxTimestampMs;
    transaction.fate = marker.kind === 'commit' ? 'committed' : 'aborted';
    this.#open.delete(header.producerId);
  }

  #countHoles(header: BatchHeader, last: number): void {
    this.holes += Math.max(0, header.baseOffset - this.#nextOffset);
    this.holes += last - header.baseOffset + 1 - header.recordCount;
    this.#nextOffset = last + 1;
  }
}
