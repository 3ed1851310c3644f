/** Records of another application in our topic: told apart by the name of their schema. */
import { beforeEach, describe, expect, test } from 'vitest';
import { avroSerde } from '../../schemas/avro-serde.ts';
import { withForeign } from '../../schemas/foreign-records.ts';
import type { AvroSchema, SchemaRegistry } from '../../schemas/schema-registry.ts';
import { fromBytes, type Serde, toBytes, UnknownSchemaError } from '../../schemas/serde.ts';

const OURS = {
  type: 'record',
  name: 'Order',
  namespace: 'ours',
  fields: [{ name: 'id', type: 'string' }],
} as const;
const THEIRS = {
  type: 'record',
  name: 'Order',
  namespace: 'theirs',
  fields: [{ name: 'number', type: 'int' }],
} as const;

interface Ours {
  readonly id: string;
}
interface Theirs {
  readonly number: number;
}

let schemas: AvroSchema[];
let asked: number;
const registry: SchemaRegistry = {
  register: async (_subject, schema) => schemas.push(schema) - 1,
  schemaById: async (id) => {
    asked++;
    return schemas[id]!;
  },
};
let own: Serde<Ours>;
let theirs: Serde<Theirs>;
let both: Serde<Ours | Theirs>;

beforeEach(async () => {
  schemas = [];
  asked = 0;
  own = avroSerde({ schema: OURS, registry });
  theirs = avroSerde({ schema: THEIRS, registry });
  both = withForeign(own, { fullName: 'theirs.Order', serde: theirs }, registry);
  await both.prepare?.('orders', 'value');
});

async function writtenBy<T>(serde: Serde<T>, value: T): Promise<Buffer> {
  await serde.prepare?.('elsewhere', 'value');
  return toBytes(serde, value);
}

/** As a stream thread does: asks for the schema once, and reads again. */
async function readPatiently(bytes: Buffer): Promise<unknown> {
  try {
    return fromBytes(both, bytes);
  } catch (error) {
    if (!(error instanceof UnknownSchemaError)) throw error;
    await both.resolve?.(error.schemaId);
    return fromBytes(both, bytes);
  }
}

describe('a topic of ours that others write to, too', () => {
  test('reads ours and theirs, each by its own schema', async () => {
    const foreign = await writtenBy(avroSerde<Theirs>({ schema: THEIRS, registry }), { number: 7 });
    expect(await readPatiently(foreign)).toEqual({ number: 7 });
    expect(fromBytes(both, toBytes(both, { id: 'a' }))).toEqual({ id: 'a' });
    expect(fromBytes(both, foreign)).toEqual({ number: 7 });
  });

  test('asks for a schema once, and for our own never', async () => {
    expect(fromBytes(both, toBytes(both, { id: 'a' }))).toEqual({ id: 'a' });
    expect(asked).toBe(0);
    const foreign = await writtenBy(avroSerde<Theirs>({ schema: THEIRS, registry }), { number: 7 });
    await readPatiently(foreign);
    const askedFor = asked;
    expect(fromBytes(both, foreign)).toEqual({ number: 7 });
    expect(asked).toBe(askedFor);
  });

  test('reads their later schemas, as Avro resolves them', async () => {
    const later = {
      ...THEIRS,
      fields: [...THEIRS.fields, { name: 'note', type: 'string' }],
    } as const;
    const bytes = await writtenBy(
      avroSerde<Theirs & { note: string }>({ schema: later, registry }),
      {
        number: 8,
        note: 'x',
      },
    );
    expect(await readPatiently(bytes)).toEqual({ number: 8 });
  });

  test('takes a schema of a third name for what it is to us: not readable', async () => {
    const third = avroSerde<Theirs>({ schema: { ...THEIRS, name: 'Bill' }, registry });
    const bytes = await writtenBy(third, { number: 9 });
    await expect(readPatiently(bytes)).rejects.toThrow('cannot be read as ours');
  });

  test('refuses bytes that are not in wire format, and a foreign record that is cut off', async () => {
    const foreign = await writtenBy(avroSerde<Theirs>({ schema: THEIRS, registry }), { number: 7 });
    await readPatiently(foreign);
    expect(() => fromBytes(both, Buffer.from('{}'))).toThrow('not in Confluent wire format');
    expect(() => fromBytes(both, foreign.subarray(0, 3))).toThrow('not in Confluent wire format');
    expect(() => fromBytes(both, foreign.subarray(0, 5))).toThrow('truncated');
  });
});
