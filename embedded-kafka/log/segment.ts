/**
 * One segment: a file of record batches, its sparse index, and what is known of it as a whole.
 * Knows nothing of other segments. Its index file is a saved copy of index and facts; it vouches for
 * the bytes it covers (they were synced before it was written), so recovery need not read them.
 */
import { lastOffset, readBatchHeader, verifyBatch } from '../../kafka/records/record-batch.ts';
import type { BatchHeader, FetchedBatch } from '../../kafka/records/types.ts';
import { readSealed, writeSealed } from '../disk/sealed-file.ts';
import type { Disk, DiskFile } from '../ports.ts';
import { type BatchSource, BatchWalker } from './batch-walker.ts';
import { RecentBytes, type RecentBytesBudget } from './recent-bytes.ts';
import { SparseIndex } from './sparse-index.ts';

/** A transaction that was aborted: found in the segment that holds its marker. */
export interface AbortedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
  /** The marker's. */
  readonly lastOffset: number;
  /** The last stable offset once the marker was written. */
  readonly lastStableOffset: number;
}

/** What is known of a segment as a whole. */
export interface SegmentFacts {
  sizeBytes: number;
  /** After the last batch; the base offset when there is none. */
  endOffset: number;
  /** Timestamp of the first batch, -1 when empty: what segment.ms counts from. */
  firstTimestampMs: number;
  maxTimestampMs: number;
  /** Base offset of the (first) batch with that timestamp. */
  maxTimestampBatchOffset: number;
  /** Wall clock of the last append. */
  modifiedMs: number;
  /** In the order of their markers. */
  readonly aborted: AbortedTransaction[];
}

export interface SegmentOptions {
  readonly disk: Disk;
  readonly directory: string;
  readonly budget: RecentBytesBudget;
  readonly indexIntervalBytes: () => number;
}

export const LOG_SUFFIX = '.log';
/** Until everything before it is durable. */
export const UNSETTLED_SUFFIX = '.unsettled';
export const INDEX_SUFFIX = '.index';
export const CLEANED_SUFFIX = '.cleaned';

/** 20 digits, so that names sort like offsets. */
export function segmentName(baseOffset: number, suffix: string): string {
  return `${String(baseOffset).padStart(20, '0')}${suffix}`;
}

export class Segment implements BatchSource {
  readonly baseOffset: number;
  readonly facts: SegmentFacts;
  readonly #options: SegmentOptions;
  readonly #file: DiskFile;
  readonly #recent: RecentBytes;
  #index: SparseIndex;
  #lastIndexedPosition = 0;
  #isSettled: boolean;

  /** Opens or creates the file; facts are those of an empty segment until told otherwise. */
  constructor(options: SegmentOptions, baseOffset: number, suffix: string = LOG_SUFFIX) {
    this.#options = options;
    this.baseOffset = baseOffset;
    const path = `${options.directory}/${segmentName(baseOffset, suffix)}`;
    this.#file = options.disk.open(path, { create: true });
    this.#recent = new RecentBytes(options.budget, this.#file.sizeBytes());
    this.#index = new SparseIndex(baseOffset);
    this.#isSettled = suffix !== UNSETTLED_SUFFIX;
    this.facts = emptyFacts(baseOffset);
  }

  /** False = a power loss may take what is before it and leave this one. */
  get isSettled(): boolean {
    return this.#isSettled;
  }

  get sizeBytes(): number {
    return this.facts.sizeBytes;
  }

  /** Bytes in the file, those included that facts do not cover (yet). */
  get fileBytes(): number {
    return this.#file.sizeBytes();
  }

  /**
   * Appends whole batches with their final offsets. Throws STORE_DISK_FULL or STORE_IO; the file may
   * then have a piece of them at its end: see truncateToFacts.
   */
  append(batches: readonly FetchedBatch[], nowMs: number): void {
    const parts = batches.map(bytesOf);
    this.#file.append(parts);
    for (const [index, { header }] of batches.entries()) {
      this.#recent.append(parts[index]!);
      this.cover(header);
    }
    this.facts.modifiedMs = nowMs;
  }

  /** Takes the batch that lies at the end of what facts cover into index and facts. */
  cover(header: BatchHeader): void {
    const { facts } = this;
    if (facts.sizeBytes - this.#lastIndexedPosition >= this.#options.indexIntervalBytes()) {
      this.#index.add(header.baseOffset, facts.sizeBytes, facts.maxTimestampMs);
      this.#lastIndexedPosition = facts.sizeBytes;
    }
    if (facts.sizeBytes === 0) facts.firstTimestampMs = header.maxTimestampMs;
    if (header.maxTimestampMs > facts.maxTimestampMs) {
      facts.maxTimestampMs = header.maxTimestampMs;
      facts.maxTimestampBatchOffset = header.baseOffset;
    }
    facts.sizeBytes += header.sizeBytes;
    facts.endOffset = lastOffset(header) + 1;
  }

  /** Cuts off what facts do not cover: a failed append, or what recovery found to be no batch. */
  truncateToFacts(): void {
    if (this.#file.sizeBytes() > this.sizeBytes) this.#file.truncate(this.sizeBytes);
    this.#recent.cut(this.sizeBytes);
  }

  bytesAt(position: number, length: number): Buffer {
    return this.#recent.from(position) ?? this.#file.read(position, length);
  }

  /** From the batch that holds `offset`, or the next one after it. */
  walkFromOffset(offset: number, windowBytes: number): BatchWalker {
    return new BatchWalker(this, this.#index.positionForOffset(offset), windowBytes);
  }

  /** Nothing before where it starts has a timestamp of `timestampMs` or later. */
  walkFromTimestamp(timestampMs: number, windowBytes: number): BatchWalker {
    return new BatchWalker(this, this.#index.positionForTimestamp(timestampMs), windowBytes);
  }

  /** True when bytesAt(position) comes from memory: it was checked when it was appended. */
  isRecent(position: number): boolean {
    return this.#recent.from(position) !== undefined;
  }

  sync(): Promise<void> {
    return this.#file.sync();
  }

  /** Everything before it is durable. Throws STORE_IO. */
  settle(): void {
    const { disk, directory } = this.#options;
    const path = (suffix: string) => `${directory}/${segmentName(this.baseOffset, suffix)}`;
    disk.rename(path(UNSETTLED_SUFFIX), path(LOG_SUFFIX));
    this.#isSettled = true;
  }

  /** The index file's bytes for now; write them only once the covered bytes are synced. */
  encodeIndex(): Buffer {
    const facts = Buffer.from(JSON.stringify(this.facts));
    const size = Buffer.alloc(4);
    size.writeUInt32LE(facts.length);
    return Buffer.concat([size, facts, this.#index.encode()]);
  }

  /** Loads the index file; false when there is none that fits the file. */
  loadIndex(): boolean {
    const encoded = readSealed(this.#options.disk, this.indexPath);
    if (encoded === undefined) return false;
    const factsEnd = 4 + encoded.readUInt32LE(0);
    const facts = JSON.parse(encoded.toString('utf8', 4, factsEnd)) as SegmentFacts;
    if (facts.sizeBytes > this.#file.sizeBytes()) return false;
    Object.assign(this.facts, facts);
    this.#index = SparseIndex.decode(this.baseOffset, encoded.subarray(factsEnd));
    this.#lastIndexedPosition = facts.sizeBytes;
    return true;
  }

  /** Forgets index and facts: they will be rebuilt from the batches. */
  forgetIndex(): void {
    Object.assign(this.facts, emptyFacts(this.baseOffset));
    this.#index = new SparseIndex(this.baseOffset);
    this.#lastIndexedPosition = 0;
  }

  saveIndex(encoded: Buffer): void {
    writeSealed(this.#options.disk, this.indexPath, encoded);
  }

  get indexPath(): string {
    return `${this.#options.directory}/${segmentName(this.baseOffset, INDEX_SUFFIX)}`;
  }

  close(): void {
    this.#recent.dropAll();
    this.#file.close();
  }
}

export function bytesOf({ buffer, header }: FetchedBatch): Buffer {
  return buffer.subarray(header.position, header.position + header.sizeBytes);
}

/** Checks every batch in `bytes`, which must be whole ones. Throws RECORD_CORRUPT. */
export function verifyBatches(bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) {
    const header = readBatchHeader(bytes, at);
    if (header === undefined) return;
    verifyBatch(bytes, header);
    at += header.sizeBytes;
  }
}

function emptyFacts(baseOffset: number): SegmentFacts {
  return {
    sizeBytes: 0,
    endOffset: baseOffset,
    firstTimestampMs: -1,
    maxTimestampMs: -1,
    maxTimestampBatchOffset: baseOffset,
    modifiedMs: -1,
    aborted: [],
  };
}
