/**
 * Turns a schema at one version into a pair of closures, once: which fields are there, how lengths are
 * encoded and where null may stand is decided here and never again per message.
 * A struct is read into an object that has all fields in the schema's order: one shape per message.
 */
import { protocolError } from './protocol-error.ts';
import type { Reader } from './reader.ts';
import {
  type AnySchema,
  defaultOf,
  type FieldNode,
  includes,
  type PrimitiveKind,
  type TypeNode,
} from './schema.ts';
import type { Writer } from './writer.ts';

/** Reads and writes one type. The value's type was checked where the schema met the caller. */
export interface Codec {
  read(reader: Reader): unknown;
  write(writer: Writer, value: unknown): void;
  /** No encoding is smaller: bounds how many elements a frame can really hold. */
  readonly minSizeBytes: number;
}

interface Encoding {
  readonly version: number;
  /** Compact lengths, and tagged fields behind every struct. */
  readonly flexible: boolean;
}

interface FieldCodec extends Codec {
  readonly name: string;
  readonly node: FieldNode;
}

type Struct = Record<string, unknown>;

const compiled = new WeakMap<TypeNode, Codec[]>();

/** The codec of a message's body, compiled when first asked for. */
export function codecOf(schema: AnySchema, version: number, flexible: boolean): Codec {
  const type = schema.node.type;
  let codecs = compiled.get(type);
  if (codecs === undefined) {
    codecs = [];
    compiled.set(type, codecs);
  }
  const index = version * 2 + (flexible ? 1 : 0);
  let codec = codecs[index];
  if (codec === undefined) {
    codec = typeCodec(type, false, { version, flexible });
    codecs[index] = codec;
  }
  return codec;
}

function typeCodec(type: TypeNode, nullable: boolean, encoding: Encoding): Codec {
  switch (type.kind) {
    case 'array':
      return arrayCodec(typeCodec(type.element, false, encoding), nullable, encoding);
    case 'struct':
      return nullable
        ? nullableStructCodec(structCodec(type.fields, encoding))
        : structCodec(type.fields, encoding);
    case 'string':
      return stringCodec(nullable, encoding);
    case 'bytes':
      return bytesCodec(nullable, encoding);
    default:
      return FIXED_CODECS[type.kind];
  }
}

const FIXED_CODECS: Record<Exclude<PrimitiveKind, 'string' | 'bytes'>, Codec> = {
  int8: { minSizeBytes: 1, read: (r) => r.int8(), write: (w, value) => w.int8(value as number) },
  int16: { minSizeBytes: 2, read: (r) => r.int16(), write: (w, value) => w.int16(value as number) },
  int32: { minSizeBytes: 4, read: (r) => r.int32(), write: (w, value) => w.int32(value as number) },
  int64: { minSizeBytes: 8, read: (r) => r.int64(), write: (w, value) => w.int64(value as number) },
  bool: { minSizeBytes: 1, read: (r) => r.bool(), write: (w, value) => w.bool(value as boolean) },
  uuid: { minSizeBytes: 16, read: (r) => r.uuid(), write: (w, value) => w.uuid(value as string) },
};

/** A length in front of something; -1 is null. */
interface LengthCodec {
  readonly sizeBytes: number;
  read(reader: Reader): number;
  write(writer: Writer, length: number): void;
}

const COMPACT_LENGTH: LengthCodec = {
  sizeBytes: 1,
  read: (reader) => reader.uvarint() - 1,
  write: (writer, length) => writer.uvarint(length + 1),
};
const INT16_LENGTH: LengthCodec = {
  sizeBytes: 2,
  read: (reader) => reader.int16(),
  write: (writer, length) => writer.int16(length),
};
const INT32_LENGTH: LengthCodec = {
  sizeBytes: 4,
  read: (reader) => reader.int32(),
  write: (writer, length) => writer.int32(length),
};

function stringCodec(nullable: boolean, { flexible }: Encoding): Codec {
  const length = flexible ? COMPACT_LENGTH : INT16_LENGTH;
  return {
    minSizeBytes: length.sizeBytes,
    read(reader) {
      const sizeBytes = length.read(reader);
      return isNull(sizeBytes, nullable) ? null : reader.utf8(sizeBytes);
    },
    write(writer, value) {
      if (writeIfNull(writer, value, nullable, length)) return;
      if (typeof value !== 'string') throw protocolError(`Not a string: ${String(value)}`);
      const sizeBytes = Buffer.byteLength(value);
      length.write(writer, sizeBytes);
      writer.utf8(value, sizeBytes);
    },
  };
}

function bytesCodec(nullable: boolean, { flexible }: Encoding): Codec {
  const length = flexible ? COMPACT_LENGTH : INT32_LENGTH;
  return {
    minSizeBytes: length.sizeBytes,
    read(reader) {
      const sizeBytes = length.read(reader);
      return isNull(sizeBytes, nullable) ? null : reader.bytes(sizeBytes);
    },
    write(writer, value) {
      if (writeIfNull(writer, value, nullable, length)) return;
      if (!(value instanceof Uint8Array)) throw protocolError(`Not bytes: ${String(value)}`);
      length.write(writer, value.length);
      writer.bytes(value);
    },
  };
}

function arrayCodec(element: Codec, nullable: boolean, { flexible }: Encoding): Codec {
  const length = flexible ? COMPACT_LENGTH : INT32_LENGTH;
  const elementBytesMin = Math.max(1, element.minSizeBytes);
  return {
    minSizeBytes: length.sizeBytes,
    read(reader) {
      const count = length.read(reader);
      if (isNull(count, nullable)) return null;
      if (count * elementBytesMin > reader.remaining) {
        throw protocolError(`${count} elements do not fit into ${reader.remaining} bytes`);
      }
      const values: unknown[] = [];
      for (let index = 0; index < count; index += 1) values.push(element.read(reader));
      return values;
    },
    write(writer, value) {
      if (writeIfNull(writer, value, nullable, length)) return;
      if (!Array.isArray(value)) throw protocolError(`Not an array: ${String(value)}`);
      length.write(writer, value.length);
      for (const each of value) element.write(writer, each);
    },
  };
}

function nullableStructCodec(struct: Codec): Codec {
  return {
    minSizeBytes: 1,
    read: (reader) => (reader.int8() < 0 ? null : struct.read(reader)),
    write(writer, value) {
      writer.int8(value === null ? -1 : 1);
      if (value !== null) struct.write(writer, value);
    },
  };
}

function structCodec(nodes: ReadonlyMap<string, FieldNode>, encoding: Encoding): Codec {
  const present = Array.from(nodes)
    .filter(([, node]) => includes(node.versions, encoding.version))
    .map(([name, node]) => fieldCodec(name, node, encoding));
  const plain = present.filter((field) => field.node.tag === undefined);
  const tagged = present.filter((field) => field.node.tag !== undefined);
  const tags = encoding.flexible ? tagsCodec(tagged) : NO_TAGS;
  const blank = blankMaker(nodes, plain);
  const minSizeBytes = plain.reduce((sum, field) => sum + field.minSizeBytes, tags.minSizeBytes);
  return {
    minSizeBytes,
    read(reader) {
      const struct = blank();
      for (const field of plain) struct[field.name] = field.read(reader);
      tags.read(reader, struct);
      return struct;
    },
    write(writer, value) {
      if (typeof value !== 'object' || value === null) {
        throw protocolError(`Not a struct: ${String(value)}`);
      }
      const struct = value as Struct;
      for (const field of plain) field.write(writer, struct[field.name]);
      tags.write(writer, struct);
    },
  };
}

/** What a struct is before anything is read: absent and tagged fields at their defaults. */
function blankMaker(nodes: ReadonlyMap<string, FieldNode>, plain: FieldCodec[]): () => Struct {
  const template: Struct = {};
  const owned: { name: string; node: FieldNode }[] = [];
  const isRead = new Set(plain.map((field) => field.name));
  for (const [name, node] of nodes) {
    const value = defaultOf(node);
    const isShareable = typeof value !== 'object' || value === null;
    template[name] = isShareable || isRead.has(name) ? value : undefined;
    if (!isShareable && !isRead.has(name)) owned.push({ name, node });
  }
  return () => {
    const struct = { ...template };
    // Arrays and structs belong to who gets them: each message has its own.
    for (const { name, node } of owned) struct[name] = defaultOf(node);
    return struct;
  };
}

function fieldCodec(name: string, node: FieldNode, encoding: Encoding): FieldCodec {
  const nullable = includes(node.nullableVersions, encoding.version);
  const codec = typeCodec(node.type, nullable, encoding);
  return {
    name,
    node,
    minSizeBytes: codec.minSizeBytes,
    read: codec.read,
    write(writer, value) {
      if (value !== undefined) return codec.write(writer, value);
      if (!node.isOptional) throw protocolError(`${name} is missing`);
      codec.write(writer, defaultOf(node));
    },
  };
}

interface TagsCodec {
  readonly minSizeBytes: number;
  read(reader: Reader, struct: Struct): void;
  write(writer: Writer, struct: Struct): void;
}

const NO_TAGS: TagsCodec = { minSizeBytes: 0, read() {}, write() {} };

/** Tagged fields: a count, then tag, size and value of each. Unknown ones are for somebody newer. */
function tagsCodec(fields: FieldCodec[]): TagsCodec {
  const byTag = new Map(fields.map((field) => [field.node.tag, field]));
  const ordered = fields.toSorted((a, b) => Number(a.node.tag) - Number(b.node.tag));
  return {
    minSizeBytes: 1,
    read(reader, struct) {
      const count = reader.uvarint();
      for (let index = 0; index < count; index += 1) {
        const field = byTag.get(reader.uvarint());
        const outerLimit = reader.enter(reader.uvarint());
        if (field === undefined) reader.skip(reader.remaining);
        else struct[field.name] = field.read(reader);
        reader.leave(outerLimit);
      }
    },
    write(writer, struct) {
      const given = ordered.filter(({ name, node }) => !isDefault(node, struct[name]));
      writer.uvarint(given.length);
      for (const field of given) {
        writer.uvarint(Number(field.node.tag));
        const mark = writer.openSized();
        field.write(writer, struct[field.name]);
        writer.closeSized(mark);
      }
    },
  };
}

function isDefault(node: FieldNode, value: unknown): boolean {
  if (value === undefined) return true;
  if (typeof value !== 'object' || value === null) return value === defaultOf(node);
  if (node.defaultValue === null) return false;
  if (node.type.kind !== 'struct') return (value as ArrayLike<unknown>).length === 0;
  const struct = value as Struct;
  return Array.from(node.type.fields).every(([name, field]) => isDefault(field, struct[name]));
}

function isNull(length: number, nullable: boolean): boolean {
  if (length >= 0) return false;
  if (length === -1 && nullable) return true;
  throw protocolError(length === -1 ? 'Null where none may be' : `A length of ${length}`);
}

function writeIfNull(
  writer: Writer,
  value: unknown,
  nullable: boolean,
  length: LengthCodec,
): boolean {
  if (value !== null) return false;
  if (!nullable) throw protocolError('Null where none may be');
  length.write(writer, -1);
  return true;
}
