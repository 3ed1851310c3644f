/**
 * Avro in Confluent's wire format: 0x00, schema id as int32 big-endian, the datum. Everything after
 * the first sight of a schema id is synchronous. Unions of records are wrapped, as avsc does it:
 * `{ 'namespace.Name': value }`.
 */
import { MillraceError } from '../base/errors.ts';
import {
  compileReader,
  compileWriter,
  type FastReader,
  type FastWriter,
} from './avro-fast-path.ts';
import { type AvroType, parseSchema, type Resolver, resolverFor } from './avro-types.ts';
import type { AvroSchema, SchemaRegistry } from './schema-registry.ts';
import { type Serde, UnknownSchemaError } from './serde.ts';

const MAGIC = 0;
const HEADER_BYTES = 5;

export interface AvroSerdeOptions {
  /** What we read into and write with. */
  readonly schema: AvroSchema;
  readonly registry: SchemaRegistry;
  /** For readers that need no more: of ordinary data only these fields are read. */
  readonly only?: readonly string[];
  /** Default: `<topic>-key` or `<topic>-value`. */
  readonly subject?: (topic: string, part: 'key' | 'value') => string;
}

/** The serde registers its schema under its subject when it is prepared. */
export function avroSerde<T>(options: AvroSerdeOptions): Serde<T> {
  return new AvroSerde<T>(options);
}

class AvroSerde<T> implements Serde<T> {
  readonly #schema: AvroSchema;
  readonly #registry: SchemaRegistry;
  readonly #subject: NonNullable<AvroSerdeOptions['subject']>;
  readonly #type: AvroType;
  /** For ordinary data of our own schema; what they leave is avsc's. */
  readonly #read: FastReader | undefined;
  readonly #write: FastWriter | undefined;
  /** Writer's schema id -> how to read it; null = written with our own schema. */
  readonly #resolvers = new Map<number, Resolver | null>();
  /** Ids whose schemas can never be read into ours: their records are bad, not unknown. */
  readonly #incompatible = new Map<number, unknown>();
  #schemaId = -1;

  constructor({ schema, registry, only, subject }: AvroSerdeOptions) {
    this.#schema = schema;
    this.#registry = registry;
    this.#subject = subject ?? ((topic, part) => `${topic}-${part}`);
    this.#type = parseSchema(schema);
    this.#read = compileReader(schema, only);
    this.#write = compileWriter(schema);
  }

  async prepare(topic: string, part: 'key' | 'value'): Promise<void> {
    this.#schemaId = await this.#registry.register(this.#subject(topic, part), this.#schema);
    this.#resolvers.set(this.#schemaId, null);
  }

  async resolve(schemaId: number): Promise<void> {
    const written = await this.#registry.schemaById(schemaId);
    try {
      this.#resolvers.set(schemaId, resolverFor(this.#type, parseSchema(written)));
    } catch (cause) {
      this.#incompatible.set(schemaId, cause);
    }
  }

  decode(bytes: Buffer, start: number, end: number): T {
    const schemaId = readSchemaId(bytes, start, end);
    const resolver = this.#resolvers.get(schemaId);
    if (resolver === undefined) this.#refuse(schemaId);
    if (resolver === null) {
      const value = this.#read?.(bytes, start + HEADER_BYTES, end);
      if (value !== undefined) return value as T;
    }
    let decoded: { value: unknown; offset: number };
    try {
      decoded = this.#type.decode(bytes, start + HEADER_BYTES, resolver ?? undefined);
    } catch (cause) {
      throw this.#notOurs(cause);
    }
    // The range may lie inside a batch: what was read beyond it is not ours.
    if (decoded.offset !== end) {
      const isTruncated = decoded.offset < 0 || decoded.offset > end;
      throw this.#notOurs(new Error(isTruncated ? 'truncated' : 'trailing bytes'));
    }
    return decoded.value as T;
  }

  encode(value: T, target: Buffer, at: number): number {
    if (this.#schemaId < 0) throw new MillraceError('INTERNAL', 'serde used before prepare()');
    const room = target.length - at;
    if (room < HEADER_BYTES) return room - HEADER_BYTES;
    target[at] = MAGIC;
    target.writeInt32BE(this.#schemaId, at + 1);
    const end = this.#write?.(value, target, at + HEADER_BYTES) ?? -1;
    if (end >= 0) return end;
    try {
      return this.#type.encode(value, target, at + HEADER_BYTES);
    } catch (cause) {
      const what = this.#type.name ?? this.#type.typeName;
      throw new MillraceError('SERIALIZATION', `not a ${what}`, { cause });
    }
  }

  /** The reason names types and positions, never what the record holds: it travels with dead letters. */
  #notOurs(cause: unknown): MillraceError {
    const what = this.#type.name ?? this.#type.typeName;
    return new MillraceError('DESERIALIZATION', `not a ${what}: ${(cause as Error).message}`, {
      cause,
    });
  }

  #refuse(schemaId: number): never {
    if (!this.#incompatible.has(schemaId)) throw new UnknownSchemaError(schemaId);
    const cause = this.#incompatible.get(schemaId);
    const why = (cause as Error).message;
    const message = `schema ${schemaId} cannot be read as ours: ${why}`;
    throw new MillraceError('DESERIALIZATION', message, { cause });
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
