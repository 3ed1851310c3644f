/**
 * Group commit over all partitions: whoever appended asks for a sync; while one is out for a log,
 * its next appends gather for the following one. Different logs sync side by side, up to a bound.
 * The first failure is the last: nothing is synced any more and the owner is told to stop.
 */
import type { MillraceError } from '../../base/errors.ts';
import { diskError } from '../disk/disk-error.ts';

export interface Syncable {
  /** Makes everything appended before the call durable, and tells whoever waits for it. */
  sync(): Promise<void>;
}

export class Syncer {
  readonly #parallelMax: number;
  readonly #onFailure: (error: MillraceError) => void;
  readonly #waiting = new Set<Syncable>();
  readonly #running = new Set<Syncable>();
  #failure: MillraceError | undefined;

  constructor(options: {
    readonly parallelMax: number;
    readonly onFailure: (error: MillraceError) => void;
  }) {
    this.#parallelMax = options.parallelMax;
    this.#onFailure = options.onFailure;
  }

  /** Set once a sync has failed. */
  get failure(): MillraceError | undefined {
    return this.#failure;
  }

  /** What `target` has appended until now will be synced soon. Cheap when that is under way already. */
  schedule(target: Syncable): void {
    this.#waiting.add(target);
    this.#startMore();
  }

  forget(target: Syncable): void {
    this.#waiting.delete(target);
  }

  /** A disk failure found elsewhere that leaves the state of a file unknown. */
  fail(error: MillraceError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#waiting.clear();
    this.#onFailure(error);
  }

  #startMore(): void {
    if (this.#failure !== undefined) return;
    for (const target of this.#waiting) {
      if (this.#running.size >= this.#parallelMax) return;
      if (this.#running.has(target)) continue;
      this.#waiting.delete(target);
      this.#running.add(target);
      void this.#run(target);
    }
  }

  async #run(target: Syncable): Promise<void> {
    try {
      await target.sync();
    } catch (error) {
      this.fail(diskError(error, 'syncing a partition'));
    } finally {
      this.#running.delete(target);
      this.#startMore();
    }
  }
}
