import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../base/random.ts';
import { type Codec, compress, decompress } from '../../kafka/records/compression/compression.ts';

const CODECS: readonly Codec[] = ['gzip', 'snappy', 'lz4', 'zstd'];
const SIZE_BYTES_MAX = 10_000_000;

/** Stretches of noise, of one byte, and of what was said before: all that a codec has branches for. */
const material = fc
  .array(
    fc.record({
      kind: fc.constantFrom('noise', 'run', 'echo'),
      sizeBytes: fc.integer({ min: 0, max: 40_000 }),
      seed: fc.integer(),
    }),
    { maxLength: 8 },
  )
  .map((stretches) => {
    let bytes = Buffer.alloc(0);
    for (const { kind, sizeBytes, seed } of stretches) {
      const random = seededRandom(seed);
      const echoStart = Math.floor(random.next() * bytes.length);
      const stretch =
        kind === 'noise'
          ? random.bytes(sizeBytes)
          : kind === 'run'
            ? Buffer.alloc(sizeBytes, seed & 0xff)
            : bytes.subarray(echoStart, echoStart + sizeBytes);
      bytes = Buffer.concat([bytes, stretch]);
    }
    return bytes;
  });

describe.each(CODECS)('%s', (codec) => {
  test('gives back what was compressed, over many blocks', () => {
    fc.assert(
      fc.property(material, (bytes) => {
        const compressed = compress(codec, bytes);
        expect(decompress(codec, compressed, SIZE_BYTES_MAX).equals(bytes)).toBe(true);
        expect(compressed.length).toBeLessThan(bytes.length * 1.02 + 200);
      }),
      { numRuns: 60 },
    );
  });

  test('makes text smaller', () => {
    const text = Buffer.from('seat 12 row 4 block C; '.repeat(5_000));
    expect(compress(codec, text).length).toBeLessThan(text.length / 8);
  });

  test('refuses bytes that were never compressed', () => {
    expect(() => decompress(codec, Buffer.from('this is plain text'), SIZE_BYTES_MAX)).toThrow(
      expect.objectContaining({ code: 'RECORD_CORRUPT' }),
    );
  });
});
