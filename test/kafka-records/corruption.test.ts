import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isMillraceError } from '../../base/errors.ts';
import { BatchBuilder, sealBatch } from '../../kafka/records/batch-builder.ts';
import { readControlMarker } from '../../kafka/records/control-batch.ts';
import { BATCH_LAYOUT, forEachBatch, verifyBatch } from '../../kafka/records/record-batch.ts';
import { createRecordCursor } from '../../kafka/records/record-cursor.ts';
import { COMPRESSIONS, fetched, records, write } from './arbitraries.ts';

interface Damage {
  readonly at: number;
  readonly to: number;
}

const damage = fc.array(
  fc.record({ at: fc.double({ min: 0, max: 0.999, noNaN: true }), to: fc.nat(255) }),
  { minLength: 1, maxLength: 6 },
);

function damaged(bytes: Buffer, places: readonly Damage[], from = 0): Buffer {
  const copy = Buffer.from(bytes);
  for (const { at, to } of places) copy[from + Math.floor(at * (copy.length - from))] = to;
  return copy;
}

/** Reads everything there is; RECORD_CORRUPT is an answer, anything else is a bug. */
function readAll(bytes: Buffer, options: { readonly verify: boolean }): void {
  try {
    forEachBatch(bytes, (header) => {
      if (options.verify) verifyBatch(bytes, header);
      const cursor = createRecordCursor({ decompressedBytesMax: 1_000_000 });
      cursor.open({ buffer: bytes, header });
      while (cursor.next()) cursor.headers();
      readControlMarker({ buffer: bytes, header });
    });
  } catch (error) {
    if (!isMillraceError(error, 'RECORD_CORRUPT')) throw error;
  }
}

describe('damaged bytes', () => {
  test.each(COMPRESSIONS)('of a %s batch never do worse than RECORD_CORRUPT', (compression) => {
    fc.assert(
      fc.property(records, damage, (plain, places) => {
        const bytes = damaged(write(plain, compression), places);
        readAll(bytes, { verify: true });
        readAll(bytes, { verify: false });
      }),
      { numRuns: 300 },
    );
  });

  test.each(COMPRESSIONS)('inside the records of a resealed %s batch do neither', (compression) => {
    fc.assert(
      fc.property(records, damage, (plain, places) => {
        const bytes = damaged(write(plain, compression), places, BATCH_LAYOUT.records);
        sealBatch(bytes);
        readAll(bytes, { verify: true });
      }),
      { numRuns: 300 },
    );
  });

  test('are found by the checksum, whichever byte it was', () => {
    const bytes = write([{ timestampMs: 5, key: 'k', value: 'value', headers: [] }], 'none');
    for (let at = BATCH_LAYOUT.attributes; at < bytes.length; at++) {
      const copy = Buffer.from(bytes);
      copy[at] = copy[at]! ^ 0x10;
      expect(() => fetched(copy)).toThrow(/checksum/);
    }
  });

  test('of pure noise never do worse than RECORD_CORRUPT', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (noise) => {
        const bytes = Buffer.from(noise);
        if (bytes.length > BATCH_LAYOUT.magic) bytes.writeInt8(2, BATCH_LAYOUT.magic);
        readAll(bytes, { verify: false });
      }),
    );
  });
});

describe('a batch that unfolds to more than allowed', () => {
  test.each(COMPRESSIONS.slice(1))('is refused under %s', (compression) => {
    const builder = new BatchBuilder({ sizeBytesMax: 10_000_000 });
    builder.append(0, null, Buffer.alloc(2_000_000, 'z'));
    const { bytes } = builder.finish('t', 0, compression);
    sealBatch(bytes);
    expect(bytes.length).toBeLessThan(200_000);
    const cursor = createRecordCursor({ decompressedBytesMax: 1_000_000 });
    expect(() => cursor.open(fetched(bytes))).toThrow(
      expect.objectContaining({ code: 'RECORD_CORRUPT' }),
    );
  });
});

describe('an impossible header', () => {
  test.each([
    ['a negative record count', BATCH_LAYOUT.recordCount, -1],
    ['a negative last offset', BATCH_LAYOUT.lastOffsetDelta, -5],
    ['an offset beyond 2^53', BATCH_LAYOUT.baseOffset, 0x7fffffff],
  ])('with %s is RECORD_CORRUPT', (_, field, value) => {
    const bytes = write([{ timestampMs: 5, key: 'k', value: 'v', headers: [] }], 'none');
    bytes.writeInt32BE(value, field);
    sealBatch(bytes);
    expect(() => fetched(bytes)).toThrow(/contradicts itself/);
  });
});
