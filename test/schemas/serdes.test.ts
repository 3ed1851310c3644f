import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromBytes, type Serde, toBytes } from '../../schemas/serde.ts';
import {
  bigInt64Serde,
  booleanSerde,
  bytesSerde,
  doubleSerde,
  floatSerde,
  int16Serde,
  int32Serde,
  int64Serde,
  jsonSerde,
  stringSerde,
  uuidSerde,
} from '../../schemas/serdes.ts';

/** What Java's serializers of Kafka make of these values. */
const JAVA: readonly [string, Serde<never>, unknown, string][] = [
  ['String', stringSerde as Serde<never>, 'Grüße 🎫', '4772c3bcc39f6520f09f8eab'],
  ['Short', int16Serde as Serde<never>, -2, 'fffe'],
  ['Integer', int32Serde as Serde<never>, -2, 'fffffffe'],
  ['Long', int64Serde as Serde<never>, -2, 'fffffffffffffffe'],
  ['Long, large', int64Serde as Serde<never>, 2 ** 40 + 5, '0000010000000005'],
  ['Long as bigint', bigInt64Serde as Serde<never>, -(2n ** 63n), '8000000000000000'],
  ['Float', floatSerde as Serde<never>, 1.5, '3fc00000'],
  ['Double', doubleSerde as Serde<never>, -0.1, 'bfb999999999999a'],
  ['Boolean', booleanSerde as Serde<never>, true, '01'],
  [
    'UUID',
    uuidSerde as Serde<never>,
    '0188f7a0-0000-7000-8000-0123456789ab',
    Buffer.from('0188f7a0-0000-7000-8000-0123456789ab').toString('hex'),
  ],
];

const ROUND_TRIPS: readonly [string, Serde<unknown>, fc.Arbitrary<unknown>][] = [
  ['strings', stringSerde, fc.string({ unit: 'grapheme' })],
  ['int16', int16Serde, fc.integer({ min: -(2 ** 15), max: 2 ** 15 - 1 })],
  ['int32', int32Serde, fc.integer()],
  ['int64', int64Serde, fc.maxSafeInteger()],
  ['bigint', bigInt64Serde, fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })],
  ['doubles', doubleSerde, fc.double()],
  ['floats', floatSerde, fc.float()],
  ['booleans', booleanSerde, fc.boolean()],
  ['bytes', bytesSerde, fc.uint8Array().map((bytes) => Buffer.from(bytes))],
  ['UUIDs', uuidSerde, fc.uuid()],
  ['JSON', jsonSerde(), fc.json().map((text) => JSON.parse(text))],
];

describe('serdes', () => {
  test.each(JAVA)("write Java's bytes: %s", (_, serde, value, hex) => {
    expect(toBytes(serde, value as never).toString('hex')).toBe(hex);
    expect(fromBytes(serde, Buffer.from(hex, 'hex'))).toBe(value);
  });

  test.each(ROUND_TRIPS)(
    'read what they wrote, in the middle of a buffer: %s',
    (_, serde, values) => {
      fc.assert(
        fc.property(values, fc.nat(9), (value, at) => {
          const target = Buffer.alloc(4096, 0xaa);
          const end = serde.encode(value, target, at);
          expect(serde.decode(target, at, end)).toEqual(value);
          expect(target[end]).toBe(0xaa);
        }),
      );
    },
  );

  test.each(ROUND_TRIPS)('say how many bytes are missing: %s', (_, serde, values) => {
    fc.assert(
      fc.property(values, fc.nat(40), (value, room) => {
        const sizeBytes = toBytes(serde, value).length;
        const target = Buffer.alloc(room + 3);
        const end = serde.encode(value, target, 3);
        expect(end).toBe(sizeBytes <= room ? 3 + sizeBytes : room - sizeBytes);
      }),
    );
  });

  const notValues: readonly [string, Serde<never>, unknown][] = [
    ['a number as a string', stringSerde as Serde<never>, 1],
    ['a fraction as int32', int32Serde as Serde<never>, 1.5],
    ['2^31 as int32', int32Serde as Serde<never>, 2 ** 31],
    ['2^15 as int16', int16Serde as Serde<never>, 2 ** 15],
    ['2^53 as a safe int64', int64Serde as Serde<never>, 2 ** 53],
    ['2^63 as bigint', bigInt64Serde as Serde<never>, 2n ** 63n],
    ['a string as a double', doubleSerde as Serde<never>, '1'],
    ['1 as a boolean', booleanSerde as Serde<never>, 1],
    ['a string as bytes', bytesSerde as Serde<never>, 'x'],
    ['any text as a UUID', uuidSerde as Serde<never>, 'not-a-uuid'],
    ['a function as JSON', jsonSerde() as Serde<never>, () => 1],
  ];
  test.each(notValues)('refuse to write %s', (_, serde, value) => {
    expect(() => toBytes(serde, value as never)).toThrow(
      expect.objectContaining({ code: 'SERIALIZATION' }),
    );
  });

  const notBytes: readonly [string, Serde<unknown>, string][] = [
    ['three bytes as int32', int32Serde, '000000'],
    ['nine bytes as int64', int64Serde, '000000000000000000'],
    ['2^53 as a safe int64', int64Serde, '0020000000000000'],
    ['2 as a boolean', booleanSerde, '02'],
    ['nothing as a boolean', booleanSerde, ''],
    ['text as a UUID', uuidSerde, '616263'],
    ['half an object as JSON', jsonSerde(), '7b'],
  ];
  test.each(notBytes)('refuse to read %s', (_, serde, hex) => {
    expect(() => fromBytes(serde, Buffer.from(hex, 'hex'))).toThrow(
      expect.objectContaining({ code: 'DESERIALIZATION' }),
    );
  });

  test('copy bytes, which outlive the batch they came in', () => {
    const batch = Buffer.from('abc');
    const copy = bytesSerde.decode(batch, 1, 3);
    batch.fill(0);
    expect(copy.toString()).toBe('bc');
  });
});
