import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isMillraceError } from '../../base/errors.ts';
import { Reader } from '../../kafka/protocol/reader.ts';
import { uvarintSizeBytes, Writer } from '../../kafka/protocol/writer.ts';

function written(write: (writer: Writer) => void): Buffer {
  const writer = new Writer();
  write(writer);
  return writer.take();
}

function thrownBy(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  return undefined;
}

function expectRefused(act: () => unknown): void {
  const error = thrownBy(act);
  expect(isMillraceError(error, 'KAFKA_PROTOCOL'), String(error)).toBe(true);
}

describe('int64', () => {
  test('is big-endian two’s complement, as a BigInt would be', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (value) => {
        const expected = Buffer.alloc(8);
        expected.writeBigInt64BE(BigInt(value));
        expect(written((writer) => writer.int64(value))).toEqual(expected);
        expect(new Reader(expected).int64()).toBe(value);
      }),
    );
  });

  test('beyond 2^53 is refused, never rounded', () => {
    for (const value of [2n ** 53n, -(2n ** 53n), 2n ** 63n - 1n, -(2n ** 63n)]) {
      const bytes = Buffer.alloc(8);
      bytes.writeBigInt64BE(value);
      expectRefused(() => new Reader(bytes).int64());
    }
    expectRefused(() => written((writer) => writer.int64(2 ** 53)));
    expect(new Reader(written((writer) => writer.int64(2 ** 53 - 1))).int64()).toBe(2 ** 53 - 1);
  });
});

describe('unsigned varint', () => {
  test.each([
    [0, '00'],
    [127, '7f'],
    [128, '8001'],
    [300, 'ac02'],
    [2 ** 28 - 1, 'ffffff7f'],
    [2 ** 28, '8080808001'],
    [2 ** 32 - 1, 'ffffffff0f'],
  ])('%d is %s', (value, hex) => {
    expect(written((writer) => writer.uvarint(value)).toString('hex')).toBe(hex);
    expect(new Reader(Buffer.from(hex, 'hex')).uvarint()).toBe(value);
    expect(uvarintSizeBytes(value)).toBe(hex.length / 2);
  });

  test('longer than 32 bits is refused', () => {
    expectRefused(() => new Reader(Buffer.from('ffffffff10', 'hex')).uvarint());
    expectRefused(() => new Reader(Buffer.from('808080808000', 'hex')).uvarint());
    expectRefused(() => written((writer) => writer.uvarint(2 ** 32)));
    expectRefused(() => written((writer) => writer.uvarint(-1)));
  });
});

test('a number that its type cannot hold is refused, never wrapped', () => {
  expectRefused(() => written((writer) => writer.int8(128)));
  expectRefused(() => written((writer) => writer.int16(-32_769)));
  expectRefused(() => written((writer) => writer.int32(2 ** 31)));
  expectRefused(() => written((writer) => writer.int32(1.5)));
  expectRefused(() => written((writer) => writer.int32(Number.NaN)));
});

test('a uuid is 32 hex digits', () => {
  const uuid = '00112233445566778899aabbccddeeff';
  expect(written((writer) => writer.uuid(uuid)).toString('hex')).toBe(uuid);
  expectRefused(() => written((writer) => writer.uuid('00112233')));
  expectRefused(() => written((writer) => writer.uuid(`${uuid.slice(2)}xx`)));
});

test('bytes are read as a view into the frame', () => {
  const frame = Buffer.from([1, 2, 3, 4]);
  const view = new Reader(frame, 1).bytes(2);
  frame[1] = 9;
  expect([...view]).toEqual([9, 3]);
});

test('nothing is read beyond the frame, nor beyond the part that was entered', () => {
  const reader = new Reader(Buffer.alloc(8));
  expectRefused(() => reader.bytes(9));
  expectRefused(() => reader.bytes(-1));
  expectRefused(() => reader.enter(9));
  const outer = reader.enter(2);
  expectRefused(() => reader.int32());
  expectRefused(() => reader.leave(outer));
  reader.skip(2);
  reader.leave(outer);
  expect(reader.remaining).toBe(6);
});

test.each([4_000, 100_000, 5_000_000])(
  'a writer grows, and the %i bytes that it handed over stay as they were',
  (sizeBytes) => {
    const writer = new Writer(4);
    const value = Buffer.alloc(sizeBytes, 7);
    writer.int32(1);
    writer.bytes(value);
    const first = writer.take();
    writer.bytes(Buffer.alloc(2 * sizeBytes, 8));
    const second = writer.take();
    writer.int32(3);
    expect(first.equals(Buffer.concat([Buffer.from([0, 0, 0, 1]), value]))).toBe(true);
    expect(second.equals(Buffer.alloc(2 * sizeBytes, 8))).toBe(true);
  },
);

test('what does not fit into the shared pool lies alone in its memory, to be given away', () => {
  const writer = new Writer();
  writer.bytes(Buffer.alloc(100_000, 7));
  const { buffer, length } = writer.take();
  expect(buffer.byteLength).toBe(length);
});

test('what was written before a reset is forgotten', () => {
  const writer = new Writer();
  writer.int32(1);
  writer.reset();
  writer.int8(5);
  expect([...writer.take()]).toEqual([5]);
});

test('a sized part carries its size in front, however large', () => {
  for (const sizeBytes of [0, 1, 127, 128, 16_383, 16_384, 2_097_152]) {
    const content = Buffer.alloc(sizeBytes, 3);
    const bytes = written((writer) => {
      writer.closeSized(writer.openSized());
      const mark = writer.openSized();
      writer.bytes(content);
      writer.closeSized(mark);
      writer.int8(9);
    });
    const reader = new Reader(bytes);
    expect(reader.uvarint()).toBe(0);
    expect(reader.bytes(reader.uvarint()).equals(content)).toBe(true);
    expect(reader.int8()).toBe(9);
    reader.expectEnd();
  }
});
