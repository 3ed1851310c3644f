/**
 * Opening a partition's log: finds its segments, trusts what a checkpoint and the index files vouch
 * for, and reads the rest batch by batch. Its files end before the first batch that is torn, fails its
 * checksum or does not follow in offset; what follows there and was shown to a reader is in the journal.
 * Compaction and retention leave gaps, and only before segments that are settled: where an unsettled
 * one does not follow the one before it, a power loss has taken what was between.
 */
import { isMillraceError } from '../../base/errors.ts';
import {
  forEachBatch,
  lastOffset,
  recordCorrupt,
  verifyBatch,
} from '../../kafka/records/record-batch.ts';
import type { FetchedBatch } from '../../kafka/records/types.ts';
import { readSealedJson } from '../disk/sealed-file.ts';
import { BatchWalker } from './batch-walker.ts';
import {
  CHECKPOINT_FILE,
  type Checkpoint,
  FACTS_FILE,
  type LogFacts,
  PartitionLog,
  type PartitionLogOptions,
  segmentOptionsOf,
} from './partition-log.ts';
import { INDEX_SUFFIX, LOG_SUFFIX, Segment, segmentName, UNSETTLED_SUFFIX } from './segment.ts';

const SCAN_WINDOW_BYTES = 1024 * 1024;
const OFFSET_DIGITS = 20;
const SEGMENT_NAME = /^\d{20}\.(?:log|unsettled)$/;

/**
 * Opens the log in `options.directory`, which it creates if needed; options.state is then that of its
 * end. Call settle() before use. Throws STORE_IO.
 */
export function openLog(options: PartitionLogOptions): PartitionLog {
  options.disk.makeDirectory(options.directory);
  const recovery = new Recovery(options);
  const segments = recovery.run();
  const facts = readSealedJson(options.disk, `${options.directory}/${FACTS_FILE}`);
  const log = new PartitionLog(options, segments, factsWithin(segments, facts as LogFacts));
  log.expectSettling(recovery.readSegments, recovery.readBytes);
  return log;
}

class Recovery {
  readonly #options: PartitionLogOptions;
  /** Segments whose batches had to be read. */
  readonly readSegments = new Set<Segment>();
  readBytes = 0;

  constructor(options: PartitionLogOptions) {
    this.#options = options;
  }

  run(): Segment[] {
    const segments = this.#openSegments();
    this.#restoreState(segments);
    const kept: Segment[] = [];
    for (const [index, segment] of segments.entries()) {
      const previous = kept.at(-1);
      if (previous !== undefined && segment.baseOffset < previous.facts.endOffset) {
        // A compaction was stopped before it had removed what its result replaces.
        this.#remove(segment);
        continue;
      }
      const isGap = segment.baseOffset > (previous?.facts.endOffset ?? 0);
      if (isGap && !segment.isSettled) {
        for (const lost of segments.slice(index)) this.#remove(lost);
        break;
      }
      kept.push(segment);
      if (!isWhole(segment) && !this.#read(segment)) {
        for (const behind of segments.slice(index + 1)) this.#remove(behind);
        break;
      }
    }
    if (kept.length === 0) kept.push(new Segment(segmentOptionsOf(this.#options), 0));
    this.#appendJournaled(kept.at(-1)!);
    return kept;
  }

  /** What a power loss took from the files. */
  #appendJournaled(segment: Segment): void {
    const { syncer, clock, directory, state } = this.#options;
    for (const buffer of syncer.journal.foundFor(directory)) {
      forEachBatch(buffer, (header) => {
        if (header.baseOffset < segment.facts.endOffset) return;
        const batch = { buffer, header };
        segment.append([batch], clock.nowMs());
        const aborted = state.apply(batch);
        if (aborted !== undefined) segment.facts.aborted.push(aborted);
        this.readSegments.add(segment);
        this.readBytes += header.sizeBytes;
      });
    }
  }

  /** All segments by offset, with their indexes where there are good ones. Removes what is left over. */
  #openSegments(): Segment[] {
    const { disk, directory } = this.#options;
    const names = disk.list(directory);
    const logs = names.filter((name) => SEGMENT_NAME.test(name));
    const belongs = new Set([...logs, CHECKPOINT_FILE, FACTS_FILE]);
    for (const name of logs) belongs.add(segmentName(baseOf(name), INDEX_SUFFIX));
    for (const name of names) if (!belongs.has(name)) disk.remove(`${directory}/${name}`);
    return logs.map((name) => {
      const suffix = name.slice(OFFSET_DIGITS);
      const segment = new Segment(segmentOptionsOf(this.#options), baseOf(name), suffix);
      segment.loadIndex();
      return segment;
    });
  }

  /**
   * The saved state holds if it ends exactly where the indexed bytes end: all before it was synced.
   * Else everything is read again, indexes included.
   */
  #restoreState(segments: readonly Segment[]): void {
    const { disk, directory, state } = this.#options;
    const saved = readSealedJson(disk, `${directory}/${CHECKPOINT_FILE}`);
    const checkpoint = saved as Checkpoint | undefined;
    const firstUnread = segments.find((segment) => !isWhole(segment)) ?? segments.at(-1);
    state.reset();
    if (checkpoint !== undefined && checkpoint.endOffset === firstUnread?.facts.endOffset) {
      state.restore(checkpoint.state);
      const from = segments.indexOf(firstUnread) + 1;
      for (const segment of segments.slice(from)) segment.forgetIndex();
    } else {
      for (const segment of segments) segment.forgetIndex();
    }
  }

  /** Reads what the segment's facts do not cover; false when the log ends before the file does. */
  #read(segment: Segment): boolean {
    const { state, clock, directory, log } = this.#options;
    const source = {
      sizeBytes: segment.fileBytes,
      bytesAt: (position: number, length: number) => segment.bytesAt(position, length),
    };
    this.readSegments.add(segment);
    this.readBytes += segment.fileBytes - segment.sizeBytes;
    segment.facts.modifiedMs = clock.nowMs();
    const walker = new BatchWalker(source, segment.sizeBytes, SCAN_WINDOW_BYTES);
    try {
      while (walker.next()) {
        const batch = walker.batch();
        checkFollows(batch, segment.facts.endOffset);
        segment.cover(batch.header);
        const aborted = state.apply(batch);
        if (aborted !== undefined) segment.facts.aborted.push(aborted);
      }
      return true;
    } catch (error) {
      if (!isMillraceError(error, 'RECORD_CORRUPT')) throw error;
      const lostBytes = segment.fileBytes - segment.sizeBytes;
      const endOffset = segment.facts.endOffset;
      log.warn({ directory, endOffset, lostBytes, error }, 'cut the log at its first bad batch');
      segment.truncateToFacts();
      return false;
    }
  }

  #remove(segment: Segment): void {
    const { disk, directory } = this.#options;
    const suffix = segment.isSettled ? LOG_SUFFIX : UNSETTLED_SUFFIX;
    segment.close();
    disk.remove(`${directory}/${segmentName(segment.baseOffset, suffix)}`);
    disk.remove(`${directory}/${segmentName(segment.baseOffset, INDEX_SUFFIX)}`);
  }
}

function baseOf(name: string): number {
  return Number(name.slice(0, OFFSET_DIGITS));
}

/** Nothing of the file needs to be read. */
function isWhole(segment: Segment): boolean {
  return segment.sizeBytes === segment.fileBytes;
}

function checkFollows(batch: FetchedBatch, expectedOffset: number): void {
  verifyBatch(batch.buffer, batch.header);
  const { baseOffset } = batch.header;
  if (baseOffset < expectedOffset || lastOffset(batch.header) < baseOffset) {
    throw recordCorrupt(`offset ${baseOffset} where ${expectedOffset} or later should follow`);
  }
}

function factsWithin(segments: readonly Segment[], saved: LogFacts | undefined): LogFacts {
  const first = segments[0]!.baseOffset;
  const end = segments.at(-1)!.facts.endOffset;
  const within = (offset: number) => Math.min(end, Math.max(first, offset));
  return {
    logStartOffset: within(saved?.logStartOffset ?? first),
    cleanedToOffset: within(saved?.cleanedToOffset ?? first),
  };
}
