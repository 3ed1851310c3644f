/**
 * All producers of a partition and their transactions: what may be appended, which transactions are
 * open, and so how far a read_committed reader may see. Follows from the batches in order
 * (DerivedState), so recovery rebuilds it; nothing here touches the disk.
 */

import type { Clock } from '../../base/clock.ts';
import { Errors } from '../../kafka/protocol/error-codes.ts';
import { type ControlMarker, readControlMarker } from '../../kafka/records/control-batch.ts';
import { isControl, isTransactional, lastOffset } from '../../kafka/records/record-batch.ts';
import type { BatchHeader, FetchedBatch } from '../../kafka/records/types.ts';
import type { DerivedState } from '../log/partition-log.ts';
import type { AbortedTransaction } from '../log/segment.ts';
import type { ProducerStateView, TransactionMarker } from '../ports.ts';
import {
  adoptEpoch,
  newProducerEntry,
  type ProducerEntry,
  type Refusal,
  type RememberedBatch,
  refuseBatch,
  rememberBatch,
  repeatedBatch,
  type SequenceRules,
  staleEpoch,
} from './producer-entry.ts';

const NO_OFFSET = -1;

interface EndedTransaction {
  readonly firstOffset: number;
  /** The marker's. */
  readonly lastOffset: number;
}

export type ProducerVerdict =
  | { readonly kind: 'new' }
  /** It is in the log already: to be answered with what it got then. */
  | { readonly kind: 'repeated'; readonly batch: RememberedBatch }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

export class ProducerStates implements DerivedState {
  readonly #clock: Clock;
  #producers = new Map<number, ProducerEntry>();
  /** Producers with an open transaction, in the order in which those began. */
  #open = new Map<number, ProducerEntry>();
  /** Ended by markers that may not be durable yet, in the order of the markers. */
  #ended: EndedTransaction[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What to do with a data batch that wants to be appended. Changes nothing. */
  judge(header: BatchHeader, rules: SequenceRules): ProducerVerdict {
    const entry = this.#producers.get(header.producerId) ?? newProducerEntry(header.producerId);
    if (rules.checksSequence) {
      const batch = repeatedBatch(entry, header);
      if (batch !== undefined) return { kind: 'repeated', batch };
    }
    const refusal = refuseBatch(entry, header, rules);
    return refusal === undefined ? { kind: 'new' } : { kind: 'refused', refusal };
  }

  /** Why a marker may not be appended; undefined = it may. Changes nothing. */
  refuseMarker(marker: TransactionMarker): Refusal | undefined {
    const entry = this.#producers.get(marker.producerId);
    if (entry === undefined) return undefined;
    if (marker.producerEpoch < entry.producerEpoch) return staleEpoch(entry, marker.producerEpoch);
    if (marker.coordinatorEpoch >= entry.coordinatorEpoch) return undefined;
    return {
      error: Errors.TRANSACTION_COORDINATOR_FENCED,
      message: `coordinator epoch ${marker.coordinatorEpoch} is older than ${entry.coordinatorEpoch}`,
    };
  }

  apply(batch: FetchedBatch): AbortedTransaction | undefined {
    const { header } = batch;
    if (header.producerId < 0) return undefined;
    const entry = this.#entryOf(header.producerId);
    if (isControl(header)) return this.#applyMarker(entry, header, readControlMarker(batch));
    rememberBatch(entry, header, this.#clock.nowMs());
    if (isTransactional(header)) this.#open.set(header.producerId, entry);
    return undefined;
  }

  /**
   * Where read_committed readers stop, given that everything below `syncedOffset` is durable: at the
   * first transaction that is open, or whose marker could still be lost and decided otherwise.
   */
  lastStableOffset(syncedOffset: number): number {
    let stable = Math.min(syncedOffset, this.#firstOpenOffset());
    for (const { firstOffset, lastOffset: markerOffset } of this.#ended) {
      if (markerOffset >= syncedOffset) stable = Math.min(stable, firstOffset);
    }
    return stable;
  }

  /** Everything below became durable. */
  synced(offset: number): void {
    const still = this.#ended.findIndex((transaction) => transaction.lastOffset >= offset);
    this.#ended = still < 0 ? [] : this.#ended.slice(still);
  }

  /** Forgets producers that have written nothing for so long and have nothing open. */
  expire(idleMs: number): void {
    const expiredBeforeMs = this.#clock.nowMs() - idleMs;
    for (const [producerId, entry] of this.#producers) {
      const isIdle = entry.transactionStartOffset === NO_OFFSET;
      if (isIdle && entry.activeMs <= expiredBeforeMs) this.#producers.delete(producerId);
    }
  }

  /**
   * Offset of each live producer's last data batch; undefined for one that only a marker speaks of.
   * Compaction keeps these batches, if need be without records: they hold sequence and epoch.
   */
  lastBatchOf(
    producerId: number,
  ): { readonly lastOffset: number | undefined; readonly producerEpoch: number } | undefined {
    const entry = this.#producers.get(producerId);
    if (entry === undefined) return undefined;
    return { lastOffset: entry.batches.at(-1)?.lastOffset, producerEpoch: entry.producerEpoch };
  }

  views(): ProducerStateView[] {
    return [...this.#producers.values()].map((entry) => ({
      producerId: entry.producerId,
      producerEpoch: entry.producerEpoch,
      lastSequence: entry.batches.at(-1)?.lastSequence ?? -1,
      lastTimestampMs: entry.lastTimestampMs,
      coordinatorEpoch: entry.coordinatorEpoch,
      currentTransactionStartOffset: entry.transactionStartOffset,
    }));
  }

  reset(): void {
    this.#producers = new Map();
    this.#open = new Map();
    this.#ended = [];
  }

  save(): readonly ProducerEntry[] {
    return [...this.#producers.values()].map((entry) => ({
      ...entry,
      batches: [...entry.batches],
    }));
  }

  restore(saved: unknown): void {
    this.reset();
    const entries = saved as readonly ProducerEntry[];
    for (const entry of entries) this.#producers.set(entry.producerId, entry);
    const open = entries.filter((entry) => entry.transactionStartOffset !== NO_OFFSET);
    open.sort((a, b) => a.transactionStartOffset - b.transactionStartOffset);
    this.#open = new Map(open.map((entry) => [entry.producerId, entry]));
  }

  #applyMarker(
    entry: ProducerEntry,
    header: BatchHeader,
    marker: ControlMarker | undefined,
  ): AbortedTransaction | undefined {
    adoptEpoch(entry, header.producerEpoch);
    entry.activeMs = this.#clock.nowMs();
    // A marker that compaction has emptied speaks only of the epoch.
    if (marker === undefined) return undefined;
    entry.lastTimestampMs = header.maxTimestampMs;
    entry.coordinatorEpoch = marker.coordinatorEpoch;
    const firstOffset = entry.transactionStartOffset;
    if (firstOffset === NO_OFFSET) return undefined;
    const markerOffset = lastOffset(header);
    entry.transactionStartOffset = NO_OFFSET;
    this.#open.delete(entry.producerId);
    this.#ended.push({ firstOffset, lastOffset: markerOffset });
    if (marker.kind === 'commit') return undefined;
    const lastStableOffset = Math.min(this.#firstOpenOffset(), markerOffset + 1);
    return {
      producerId: entry.producerId,
      firstOffset,
      lastOffset: markerOffset,
      lastStableOffset,
    };
  }

  #entryOf(producerId: number): ProducerEntry {
    let entry = this.#producers.get(producerId);
    if (entry === undefined) {
      entry = newProducerEntry(producerId);
      this.#producers.set(producerId, entry);
    }
    return entry;
  }

  #firstOpenOffset(): number {
    for (const entry of this.#open.values()) return entry.transactionStartOffset;
    return Number.POSITIVE_INFINITY;
  }
}
