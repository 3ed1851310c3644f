/**
 * Which batches of one partition's answer a read_committed reader may see. Pure; one filter per answer.
 *
 * The broker's list of aborted transactions comes in the order in which they ended; what counts here
 * is where they began. From its first offset a transaction is open, until a control batch of the same
 * producer says ABORT: only control batches can say so, whatever the keys of data records look like.
 * Several producers may be interleaved, and one producer may abort several times in one answer.
 */
import { isControl, isTransactional, lastOffset } from '../records/record-batch.ts';
import type { BatchHeader } from '../records/types.ts';

export interface AbortedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
}

export type BatchVerdict = 'visible' | 'aborted' | 'control';

/** Sees the batches of one answer in offset order, each once. */
export class AbortedFilter {
  readonly #byFirstOffset: readonly AbortedTransaction[];
  #begun = 0;
  readonly #openProducers = new Set<number>();

  /** An empty list lets all data through: read_uncommitted is a filter that knows of no aborts. */
  constructor(aborted: readonly AbortedTransaction[]) {
    this.#byFirstOffset = aborted.toSorted((left, right) => left.firstOffset - right.firstOffset);
  }

  /** `isAbortMarker` is asked only about control batches. */
  judge(header: BatchHeader, isAbortMarker: (header: BatchHeader) => boolean): BatchVerdict {
    this.#begin(lastOffset(header));
    if (isControl(header)) {
      if (isAbortMarker(header)) this.#openProducers.delete(header.producerId);
      return 'control';
    }
    const isAborted = isTransactional(header) && this.#openProducers.has(header.producerId);
    return isAborted ? 'aborted' : 'visible';
  }

  /** Opens every aborted transaction that began at or before this offset. */
  #begin(offset: number): void {
    for (; this.#begun < this.#byFirstOffset.length; this.#begun++) {
      const next = this.#byFirstOffset[this.#begun]!;
      if (next.firstOffset > offset) return;
      this.#openProducers.add(next.producerId);
    }
  }
}
