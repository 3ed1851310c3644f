/**
 * A batch on its way: from its first record until it is settled, exactly once, as acknowledged or
 * failed. Knows whether it may be in the log, which decides how a failure must be called.
 */
import { assert } from '../../base/assert.ts';
import { MillraceError } from '../../base/errors.ts';
import { stampProducer } from '../records/batch-builder.ts';
import type { EncodedBatch } from '../records/types.ts';

/** A producer id with its epoch, as InitProducerId gave it; compared by reference. */
export interface ProducerIdentity {
  readonly producerId: number;
  readonly producerEpoch: number;
}

export interface Stamp {
  readonly identity: ProducerIdentity;
  readonly baseSequence: number;
}

export type BatchOutcome =
  /** baseOffset -1: in the log, offset unknown. */
  | { readonly kind: 'acknowledged'; readonly baseOffset: number }
  | { readonly kind: 'failed'; readonly error: MillraceError };

export class PendingBatch {
  readonly deadlineMs: number;
  /** Undefined while records are still added. */
  encoded: EncodedBatch | undefined;
  recordCount = 0;
  /** Counted against the producer's buffer. */
  bufferedBytes = 0;
  /** Some attempt may have appended it. */
  mayBeInLog = false;
  lastError: MillraceError | undefined;
  #stamp: Stamp | undefined;
  #listeners: ((outcome: BatchOutcome) => void)[] = [];
  #isSettled = false;

  constructor(deadlineMs: number, encoded?: EncodedBatch) {
    this.deadlineMs = deadlineMs;
    this.encoded = encoded;
    this.recordCount = encoded?.recordCount ?? 0;
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** Set from the first send on: the sequence is spent, and these bytes must stay as they are. */
  get stamp(): Stamp | undefined {
    return this.#stamp;
  }

  onSettled(listener: (outcome: BatchOutcome) => void): void {
    this.#listeners.push(listener);
  }

  stampWith(stamp: Stamp): void {
    assert(this.encoded !== undefined, 'a batch is closed before it is stamped');
    const { identity, baseSequence } = stamp;
    stampProducer(this.encoded.bytes, { ...identity, baseSequence, transactional: false });
    this.#stamp = stamp;
  }

  /** Only when no attempt under the stamp can be in the log. */
  clearStamp(): void {
    assert(!this.mayBeInLog, 'a batch that may be in the log keeps its sequence');
    this.#stamp = undefined;
  }

  acknowledge(baseOffset: number): void {
    this.#settle({ kind: 'acknowledged', baseOffset });
  }

  /** Fails with `error` when surely not in the log, with KAFKA_AMBIGUOUS otherwise. */
  fail(error: MillraceError): void {
    this.#settle({ kind: 'failed', error: this.mayBeInLog ? ambiguous(error) : error });
  }

  #settle(outcome: BatchOutcome): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    for (const listener of this.#listeners) listener(outcome);
    this.#listeners = [];
  }
}

function ambiguous(error: MillraceError): MillraceError {
  return new MillraceError('KAFKA_AMBIGUOUS', `perhaps in the log, perhaps not: ${error.message}`, {
    cause: error,
    hint: 'Ask for the outcome by what the record says, or send it again if that does no harm.',
    facts: error.facts,
  });
}
