/**
 * Compaction of one log: first the last offset of every key in the dirty part is collected, then all
 * segments up to there are rewritten without what those displace. Aborted data goes at once;
 * tombstones and markers go a delete horizon after they were first seen to be all that is left.
 * Works in slices and lets others run in between; a stop or a crash at any point does no harm.
 */
import type { Clock } from '../../../base/clock.ts';
import { isControl, lastOffset, verifyBatch } from '../../../kafka/records/record-batch.ts';
import { createRecordCursor } from '../../../kafka/records/record-cursor.ts';
import type { BatchHeader, FetchedBatch } from '../../../kafka/records/types.ts';
import { BatchWalker } from '../batch-walker.ts';
import { abortedIn } from '../log-reader.ts';
import type { PartitionLog } from '../partition-log.ts';
import { RecentBytesBudget } from '../recent-bytes.ts';
import { CLEANED_SUFFIX, Segment, segmentName } from '../segment.ts';
import { deleteHorizonMs, emptyBatch, filterBatch } from './batch-filter.ts';
import { type CleanableRange, groupSegments } from './cleanable.ts';
import { KeyOffsets } from './key-offsets.ts';
import { TransactionsPassed } from './transactions-passed.ts';

const SLICE_BYTES = 1024 * 1024;
const WINDOW_BYTES = 256 * 1024;
const WRITE_BYTES = 256 * 1024;
const KEY_BYTES_MAX = 128 * 1024 * 1024;
/** What is rewritten is old: it does not belong among the recent bytes. */
const UNCACHED = new RecentBytesBudget(0);

export interface CompactionOptions {
  readonly log: PartitionLog;
  readonly range: CleanableRange;
  readonly clock: Clock;
  readonly segmentBytes: number;
  readonly deleteRetentionMs: number;
  /** Is this the batch that holds the producer's last sequence, or else its epoch? It must stay. */
  readonly isLastOfProducer: (header: BatchHeader) => boolean;
  /** The broker is closing, or the topic is gone. */
  readonly shouldStop: () => boolean;
  /** Memory for keys; what does not fit is left for the next round. Default 128 MiB. */
  readonly keyBytesMax?: number;
}

/** Resolves when done or stopped. Rejects with RECORD_CORRUPT, STORE_DISK_FULL or STORE_IO. */
export async function compact(options: CompactionOptions): Promise<void> {
  await new Compaction(options).run();
}

class Compaction {
  readonly #options: CompactionOptions;
  readonly #keys: KeyOffsets;
  readonly #cursor = createRecordCursor();
  readonly #nowMs: number;
  #sliceBytes = 0;
  /** Everything below is in #keys. */
  #mappedTo: number;

  constructor(options: CompactionOptions) {
    this.#options = options;
    this.#keys = new KeyOffsets(options.keyBytesMax ?? KEY_BYTES_MAX);
    this.#nowMs = options.clock.nowMs();
    this.#mappedTo = options.range.firstDirtyOffset;
  }

  async run(): Promise<void> {
    const { log, range, segmentBytes } = this.#options;
    if (!(await this.#mapKeys())) return;
    const passed = new TransactionsPassed(abortedIn(log, 0, range.endOffset));
    const segments = log.segments.filter(({ baseOffset }) => baseOffset < this.#mappedTo);
    for (const group of groupSegments(segments, segmentBytes)) {
      if (!(await this.#rewrite(group, passed))) return;
    }
    log.updateFacts({ cleanedToOffset: this.#mappedTo });
  }

  /** False when it was stopped, or when not even one batch's keys fit into memory. */
  async #mapKeys(): Promise<boolean> {
    const { log, range } = this.#options;
    const { firstDirtyOffset, endOffset } = range;
    const passed = new TransactionsPassed(abortedIn(log, firstDirtyOffset, endOffset));
    for (const segment of log.segments.slice()) {
      if (segment.baseOffset >= endOffset) break;
      if (segment.facts.endOffset <= firstDirtyOffset) continue;
      const walker = segment.walkFromOffset(firstDirtyOffset, WINDOW_BYTES);
      while (walker.next()) {
        if (walker.lastOffset < firstDirtyOffset) continue;
        if (!this.#mapBatch(walker.batch(), passed)) return this.#mappedTo > firstDirtyOffset;
        this.#mappedTo = walker.lastOffset + 1;
        if (!(await this.#mayGoOn(walker.sizeBytes))) return false;
      }
    }
    this.#mappedTo = endOffset;
    return true;
  }

  /** False when there is no room for its keys. */
  #mapBatch(batch: FetchedBatch, passed: TransactionsPassed): boolean {
    verifyBatch(batch.buffer, batch.header);
    if (isControl(batch.header)) {
      passed.passMarker(batch);
      return true;
    }
    const isAborted = passed.passData(batch.header);
    if (isAborted || batch.header.recordCount === 0) return true;
    const cursor = this.#cursor;
    cursor.open(batch);
    while (cursor.next()) {
      if (cursor.keyStart < 0 || cursor.offset < this.#options.range.firstDirtyOffset) continue;
      if (!this.#keys.put(cursor.buffer, cursor.keyStart, cursor.keyEnd, cursor.offset))
        return false;
    }
    return true;
  }

  /** Rewrites consecutive segments as one; false when it was stopped. */
  async #rewrite(group: readonly Segment[], passed: TransactionsPassed): Promise<boolean> {
    const { log } = this.#options;
    const { disk, directory } = log.options;
    const path = `${directory}/${segmentName(group[0]!.baseOffset, CLEANED_SUFFIX)}`;
    if (disk.exists(path)) disk.remove(path);
    const options = { ...log.segmentOptions, budget: UNCACHED };
    const cleaned = new Segment(options, group[0]!.baseOffset, CLEANED_SUFFIX);
    const abandon = () => {
      cleaned.close();
      if (!log.isClosed) disk.remove(path);
    };
    try {
      const writer = new SegmentWriter(cleaned);
      for (const segment of group) {
        if (!(await this.#copy(segment, writer, passed))) {
          abandon();
          return false;
        }
      }
      writer.flush();
      cleaned.facts.modifiedMs = group.at(-1)!.facts.modifiedMs;
      await cleaned.sync();
    } catch (error) {
      abandon();
      throw error;
    }
    if (this.#options.shouldStop()) {
      abandon();
      return false;
    }
    log.replace(group, cleaned);
    return true;
  }

  async #copy(segment: Segment, to: SegmentWriter, passed: TransactionsPassed): Promise<boolean> {
    const walker = new BatchWalker(segment, 0, WINDOW_BYTES);
    while (walker.next()) {
      const batch = walker.batch();
      verifyBatch(batch.buffer, batch.header);
      const kept = isControl(batch.header)
        ? this.#keepMarker(batch, to.segment, passed)
        : this.#keepData(batch, passed);
      if (kept !== undefined) to.write(kept);
      if (!(await this.#mayGoOn(walker.sizeBytes))) return false;
    }
    return true;
  }

  #keepMarker(
    batch: FetchedBatch,
    cleaned: Segment,
    passed: TransactionsPassed,
  ): FetchedBatch | undefined {
    const verdict = passed.passMarker(batch);
    if (verdict.kind === 'needed') {
      if (verdict.aborted !== undefined) cleaned.facts.aborted.push(verdict.aborted);
      return batch;
    }
    if (batch.header.recordCount === 0) return this.#mustStay(batch.header) ? batch : undefined;
    const horizonMs = deleteHorizonMs(batch.header);
    if (horizonMs === undefined) return filterBatch(batch, [true], this.#newHorizonMs());
    if (this.#nowMs < horizonMs) return batch;
    return this.#mustStay(batch.header) ? emptyBatch(batch) : undefined;
  }

  #keepData(batch: FetchedBatch, passed: TransactionsPassed): FetchedBatch | undefined {
    const { header } = batch;
    const isAborted = passed.passData(header);
    if (header.recordCount === 0) return this.#mustStay(header) ? batch : undefined;
    if (isAborted) return this.#mustStay(header) ? emptyBatch(batch) : undefined;
    const horizonMs = deleteHorizonMs(header);
    const keep: boolean[] = [];
    let keptCount = 0;
    let hasTombstones = false;
    this.#cursor.open(batch);
    while (this.#cursor.next()) {
      const isTombstone = this.#cursor.valueStart < 0;
      const isOver = isTombstone && horizonMs !== undefined && this.#nowMs >= horizonMs;
      const stays = this.#isLatest() && !(isOver && this.#cursor.offset < this.#mappedTo);
      keep.push(stays);
      if (!stays) continue;
      keptCount++;
      if (isTombstone && this.#cursor.offset < this.#mappedTo) hasTombstones = true;
    }
    if (keptCount === 0) return this.#mustStay(header) ? emptyBatch(batch) : undefined;
    const needsHorizon = hasTombstones && horizonMs === undefined;
    if (keptCount === keep.length && !needsHorizon) return batch;
    return filterBatch(batch, keep, needsHorizon ? this.#newHorizonMs() : undefined);
  }

  /** Whether nothing in the mapped part displaces the record under the cursor. */
  #isLatest(): boolean {
    const { buffer, offset, keyStart, keyEnd } = this.#cursor;
    if (offset >= this.#mappedTo) return true;
    // A compacted topic takes no record without a key; one that is there is from before it was compacted.
    if (keyStart < 0) return false;
    return offset >= this.#keys.get(buffer, keyStart, keyEnd);
  }

  /** Its producer's state hangs on it, or the end of what was compacted. */
  #mustStay(header: BatchHeader): boolean {
    if (lastOffset(header) + 1 === this.#options.range.endOffset) return true;
    return header.producerId >= 0 && this.#options.isLastOfProducer(header);
  }

  #newHorizonMs(): number {
    return this.#nowMs + this.#options.deleteRetentionMs;
  }

  /** Lets others run after every slice; false when this should stop. */
  async #mayGoOn(bytes: number): Promise<boolean> {
    this.#sliceBytes += bytes;
    if (this.#sliceBytes >= SLICE_BYTES) {
      this.#sliceBytes = 0;
      await this.#options.clock.sleep(0);
    }
    return !this.#options.shouldStop();
  }
}

/** Gathers batches into larger writes. */
class SegmentWriter {
  readonly segment: Segment;
  #pending: FetchedBatch[] = [];
  #pendingBytes = 0;

  constructor(segment: Segment) {
    this.segment = segment;
  }

  write(batch: FetchedBatch): void {
    this.#pending.push(batch);
    this.#pendingBytes += batch.header.sizeBytes;
    if (this.#pendingBytes >= WRITE_BYTES) this.flush();
  }

  flush(): void {
    if (this.#pending.length > 0) this.segment.append(this.#pending, 0);
    this.#pending = [];
    this.#pendingBytes = 0;
  }
}
