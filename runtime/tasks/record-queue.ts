/**
 * What was fetched of one input partition and not yet processed: raw batches, walked by one cursor,
 * decoded record by record when the task wants them.
 *
 * Q1. `position` is the next offset to process, and so the offset to commit: it passes control
 *     batches and compacted holes only once everything before them has been processed.
 * Q2. Records below `position` are never handed out (a fetched batch may begin before the seek).
 */
import type { FetchedPartition } from '../../kafka/ports.ts';
import type { FetchedBatch, RecordCursor } from '../../kafka/records/types.ts';
import type { StreamRecord } from '../../topology/processor.ts';
import type { SourcePlan } from '../assignment/topic-plan.ts';
import type { OriginalRecord } from '../failures/dead-letter.ts';
import { isUnknownSchema, type RecordDecoder } from './record-decoder.ts';

/** The next thing of a queue. 'bad' comes with `failure`, 'record' with `record`. */
export type HeadKind = 'none' | 'parked' | 'record' | 'bad';

export class RecordQueue {
  readonly source: SourcePlan;
  readonly partition: number;
  readonly #cursor: RecordCursor;
  readonly #decoder: RecordDecoder;
  readonly #onUnparked: () => void;
  #batches: FetchedBatch[] = [];
  #nextBatch = 0;
  /** The batch that the cursor walks. */
  #open: FetchedBatch | undefined;
  #openRecordsLeft = 0;
  #bufferedRecords = 0;
  #position = 0;
  #fetchPosition = 0;
  #leaderEpoch = -1;
  /** Goes with #fetchPosition: the last fetched batch's, visible or not. */
  #fetchLeaderEpoch = -1;
  #endOffset = -1;
  #head: HeadKind = 'none';
  #record: StreamRecord<unknown, unknown> | undefined;
  #failure: Error | undefined;
  #headTimestampMs = 0;
  #headNextOffset = 0;
  #parking = new AbortController();

  constructor(
    source: SourcePlan,
    partition: number,
    parts: {
      readonly cursor: RecordCursor;
      readonly decoder: RecordDecoder;
      /** A parked partition can go on. */
      readonly onUnparked: () => void;
    },
  ) {
    this.source = source;
    this.partition = partition;
    this.#cursor = parts.cursor;
    this.#decoder = parts.decoder;
    this.#onUnparked = parts.onUnparked;
  }

  get position(): number {
    return this.#position;
  }

  get leaderEpoch(): number {
    return this.#leaderEpoch;
  }

  get bufferedRecords(): number {
    return this.#bufferedRecords;
  }

  /** Records known to be in the log and not processed. */
  get lag(): number {
    return Math.max(0, this.#endOffset - this.#position);
  }

  /** True while the log may have more than what is buffered: nothing is known of it, or that it has. */
  get isBehind(): boolean {
    return this.#endOffset < 0 || this.#fetchPosition < this.#endOffset;
  }

  /** Starts over at `offset`: everything buffered is forgotten. */
  seek(offset: number, leaderEpoch: number): void {
    this.#parking.abort();
    this.#parking = new AbortController();
    this.#batches = [];
    this.#nextBatch = 0;
    this.#open = undefined;
    this.#bufferedRecords = 0;
    this.#head = 'none';
    this.#record = undefined;
    this.#failure = undefined;
    this.#position = offset;
    this.#fetchPosition = offset;
    this.#endOffset = -1;
    this.#leaderEpoch = leaderEpoch;
    this.#fetchLeaderEpoch = leaderEpoch;
  }

  add(fetched: FetchedPartition): void {
    for (const batch of fetched.batches) {
      this.#batches.push(batch);
      this.#bufferedRecords += batch.header.recordCount;
    }
    this.#fetchPosition = Math.max(this.#fetchPosition, fetched.nextOffset);
    this.#endOffset = fetched.lastStableOffset;
    this.#fetchLeaderEpoch = fetched.lastLeaderEpoch;
    this.#catchUpWhenEmpty();
  }

  /** Looks at the next record, decoding it the first time. */
  head(partitionTimeMs: number): HeadKind {
    while (this.#head === 'none' && this.#advance()) this.#decodeHead(partitionTimeMs);
    return this.#head;
  }

  /** Of the head, when it is a 'record' or 'bad'. */
  get headTimestampMs(): number {
    return this.#headTimestampMs;
  }

  get headOffset(): number {
    return this.#headNextOffset - 1;
  }

  get record(): StreamRecord<unknown, unknown> {
    return this.#record!;
  }

  get failure(): Error {
    return this.#failure!;
  }

  /** Copies of the head's bytes, for a dead letter. A batch that cannot be read is given as a whole. */
  original(): OriginalRecord {
    const open = this.#open;
    if (open === undefined) return { key: null, value: null, headers: [] };
    if (this.#isOpenCorrupt) {
      const { position, sizeBytes } = open.header;
      const value = Buffer.from(open.buffer.subarray(position, position + sizeBytes));
      return { key: null, value, headers: [] };
    }
    const { buffer, keyStart, keyEnd, valueStart, valueEnd } = this.#cursor;
    return {
      key: keyStart < 0 ? null : Buffer.from(buffer.subarray(keyStart, keyEnd)),
      value: valueStart < 0 ? null : Buffer.from(buffer.subarray(valueStart, valueEnd)),
      headers: this.#cursor.headers(),
    };
  }

  /** The head has been processed (or dead-lettered). */
  consume(): void {
    this.#position = this.#headNextOffset;
    if (this.#isOpenCorrupt) this.#closeBatch();
    else this.#countRecord();
    this.#head = 'none';
    this.#record = undefined;
    this.#failure = undefined;
    this.#catchUpWhenEmpty();
  }

  close(): void {
    this.#parking.abort();
  }

  get #isOpenCorrupt(): boolean {
    return this.#openRecordsLeft < 0;
  }

  /** Moves the cursor to the next record at or after `position`; false when nothing is buffered. */
  #advance(): boolean {
    for (;;) {
      if (this.#open === undefined && !this.#openNext()) return false;
      // openNext leaves a corrupt batch open as one bad head.
      if (this.#isOpenCorrupt) return true;
      if (!this.#nextRecord()) {
        this.#closeBatch();
        continue;
      }
      if (this.#isOpenCorrupt) return true;
      this.#headNextOffset = this.#cursor.offset + 1;
      this.#headTimestampMs = this.#cursor.timestampMs;
      if (this.#cursor.offset >= this.#position) return true;
      this.#countRecord();
    }
  }

  /** Nothing is left to process: the position passes control batches and aborted data too. */
  #catchUpWhenEmpty(): void {
    if (this.#bufferedRecords > 0 || this.#fetchPosition <= this.#position) return;
    this.#position = this.#fetchPosition;
    this.#leaderEpoch = this.#fetchLeaderEpoch;
  }

  #openNext(): boolean {
    if (this.#nextBatch === this.#batches.length) {
      // An input that is mostly empty is asked with every record of the others.
      if (this.#nextBatch > 0) this.#batches = [];
      this.#nextBatch = 0;
      return false;
    }
    const batch = this.#batches[this.#nextBatch++]!;
    this.#open = batch;
    this.#openRecordsLeft = batch.header.recordCount;
    this.#leaderEpoch = batch.header.leaderEpoch;
    try {
      this.#cursor.open(batch);
    } catch (error) {
      this.#corrupt(error);
    }
    return true;
  }

  #nextRecord(): boolean {
    try {
      return this.#cursor.next();
    } catch (error) {
      this.#corrupt(error);
      return true;
    }
  }

  /** What is left of the open batch cannot be read: it becomes one bad record. */
  #corrupt(error: unknown): void {
    const { header } = this.#open!;
    this.#bufferedRecords -= Math.max(0, this.#openRecordsLeft);
    this.#openRecordsLeft = -1;
    this.#headNextOffset = header.baseOffset + header.lastOffsetDelta + 1;
    this.#headTimestampMs = Math.max(0, header.maxTimestampMs);
    this.#head = 'bad';
    this.#failure = asError(error);
  }

  #closeBatch(): void {
    this.#bufferedRecords -= Math.max(0, this.#openRecordsLeft);
    this.#openRecordsLeft = 0;
    this.#open = undefined;
  }

  #countRecord(): void {
    this.#openRecordsLeft--;
    this.#bufferedRecords--;
    if (this.#openRecordsLeft === 0) this.#open = undefined;
  }

  #decodeHead(partitionTimeMs: number): void {
    if (this.#head === 'bad') return;
    try {
      const record = this.#decoder.decode(this.#cursor);
      this.#accept(record, partitionTimeMs);
    } catch (error) {
      if (isUnknownSchema(error)) this.#park(error, partitionTimeMs);
      else this.#reject(asError(error));
    }
  }

  #accept(record: StreamRecord<unknown, unknown>, partitionTimeMs: number): void {
    const extract = this.source.node.timestampExtractor;
    if (extract === undefined) {
      this.#record = record;
      this.#head = 'record';
      return;
    }
    const { value } = record;
    const timestampMs = extract({ timestampMs: record.timestampMs, value, partitionTimeMs });
    if (timestampMs < 0) {
      this.#skip();
      return;
    }
    this.#headTimestampMs = timestampMs;
    this.#record = { ...record, timestampMs };
    this.#head = 'record';
  }

  /** The extractor does not want it. */
  #skip(): void {
    this.#position = this.#headNextOffset;
    this.#countRecord();
  }

  #reject(error: Error): void {
    this.#head = 'bad';
    this.#failure = error;
    this.#headTimestampMs = Math.max(0, this.#headTimestampMs);
  }

  #park(missing: Parameters<RecordDecoder['resolve']>[0], partitionTimeMs: number): void {
    this.#head = 'parked';
    const { signal } = this.#parking;
    void this.#decoder.resolve(missing, signal).then((failure) => {
      if (signal.aborted) return;
      if (failure === undefined) {
        this.#head = 'none';
        this.#decodeHead(partitionTimeMs);
      } else {
        this.#reject(failure);
      }
      this.#onUnparked();
    });
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
