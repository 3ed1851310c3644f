/**
 * I12, I13 (the broker's side), I14: transactions by raw batches, of all topics.
 *
 * Under transactions V2 every transaction has its own epoch, so (producer id, epoch) names it: its
 * markers carry the next epoch. Under V1 an epoch holds many; what is torn there shows in the
 * contents only (I7, I9, I10).
 */
import { lastOffset } from '../../kafka/records/record-batch.ts';
import type { BatchHeader } from '../../kafka/records/types.ts';
import type { Findings } from '../findings.ts';
import type { AbortedTransaction } from '../log/log-source.ts';

const EPOCHS = 0x8000;
const COMMITTED = 1;
const ABORTED = 2;

/** The fates of V2 transactions over all partitions: one small number each. */
export class TransactionFates {
  readonly #fates = new Map<number, number>();

  get count(): number {
    return this.#fates.size;
  }

  /** False when another partition says otherwise. */
  record(producerId: number, epoch: number, kind: 'commit' | 'abort'): boolean {
    const key = producerId * EPOCHS + epoch;
    const fates = (this.#fates.get(key) ?? 0) | (kind === 'commit' ? COMMITTED : ABORTED);
    this.#fates.set(key, fates);
    return fates !== (COMMITTED | ABORTED);
  }
}

interface OpenTransaction {
  readonly epoch: number;
  readonly firstOffset: number;
}

/** One partition's transactions, in offset order. */
export class PartitionTransactions {
  readonly #name: string;
  readonly #findings: Findings;
  readonly #fates: TransactionFates;
  readonly #open = new Map<number, OpenTransaction>();
  readonly #epochs = new Map<number, number>();
  readonly #ends = new Map<number, number>();
  /** What readers are told to leave out, by producer; undefined = nobody tells. */
  #hidden: Map<number, number[]> | undefined;

  constructor(
    topic: string,
    partition: number,
    { findings, fates }: { readonly findings: Findings; readonly fates: TransactionFates },
  ) {
    this.#name = `${topic}-${partition}`;
    this.#findings = findings;
    this.#fates = fates;
  }

  hidden(aborted: readonly AbortedTransaction[] | undefined): void {
    if (aborted === undefined) return;
    this.#hidden ??= new Map();
    for (const { producerId, firstOffset } of aborted) {
      const offsets = this.#hidden.get(producerId);
      if (offsets === undefined) this.#hidden.set(producerId, [firstOffset]);
      else if (!offsets.includes(firstOffset)) offsets.push(firstOffset);
    }
  }

  data({ producerId, producerEpoch, baseOffset }: BatchHeader): void {
    this.#findings.checked('I14');
    const newest = this.#epochs.get(producerId) ?? -1;
    if (producerEpoch < newest) {
      const what = `epoch ${producerEpoch} of producer ${producerId} writes after epoch ${newest}`;
      this.#findings.violated('I14', `${this.#name}@${baseOffset}`, what);
    }
    this.#epochs.set(producerId, Math.max(newest, producerEpoch));
    if (this.#open.has(producerId)) return;
    this.#open.set(producerId, { epoch: producerEpoch, firstOffset: baseOffset });
  }

  ended(header: BatchHeader, kind: 'commit' | 'abort'): void {
    const { producerId, producerEpoch, baseOffset } = header;
    this.#epochs.set(producerId, Math.max(this.#epochs.get(producerId) ?? -1, producerEpoch));
    const open = this.#open.get(producerId);
    if (open === undefined) return;
    this.#open.delete(producerId);
    this.#compareHidden(producerId, open, lastOffset(header), kind);
    // A commit under the same epoch is V1's: the epoch does not name one transaction.
    if (kind === 'commit' && producerEpoch === open.epoch) return;
    this.#findings.checked('I12');
    if (this.#fates.record(producerId, open.epoch, kind)) return;
    const what = `the transaction of producer ${producerId}, epoch ${open.epoch}, ends with ${kind} here and otherwise elsewhere`;
    this.#findings.violated('I12', `${this.#name}@${baseOffset}`, what);
  }

  #compareHidden(
    producerId: number,
    open: OpenTransaction,
    endOffset: number,
    kind: 'commit' | 'abort',
  ): void {
    if (this.#hidden === undefined) return;
    this.#findings.checked('I13');
    // Told as soon as it is in sight, and again in the next answer; its first batches may be gone by
    // compaction. So: whatever began since this producer's last end.
    const since = this.#ends.get(producerId) ?? 0;
    const isHidden = (this.#hidden.get(producerId) ?? []).some(
      (offset) => offset >= since && offset <= endOffset,
    );
    this.#ends.set(producerId, endOffset);
    if (isHidden) {
      const later = (this.#hidden.get(producerId) ?? []).filter((offset) => offset > endOffset);
      this.#hidden.set(producerId, later);
    }
    if (isHidden === (kind === 'abort')) return;
    const what = isHidden
      ? `the broker hides a committed transaction of producer ${producerId}`
      : `the broker shows an aborted transaction of producer ${producerId}`;
    this.#findings.violated('I13', `${this.#name}@${open.firstOffset}`, what);
  }
}
