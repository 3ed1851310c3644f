/** Lends batch builders to partitions that have something to write, instead of a slab to every partition. */
import type { Compression } from '../ports.ts';
import { BatchBuilder } from '../records/batch-builder.ts';
import type { EncodedBatch } from '../records/types.ts';

export interface BatchWorkshop {
  borrow(): BatchBuilder;
  /** Finishes the batch and takes the builder back. */
  finish(builder: BatchBuilder, topic: string, partition: number): EncodedBatch;
}

/** Builders kept for the next borrower. */
const SPARE_BUILDERS_MAX = 32;

export function createBatchWorkshop(compression: Compression, sizeBytesMax: number): BatchWorkshop {
  const spare: BatchBuilder[] = [];
  return {
    borrow: () => spare.pop() ?? new BatchBuilder({ sizeBytesMax }),
    finish(builder, topic, partition) {
      const batch = builder.finish(topic, partition, compression);
      builder.reset();
      if (spare.length < SPARE_BUILDERS_MAX) spare.push(builder);
      return batch;
    },
  };
}
