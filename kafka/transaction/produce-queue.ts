/**
 * The batches of one transaction, per partition and in order, and what became of them. Pure.
 * A partition's next batch is offered only when the one before it has been acknowledged.
 */

import { type ProducedRange, partitionKey } from '../ports.ts';
import type { EncodedBatch } from '../records/types.ts';

/** One partition's batches that are not acknowledged yet; the first is the one to send. */
export class PartitionBatches {
  readonly topic: string;
  readonly partition: number;
  readonly key: string;
  /** True once the broker has taken a batch: then it is part of the transaction for sure. */
  isInTransaction = false;
  readonly #batches: EncodedBatch[];
  #next = 0;
  #baseOffset = -1;
  #nextOffset = -1;
  #leaderEpoch = -1;
  #isOffsetKnown = true;

  constructor(batches: EncodedBatch[]) {
    const { topic, partition } = batches[0]!;
    this.topic = topic;
    this.partition = partition;
    this.key = partitionKey(topic, partition);
    this.#batches = batches;
  }

  get head(): EncodedBatch | undefined {
    return this.#batches[this.#next];
  }

  /** A negative offset: acknowledged as a duplicate; nobody may take a position from this partition. */
  acknowledge(baseOffset: number, leaderEpoch: number): void {
    const batch = this.#batches[this.#next++]!;
    this.isInTransaction = true;
    if (baseOffset < 0) {
      this.#isOffsetKnown = false;
      return;
    }
    if (this.#baseOffset < 0) this.#baseOffset = baseOffset;
    this.#nextOffset = baseOffset + batch.recordCount;
    this.#leaderEpoch = leaderEpoch;
  }

  /** Undefined unless every acknowledgement told its offset. */
  get produced(): ProducedRange | undefined {
    if (!this.#isOffsetKnown || this.#nextOffset < 0) return undefined;
    return {
      baseOffset: this.#baseOffset,
      nextOffset: this.#nextOffset,
      leaderEpoch: this.#leaderEpoch,
    };
  }
}

export class ProduceQueue {
  readonly #partitions: readonly PartitionBatches[];

  constructor(batches: readonly EncodedBatch[]) {
    const byPartition = Map.groupBy(batches, ({ topic, partition }) =>
      partitionKey(topic, partition),
    );
    this.#partitions = Array.from(byPartition.values(), (group) => new PartitionBatches(group));
  }

  get isEmpty(): boolean {
    return this.#partitions.length === 0;
  }

  get partitions(): readonly PartitionBatches[] {
    return this.#partitions;
  }

  /** Partitions that still have a batch to send. */
  unsent(): readonly PartitionBatches[] {
    return this.#partitions.filter((partition) => partition.head !== undefined);
  }

  produced(): ReadonlyMap<string, ProducedRange> {
    const ranges = new Map<string, ProducedRange>();
    for (const partition of this.#partitions) {
      const range = partition.produced;
      if (range !== undefined) ranges.set(partition.key, range);
    }
    return ranges;
  }
}
