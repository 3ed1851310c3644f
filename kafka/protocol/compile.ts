/**
 * Turns a schema at one version into a pair of closures, once: which fields are there, how lengths are
 * encoded and where null may stand is decided here and never again per message. Structs are in
 * struct-codec.ts.
 */
import { misfit, protocolError } from './protocol-error.ts';
import type { Reader } from './reader.ts';
import type { AnySchema, PrimitiveKind, TypeNode } from './schema.ts';
import { structCodec } from './struct-codec.ts';
import type { Writer } from './writer.ts';

/** Reads and writes one type. The value's type was checked where the schema met the caller. */
export interface Codec {
  read(reader: Reader): unknown;
  write(writer: Writer, value: unknown): void;
  /** No encoding is smaller: bounds how many elements a frame can really hold. */
  readonly minSizeBytes: number;
}

export interface Encoding {
  readonly version: number;
  /** Compact lengths, and tagged fields behind every struct. */
  readonly flexible: boolean;
}

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
        ? nullableStructCodec(structCodec(type.fields, encoding, typeCodec))
        : structCodec(type.fields, encoding, typeCodec);
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
      if (typeof value !== 'string') throw misfit('string', value);
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
      if (!(value instanceof Uint8Array)) throw misfit('bytes', value);
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
      if (!Array.isArray(value)) throw misfit('array', value);
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
