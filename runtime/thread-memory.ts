/**
 * A few words of memory that a stream thread and the main thread both see without messages:
 * whether somebody waits for outputs, and how far store batches are written.
 */
import type { Clock } from '../base/clock.ts';

const APPLIED_SEQUENCE = 0;
const WANTED = 1;
const WORDS = 2;
/** A store batch takes about this long. */
const RECHECK_MS = 1;

export class ThreadMemory {
  /** Can be posted to a worker. */
  readonly buffer: SharedArrayBuffer;
  readonly #words: BigInt64Array<SharedArrayBuffer>;

  constructor(buffer = new SharedArrayBuffer(WORDS * BigInt64Array.BYTES_PER_ELEMENT)) {
    this.buffer = buffer;
    this.#words = new BigInt64Array(buffer);
  }

  /** Somebody waits for what is committed to a listened topic. */
  get isWanted(): boolean {
    return Atomics.load(this.#words, WANTED) !== 0n;
  }

  setWanted(isWanted: boolean): void {
    Atomics.store(this.#words, WANTED, isWanted ? 1n : 0n);
  }

  /** Sequence of the last commit whose store batches are written. */
  get appliedSequence(): number {
    return Number(Atomics.load(this.#words, APPLIED_SEQUENCE));
  }

  setApplied(sequence: number): void {
    Atomics.store(this.#words, APPLIED_SEQUENCE, BigInt(sequence));
  }

  /**
   * True once the batches up to `sequence` are written; false after `timeoutMs`. Looks again every
   * millisecond: Atomics.waitAsync was seen never to resolve on a main thread, its timeout included.
   */
  async applied(sequence: number, timeoutMs: number, clock: Clock): Promise<boolean> {
    const deadlineMs = clock.monotonicMs() + timeoutMs;
    while (this.appliedSequence < sequence) {
      if (clock.monotonicMs() >= deadlineMs) return false;
      await clock.sleep(RECHECK_MS);
    }
    return true;
  }
}
