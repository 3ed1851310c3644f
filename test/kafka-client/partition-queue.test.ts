import { expect, test } from 'vitest';
import { createBatchWorkshop } from '../../kafka/producer/batch-workshop.ts';
import { PartitionQueue } from '../../kafka/producer/partition-queue.ts';
import { PendingBatch } from '../../kafka/producer/pending-batch.ts';
import { readBatchHeader } from '../../kafka/records/record-batch.ts';
import { encodedBatch } from '../kit/batches.ts';

const IDENTITY = { producerId: 1, producerEpoch: 0 };

/** A batch that claims to hold `recordCount` records: only the count matters for sequences. */
function batchOf(recordCount: number): PendingBatch {
  return new PendingBatch(0, { ...encodedBatch('t', 0, ['v']), recordCount });
}

function sequenceOf(batch: PendingBatch | undefined): number | undefined {
  const bytes = batch?.encoded?.bytes;
  return bytes === undefined ? undefined : readBatchHeader(bytes, 0)?.baseSequence;
}

test('sequence numbers go on from 0 after 2^31 - 1, as the broker expects', () => {
  const queue = new PartitionQueue('t', 0, createBatchWorkshop('none', 1_000));
  for (const count of [0x7fffffff - 2, 5, 1]) queue.enqueue(batchOf(count));
  expect(sequenceOf(queue.take(IDENTITY))).toBe(0);
  expect(sequenceOf(queue.take(IDENTITY))).toBe(0x7fffffff - 2);
  expect(sequenceOf(queue.take(IDENTITY))).toBe(2);
});

test('a new identity begins at 0; a batch that was sent under the old one keeps its stamp', () => {
  const queue = new PartitionQueue('t', 0, createBatchWorkshop('none', 1_000));
  for (const count of [3, 4]) queue.enqueue(batchOf(count));
  const first = queue.take(IDENTITY);
  queue.putBack();
  const later = { producerId: 2, producerEpoch: 0 };
  expect(queue.take(later)).toBe(first);
  expect(first?.stamp).toEqual({ identity: IDENTITY, baseSequence: 0 });
  expect(queue.take(later)?.stamp).toEqual({ identity: later, baseSequence: 0 });
});
