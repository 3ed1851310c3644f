import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  BatchBuilder,
  incrementSequence,
  sealBatch,
  stampOffsets,
  stampProducer,
} from '../../kafka/records/batch-builder.ts';
import { buildControlBatch, readControlMarker } from '../../kafka/records/control-batch.ts';
import {
  BATCH_LAYOUT,
  compressionOf,
  forEachBatch,
  isControl,
  isTransactional,
  lastOffset,
  readBatchHeader,
  usesLogAppendTime,
  verifyBatch,
} from '../../kafka/records/record-batch.ts';
import { createRecordCursor } from '../../kafka/records/record-cursor.ts';
import { COMPRESSIONS, fetched, read, records, write } from './arbitraries.ts';

const KEY = Buffer.from('rock-am-ring/stage');
const VALUE = Buffer.from('one of many values '.repeat(8));

describe('a batch that was written', () => {
  test.each(COMPRESSIONS)('with %s is read back as the same records', (compression) => {
    fc.assert(
      fc.property(records, (plain) => {
        expect(read(fetched(write(plain, compression)))).toEqual(plain);
      }),
    );
  });

  test.each(COMPRESSIONS)('with %s is smaller or says that it is not compressed', (compression) => {
    const compressible = fetched(write(manyRecords(50), compression));
    expect(compressionOf(compressible.header)).toBe(compression);
    const tiny = fetched(
      write([{ timestampMs: 1, key: null, value: null, headers: [] }], compression),
    );
    expect(compressionOf(tiny.header)).toBe('none');
  });

  test('counts offsets from its base offset', () => {
    const bytes = write(manyRecords(3), 'none');
    stampOffsets(bytes, { baseOffset: 5_000_000_000, leaderEpoch: 7 });
    const batch = fetched(bytes);
    expect(batch.header).toMatchObject({
      baseOffset: 5_000_000_000,
      leaderEpoch: 7,
      recordCount: 3,
    });
    expect(lastOffset(batch.header)).toBe(5_000_000_002);
    const cursor = createRecordCursor();
    cursor.open(batch);
    const offsets: number[] = [];
    while (cursor.next()) offsets.push(cursor.offset);
    expect(offsets).toEqual([5_000_000_000, 5_000_000_001, 5_000_000_002]);
  });

  test('knows its first and largest timestamp, in whatever order records came', () => {
    const plain = [50, 90, 10].map((timestampMs) => ({
      timestampMs,
      key: null,
      value: 'v',
      headers: [],
    }));
    const { header } = fetched(write(plain, 'none'));
    expect(header).toMatchObject({ baseTimestampMs: 50, maxTimestampMs: 90 });
  });

  test('carries the producer that was stamped, and is sealed again', () => {
    const bytes = write(manyRecords(2), 'zstd');
    const stamp = { producerId: 2 ** 40, producerEpoch: 12, baseSequence: 99, transactional: true };
    stampProducer(bytes, stamp);
    const { header } = fetched(bytes);
    expect(header).toMatchObject({ producerId: 2 ** 40, producerEpoch: 12, baseSequence: 99 });
    expect(isTransactional(header)).toBe(true);
    stampProducer(bytes, { ...stamp, transactional: false });
    expect(isTransactional(fetched(bytes).header)).toBe(false);
  });

  test('gives every record the append time once a broker has stamped one', () => {
    const bytes = write(manyRecords(3), 'lz4');
    stampOffsets(bytes, { baseOffset: 0, leaderEpoch: 0, logAppendTimeMs: 1_700_000_000_123 });
    const batch = fetched(bytes);
    expect(usesLogAppendTime(batch.header)).toBe(true);
    expect(read(batch).map(({ timestampMs }) => timestampMs)).toEqual(
      Array(3).fill(1_700_000_000_123),
    );
  });

  test('is an independent copy: the builder goes on without touching it', () => {
    const builder = new BatchBuilder({ sizeBytesMax: 10_000 });
    builder.append(1, KEY, VALUE);
    const first = builder.finish('t', 0, 'none');
    sealBatch(first.bytes);
    builder.reset();
    builder.append(2, null, Buffer.alloc(5_000, 'x'));
    expect(read(fetched(first.bytes))).toHaveLength(1);
    expect(builder.count).toBe(1);
  });
});

describe('BatchBuilder', () => {
  test('refuses the record that would pass its limit, and keeps what it has', () => {
    const builder = new BatchBuilder({ sizeBytesMax: 1_000 });
    let taken = 0;
    while (builder.append(taken, KEY, VALUE)) taken++;
    expect(taken).toBeGreaterThan(1);
    expect(builder.count).toBe(taken);
    const { bytes, recordCount } = builder.finish('t', 3, 'none');
    expect(bytes.length).toBe(builder.sizeBytes);
    expect(bytes.length).toBeLessThanOrEqual(1_000);
    expect(recordCount).toBe(taken);
  });

  test('takes a first record of any size', () => {
    const builder = new BatchBuilder({ sizeBytesMax: 1_000 });
    expect(builder.append(1, KEY, Buffer.alloc(100_000, 'y'))).toBe(true);
    expect(builder.append(1, KEY, VALUE)).toBe(false);
    const { bytes } = builder.finish('t', 0, 'none');
    sealBatch(bytes);
    expect(read(fetched(bytes))[0]?.value).toHaveLength(100_000);
  });

  test('writes ranges of buffers as it writes the same bytes on their own', () => {
    const around = Buffer.concat([Buffer.from('..'), KEY, VALUE, Buffer.from('..')]);
    const whole = new BatchBuilder({ sizeBytesMax: 1_000 });
    whole.append(5, KEY, VALUE);
    whole.append(6, null, VALUE);
    const ranges = new BatchBuilder({ sizeBytesMax: 1_000 });
    const keyEnd = 2 + KEY.length;
    ranges.appendRange(5, around, 2, keyEnd, around, keyEnd, keyEnd + VALUE.length);
    ranges.appendRange(6, around, -1, -1, around, keyEnd, keyEnd + VALUE.length);
    expect(ranges.finish('t', 0, 'none').bytes).toEqual(whole.finish('t', 0, 'none').bytes);
  });
});

describe('readBatchHeader', () => {
  test('says nothing about a batch that is cut anywhere', () => {
    const bytes = write(manyRecords(2), 'none');
    for (let length = 0; length < bytes.length; length++) {
      expect(readBatchHeader(bytes.subarray(0, length), 0)).toBeUndefined();
    }
    expect(readBatchHeader(bytes, 0, bytes.length - 1)).toBeUndefined();
  });

  test.each([0, 1])('refuses message format v%i and says why', (magic) => {
    const bytes = write(manyRecords(1), 'none');
    bytes.writeInt8(magic, BATCH_LAYOUT.magic);
    expect(() => readBatchHeader(bytes, 0)).toThrow(/message format v. is too old/);
  });

  test('refuses a length that is shorter than the header', () => {
    const bytes = write(manyRecords(1), 'none');
    bytes.writeInt32BE(20, BATCH_LAYOUT.batchLength);
    expect(() => readBatchHeader(bytes, 0)).toThrow(/shorter than its header/);
  });
});

describe('forEachBatch', () => {
  test('visits whole batches and returns where an incomplete one starts', () => {
    const one = write(manyRecords(1), 'none');
    const two = write(manyRecords(2), 'gzip');
    const buffer = Buffer.concat([one, two, one.subarray(0, 30)]);
    const counts: number[] = [];
    const end = forEachBatch(buffer, (header) => {
      verifyBatch(buffer, header);
      counts.push(header.recordCount);
    });
    expect(counts).toEqual([1, 2]);
    expect(end).toBe(one.length + two.length);
  });
});

describe('a control batch', () => {
  test.each(['commit', 'abort'] as const)('says %s to whoever reads it', (kind) => {
    const bytes = buildControlBatch({
      kind,
      coordinatorEpoch: 4,
      producerId: 77,
      producerEpoch: 2,
      timestampMs: 1_700_000_000_000,
    });
    stampOffsets(bytes, { baseOffset: 10, leaderEpoch: 1 });
    const batch = fetched(bytes);
    expect(isControl(batch.header) && isTransactional(batch.header)).toBe(true);
    expect(batch.header).toMatchObject({ producerId: 77, producerEpoch: 2, recordCount: 1 });
    expect(readControlMarker(batch)).toEqual({ kind, coordinatorEpoch: 4 });
  });

  test('of another kind is no transaction marker', () => {
    const builder = new BatchBuilder({ sizeBytesMax: 1_000 });
    builder.append(0, Buffer.from([0, 0, 0, 2]), Buffer.alloc(20));
    const { bytes } = builder.finish('t', 0, 'none');
    sealBatch(bytes);
    expect(readControlMarker(fetched(bytes))).toBeUndefined();
  });
});

describe('incrementSequence', () => {
  test('wraps from 2^31 - 1 to 0', () => {
    expect(incrementSequence(0, 5)).toBe(5);
    expect(incrementSequence(0x7fffffff - 5, 5)).toBe(0x7fffffff);
    expect(incrementSequence(0x7fffffff, 1)).toBe(0);
    expect(incrementSequence(0x7fffffff - 2, 10)).toBe(7);
  });
});

function manyRecords(count: number) {
  return Array.from({ length: count }, (_, index) => ({
    timestampMs: 1_700_000_000_000 + index,
    key: `key-${index}`,
    value: 'the same value again and again '.repeat(10),
    headers: [],
  }));
}
