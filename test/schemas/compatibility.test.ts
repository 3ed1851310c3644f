import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseSchema, resolverFor } from '../../schemas/avro-types.ts';
import { cannotRead } from '../../schemas/registry/can-read.ts';
import { incompatibilities } from '../../schemas/registry/compatibility.ts';
import type { AvroSchema } from '../../schemas/schema-registry.ts';

type Field = { readonly name: string; readonly type: unknown; readonly [more: string]: unknown };

const record = (fields: readonly Field[], more: object = {}) =>
  ({ type: 'record', name: 'R', ...more, fields }) as AvroSchema;
const enumOf = (symbols: string[], more: object = {}) =>
  ({ type: 'enum', name: 'E', ...more, symbols }) as AvroSchema;
const fixed = (size: number, name = 'F') => ({ type: 'fixed', name, size }) as AvroSchema;
const array = (items: unknown) => ({ type: 'array', items }) as AvroSchema;
const map = (values: unknown) => ({ type: 'map', values }) as AvroSchema;

const a = { name: 'a', type: 'int' };
const list = { name: 'next', type: ['null', 'R'] };

/** reader, writer */
type Case = readonly [name: string, reader: AvroSchema, writer: AvroSchema];

const READABLE: readonly Case[] = [
  ['the same record', record([a]), record([a])],
  ['a field that is gone', record([]), record([a])],
  ['a new field with a default', record([a, { name: 'b', type: 'int', default: 0 }]), record([a])],
  [
    'a new optional field',
    record([{ name: 'b', type: ['null', 'int'], default: null }]),
    record([]),
  ],
  ['a field under its alias', record([{ ...a, name: 'b', aliases: ['a'] }]), record([a])],
  ['a record under its alias', record([a], { name: 'Q', aliases: ['R'] }), record([a])],
  [
    'a record under its alias in another namespace',
    record([a], { name: 'x.Q', aliases: ['y.R'] }),
    record([a], { namespace: 'y' }),
  ],
  [
    'a record of another namespace',
    record([a], { namespace: 'x' }),
    record([a], { namespace: 'y' }),
  ],
  [
    'fields in another order',
    record([{ name: 'b', type: 'string' }, a]),
    record([a, { name: 'b', type: 'string' }]),
  ],
  ['int as long', 'long', 'int'],
  ['int as float', 'float', 'int'],
  ['int as double', 'double', 'int'],
  ['long as float', 'float', 'long'],
  ['long as double', 'double', 'long'],
  ['float as double', 'double', 'float'],
  ['string as bytes', 'bytes', 'string'],
  ['bytes as string', 'string', 'bytes'],
  ['an array whose items are promoted', array('long'), array('int')],
  ['a map whose values are promoted', map('double'), map('float')],
  ['fewer symbols', enumOf(['A', 'B']), enumOf(['A'])],
  ['an unknown symbol with a default', enumOf(['A'], { default: 'A' }), enumOf(['A', 'B'])],
  ['fixed of the same size', fixed(4), fixed(4)],
  ['a value into a union', ['null', 'string'], 'string'],
  ['a value promoted into a union', ['null', 'long'], 'int'],
  ['a union of one into its branch', 'string', ['string']],
  ['every branch of a union as one type', 'long', ['int', 'long']],
  ['a union with one branch more', ['null', 'string', 'int'], ['null', 'string']],
  ['a union in another order', ['string', 'null'], ['null', 'string']],
  ['a recursive record', record([a, list]), record([a, list])],
  [
    'a named type that is used twice',
    record([
      { name: 'x', type: enumOf(['A']) },
      { name: 'y', type: 'E' },
    ]),
    record([
      { name: 'x', type: enumOf(['A']) },
      { name: 'y', type: 'E' },
    ]),
  ],
  ['a type that is written at length', record([{ name: 'a', type: { type: 'int' } }]), record([a])],
];

const UNREADABLE: readonly (readonly [...Case, why: string])[] = [
  [
    'a new field without a default',
    record([a, { name: 'b', type: 'int' }]),
    record([a]),
    'the field "b" is missing in what is read and has no default (at /fields/1)',
  ],
  ['a renamed field', record([{ ...a, name: 'b' }]), record([a]), 'the field "b" is missing'],
  [
    'a record of another name',
    record([a], { name: 'Q' }),
    record([a]),
    'expected Q, found R (at /name)',
  ],
  ['long as int', 'int', 'long', 'long cannot be read as int'],
  ['double as float', 'float', 'double', 'double cannot be read as float'],
  ['float as long', 'long', 'float', 'float cannot be read as long'],
  ['int as string', 'string', 'int', 'int cannot be read as string'],
  ['boolean as int', 'int', 'boolean', 'boolean cannot be read as int'],
  ['null as string', 'string', 'null', 'null cannot be read as string'],
  [
    'a narrowed field',
    record([a]),
    record([{ ...a, type: 'long' }]),
    'long cannot be read as int (at /fields/0/type)',
  ],
  [
    'narrowed items',
    record([{ name: 'l', type: array('int') }]),
    record([{ name: 'l', type: array('string') }]),
    'string cannot be read as int (at /fields/0/type/items)',
  ],
  ['narrowed values', map('int'), map('string'), 'string cannot be read as int (at /values)'],
  [
    'a missing symbol',
    enumOf(['A']),
    enumOf(['A', 'B', 'C']),
    'the enum has no B, C and no default (at /symbols)',
  ],
  [
    'an enum of another name',
    enumOf(['A'], { name: 'Other' }),
    enumOf(['A']),
    'expected Other, found E',
  ],
  ['fixed of another size', fixed(4), fixed(8), 'fixed of 8 bytes, expected 4 (at /size)'],
  ['fixed of another name', fixed(4, 'G'), fixed(4), 'expected G, found F'],
  [
    'an optional value as a plain one',
    'string',
    ['null', 'string'],
    'null cannot be read as string',
  ],
  [
    'a union that lost a branch',
    ['null', 'string'],
    ['null', 'string', 'int'],
    'the union has no branch for int',
  ],
  [
    'a branch whose record does not fit',
    ['null', record([a])],
    ['null', record([{ ...a, type: 'string' }])],
    'string cannot be read as int (at /1/fields/0/type)',
  ],
  ['an array as a map', map('int'), array('int'), 'array cannot be read as map'],
  ['a record as a string', 'string', record([a]), 'record R cannot be read as string'],
  [
    'a fault deep in a recursive record',
    record([list, a]),
    record([list, { ...a, type: 'string' }]),
    'string cannot be read as int (at /fields/1/type)',
  ],
];

function messages(reader: AvroSchema, writer: AvroSchema): string[] {
  return cannotRead(reader, writer).map(({ path, why }) => `${why} (at ${path})`);
}

/** Whether records really can be read, by the decoder. */
function hasResolver(reader: AvroSchema, writer: AvroSchema): boolean {
  try {
    resolverFor(parseSchema(reader), parseSchema(writer));
    return true;
  } catch {
    return false;
  }
}

describe('what a writer wrote, a reader', () => {
  test.each(READABLE)('can read: %s', (_, reader, writer) => {
    expect(messages(reader, writer)).toEqual([]);
    expect(hasResolver(reader, writer)).toBe(true);
  });

  test.each(UNREADABLE)('cannot read: %s', (_, reader, writer, why) => {
    expect(messages(reader, writer)[0]).toContain(why);
  });

  test('every fault is told, not only the first', () => {
    const reader = record([{ name: 'x', type: 'int' }, { name: 'y', type: 'int' }, a]);
    expect(messages(reader, record([{ ...a, type: 'string' }]))).toHaveLength(3);
  });

  test('a branch that fits only as long as it leans on one that does not is not taken', () => {
    const pair = (payload: string) => [
      record([
        { name: 'child', type: ['null', 'R'] },
        { name: 'payload', type: payload },
      ]),
      'null',
    ];
    expect(messages(pair('int'), pair('string'))).not.toEqual([]);
    expect(messages(pair('long'), pair('int'))).toEqual([]);
  });

  test('schemas made to be compared for ever are compared at once', () => {
    const branches = (depth: number): unknown =>
      depth === 0
        ? 'int'
        : ['x', 'y', 'z'].map((namespace) => ({
            type: 'record',
            name: `D${depth}`,
            namespace: `${namespace}${depth}`,
            fields: [{ name: 'f', type: namespace === 'x' ? branches(depth - 1) : 'string' }],
          }));
    expect(messages(branches(24) as AvroSchema, branches(23) as AvroSchema)).not.toEqual([]);
  });
});

describe('what may be registered, can be read', () => {
  const primitive = fc.constantFrom(
    'null',
    'boolean',
    'int',
    'long',
    'float',
    'double',
    'bytes',
    'string',
  );
  const { schema } = fc.letrec<{ schema: unknown; field: Field }>((tie) => ({
    schema: fc.oneof(
      { maxDepth: 3 },
      primitive,
      fc
        .uniqueArray(fc.constantFrom('A', 'B', 'C'), { minLength: 1 })
        .map((symbols) => enumOf(symbols)),
      fc.integer({ min: 1, max: 2 }).map((size) => fixed(size)),
      tie('schema').map((items) => array(items)),
      tie('schema').map((values) => map(values)),
      fc.uniqueArray(primitive, { minLength: 1, maxLength: 3 }),
      fc
        .uniqueArray(tie('field'), { maxLength: 3, selector: ({ name }) => name })
        .map((fields) => record(fields)),
    ),
    field: fc.record({ name: fc.constantFrom('a', 'b', 'c'), type: tie('schema') }),
  }));

  test('whatever the two schemas are', () => {
    let fitting = 0;
    fc.assert(
      fc.property(schema, schema, (left, right) => {
        const reader = left as AvroSchema;
        const writer = right as AvroSchema;
        // Named types that stand twice are no valid schema.
        if (!isValid(reader) || !isValid(writer) || messages(reader, writer).length > 0) return;
        fitting++;
        expect(hasResolver(reader, writer)).toBe(true);
      }),
      { numRuns: 20_000 },
    );
    expect(fitting).toBeGreaterThan(500);
  });

  function isValid(candidate: AvroSchema): boolean {
    try {
      parseSchema(candidate);
      return true;
    } catch {
      return false;
    }
  }
});

describe('a compatibility level', () => {
  const v1 = record([a]);
  const v2 = record([
    { ...a, default: 0 },
    { name: 'b', type: 'int', default: 0 },
  ]);
  /** Reads v2, but not v1. */
  const v3 = record([a, { name: 'b', type: 'int' }]);

  test.each([
    ['NONE', 0],
    ['BACKWARD', 0],
    ['BACKWARD_TRANSITIVE', 1],
    ['FORWARD', 0],
    ['FORWARD_TRANSITIVE', 0],
    ['FULL', 0],
    ['FULL_TRANSITIVE', 1],
  ] as const)('%s counts %i fault against the last and the earlier versions', (level, faults) => {
    expect(incompatibilities(v3, [v1, v2], level)).toHaveLength(faults);
  });

  test.each([
    ['BACKWARD', 1],
    ['FORWARD', 0],
    ['FULL', 1],
  ] as const)('%s: a new required field has %i fault', (level, faults) => {
    expect(incompatibilities(v3, [v1], level)).toHaveLength(faults);
  });

  test.each([
    ['BACKWARD', 0],
    ['FORWARD', 1],
    ['FULL', 1],
  ] as const)('%s: a required field that goes has %i fault', (level, faults) => {
    expect(incompatibilities(v1, [v3], level)).toHaveLength(faults);
  });

  test('the message says which side cannot read which, what and where', () => {
    expect(incompatibilities(v3, [v1], 'BACKWARD')).toEqual([
      'the new schema cannot read data of the old one: the field "b" is missing in what is read and has no default (at /fields/1)',
    ]);
    expect(incompatibilities(v1, [v3], 'FORWARD')).toEqual([
      'the old schema cannot read data of the new one: the field "b" is missing in what is read and has no default (at /fields/1)',
    ]);
  });
});
