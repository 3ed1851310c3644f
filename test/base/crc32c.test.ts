import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { crc32c } from '../../base/crc32c.ts';

/** One bit at a time, as the definition says. */
function crc32cByBits(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

describe('CRC-32C', () => {
  test('equals the published check values (RFC 3720, B.4)', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
    expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
    expect(crc32c(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43);
    expect(crc32c(Buffer.from(Array.from({ length: 32 }, (_, index) => index)))).toBe(0x46dd794e);
  });

  test('of nothing is zero', () => {
    expect(crc32c(Buffer.alloc(0))).toBe(0);
  });

  test('of any range of any buffer equals the bitwise definition', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.nat(40),
        fc.nat(40),
        (bytes, cutFront, cutBack) => {
          const start = Math.min(cutFront, bytes.length);
          const end = Math.max(start, bytes.length - cutBack);
          expect(crc32c(bytes, start, end)).toBe(crc32cByBits(bytes.subarray(start, end)));
        },
      ),
    );
  });

  test('does not care where in its memory a buffer begins', () => {
    const memory = Buffer.from(`xyz${'123456789'.repeat(7)}`);
    for (let shift = 0; shift < 3; shift++) {
      const moved = Buffer.concat([Buffer.alloc(shift), memory]).subarray(shift + 3);
      expect(crc32c(moved)).toBe(crc32c(Buffer.from('123456789'.repeat(7))));
    }
  });
});
