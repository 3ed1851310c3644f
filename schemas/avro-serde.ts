/**
 * Avro in Confluent's wire format: 0x00, schema id as int32 big-endian, the datum. Everything after
 * the first sight of a schema id is synchronous. Unions of records are wrapped, as avsc does it:
 * `{ 'namespace.Name': value }`. The only file that names avsc on the hot path.
 */
import avro from 'avsc';
import { MillraceError } from '../base/errors.ts';
import type { AvroSchema, SchemaRegistry } from './schema-registry.ts';
import { type Serde, UnknownSchemaError } from './serde.ts';

const MAGIC = 0;
const HEADER_BYTES = 5;

type Resolver = ReturnType<avro.Type['createResolver']>;

export interface AvroSerdeOptions {
  /** What we read into and write with. */
  readonly schema: AvroSchema;
  readonly registry: SchemaRegistry;
}

/** The serde registers its schema as `<topic>-key` or `<topic>-value` when it is prepared. */
export function avroSerde<T>({ schema, registry }: AvroSerdeOptions): Serde<T> {
  return new AvroSerde<T>(schema, registry);
}

class AvroSerde<T> implements Serde<T> {
  readonly #schema: AvroSchema;
  readonly #registry: SchemaRegistry;
  readonly #type: avro.Type;
  /** Writer's schema id -> how to read it; undefined inside = written with our own schema. */
  readonly #resolvers = new Map<number, Resolver | undefined>();
  /** Ids whose schemas can never be read into ours: their records are bad, not unknown. */
  readonly #incompatible = new Map<number, unknown>();
  #schemaId = -1;

  constructor(schema: AvroSchema, registry: SchemaRegistry) {
    this.#schema = schema;
    this.#registry = registry;
    this.#type = parse(schema);
  }

  async prepare(topic: string, part: 'key' | 'value'): Promise<void> {
    this.#schemaId = await this.#registry.register(`${topic}-${part}`, this.#schema);
    this.#resolvers.set(this.#schemaId, undefined);
  }

  async resolve(schemaId: number): Promise<void> {
    const written = await this.#registry.schemaById(schemaId);
    try {
      const writer = parse(written);
      this.#resolvers.set(schemaId, this.#type.createResolver(writer));
    } catch (cause) {
      this.#incompatible.set(schemaId, cause);
    }
  }

  decode(bytes: Buffer, start: number, end: number): T {
    const schemaId = readSchemaId(bytes, start, end);
    const resolver = this.#resolvers.get(schemaId);
    if (resolver === undefined && !this.#resolvers.has(schemaId)) this.#refuse(schemaId);
    let decoded: { value: unknown; offset: number };
    try {
      decoded = this.#type.decode(bytes, start + HEADER_BYTES, resolver as Resolver);
    } catch (cause) {
      throw new MillraceError('DESERIALIZATION', `not a ${this.#type.name ?? 'datum'}`, { cause });
    }
    if (decoded.offset !== end) {
      const wrong = decoded.offset < 0 || decoded.offset > end ? 'truncated' : 'trailing bytes';
      throw new MillraceError('DESERIALIZATION', `not a ${this.#type.name ?? 'datum'}: ${wrong}`);
    }
    return decoded.value as T;
  }

  encode(value: T, target: Buffer, at: number): number {
    if (this.#schemaId < 0) throw new MillraceError('INTERNAL', 'serde used before prepare()');
    const room = target.length - at;
    if (room < HEADER_BYTES) return room - HEADER_BYTES;
    target[at] = MAGIC;
    target.writeInt32BE(this.#schemaId, at + 1);
    try {
      return this.#type.encode(value, target, at + HEADER_BYTES);
    } catch (cause) {
      throw new MillraceError('SERIALIZATION', `not a ${this.#type.name ?? 'datum'}`, { cause });
    }
  }

  #refuse(schemaId: number): never {
    if (!this.#incompatible.has(schemaId)) throw new UnknownSchemaError(schemaId);
    throw new MillraceError('DESERIALIZATION', `schema ${schemaId} cannot be read as ours`, {
      cause: this.#incompatible.get(schemaId),
    });
  }
}

function readSchemaId(bytes: Buffer, start: number, end: number): number {
  if (end - start < HEADER_BYTES || bytes[start] !== MAGIC) {
    throw new MillraceError('DESERIALIZATION', 'not in Confluent wire format', {
      hint: 'Values are Avro: a zero byte, the schema id as four bytes, then the datum.',
    });
  }
  return bytes.readInt32BE(start + 1);
}

/** Longs beyond 2^53 are refused by avsc in both directions. Throws SCHEMA_INCOMPATIBLE when it is no schema. */
export function parse(schema: AvroSchema): avro.Type {
  try {
    return avro.Type.forSchema(schema as avro.Schema, { wrapUnions: 'auto' });
  } catch (cause) {
    throw new MillraceError('SCHEMA_INCOMPATIBLE', 'not an Avro schema', { cause });
  }
}
