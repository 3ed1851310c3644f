/**
 * Who follows which key: woken when this instance commits a record of it. Says only that something
 * changed; what, is read from the state, so that nobody misses anything by being slow, and several
 * changes are one. Fed once per commit with the encoded batches; reads nothing of them but the keys.
 */
import type { Clock } from '../base/clock.ts';
import type { CommitNotice } from '../interactive-queries/queryable-streams.ts';
import { forEachBatch } from '../kafka/records/record-batch.ts';
import { createRecordCursor } from '../kafka/records/record-cursor.ts';

export interface KeyWatch {
  /**
   * True as soon as the key has been committed since the last call: at once, if it was in between.
   * False after the time, and when the signal aborts.
   */
  changed(waitMs: number, signal: AbortSignal): Promise<boolean>;
  close(): void;
}

export interface CommittedKeysOptions {
  readonly clock: Clock;
  /** Told before those are woken who follow the key; and of a key that nobody follows any more. */
  readonly onStale?: (key: string) => void;
}

export class CommittedKeys {
  readonly #options: CommittedKeysOptions;
  readonly #watches = new Map<string, Set<Watch>>();
  readonly #cursor = createRecordCursor();

  constructor(options: CommittedKeysOptions) {
    this.#options = options;
  }

  get isWatched(): boolean {
    return this.#watches.size > 0;
  }

  /** Begin before the state is read: what is committed in between is then seen by one or the other. */
  watch(key: string): KeyWatch {
    const watches = this.#watches.get(key) ?? new Set();
    const watch = new Watch(this.#options.clock, () => {
      if (!watches.delete(watch) || watches.size > 0) return;
      this.#watches.delete(key);
      this.#options.onStale?.(key);
    });
    this.#watches.set(key, watches.add(watch));
    return watch;
  }

  onCommitted({ outputs }: CommitNotice): void {
    for (const { batch } of outputs) {
      forEachBatch(batch, (header) => {
        this.#cursor.open({ buffer: batch, header });
        while (this.#cursor.next()) this.#committed();
      });
    }
  }

  #committed(): void {
    const { buffer, keyStart, keyEnd } = this.#cursor;
    if (keyStart < 0) return;
    const key = buffer.toString('utf8', keyStart, keyEnd);
    const watches = this.#watches.get(key);
    if (watches === undefined) return;
    this.#options.onStale?.(key);
    for (const watch of watches) watch.wake();
  }
}

class Watch implements KeyWatch {
  readonly #clock: Clock;
  readonly close: () => void;
  #hasChanged = false;
  #waiting: (() => void) | undefined;

  constructor(clock: Clock, close: () => void) {
    this.#clock = clock;
    this.close = close;
  }

  wake(): void {
    this.#hasChanged = true;
    this.#waiting?.();
  }

  async changed(waitMs: number, signal: AbortSignal): Promise<boolean> {
    if (!this.#hasChanged && !signal.aborted) await this.#wait(waitMs, signal);
    const { aborted } = signal;
    const hasChanged = this.#hasChanged && !aborted;
    this.#hasChanged = false;
    return hasChanged;
  }

  #wait(waitMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        cancel();
        signal.removeEventListener('abort', end);
        this.#waiting = undefined;
        resolve();
      };
      const cancel = this.#clock.after(waitMs, end);
      signal.addEventListener('abort', end, { once: true });
      this.#waiting = end;
    });
  }
}
