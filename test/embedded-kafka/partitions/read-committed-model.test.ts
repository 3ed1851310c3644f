/**
 * Random interleavings of producers, transactions and restarts against a naive model: what a reader
 * that filters as the protocol says must see, from every offset.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Partition } from '../../../embedded-kafka/ports.ts';
import { readControlMarker } from '../../../kafka/records/control-batch.ts';
import {
  forEachBatch,
  isControl,
  isTransactional,
  lastOffset,
} from '../../../kafka/records/record-batch.ts';
import { appendTo, batchOf, openPartition, readAt, recordsIn } from '../storage-fixture.ts';

type Step =
  | { readonly kind: 'plain'; readonly count: number }
  | { readonly kind: 'transactional'; readonly producer: number; readonly count: number }
  | { readonly kind: 'end'; readonly producer: number; readonly committed: boolean }
  | { readonly kind: 'restart'; readonly isClean: boolean };

const producer = fc.integer({ min: 0, max: 3 });
const count = fc.integer({ min: 1, max: 3 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('plain' as const), count }) },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('transactional' as const), producer, count }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('end' as const), producer, committed: fc.boolean() }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('restart' as const), isClean: fc.boolean() }),
  },
);

/** Undecided until the producer's transaction ends. */
interface ModelRecord {
  readonly offset: number;
  readonly producer: number;
  fate: 'visible' | 'open' | 'aborted';
}

class Model {
  readonly records: ModelRecord[] = [];
  readonly epochs = [0, 0, 0, 0];
  readonly sequences = [0, 0, 0, 0];
  end = 0;

  add(writer: number, howMany: number, fate: ModelRecord['fate']): void {
    for (let index = 0; index < howMany; index++) {
      this.records.push({ offset: this.end++, producer: writer, fate });
    }
  }

  finish(writer: number, committed: boolean): void {
    for (const record of this.records) {
      if (record.producer === writer && record.fate === 'open') {
        record.fate = committed ? 'visible' : 'aborted';
      }
    }
    this.end++;
    this.epochs[writer]!++;
    this.sequences[writer] = 0;
  }

  get lastStable(): number {
    return this.records.find((record) => record.fate === 'open')?.offset ?? this.end;
  }

  visibleFrom(offset: number): number[] {
    return this.records
      .filter((record) => record.offset >= offset && record.offset < this.lastStable)
      .filter((record) => record.fate === 'visible')
      .map((record) => record.offset);
  }
}

/** A reader as the protocol describes it: drops batches of producers while an abort of theirs is due. */
function readCommitted(partition: Partition, from: number, maxBytes: number): number[] {
  const seen: number[] = [];
  for (let next = from; ; ) {
    const { error, records, abortedTransactions } = readAt(
      partition,
      next,
      'read_committed',
      maxBytes,
    );
    expect(error).toBe(0);
    if (records.length === 0) return seen;
    const pending = [...abortedTransactions!].sort((a, b) => a.firstOffset - b.firstOffset);
    const aborting = new Set<number>();
    forEachBatch(records, (header) => {
      while (pending.length > 0 && pending[0]!.firstOffset <= lastOffset(header)) {
        aborting.add(pending.shift()!.producerId);
      }
      if (isControl(header)) {
        const marker = readControlMarker({ buffer: records, header });
        if (marker?.kind === 'abort') aborting.delete(header.producerId);
      } else if (!isTransactional(header) || !aborting.has(header.producerId)) {
        const bytes = records.subarray(header.position, header.position + header.sizeBytes);
        seen.push(
          ...recordsIn(bytes)
            .map((record) => record.offset)
            .filter((offset) => offset >= next),
        );
      }
      next = Math.max(next, lastOffset(header) + 1);
    });
  }
}

describe('a read_committed reader', () => {
  test('sees exactly what was committed below the last stable offset, from every offset', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 60 }),
        fc.constantFrom('1024', '1048576'),
        fc.constantFrom(1, 300, 100_000),
        async (steps, segmentBytes, maxBytes) => {
          const model = new Model();
          let storage = await openPartition({ 'segment.bytes': segmentBytes });
          for (const next of steps) {
            const { partition, topics, disk } = storage;
            const values = Array.from(
              { length: next.kind === 'end' || next.kind === 'restart' ? 0 : next.count },
              () => 'v'.repeat(60),
            );
            switch (next.kind) {
              case 'plain':
                expect((await appendTo(partition, batchOf(values))).baseOffset).toBe(model.end);
                model.add(-1, next.count, 'visible');
                break;
              case 'transactional': {
                const { producer: writer } = next;
                const records = batchOf(values, {
                  producerId: writer,
                  producerEpoch: model.epochs[writer]!,
                  baseSequence: model.sequences[writer]!,
                  transactional: true,
                });
                expect((await appendTo(partition, records)).error).toBe(0);
                model.add(writer, next.count, 'open');
                model.sequences[writer]! += next.count;
                break;
              }
              case 'end': {
                const ended = await partition.appendMarker({
                  producerId: next.producer,
                  producerEpoch: model.epochs[next.producer]! + 1,
                  coordinatorEpoch: 0,
                  committed: next.committed,
                });
                expect(ended.error).toBe(0);
                model.finish(next.producer, next.committed);
                break;
              }
              case 'restart':
                if (next.isClean) await topics.close();
                storage = await openPartition({}, disk.killProcess());
                break;
            }
          }
          const { partition } = storage;
          expect(partition.highWatermark).toBe(model.end);
          expect(partition.lastStableOffset).toBe(model.lastStable);
          for (let offset = 0; offset <= model.end; offset++) {
            expect(readCommitted(partition, offset, maxBytes)).toEqual(model.visibleFrom(offset));
          }
        },
      ),
      { numRuns: 150 },
    );
  });
});
