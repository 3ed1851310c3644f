/**
 * The log of one partition: segments in offset order, the last one active. Appends go to the OS
 * cache; the syncer makes them durable and moves syncedOffset; readers are bounded by their caller.
 * Knows batches, not records: producers and transactions are the DerivedState's business.
 */
import type { Clock } from '../../base/clock.ts';
import { isMillraceError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { lastOffset } from '../../kafka/records/record-batch.ts';
import type { FetchedBatch } from '../../kafka/records/types.ts';
import { diskError } from '../disk/disk-error.ts';
import { writeSealedJson } from '../disk/sealed-file.ts';
import type { Disk } from '../ports.ts';
import type { RecentBytesBudget } from './recent-bytes.ts';
import {
  type AbortedTransaction,
  bytesOf,
  CLEANED_SUFFIX,
  INDEX_SUFFIX,
  LOG_SUFFIX,
  Segment,
  type SegmentOptions,
  segmentName,
  UNSETTLED_SUFFIX,
} from './segment.ts';
import type { Syncable, Syncer } from './syncer.ts';

/** What follows from the batches in order, kept beside the log so that a start need not read it all. */
export interface DerivedState {
  /** Back to an empty log. */
  reset(): void;
  /** What save() gave. */
  restore(saved: unknown): void;
  /** Takes the next batch; tells what its marker aborted. */
  apply(batch: FetchedBatch): AbortedTransaction | undefined;
  /** Plain data for JSON. */
  save(): unknown;
}

/** Topic settings that a log needs; asked for anew each time, because they may change. */
export interface LogSettings {
  readonly segmentBytes: number;
  readonly segmentMs: number;
  readonly indexIntervalBytes: number;
}

export interface PartitionLogOptions {
  readonly disk: Disk;
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly settings: () => LogSettings;
  readonly state: DerivedState;
  readonly budget: RecentBytesBudget;
  readonly syncer: Syncer;
  /** Called when everything below this offset became durable. */
  readonly onSynced: (offset: number) => void;
}

/** What recovery starts from: everything below endOffset is synced, indexed and in `state`. */
export interface Checkpoint {
  readonly endOffset: number;
  readonly state: unknown;
}

/** Facts that the batches do not tell. */
export interface LogFacts {
  readonly logStartOffset: number;
  /** Compaction has been through everything below. */
  readonly cleanedToOffset: number;
}

export const CHECKPOINT_FILE = 'checkpoint';
export const FACTS_FILE = 'log-facts';
/** An unclean start reads at most about this much of a partition. */
const CHECKPOINT_INTERVAL_BYTES = 64 * 1024 * 1024;
const RELATIVE_OFFSET_MAX = 0x7fff_ffff;

export class PartitionLog implements Syncable {
  readonly options: PartitionLogOptions;
  readonly segmentOptions: SegmentOptions;
  readonly #segments: Segment[];
  #facts: LogFacts;
  #syncedOffset = 0;
  /** Syncs of one log never overlap: the later one covers the later bytes. */
  #syncs: Promise<void> = Promise.resolve();
  /** Appended to since their last sync; whether the journal has it or not. */
  #unsynced = new Set<Segment>();
  /** Neither synced nor in the journal. */
  #appended: Buffer[] = [];
  #appendedBytes = 0;
  /** Their index files are missing or behind; the active one's always is. */
  #unsaved = new Set<Segment>();
  #bytesSinceCheckpoint = 0;
  #isCheckpointDue = false;
  #isClosed = false;

  /** Use openLog (recovery.ts). `segments` is not empty. */
  constructor(options: PartitionLogOptions, segments: Segment[], facts: LogFacts) {
    this.options = options;
    this.segmentOptions = segmentOptionsOf(options);
    this.#segments = segments;
    this.#facts = facts;
  }

  /** For recovery: these segments had to be read, and may lie in the OS cache only. */
  expectSettling(readSegments: Iterable<Segment>, readBytes: number): void {
    this.#unsynced = new Set(readSegments);
    this.#unsaved = new Set([...readSegments, this.active]);
    this.#bytesSinceCheckpoint = readBytes;
  }

  /**
   * What a killed process left in the OS cache must be durable before a reader sees it: syncs it and
   * moves syncedOffset to the end. At once when recovery found nothing to read. Rejects with STORE_IO.
   */
  async settle(): Promise<void> {
    const isDurable = this.#unsynced.size === 0 && this.isSettledTo(this.endOffset);
    if (!isDurable) await this.#syncFiles();
    this.#markSynced(this.endOffset);
  }

  get segments(): readonly Segment[] {
    return this.#segments;
  }

  get active(): Segment {
    return this.#segments.at(-1)!;
  }

  /** Of the next record. */
  get endOffset(): number {
    return this.active.facts.endOffset;
  }

  /** Everything below survives a power loss. */
  get syncedOffset(): number {
    return this.#syncedOffset;
  }

  get logStartOffset(): number {
    return this.#facts.logStartOffset;
  }

  get cleanedToOffset(): number {
    return this.#facts.cleanedToOffset;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Whether everything below is durable in the log's own files, and so are their names. */
  isSettledTo(offset: number): boolean {
    return this.#segments.every(({ baseOffset, isSettled }) => isSettled || baseOffset > offset);
  }

  sizeBytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.sizeBytes, 0);
  }

  /**
   * Appends whole batches whose offsets follow the end of the log, and asks for them to become durable
   * now, or (`lazily`) with the next append to any log.
   * Throws STORE_DISK_FULL or STORE_IO; the log is then as it was before.
   */
  append(batches: readonly FetchedBatch[], lazily: boolean = false): void {
    const nowMs = this.options.clock.nowMs();
    const segment = this.#segmentFor(batches, nowMs);
    try {
      segment.append(batches, nowMs);
    } catch (error) {
      this.#takeBack(segment);
      throw error;
    }
    for (const batch of batches) {
      const aborted = this.options.state.apply(batch);
      if (aborted !== undefined) segment.facts.aborted.push(aborted);
      this.#appended.push(bytesOf(batch));
      this.#appendedBytes += batch.header.sizeBytes;
      this.#bytesSinceCheckpoint += batch.header.sizeBytes;
    }
    if (this.#bytesSinceCheckpoint >= CHECKPOINT_INTERVAL_BYTES) this.#isCheckpointDue = true;
    this.#unsynced.add(segment);
    this.#unsaved.add(segment);
    const { syncer } = this.options;
    if (lazily) syncer.scheduleLazily(this);
    else syncer.schedule(this);
  }

  /** Starts a new segment; the old one will never be written again. No-op while the active one is empty. */
  roll(): void {
    if (this.active.sizeBytes === 0) return;
    this.#segments.push(new Segment(this.segmentOptions, this.endOffset, UNSETTLED_SUFFIX));
    this.#isCheckpointDue = true;
  }

  // ── Durability ───────────────────────────────────────────────────────────────────────────────

  get directory(): string {
    return this.options.directory;
  }

  get appendedBytes(): number {
    return this.#appendedBytes;
  }

  get isSyncDue(): boolean {
    return this.#isCheckpointDue;
  }

  takeAppended() {
    const { directory, endOffset } = this;
    const batches = this.#appended;
    this.#appended = [];
    this.#appendedBytes = 0;
    return { directory, batches, endOffset };
  }

  journaled(endOffset: number): void {
    if (!this.#isClosed) this.#markSynced(endOffset);
  }

  /** For the syncer. Rejects with STORE_IO: the end. */
  sync(): Promise<void> {
    this.#syncs = this.#syncs.then(() => this.#syncOnce());
    return this.#syncs;
  }

  async #syncOnce(): Promise<void> {
    const { endOffset } = this.takeAppended();
    const saveCheckpoint = this.#isCheckpointDue ? this.#prepareCheckpoint() : undefined;
    try {
      await this.#syncFiles();
    } catch (error) {
      // The files of a deleted topic may vanish under its last sync.
      if (this.#isClosed) return;
      throw error;
    }
    if (this.#isClosed) return;
    saveCheckpoint?.();
    this.#markSynced(endOffset);
  }

  async #syncFiles(): Promise<void> {
    const segments = [...this.#unsynced];
    const unsettled = this.#segments.filter(({ isSettled }) => !isSettled);
    this.#unsynced.clear();
    await Promise.all(segments.map((segment) => segment.sync()));
    if (this.#isClosed) return;
    for (const segment of unsettled) segment.settle();
  }

  /**
   * Makes everything durable and saves the derived state. Needed before segments are removed: what
   * they say of producers is then known from the checkpoint alone. Rejects with STORE_IO.
   */
  async checkpoint(): Promise<void> {
    this.#isCheckpointDue = true;
    try {
      await this.sync();
    } catch (error) {
      const failure = diskError(error, `syncing ${this.options.directory}`);
      this.options.syncer.fail(failure);
      throw failure;
    }
  }

  /** Durable when it returns. */
  updateFacts(change: Partial<LogFacts>): void {
    const facts = { ...this.#facts, ...change };
    writeSealedJson(this.options.disk, `${this.options.directory}/${FACTS_FILE}`, facts);
    this.#facts = facts;
  }

  /**
   * Removes the first `count` segments (never the active one); the log then starts where the next
   * one does. Needs no room on the disk: it is what makes room.
   */
  removeFirst(count: number): void {
    const removed = this.#segments.splice(0, Math.min(count, this.#segments.length - 1));
    const logStartOffset = Math.max(this.logStartOffset, this.#segments[0]!.baseOffset);
    this.#facts = { ...this.#facts, logStartOffset };
    for (const segment of removed) {
      segment.close();
      this.#forget(segment);
      this.#removeFiles(segment);
    }
  }

  /**
   * Puts `cleaned` (synced, under the .cleaned suffix) in the place of consecutive closed segments.
   * A crash at any point leaves a log that reads the same: recovery drops what is covered twice.
   */
  replace(replaced: readonly Segment[], cleaned: Segment): void {
    const { disk, directory } = this.options;
    const first = replaced[0]!;
    const path = (suffix: string) => `${directory}/${segmentName(first.baseOffset, suffix)}`;
    // No index file may ever stand beside bytes that it was not made from.
    if (disk.exists(first.indexPath)) disk.remove(first.indexPath);
    disk.rename(path(CLEANED_SUFFIX), path(LOG_SUFFIX));
    this.#segments.splice(this.#segments.indexOf(first), replaced.length, cleaned);
    for (const segment of replaced) {
      segment.close();
      this.#forget(segment);
    }
    this.#unsaved.add(cleaned);
    this.#saveIndexes([indexOf(cleaned)]);
    // In this order: a marker is never gone before the data that it ends.
    for (const segment of replaced.slice(1)) this.#removeFiles(segment);
  }

  /** Syncs, saves everything and closes the files. A log that failed is only closed. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    if (this.options.syncer.failure === undefined && !this.#isCheckpointed) await this.checkpoint();
    this.closeFiles();
  }

  /** The last checkpoint says it all: most logs of a stop that comes soon were never touched. */
  get #isCheckpointed(): boolean {
    const areIndexesSaved = [...this.#unsaved].every((segment) => segment === this.active);
    const isSynced = this.#unsynced.size === 0 && !this.#isCheckpointDue;
    return this.#bytesSinceCheckpoint === 0 && isSynced && areIndexesSaved;
  }

  /** For a log that will be deleted. */
  closeFiles(): void {
    this.#isClosed = true;
    this.options.syncer.forget(this);
    for (const segment of this.#segments) segment.close();
  }

  #markSynced(offset: number): void {
    this.#syncedOffset = Math.max(this.#syncedOffset, offset);
    this.options.onSynced(this.#syncedOffset);
  }

  #segmentFor(batches: readonly FetchedBatch[], nowMs: number): Segment {
    const { facts, baseOffset, sizeBytes } = this.active;
    if (sizeBytes === 0) return this.active;
    const settings = this.options.settings();
    const incomingBytes = batches.reduce((sum, { header }) => sum + header.sizeBytes, 0);
    const newestMs = batches.reduce((max, { header }) => Math.max(max, header.maxTimestampMs), -1);
    const ageMs =
      facts.firstTimestampMs >= 0 && newestMs >= 0
        ? newestMs - facts.firstTimestampMs
        : nowMs - facts.modifiedMs;
    const isFull = sizeBytes + incomingBytes > settings.segmentBytes;
    const isOld = ageMs > settings.segmentMs;
    const isWide = lastOffset(batches.at(-1)!.header) - baseOffset > RELATIVE_OFFSET_MAX;
    if (isFull || isOld || isWide) this.roll();
    return this.active;
  }

  /** Half an append must not stay: the next batch would land behind it and be lost at recovery. */
  #takeBack(segment: Segment): void {
    try {
      segment.truncateToFacts();
    } catch (error) {
      this.options.syncer.fail(diskError(error, 'taking back a failed append'));
    }
  }

  /** Captures state and indexes as of now; the returned function writes them, once that is synced. */
  #prepareCheckpoint(): () => void {
    const { disk, directory, state } = this.options;
    const indexes = [...this.#unsaved].map(indexOf);
    const checkpoint: Checkpoint = { endOffset: this.endOffset, state: state.save() };
    this.#isCheckpointDue = false;
    this.#bytesSinceCheckpoint = 0;
    return () => {
      if (!this.#saveIndexes(indexes)) return;
      const path = `${directory}/${CHECKPOINT_FILE}`;
      this.#tolerateFullDisk(() => writeSealedJson(disk, path, checkpoint));
    };
  }

  /** False when there is no room; the next checkpoint tries again. */
  #saveIndexes(indexes: readonly CapturedIndex[]): boolean {
    return this.#tolerateFullDisk(() => {
      for (const { segment, encoded, sizeBytes } of indexes) {
        if (!this.#segments.includes(segment)) continue;
        segment.saveIndex(encoded);
        const isFinal = segment !== this.active && segment.sizeBytes === sizeBytes;
        if (isFinal) this.#unsaved.delete(segment);
      }
    });
  }

  /** Without a checkpoint only the next start is slower: a full disk must not stop what still works. */
  #tolerateFullDisk(save: () => void): boolean {
    try {
      save();
      return true;
    } catch (error) {
      if (!isMillraceError(error, 'STORE_DISK_FULL')) throw error;
      const { directory } = this.options;
      this.options.log.warn({ directory, error }, 'no room for a checkpoint of this partition');
      this.#isCheckpointDue = true;
      return false;
    }
  }

  #removeFiles({ baseOffset }: Segment): void {
    const { disk, directory } = this.options;
    disk.remove(`${directory}/${segmentName(baseOffset, LOG_SUFFIX)}`);
    disk.remove(`${directory}/${segmentName(baseOffset, INDEX_SUFFIX)}`);
  }

  #forget(segment: Segment): void {
    this.#unsynced.delete(segment);
    this.#unsaved.delete(segment);
  }
}

/** A segment's index as of some moment; the segment may grow before it is written. */
interface CapturedIndex {
  readonly segment: Segment;
  readonly encoded: Buffer;
  readonly sizeBytes: number;
}

function indexOf(segment: Segment): CapturedIndex {
  return { segment, encoded: segment.encodeIndex(), sizeBytes: segment.sizeBytes };
}

export function segmentOptionsOf(options: PartitionLogOptions): SegmentOptions {
  return {
    disk: options.disk,
    directory: options.directory,
    budget: options.budget,
    indexIntervalBytes: () => options.settings().indexIntervalBytes,
  };
}
