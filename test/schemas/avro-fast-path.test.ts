import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compileReader, compileWriter } from '../../schemas/avro-fast-path.ts';
import { parseSchema } from '../../schemas/avro-types.ts';
import { InternedText } from '../../schemas/interned-text.ts';
import type { AvroSchema } from '../../schemas/schema-registry.ts';

function saleSchema(name: string): AvroSchema {
  const file = new URL(`../../schemas/ticket-sales/${name}.avsc`, import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')) as AvroSchema;
}

const WRITTEN = [
  'purchase-status-updated',
  'zone',
  'inventory-updated',
  'event-defined',
  'event-sales',
  'event-zone',
  'sales-bucket',
  'payment-status-updated',
  'payment-requested',
  'refund-requested',
  'notification-requested',
  'voucher',
  'seat-record',
];

const ordinaryText = fc.string({ unit: 'grapheme-ascii', maxLength: 63 });
const anyText = fc.oneof(ordinaryText, fc.string({ unit: 'binary', maxLength: 200 }));
const int = fc.integer();
const long = fc.oneof(int, fc.integer({ min: -(2 ** 51), max: 2 ** 51 }), fc.maxSafeInteger());

/** Values of a schema as avsc has them: of everything, also what is not ordinary. */
function valuesOf(schema: AvroSchema, text: fc.Arbitrary<string>): fc.Arbitrary<unknown> {
  if (schema === 'null') return fc.constant(null);
  if (schema === 'string') return text;
  if (schema === 'int') return int;
  if (schema === 'long') return long;
  if (schema === 'boolean') return fc.boolean();
  if (Array.isArray(schema)) {
    const isNullable = schema[0] === 'null';
    return fc.oneof(
      ...schema.map((branch: AvroSchema) => {
        const values = valuesOf(branch, text);
        const name = `millrace.tickets.${(branch as { name?: string }).name}`;
        return isNullable ? values : values.map((value) => ({ [name]: value }));
      }),
    );
  }
  const { type, items, symbols, fields } = schema as {
    type: string;
    items: AvroSchema;
    symbols: string[];
    fields: { name: string; type: AvroSchema }[];
  };
  if (type === 'array') return fc.array(valuesOf(items, text), { maxLength: 4 });
  if (type === 'enum') return fc.constantFrom(...symbols);
  const members = fields.map((field) => [field.name, valuesOf(field.type, text)] as const);
  return fc.record(Object.fromEntries(members));
}

describe.each(WRITTEN)('the fast path of %s', (name) => {
  const schema = saleSchema(name);
  const type = parseSchema(schema);
  const write = compileWriter(schema)!;

  test('writes the bytes of avsc, or nothing', () => {
    fc.assert(
      fc.property(valuesOf(schema, anyText), fc.nat(20), (value, at) => {
        const target = Buffer.alloc(4_096);
        const end = write(value, target, at);
        if (end >= 0) expect(target.subarray(at, end)).toEqual(type.toBuffer(value));
      }),
    );
  });

  test('writes all that is ordinary', () => {
    fc.assert(
      fc.property(valuesOf(schema, ordinaryText), (value) => {
        const isGreat = JSON.stringify(value, (_, member: unknown) =>
          typeof member === 'number' && Math.abs(member) > 2 ** 51 ? 'great' : member,
        ).includes('great');
        expect(write(value, Buffer.alloc(4_096), 0) >= 0).toBe(!isGreat);
      }),
    );
  });

  test('never writes beyond its target', () => {
    fc.assert(
      fc.property(valuesOf(schema, ordinaryText), fc.nat(100), (value, sizeBytes) => {
        const memory = Buffer.alloc(300, 0xee);
        const end = write(value, memory.subarray(0, sizeBytes), 0);
        expect(end).toBeLessThanOrEqual(sizeBytes);
        expect(memory.subarray(sizeBytes).every((byte) => byte === 0xee)).toBe(true);
      }),
    );
  });
});

describe.each([...WRITTEN, 'ticket-command'])('the fast path of %s', (name) => {
  const schema = saleSchema(name);
  const type = parseSchema(schema);
  const read = compileReader(schema)!;

  test('reads what avsc wrote, wherever it lies, or leaves it', () => {
    fc.assert(
      fc.property(valuesOf(schema, anyText), fc.nat(20), (value, at) => {
        const bytes = type.toBuffer(value);
        const batch = Buffer.concat([Buffer.alloc(at, 0xff), bytes, Buffer.alloc(20, 0xff)]);
        const found = read(batch, at, at + bytes.length);
        if (found !== undefined) expect(found).toEqual(plain(type.fromBuffer(bytes)));
      }),
    );
  });

  test('reads all that is ordinary', () => {
    fc.assert(
      fc.property(valuesOf(schema, ordinaryText), (value) => {
        const bytes = type.toBuffer(value);
        const isGreat = JSON.stringify(value).match(/\d{15}/) !== null;
        if (!isGreat) expect(read(bytes, 0, bytes.length)).toEqual(value);
      }),
    );
  });

  test('reads some fields as avsc does, and passes over the others', () => {
    const names = (schema as unknown as { fields: { name: string }[] }).fields.map(
      (field) => field.name,
    );
    fc.assert(
      fc.property(valuesOf(schema, ordinaryText), fc.subarray(names), (value, only) => {
        const bytes = type.toBuffer(value);
        const found = compileReader(schema, only)!(bytes, 0, bytes.length);
        if (found === undefined) return;
        const all = plain(value) as Record<string, unknown>;
        expect(found).toEqual(Object.fromEntries(only.map((field) => [field, all[field]])));
      }),
    );
  });

  test('reads of damaged bytes nothing that avsc would not read', () => {
    const damaged = fc.tuple(valuesOf(schema, anyText), fc.nat(), fc.nat(255), fc.nat(3));
    fc.assert(
      fc.property(damaged, ([value, position, byte, cut]) => {
        const bytes = type.toBuffer(value);
        bytes[position % bytes.length] = byte;
        const end = bytes.length - Math.min(cut, bytes.length);
        const found = read(bytes, 0, end);
        if (found === undefined) return;
        expect(found).toEqual(plain(type.fromBuffer(bytes.subarray(0, end))));
      }),
      { numRuns: 2_000 },
    );
  });
});

/** Without avsc's classes. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

describe('the fast path of other schemas', () => {
  test.each<[string, AvroSchema]>([
    ['a logical type', { type: 'long', logicalType: 'timestamp-millis' }],
    ['a double', 'double'],
    ['bytes', 'bytes'],
    ['a map', { type: 'map', values: 'int' }],
    ['a union of numbers and text', ['string', 'int']],
    ['a type that is named again', ['null', 'example.Later']],
    [
      'a field that would be a prototype',
      { type: 'record', name: 'R', fields: [{ name: '__proto__', type: 'int' }] },
    ],
  ])('there is none for %s', (_, schema) => {
    expect([compileReader(schema), compileWriter(schema)]).toEqual([undefined, undefined]);
  });

  test.each<[string, unknown]>([
    ['a missing field, which has a default', { name: 'Ada' }],
    ['a wrong type', { name: 7, age: 1 }],
    ['a fraction', { name: 'Ada', age: 1.5 }],
    ['an int beyond 32 bits', { name: 'Ada', age: 2 ** 31 }],
    ['long text', { name: 'x'.repeat(64), age: 1 }],
    ['text that is not ASCII', { name: 'Zoë', age: 1 }],
    ['nothing', null],
  ])('%s is left to avsc', (_, value) => {
    const fields = [
      { name: 'name', type: 'string' },
      { name: 'age', type: 'int', default: 3 },
    ];
    const write = compileWriter({ type: 'record', name: 'Person', fields })!;
    expect(write(value, Buffer.alloc(300), 0)).toBe(-1);
  });

  test('names the branches of a union as avsc does, in every spelling of namespaces', () => {
    const branch = (name: string, namespace?: string) => ({
      type: 'record',
      name,
      ...(namespace === undefined ? {} : { namespace }),
      fields: [{ name: 'inner', type: [record('A'), record('B', 'own')] }],
    });
    const record = (name: string, namespace?: string) => ({
      type: 'record',
      name: `${name}${counter++}`,
      ...(namespace === undefined ? {} : { namespace }),
      fields: [{ name: 'n', type: 'int' }],
    });
    let counter = 0;
    const union = [branch('X'), branch('far.away.Y'), branch('Z', 'near')];
    const schemas: AvroSchema[] = [
      { type: 'record', name: 'Top', fields: [{ name: 'u', type: union }] },
      { type: 'record', name: 'Top2', namespace: 'top', fields: [{ name: 'u', type: union }] },
    ];
    for (const schema of schemas) {
      const type = parseSchema(schema);
      const read = compileReader(schema)!;
      for (let seed = 0; seed < 20; seed++) {
        const bytes = type.toBuffer(type.random());
        const found = read(bytes, 0, bytes.length);
        expect(found).toEqual(plain(type.fromBuffer(bytes)));
      }
    }
  });
});

describe('interned text', () => {
  test('is always what the bytes say, whatever came before', () => {
    fc.assert(
      fc.property(fc.array(anyText, { maxLength: 200 }), (texts) => {
        const interned = new InternedText();
        for (const text of [...texts, ...texts]) {
          const bytes = Buffer.from(`#${text}#`);
          const found = interned.read(bytes, 1, bytes.length - 1);
          expect(found).toBe(/^[\0-\x7f]*$/.test(text) ? text : undefined);
        }
      }),
    );
  });

  test('stays right when it stops to keep texts that are all different', () => {
    const interned = new InternedText();
    for (let index = 0; index < 40_000; index++) {
      const bytes = Buffer.from(`buyer-${index}`);
      expect(interned.read(bytes, 0, bytes.length)).toBe(`buyer-${index}`);
    }
  });
});
