/**
 * Two kinds of records in one topic: ours, and those of another application, told apart by the full
 * name of the schema that they were written with. Ours are read as ever: until a foreign schema has
 * been met, nothing is looked up for them.
 */
import { parseSchema } from './avro-types.ts';
import type { SchemaRegistry } from './schema-registry.ts';
import type { Serde } from './serde.ts';

/** Where Confluent's wire format has the schema id: behind the zero byte. */
const SCHEMA_ID_AT = 1;
const HEADER_BYTES = 5;

export interface ForeignRecords<F> {
  /** Of the schema that they are written with, namespace included. */
  readonly fullName: string;
  readonly serde: Serde<F>;
}

/** Reads both, writes ours only. */
export function withForeign<T, F>(
  own: Serde<T>,
  { fullName, serde: foreign }: ForeignRecords<F>,
  registry: SchemaRegistry,
): Serde<T | F> {
  const foreignIds = new Set<number>();
  const isForeign = (bytes: Buffer, start: number, end: number) =>
    foreignIds.size > 0 &&
    end - start >= HEADER_BYTES &&
    foreignIds.has(bytes.readInt32BE(start + SCHEMA_ID_AT));
  return {
    prepare: async (topic, part) => own.prepare?.(topic, part),
    resolve: async (schemaId) => {
      if (nameOf(await registry.schemaById(schemaId)) !== fullName) return own.resolve?.(schemaId);
      await foreign.resolve?.(schemaId);
      foreignIds.add(schemaId);
    },
    decode: (bytes, start, end) =>
      isForeign(bytes, start, end)
        ? foreign.decode(bytes, start, end)
        : own.decode(bytes, start, end),
    encode: (value, target, at) => own.encode(value as T, target, at),
  };
}

/** undefined: it is no schema, or has no name. What becomes of such records is for our own serde to say. */
function nameOf(schema: Parameters<typeof parseSchema>[0]): string | undefined {
  try {
    return parseSchema(schema).name;
  } catch {
    return undefined;
  }
}
