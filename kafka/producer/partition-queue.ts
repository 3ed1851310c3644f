/**
 * The batches of one partition in order: at most one out at the broker, closed ones behind it, one that
 * is still being filled. Sequence numbers are spent when a batch is first taken, so there is never
 * more than one batch whose fate is open.
 */
import type { RecordToSend } from '../ports.ts';
import { type BatchBuilder, incrementSequence } from '../records/batch-builder.ts';
import type { BatchWorkshop } from './batch-workshop.ts';
import type { PendingBatch, ProducerIdentity } from './pending-batch.ts';

export class PartitionQueue {
  readonly topic: string;
  readonly partition: number;
  /** Out at the broker; nothing else of this partition is sent. */
  inFlight: PendingBatch | undefined;
  /** Failures in a row, and the pause after the last one. */
  failures = 0;
  retryAtMs = 0;
  readonly #workshop: BatchWorkshop;
  #closed: PendingBatch[] = [];
  #open: { readonly batch: PendingBatch; readonly builder: BatchBuilder } | undefined;
  #lingerUntilMs = 0;
  #identity: ProducerIdentity | undefined;
  #nextSequence = 0;

  constructor(topic: string, partition: number, workshop: BatchWorkshop) {
    this.topic = topic;
    this.partition = partition;
    this.#workshop = workshop;
  }

  get isEmpty(): boolean {
    return this.#closed.length === 0 && this.#open === undefined;
  }

  /** When the first batch may go: after the pause of a failure, and after its linger unless it is closed. */
  readyAtMs(isHurried: boolean): number {
    const isLingering = !isHurried && this.#closed.length === 0;
    return isLingering ? Math.max(this.retryAtMs, this.#lingerUntilMs) : this.retryAtMs;
  }

  /**
   * Adds a record to the open batch, or to a new one that `begin` makes and that lingers until
   * `lingerUntilMs`. Returns the batch; the record is its last one.
   */
  append(
    { key, value, headers }: RecordToSend,
    timestampMs: number,
    lingerUntilMs: number,
    begin: () => PendingBatch,
  ): PendingBatch {
    if (this.#open?.builder.append(timestampMs, key, value, headers) !== true) {
      this.closeOpen();
      this.#open = { batch: begin(), builder: this.#workshop.borrow() };
      this.#open.builder.append(timestampMs, key, value, headers);
      this.#lingerUntilMs = lingerUntilMs;
    }
    this.#open.batch.recordCount = this.#open.builder.count;
    return this.#open.batch;
  }

  /** Queues a whole batch behind everything that is there. */
  enqueue(batch: PendingBatch): void {
    this.closeOpen();
    this.#closed.push(batch);
  }

  closeOpen(): void {
    if (this.#open === undefined) return;
    const { batch, builder } = this.#open;
    this.#open = undefined;
    batch.encoded = this.#workshop.finish(builder, this.topic, this.partition);
    this.#closed.push(batch);
  }

  /**
   * Takes the first batch to send it, stamped. A batch that was sent before keeps its stamp; a new one
   * gets the next sequence of `identity`, from 0 on when the partition did not have that identity yet.
   */
  take(identity: ProducerIdentity): PendingBatch | undefined {
    if (this.#closed.length === 0) this.closeOpen();
    const batch = this.#closed.shift();
    if (batch === undefined) return undefined;
    if (batch.stamp === undefined) {
      if (this.#identity !== identity) this.#nextSequence = 0;
      this.#identity = identity;
      batch.stampWith({ identity, baseSequence: this.#nextSequence });
      this.#nextSequence = incrementSequence(this.#nextSequence, batch.recordCount);
    }
    this.inFlight = batch;
    return batch;
  }

  /** Puts the batch that is out back to the front, to be sent again. */
  putBack(): void {
    if (this.inFlight !== undefined) this.#closed.unshift(this.inFlight);
    this.inFlight = undefined;
  }

  /** The batch will never be in the log: its sequence numbers are free again. */
  rewind({ stamp }: PendingBatch): void {
    if (stamp !== undefined && stamp.identity === this.#identity) {
      this.#nextSequence = stamp.baseSequence;
    }
  }

  /** Removes a batch that was given up while it waited. */
  drop(batch: PendingBatch): void {
    if (this.#open?.batch === batch) this.closeOpen();
    this.#closed = this.#closed.filter((one) => one !== batch);
  }
}
