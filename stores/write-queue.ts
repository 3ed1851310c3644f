/**
 * A task's writes to the disk, one at a time and in order. After the first that fails none is tried
 * again: LevelDB would acknowledge later writes and lose them.
 */
import { MillraceError } from '../base/errors.ts';

export class WriteQueue {
  readonly #name: string;
  readonly #onFailure: (cause: unknown) => void;
  #failure: MillraceError | undefined;
  #queued = 0;
  /** Settles, never rejects, when the last queued write is through. */
  #tail: Promise<void> = Promise.resolve();

  constructor(name: string, onFailure: (cause: unknown) => void) {
    this.#name = name;
    this.#onFailure = onFailure;
  }

  /** STORE_IO with the first failure as its cause. */
  get failure(): MillraceError | undefined {
    return this.#failure;
  }

  /** Starts at once when nothing is running. Rejects with what the write rejects, or `failure`. */
  run(write: () => Promise<void>): Promise<void> {
    const result =
      this.#queued === 0 ? this.#attempt(write) : this.#tail.then(() => this.#attempt(write));
    this.#queued++;
    const settled = () => {
      this.#queued--;
    };
    this.#tail = result.then(settled, settled);
    return result;
  }

  /** Resolves when everything queued so far is through, well or not. */
  settled(): Promise<void> {
    return this.#tail;
  }

  async #attempt(write: () => Promise<void>): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      await write();
    } catch (cause) {
      this.#failure = new MillraceError(
        'STORE_IO',
        `${this.#name} cannot be used since a write failed`,
        { cause },
      );
      this.#onFailure(cause);
      throw cause;
    }
  }
}
