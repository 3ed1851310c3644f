import { describe, expect, test } from 'vitest';
import { Writer } from '../../kafka/protocol/writer.ts';

const WRITES: Readonly<Record<string, (writer: Writer) => void>> = {
  int8: (writer) => writer.int8(7),
  int16: (writer) => writer.int16(0x0102),
  int32: (writer) => writer.int32(0x01020304),
  int64: (writer) => writer.int64(0x0102030405),
  bool: (writer) => writer.bool(true),
  uuid: (writer) => writer.uuid('0123456789abcdef0123456789abcdef'),
  uvarint: (writer) => writer.uvarint(300),
  utf8: (writer) => writer.utf8('abc', 3),
  bytes: (writer) => writer.bytes(Buffer.from('abc')),
};

describe('a writer whose buffer is full', () => {
  for (const [name, write] of Object.entries(WRITES)) {
    test(`writes ${name} into the larger buffer, not into the one it leaves`, () => {
      const roomy = new Writer(1024);
      write(roomy);
      const expected = roomy.take();
      for (let free = 0; free <= expected.length; free++) {
        const tight = new Writer(8);
        for (let filled = 0; filled < 8 - free; filled++) tight.int8(0);
        const before = tight.position;
        write(tight);
        expect(tight.take().subarray(before)).toEqual(expected);
      }
    });
  }
});
