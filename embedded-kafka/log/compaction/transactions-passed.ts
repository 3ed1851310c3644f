/**
 * What a compaction knows of transactions while it walks the log in order: which batches are aborted
 * data, and which markers end a transaction of which nothing is left. Everything it walks over is
 * below the last stable offset, so every transaction is decided.
 */
import { readControlMarker } from '../../../kafka/records/control-batch.ts';
import { isTransactional, lastOffset } from '../../../kafka/records/record-batch.ts';
import type { BatchHeader, FetchedBatch } from '../../../kafka/records/types.ts';
import type { AbortedTransaction } from '../segment.ts';

interface Aborting {
  readonly transaction: AbortedTransaction;
  hasBatches: boolean;
}

export type MarkerVerdict =
  /** It ends data that is still there; `aborted` must stay in the index. */
  | { readonly kind: 'needed'; readonly aborted: AbortedTransaction | undefined }
  /** Nothing of its transaction is left: it may go once readers had time to pass. */
  | { readonly kind: 'bare' };

export class TransactionsPassed {
  /** Not begun yet at the current offset, by first offset. */
  readonly #coming: AbortedTransaction[];
  readonly #aborting = new Map<number, Aborting>();
  /** Producers with data of a committed transaction behind and its marker ahead. */
  readonly #committing = new Set<number>();

  /** `aborted`: all that have records in the range to be walked. */
  constructor(aborted: readonly AbortedTransaction[]) {
    this.#coming = [...aborted].sort((a, b) => b.firstOffset - a.firstOffset);
  }

  /** True when the data batch belongs to an aborted transaction. */
  passData(header: BatchHeader): boolean {
    this.#begin(lastOffset(header));
    if (!isTransactional(header)) return false;
    const aborting = this.#aborting.get(header.producerId);
    if (aborting === undefined) {
      this.#committing.add(header.producerId);
      return false;
    }
    aborting.hasBatches = true;
    return true;
  }

  passMarker(batch: FetchedBatch): MarkerVerdict {
    const { producerId } = batch.header;
    this.#begin(lastOffset(batch.header));
    const marker = readControlMarker(batch);
    if (marker === undefined) return { kind: 'bare' };
    if (marker.kind === 'commit') {
      const hasData = this.#committing.delete(producerId);
      return hasData ? { kind: 'needed', aborted: undefined } : { kind: 'bare' };
    }
    const aborting = this.#aborting.get(producerId);
    this.#aborting.delete(producerId);
    if (aborting?.hasBatches !== true) return { kind: 'bare' };
    return { kind: 'needed', aborted: aborting.transaction };
  }

  #begin(offset: number): void {
    for (let next = this.#coming.at(-1); next !== undefined; next = this.#coming.at(-1)) {
      if (next.firstOffset > offset) return;
      this.#coming.pop();
      this.#aborting.set(next.producerId, { transaction: next, hasBatches: false });
    }
  }
}
