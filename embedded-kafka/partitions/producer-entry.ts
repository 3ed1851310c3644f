/**
 * What a partition remembers of one producer: epoch, the last five batches (to tell a repeated one
 * from a new one), and where its open transaction began. Rules as in Kafka's own producer state.
 */
import { Errors } from '../../kafka/protocol/error-codes.ts';
import { incrementSequence } from '../../kafka/records/batch-builder.ts';
import { isTransactional, lastOffset } from '../../kafka/records/record-batch.ts';
import type { BatchHeader } from '../../kafka/records/types.ts';
import type { ErrorCodeNumber } from '../ports.ts';

/** As many as a producer may have in flight. */
const REMEMBERED_BATCHES = 5;
export const NO_EPOCH = -1;
export const NO_SEQUENCE = -1;
const NO_OFFSET = -1;

export interface RememberedBatch {
  readonly baseSequence: number;
  readonly lastSequence: number;
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly timestampMs: number;
}

/** Plain data: goes into the checkpoint as it is. */
export interface ProducerEntry {
  readonly producerId: number;
  producerEpoch: number;
  coordinatorEpoch: number;
  lastTimestampMs: number;
  /** Wall clock of its last write; what expiry counts from. */
  activeMs: number;
  /** Oldest first; all of producerEpoch. */
  batches: RememberedBatch[];
  /** -1 = no open transaction. */
  transactionStartOffset: number;
}

export function newProducerEntry(producerId: number): ProducerEntry {
  return {
    producerId,
    producerEpoch: NO_EPOCH,
    coordinatorEpoch: -1,
    lastTimestampMs: -1,
    activeMs: 0,
    batches: [],
    transactionStartOffset: NO_OFFSET,
  };
}

export interface Refusal {
  readonly error: ErrorCodeNumber;
  readonly message: string;
}

/** The batch that `header` repeats, if it is among the remembered ones. */
export function repeatedBatch(
  entry: ProducerEntry,
  header: BatchHeader,
): RememberedBatch | undefined {
  if (header.producerEpoch !== entry.producerEpoch) return undefined;
  const lastSequence = incrementSequence(header.baseSequence, header.lastOffsetDelta);
  return entry.batches.find(
    (batch) => batch.baseSequence === header.baseSequence && batch.lastSequence === lastSequence,
  );
}

export interface SequenceRules {
  /** Coordinators have epochs but no sequences. */
  readonly checksSequence: boolean;
  /** Transactions V2: every transaction begins a new epoch with sequence 0, so no state means 0. */
  readonly supportsEpochBump: boolean;
}

/** Why this data batch may not follow what the producer wrote before; undefined = it may. */
export function refuseBatch(
  entry: ProducerEntry,
  header: BatchHeader,
  rules: SequenceRules,
): Refusal | undefined {
  if (header.producerEpoch < entry.producerEpoch) return staleEpoch(entry, header.producerEpoch);
  if (rules.checksSequence && !isInSequence(entry, header, rules)) {
    const last = entry.batches.at(-1)?.lastSequence ?? NO_SEQUENCE;
    return {
      error: Errors.OUT_OF_ORDER_SEQUENCE_NUMBER,
      message:
        `producer ${entry.producerId} sent sequence ${header.baseSequence} of epoch ` +
        `${header.producerEpoch} after sequence ${last} of epoch ${entry.producerEpoch}`,
    };
  }
  if (entry.transactionStartOffset !== NO_OFFSET && !isTransactional(header)) {
    return {
      error: Errors.INVALID_TXN_STATE,
      message: `producer ${entry.producerId} has an open transaction here and wrote outside of it`,
    };
  }
  return undefined;
}

function isInSequence(entry: ProducerEntry, header: BatchHeader, rules: SequenceRules): boolean {
  if (rules.supportsEpochBump && entry.batches.length === 0) return header.baseSequence === 0;
  // Nothing is known of it (it expired, or its data were deleted): it may go on where it is.
  if (entry.producerEpoch === NO_EPOCH) return true;
  if (header.producerEpoch !== entry.producerEpoch) return header.baseSequence === 0;
  const last = entry.batches.at(-1)?.lastSequence ?? NO_SEQUENCE;
  return header.baseSequence === (last === NO_SEQUENCE ? 0 : incrementSequence(last, 1));
}

export function staleEpoch(entry: ProducerEntry, epoch: number): Refusal {
  return {
    error: Errors.INVALID_PRODUCER_EPOCH,
    message: `producer ${entry.producerId} has epoch ${entry.producerEpoch}, ${epoch} is older`,
  };
}

/** Takes a data batch that is in the log now. */
export function rememberBatch(entry: ProducerEntry, header: BatchHeader, nowMs: number): void {
  adoptEpoch(entry, header.producerEpoch);
  entry.lastTimestampMs = header.maxTimestampMs;
  entry.activeMs = nowMs;
  if (isTransactional(header) && entry.transactionStartOffset === NO_OFFSET) {
    entry.transactionStartOffset = header.baseOffset;
  }
  // A coordinator's batches have no sequences: nothing to recognise them by.
  if (header.baseSequence === NO_SEQUENCE) return;
  if (entry.batches.length === REMEMBERED_BATCHES) entry.batches.shift();
  entry.batches.push({
    baseSequence: header.baseSequence,
    lastSequence: incrementSequence(header.baseSequence, header.lastOffsetDelta),
    baseOffset: header.baseOffset,
    lastOffset: lastOffset(header),
    timestampMs: header.maxTimestampMs,
  });
}

/** Sequences begin again with every epoch. */
export function adoptEpoch(entry: ProducerEntry, producerEpoch: number): void {
  if (producerEpoch <= entry.producerEpoch) return;
  entry.producerEpoch = producerEpoch;
  entry.batches = [];
}
