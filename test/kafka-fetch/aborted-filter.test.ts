import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { visibleBatches } from '../../kafka/fetch/visible-batches.ts';
import { emptiedBatch, recordsIn, storedBatch, storedMarker } from '../kit/batches.ts';

type RecordKind = 'data' | 'data_key_00000000' | 'abort' | 'commit';

interface FilterCase {
  readonly name: string;
  readonly fetch_from: number;
  readonly records: readonly (readonly [offset: number, producerId: number, kind: RecordKind])[];
  readonly aborted: readonly (readonly [producerId: number, firstOffset: number])[];
  readonly visible: readonly number[];
}

const { cases } = JSON.parse(
  readFileSync(new URL('../vectors/read-committed-filter.json', import.meta.url), 'utf8'),
) as { readonly cases: readonly FilterCase[] };

function bytesOf([offset, producerId, kind]: FilterCase['records'][number]): Buffer {
  switch (kind) {
    case 'abort':
    case 'commit':
      return storedMarker(offset, producerId, kind);
    case 'data':
      return storedBatch({ baseOffset: offset, producerId, values: ['v'] });
    case 'data_key_00000000':
      return storedBatch({ baseOffset: offset, producerId, values: ['v'], key: Buffer.alloc(4) });
  }
}

function read(
  records: readonly Buffer[],
  fetchOffset: number,
  aborted: readonly (readonly [number, number])[] = [],
) {
  return visibleBatches({
    records: Buffer.concat(records),
    fetchOffset,
    fetchEpoch: -1,
    aborted: aborted.map(([producerId, firstOffset]) => ({ producerId, firstOffset })),
  });
}

describe('what a read_committed reader sees', () => {
  test.each(cases)('$name', ({ records, aborted, visible, fetch_from }) => {
    const fetched = read(records.map(bytesOf), fetch_from, aborted);
    expect(recordsIn(fetched.batches)).toEqual(visible.map((offset) => `${offset}:v`));
    expect(fetched.nextOffset).toBe(records.at(-1)![0] + 1);
  });

  test('two aborts of one producer with a commit of another between them', () => {
    const records = [
      storedBatch({ baseOffset: 0, producerId: 1, values: ['a'] }),
      storedBatch({ baseOffset: 1, producerId: 2, values: ['b'] }),
      storedMarker(2, 1, 'abort'),
      storedBatch({ baseOffset: 3, producerId: 1, values: ['c'] }),
      storedMarker(4, 2, 'commit'),
      storedMarker(5, 1, 'abort'),
      storedBatch({ baseOffset: 6, producerId: 1, values: ['d'] }),
    ];
    const aborted = [
      [1, 0],
      [1, 3],
    ] as const;
    expect(recordsIn(read(records, 0, aborted).batches)).toEqual(['1:b', '6:d']);
  });

  test('a batch outside of transactions is seen although its producer has an aborted one', () => {
    const plain = storedBatch({ baseOffset: 1, values: ['plain'] });
    const records = [storedBatch({ baseOffset: 0, producerId: 1, values: ['a'] }), plain];
    expect(recordsIn(read(records, 0, [[1, 0]]).batches)).toEqual(['1:plain']);
  });
});

describe('how far an answer brings a reader', () => {
  test('batches that compaction has emptied are passed, up to their last offset', () => {
    const fetched = read([emptiedBatch(10, 40), emptiedBatch(41, 59)], 12);
    expect(fetched).toMatchObject({ batches: [], nextOffset: 60 });
  });

  test('a batch that straddles the position is handed over whole', () => {
    const fetched = read([storedBatch({ baseOffset: 5, values: ['a', 'b', 'c'] })], 6);
    expect(recordsIn(fetched.batches)).toEqual(['5:a', '6:b', '7:c']);
    expect(fetched.nextOffset).toBe(8);
  });

  test('a batch cut off at the end of the answer is left for the next one', () => {
    const whole = storedBatch({ baseOffset: 0, values: ['a'] });
    const cut = storedBatch({ baseOffset: 1, values: ['b'] });
    const fetched = read([whole, cut.subarray(0, cut.length - 1)], 0);
    expect(recordsIn(fetched.batches)).toEqual(['0:a']);
    expect(fetched.nextOffset).toBe(1);
  });

  test('the leader epoch is the last batch’s, visible or not', () => {
    const records = [
      storedBatch({ baseOffset: 0, values: ['a'], leaderEpoch: 3 }),
      storedMarker(1, 1, 'commit'),
    ];
    expect(read(records, 0).lastEpoch).toBe(0);
    expect(read([], 0).lastEpoch).toBe(-1);
  });

  test('a flipped bit is RECORD_CORRUPT, in whatever batch it is', () => {
    const bytes = storedBatch({ baseOffset: 0, producerId: 1, values: ['a'] });
    bytes[bytes.length - 2]! ^= 1;
    expect(() => read([bytes], 0, [[1, 0]])).toThrow(
      expect.objectContaining({ code: 'RECORD_CORRUPT' }),
    );
  });
});
