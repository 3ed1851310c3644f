/**
 * Group commit over all logs: whoever appended asks to become durable; while one group is on its way,
 * the next one gathers. A small group goes through the journal, by one fdatasync for all; a large one,
 * whose bytes are not worth writing twice, by one fdatasync for each log's own files, side by side up
 * to a bound. The first failure is the last: nothing is synced any more and the owner is told to stop.
 */
import type { MillraceError } from '../../base/errors.ts';
import { diskError } from '../disk/disk-error.ts';
import type { Journal, JournalEntry } from './journal.ts';

/** A log. */
export interface Syncable {
  /** Since the last sync() or takeAppended(). */
  readonly appendedBytes: number;
  /** Its own files should be synced now: a checkpoint waits for it. */
  readonly isSyncDue: boolean;
  /** Hands over what was appended since the last sync() or takeAppended(). */
  takeAppended(): JournalEntry & { readonly endOffset: number };
  /** Everything below is durable in the journal. */
  journaled(endOffset: number): void;
  /** Makes everything appended before the call durable in the log's own files. */
  sync(): Promise<void>;
}

/** Writing twice costs about as much as so many bytes' worth of fdatasync calls. */
const JOURNALED_GROUP_BYTES_MAX = 512 * 1024;
/** Then its logs sync their own files and the journal begins anew: it is read whole at a start. */
const JOURNAL_BYTES_MAX = 32 * 1024 * 1024;

export class Syncer {
  readonly journal: Journal;
  readonly #parallelMax: number;
  readonly #onFailure: (error: MillraceError) => void;
  readonly #waiting = new Set<Syncable>();
  /** In the journal's present file, and not synced since. */
  #journaled = new Set<Syncable>();
  #groups: Promise<void> | undefined;
  #rotation: Promise<void> | undefined;
  #failure: MillraceError | undefined;

  constructor(options: {
    readonly journal: Journal;
    readonly parallelMax: number;
    readonly onFailure: (error: MillraceError) => void;
  }) {
    this.journal = options.journal;
    this.#parallelMax = options.parallelMax;
    this.#onFailure = options.onFailure;
  }

  /** Set once a sync has failed. */
  get failure(): MillraceError | undefined {
    return this.#failure;
  }

  /** What `target` has appended until now will be durable soon. Cheap when that is under way already. */
  schedule(target: Syncable): void {
    this.#waiting.add(target);
    this.#groups ??= this.#runGroups();
  }

  /** As schedule(), but it may wait for the next group: somebody else's. */
  scheduleLazily(target: Syncable): void {
    this.#waiting.add(target);
  }

  forget(target: Syncable): void {
    this.#waiting.delete(target);
    this.#journaled.delete(target);
  }

  /** A disk failure found elsewhere that leaves the state of a file unknown. */
  fail(error: MillraceError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#waiting.clear();
    this.#onFailure(error);
  }

  /** When every log has synced its own files: nothing needs the journal any more. */
  async clearJournal(): Promise<void> {
    await this.#groups;
    await this.#rotation;
    if (this.#failure === undefined) this.journal.rotate()();
  }

  async #runGroups(): Promise<void> {
    // What is appended in the same turn belongs together.
    await undefined;
    while (this.#waiting.size > 0 && this.#failure === undefined) {
      const group = [...this.#waiting];
      this.#waiting.clear();
      await this.#guard(this.#makeDurable(group));
    }
    this.#groups = undefined;
  }

  async #makeDurable(group: readonly Syncable[]): Promise<void> {
    const journaled = group.filter(({ isSyncDue }) => !isSyncDue);
    const bytes = journaled.reduce((sum, { appendedBytes }) => sum + appendedBytes, 0);
    const isWorthIt = journaled.length > 1 && bytes <= JOURNALED_GROUP_BYTES_MAX;
    if (!isWorthIt || !(await this.#writeJournal(journaled))) return this.#syncAll(group);
    await this.#syncAll(group.filter((target) => !journaled.includes(target)));
  }

  /** False when there is no room for it; the logs' own files have theirs already. */
  async #writeJournal(targets: readonly Syncable[]): Promise<boolean> {
    const entries = targets.map((target) => target.takeAppended());
    for (const target of targets) this.#journaled.add(target);
    if (!(await this.journal.write(entries))) return false;
    for (const [index, target] of targets.entries()) target.journaled(entries[index]!.endOffset);
    if (this.journal.sizeBytes >= JOURNAL_BYTES_MAX) this.#rotation ??= this.#rotate();
    return true;
  }

  async #rotate(): Promise<void> {
    const logs = [...this.#journaled];
    this.#journaled = new Set();
    const removeBefore = this.journal.rotate();
    await this.#guard(this.#syncAll(logs).then(removeBefore));
    this.#rotation = undefined;
  }

  async #syncAll(targets: readonly Syncable[]): Promise<void> {
    const left = targets.values();
    const syncOneByOne = async () => {
      for (const target of left) await target.sync();
    };
    const width = Math.min(this.#parallelMax, targets.length);
    await Promise.all(Array.from({ length: width }, syncOneByOne));
  }

  async #guard(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.fail(diskError(error, 'making appends durable'));
    }
  }
}
