import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isMillraceError, MillraceError } from '../../base/errors.ts';
import { avroSerde } from '../../schemas/avro-serde.ts';
import type { AvroSchema, SchemaRegistry } from '../../schemas/schema-registry.ts';
import { fromBytes, type Serde, toBytes, UnknownSchemaError } from '../../schemas/serde.ts';

const personSchema = {
  type: 'record',
  name: 'Person',
  namespace: 'example',
  fields: [
    { name: 'name', type: 'string' },
    { name: 'age', type: 'int' },
    { name: 'seen', type: 'long' },
  ],
} as const;

interface Person {
  readonly name: string;
  readonly age: number;
  readonly seen: number;
}

const ada: Person = { name: 'Ada', age: 36, seen: 1_700_000_000_000 };

/** Hands out ids in order of registration; `down` makes it unreachable. */
class FakeRegistry implements SchemaRegistry {
  readonly schemas = new Map<number, AvroSchema>();
  isDown = false;

  async register(_subject: string, schema: AvroSchema): Promise<number> {
    const text = JSON.stringify(schema);
    for (const [id, known] of this.schemas) if (JSON.stringify(known) === text) return id;
    this.schemas.set(this.schemas.size + 1, schema);
    return this.schemas.size;
  }

  async schemaById(id: number): Promise<AvroSchema> {
    if (this.isDown) throw new MillraceError('SCHEMA_REGISTRY_UNAVAILABLE', 'down');
    const schema = this.schemas.get(id);
    if (schema === undefined) throw new MillraceError('SCHEMA_UNKNOWN', `no ${id}`);
    return schema;
  }
}

async function preparedSerde<T>(registry: SchemaRegistry, schema: AvroSchema): Promise<Serde<T>> {
  const serde = avroSerde<T>({ schema, registry });
  await serde.prepare?.('people', 'value');
  return serde;
}

/** Bytes of a value as a producer with another schema writes them. */
async function writtenWith(registry: SchemaRegistry, schema: AvroSchema, value: unknown) {
  return toBytes(await preparedSerde(registry, schema), value);
}

function refusal(act: () => unknown): MillraceError {
  try {
    act();
  } catch (error) {
    if (isMillraceError(error)) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

describe('an Avro serde', () => {
  test('reads back what it wrote, wherever in a bigger buffer it lies', async () => {
    const serde = await preparedSerde<Person>(new FakeRegistry(), personSchema);
    const bytes = toBytes(serde, ada);
    const batch = Buffer.concat([Buffer.alloc(7, 0xff), bytes, Buffer.alloc(9, 0xff)]);
    expect({ ...serde.decode(batch, 7, 7 + bytes.length) }).toEqual(ada);
  });

  test('writes a zero byte, the schema id and the datum', async () => {
    const bytes = toBytes(await preparedSerde<Person>(new FakeRegistry(), personSchema), ada);
    expect(bytes.subarray(0, 5).toString('hex')).toBe('0000000001');
    expect(bytes.subarray(5, 9).toString('hex')).toBe('06416461');
  });

  test('says how many bytes are missing when a value does not fit', async () => {
    const serde = await preparedSerde<Person>(new FakeRegistry(), personSchema);
    const { length } = toBytes(serde, ada);
    for (let room = 0; room < length; room++) {
      expect(serde.encode(ada, Buffer.alloc(room), 0)).toBe(room < 5 ? room - 5 : room - length);
    }
    expect(serde.encode(ada, Buffer.alloc(length), 0)).toBe(length);
  });

  test('refuses every truncation and every trailing byte, also where the buffer goes on', async () => {
    const serde = await preparedSerde<Person>(new FakeRegistry(), personSchema);
    const bytes = toBytes(serde, ada);
    const batch = Buffer.concat([bytes, bytes]);
    for (let end = 0; end < bytes.length; end++) {
      expect(refusal(() => serde.decode(bytes, 0, end)).code).toBe('DESERIALIZATION');
      expect(refusal(() => serde.decode(batch, 0, end)).code).toBe('DESERIALIZATION');
    }
    expect(refusal(() => serde.decode(batch, 0, bytes.length + 1)).message).toContain('trailing');
  });

  test('refuses what does not begin with the magic byte', async () => {
    const serde = await preparedSerde<Person>(new FakeRegistry(), personSchema);
    const json = Buffer.from(JSON.stringify(ada));
    const { code, hint } = refusal(() => fromBytes(serde, json));
    expect([code, hint]).toEqual(['DESERIALIZATION', expect.stringContaining('zero byte')]);
  });

  test('asks for an unknown schema by its id, and reads once it is resolved', async () => {
    const registry = new FakeRegistry();
    const reader = await preparedSerde<Person>(registry, personSchema);
    const older = {
      type: 'record',
      name: 'Person',
      namespace: 'example',
      fields: [...personSchema.fields, { name: 'nickname', type: 'string' }],
    };
    const bytes = await writtenWith(registry, older, { ...ada, nickname: 'Countess' });
    expect(() => fromBytes(reader, bytes)).toThrow(new UnknownSchemaError(2));
    await reader.resolve?.(2);
    expect({ ...fromBytes(reader, bytes) }).toEqual(ada);
  });

  test('passes on that the registry is away, and reads after it came back', async () => {
    const registry = new FakeRegistry();
    const reader = await preparedSerde<Person>(registry, personSchema);
    registry.isDown = true;
    await expect(reader.resolve?.(2)).rejects.toMatchObject({
      code: 'SCHEMA_REGISTRY_UNAVAILABLE',
    });
    registry.isDown = false;
    await expect(reader.resolve?.(2)).rejects.toMatchObject({ code: 'SCHEMA_UNKNOWN' });
  });

  test('fills a field that an older writer did not know from its default (T6)', async () => {
    const registry = new FakeRegistry();
    const older = { ...personSchema, fields: personSchema.fields.slice(0, 2) };
    const newer = {
      ...personSchema,
      fields: [...older.fields, { name: 'seen', type: 'long', default: -1 }],
    };
    const bytes = await writtenWith(registry, older, { name: 'Ada', age: 36 });
    const reader = await preparedSerde<Person>(registry, newer);
    await reader.resolve?.(1);
    expect({ ...fromBytes(reader, bytes) }).toEqual({ name: 'Ada', age: 36, seen: -1 });
  });

  test('passes over an optional field of a newer writer (T7)', async () => {
    const registry = new FakeRegistry();
    const optional = { name: 'title', type: ['null', 'string'], default: null };
    const newer = { ...personSchema, fields: [optional, ...personSchema.fields] };
    const bytes = await writtenWith(registry, newer, { title: 'Countess', ...ada });
    const reader = await preparedSerde<Person>(registry, personSchema);
    await reader.resolve?.(1);
    expect({ ...fromBytes(reader, bytes) }).toEqual(ada);
  });

  test('refuses the records of an incompatible writer, and says why (T8)', async () => {
    const registry = new FakeRegistry();
    const other = { ...personSchema, fields: [{ name: 'name', type: 'int' }] };
    const bytes = await writtenWith(registry, other, { name: 5 });
    const reader = await preparedSerde<Person>(registry, personSchema);
    await reader.resolve?.(1);
    const { code, message } = refusal(() => fromBytes(reader, bytes));
    expect(code).toBe('DESERIALIZATION');
    expect(message).toContain('schema 1 cannot be read as ours');
  });

  test('finds a record by its name without the namespace, as Java does', async () => {
    const registry = new FakeRegistry();
    const moved = { ...personSchema, namespace: 'elsewhere' };
    const bytes = await writtenWith(registry, moved, ada);
    const reader = await preparedSerde<Person>(registry, personSchema);
    await reader.resolve?.(1);
    expect({ ...fromBytes(reader, bytes) }).toEqual(ada);
  });
});

describe('a newer writer spoils only the records that we cannot read', () => {
  const known = { type: 'record', name: 'Buy', fields: [{ name: 'count', type: 'int' }] };
  const other = { type: 'record', name: 'Sell', fields: [{ name: 'count', type: 'int' }] };
  const unknown = { type: 'record', name: 'Swap', fields: [{ name: 'with', type: 'string' }] };
  const command = (branches: readonly unknown[]) => ({
    type: 'record',
    name: 'Command',
    fields: [{ name: 'command', type: branches }],
  });

  test('a branch that we have is read, one that we have not is refused by name', async () => {
    const registry = new FakeRegistry();
    const newer = command([unknown, known, other]);
    const buy = await writtenWith(registry, newer, { command: { Buy: { count: 2 } } });
    const swap = await writtenWith(registry, newer, { command: { Swap: { with: 'you' } } });
    const reader = await preparedSerde<object>(registry, command([known, other]));
    await reader.resolve?.(1);
    expect(JSON.parse(JSON.stringify(fromBytes(reader, buy)))).toEqual({
      command: { Buy: { count: 2 } },
    });
    expect(refusal(() => fromBytes(reader, swap)).message).toContain('Swap');
  });

  test('an index beyond the union is refused', async () => {
    const registry = new FakeRegistry();
    const newer = command([unknown, known, other]);
    const buy = await writtenWith(registry, newer, { command: { Buy: { count: 2 } } });
    const reader = await preparedSerde<object>(registry, command([known, other]));
    await reader.resolve?.(1);
    buy[5] = 0x7e;
    expect(refusal(() => fromBytes(reader, buy)).message).toContain('invalid union index');
  });

  test('a symbol without counterpart is refused when it comes, or reads as the default', async () => {
    const registry = new FakeRegistry();
    const colours = (symbols: string[], rest: object = {}) => ({
      type: 'record',
      name: 'Paint',
      fields: [{ name: 'colour', type: { type: 'enum', name: 'Colour', symbols, ...rest } }],
    });
    const newer = colours(['blue', 'red', 'green']);
    const red = await writtenWith(registry, newer, { colour: 'red' });
    const green = await writtenWith(registry, newer, { colour: 'green' });
    const strict = await preparedSerde<object>(registry, colours(['red', 'blue']));
    const lenient = await preparedSerde<object>(
      registry,
      colours(['red', 'other'], { default: 'other' }),
    );
    await strict.resolve?.(1);
    await lenient.resolve?.(1);
    expect({ ...fromBytes(strict, red) }).toEqual({ colour: 'red' });
    expect(refusal(() => fromBytes(strict, green)).code).toBe('DESERIALIZATION');
    expect({ ...fromBytes(lenient, green) }).toEqual({ colour: 'other' });
  });

  test('a writer none of whose branches can be read is incompatible as a whole', async () => {
    const registry = new FakeRegistry();
    const bytes = await writtenWith(registry, command([unknown, 'null']), { command: null });
    const reader = await preparedSerde<object>(registry, command([known, other]));
    await reader.resolve?.(1);
    expect(refusal(() => fromBytes(reader, bytes)).message).toContain('cannot be read as ours');
  });
});

describe('hostile bytes are refused', () => {
  const wire = (hex: string) => Buffer.from(`0000000001${hex}`, 'hex');
  const serdeOf = (schema: AvroSchema) => preparedSerde<unknown>(new FakeRegistry(), schema);

  test.each([
    ['an overlong form', '04c0af'],
    ['a cut sequence', '02e2'],
    ['a surrogate', '06eda080'],
    ['a lone continuation byte after ASCII', '046180'],
  ])('a string that is not UTF-8: %s (T26)', async (_, hex) => {
    const serde = await serdeOf('string');
    const { code, message } = refusal(() => fromBytes(serde, wire(hex)));
    expect([code, message]).toEqual(['DESERIALIZATION', expect.stringContaining('not UTF-8')]);
  });

  test('a string with a replacement character that the writer really wrote is read', async () => {
    const serde = await serdeOf('string');
    expect(fromBytes(serde, toBytes(serde, 'a\uFFFDb €😀'))).toBe('a\uFFFDb €😀');
  });

  test('a lone surrogate is not written', async () => {
    const serde = await serdeOf('string');
    expect(refusal(() => toBytes(serde, 'a\uD800')).code).toBe('SERIALIZATION');
  });

  test.each([
    ['long', 2n ** 53n],
    ['long', -(2n ** 63n)],
    ['int', 2n ** 31n],
    ['int', 2n ** 63n - 1n],
  ])('%s %s, which would lose digits (T16)', async (schema, value) => {
    const serde = await serdeOf(schema);
    expect(refusal(() => fromBytes(serde, wire(zigzag(value)))).code).toBe('DESERIALIZATION');
  });

  test('the greatest and least int and long that can be told are read', async () => {
    const [int, long] = [await serdeOf('int'), await serdeOf('long')];
    for (const value of [2 ** 31 - 1, -(2 ** 31)]) {
      expect(fromBytes(int, wire(zigzag(BigInt(value))))).toBe(value);
    }
    for (const value of [2 ** 53 - 1, -(2 ** 53) + 1, 2 ** 52, -(2 ** 52), -(2 ** 52) - 1]) {
      expect(fromBytes(long, wire(zigzag(BigInt(value))))).toBe(value);
      expect(toBytes(long, value)).toEqual(wire(zigzag(BigInt(value))));
    }
  });

  test('every whole number that a number can tell comes back as it was', async () => {
    const long = await serdeOf('long');
    fc.assert(
      fc.property(fc.maxSafeInteger(), (value) => {
        const bytes = toBytes(long, value);
        expect(bytes).toEqual(wire(zigzag(BigInt(value))));
        expect(fromBytes(long, bytes)).toBe(value);
      }),
    );
    for (const value of [2 ** 53, 1.5, Number.NaN, '1']) {
      expect(refusal(() => toBytes(long, value)).code).toBe('SERIALIZATION');
    }
  });

  test.each(['float', 'double'])('a long read as a %s keeps its sign', async (schema) => {
    const registry = new FakeRegistry();
    const bytes = await writtenWith(registry, 'long', -(2 ** 53) + 1);
    const reader = await preparedSerde<number>(registry, schema);
    await reader.resolve?.(1);
    expect(fromBytes(reader, bytes)).toBeLessThan(-(2 ** 52));
  });

  test('a number that never ends', async () => {
    const serde = await serdeOf('long');
    expect(refusal(() => fromBytes(serde, wire('ff'.repeat(40)))).message).toContain('ten bytes');
  });

  test.each([
    ['an array of more items than there are bytes', { type: 'array', items: 'long' }],
    ['an array of nothings without end', { type: 'array', items: 'null' }],
    ['a map of more entries than there are bytes', { type: 'map', values: 'long' }],
  ] as const)('%s', async (_, schema) => {
    const serde = await serdeOf(schema);
    const message = refusal(() => fromBytes(serde, wire(`${zigzag(2n ** 50n)}0000`))).message;
    expect(message).toContain('impossible length');
  });

  test('a map key that is the name of the prototype is a key', async () => {
    const serde = await serdeOf({ type: 'map', values: { type: 'map', values: 'int' } });
    const key = Buffer.from('__proto__').toString('hex');
    const decoded = fromBytes(serde, wire(`0212${key}020278020000`)) as Record<string, unknown>;
    expect(Object.keys(decoded)).toEqual(['__proto__']);
    expect(decoded['x']).toBeUndefined();
  });

  test('a negative length', async () => {
    const serde = await serdeOf('string');
    expect(refusal(() => fromBytes(serde, wire(zigzag(-5n)))).code).toBe('DESERIALIZATION');
  });

  test('any bytes at all: a value or a DESERIALIZATION, within the size of the input (T4)', async () => {
    const serde = await serdeOf({
      type: 'record',
      name: 'Everything',
      fields: [
        { name: 'text', type: 'string' },
        { name: 'numbers', type: { type: 'array', items: 'int' } },
        { name: 'named', type: { type: 'map', values: ['null', 'string', 'bytes'] } },
        { name: 'maybe', type: ['null', 'long', 'boolean'] },
        { name: 'kind', type: { type: 'enum', name: 'Kind', symbols: ['a', 'b'] } },
        { name: 'hash', type: { type: 'fixed', name: 'Hash', size: 4 } },
        { name: 'children', type: { type: 'array', items: 'Everything' } },
      ],
    });
    let read = 0;
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (body) => {
        try {
          fromBytes(serde, Buffer.concat([wire(''), body]));
          read++;
        } catch (error) {
          expect(isMillraceError(error, 'DESERIALIZATION')).toBe(true);
        }
      }),
      { numRuns: 20_000 },
    );
    expect(read).toBeLessThan(20_000);
  });
});

function zigzag(value: bigint): string {
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
  let hex = '';
  do {
    const more = rest > 0x7fn ? 0x80n : 0n;
    hex += ((rest & 0x7fn) | more).toString(16).padStart(2, '0');
    rest >>= 7n;
  } while (rest > 0n);
  return hex;
}
