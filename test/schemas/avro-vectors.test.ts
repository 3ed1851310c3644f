/** Bytes that other implementations wrote; sources stand in the file of vectors. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { avroSerde } from '../../schemas/avro-serde.ts';
import { parseSchema } from '../../schemas/avro-types.ts';
import { nodeOf } from '../../schemas/registry/schema-node.ts';
import type { AvroSchema } from '../../schemas/schema-registry.ts';
import { fromBytes, toBytes } from '../../schemas/serde.ts';

interface Vectors {
  readonly parsing_canonical_form_and_crc64: {
    readonly cases: readonly { readonly input: string }[];
  };
  readonly single_object: {
    readonly schema_canonical: string;
    readonly value: object;
    readonly message_hex: string;
  };
  readonly binary: {
    readonly zigzag_int_long: readonly (readonly [number, string])[];
    readonly string: readonly (readonly [string, string])[];
    readonly 'record{a:long,b:string}': readonly (readonly [object, string])[];
    readonly 'array<long>': readonly (readonly [readonly number[], string])[];
    readonly 'union[null,string]': readonly (readonly [string | null, string])[];
  };
  readonly confluent_wire_format: {
    readonly schema: AvroSchema | string;
    readonly schema_id: number;
    readonly value: object;
    readonly message_hex: string;
  };
}

const vectors = JSON.parse(
  readFileSync(new URL('../vectors/avro.json', import.meta.url), 'utf8'),
) as Vectors;

const pair = {
  type: 'record',
  name: 'Pair',
  fields: [
    { name: 'a', type: 'long' },
    { name: 'b', type: 'string' },
  ],
};

function serdeWithId(schema: AvroSchema, schemaId: number) {
  const registry = { register: async () => schemaId, schemaById: async () => schema };
  const serde = avroSerde<unknown>({ schema, registry });
  return { serde, ready: serde.prepare?.('topic', 'value') };
}

async function checkBoth(schema: AvroSchema, value: unknown, hex: string): Promise<void> {
  const { serde, ready } = serdeWithId(schema, 3);
  await ready;
  const bytes = Buffer.from(`0000000003${hex}`, 'hex');
  expect(toBytes(serde, value).toString('hex')).toBe(bytes.toString('hex'));
  expect(plain(fromBytes(serde, bytes))).toEqual(value);
}

function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

describe('Avro bytes that others wrote', () => {
  const { binary } = vectors;

  test.each(binary.zigzag_int_long)('int and long %d', async (value, hex) => {
    await checkBoth('int', value, hex);
    await checkBoth('long', value, hex);
  });

  test.each(binary.string)('string %s', (value, hex) => checkBoth('string', value, hex));

  test.each(binary['record{a:long,b:string}'])('record %j', (value, hex) =>
    checkBoth(pair, value, hex),
  );

  test.each(binary['array<long>'])('array %j', (value, hex) =>
    checkBoth({ type: 'array', items: 'long' }, value, hex),
  );

  test.each(binary['union[null,string]'])('union %s', (value, hex) =>
    checkBoth(['null', 'string'], value, hex),
  );

  test('a message of the single-object encoding, without its own header', async () => {
    const { schema_canonical, value, message_hex } = vectors.single_object;
    await checkBoth(JSON.parse(schema_canonical) as AvroSchema, value, message_hex.slice(20));
  });

  test('a message in Confluent wire format', async () => {
    const { schema, schema_id, value, message_hex } = vectors.confluent_wire_format;
    const parsed = (typeof schema === 'string' ? JSON.parse(schema) : schema) as AvroSchema;
    const { serde, ready } = serdeWithId(parsed, schema_id);
    await ready;
    expect(toBytes(serde, value).toString('hex')).toBe(message_hex);
    expect(plain(fromBytes(serde, Buffer.from(message_hex, 'hex')))).toEqual(value);
  });

  test.each(vectors.parsing_canonical_form_and_crc64.cases)('schema $input is one', ({ input }) => {
    const schema = JSON.parse(input) as AvroSchema;
    // An empty union is valid on paper and of no use: nothing can be written with it.
    if (Array.isArray(schema) && schema.length === 0) return;
    parseSchema(schema);
    expect(nodeOf(schema).kind).toBeTypeOf('string');
  });
});
