import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromBytes, toBytes } from '../../schemas/serde.ts';
import { stringSerde } from '../../schemas/serdes.ts';
import { changeSerde } from '../../topology/dsl/processors/change.ts';

const serde = changeSerde(stringSerde);

describe('a change in a repartition topic', () => {
  test("has Kafka's bytes: the value and a flag, or both values with a length in front", () => {
    const hex = (newValue: string | null, oldValue: string | null) =>
      toBytes(serde, { newValue, oldValue }).toString('hex');
    expect(hex(null, 'old')).toBe('6f6c6400');
    expect(hex('new', null)).toBe('6e657701');
    expect(hex('new', 'old')).toBe('000000036e65776f6c6402');
  });

  test('is read as it was written', () => {
    const value = fc.option(fc.string());
    fc.assert(
      fc.property(value, value, fc.nat(5), (newValue, oldValue, room) => {
        fc.pre(newValue !== null || oldValue !== null);
        const change = { newValue, oldValue };
        const bytes = toBytes(serde, change);
        expect(fromBytes(serde, bytes)).toEqual(change);
        const tooSmall = Buffer.alloc(Math.min(room, bytes.length - 1));
        expect(serde.encode(change, tooSmall, 0)).toBeLessThan(0);
      }),
    );
  });

  test('of nothing cannot be written', () => {
    expect(() => toBytes(serde, { newValue: null, oldValue: null })).toThrow(
      expect.objectContaining({ code: 'SERIALIZATION' }),
    );
  });

  test.each(['', '6103', '0000000961620002', '0002'])('cannot be read from %s', (hex) => {
    expect(() => fromBytes(serde, Buffer.from(hex, 'hex'))).toThrow(
      expect.objectContaining({ code: 'DESERIALIZATION' }),
    );
  });
});
