/**
 * Serdes of plain values. Bytes are those of Java's serializers of the same type (big-endian, UTF-8),
 * so that producers and consumers in other languages understand them. jsonSerde is ours: UTF-8 JSON.
 */
import { MillraceError } from '../base/errors.ts';
import type { Serde } from './serde.ts';

/** No UTF-16 code unit takes more bytes in UTF-8. */
const UTF8_BYTES_PER_UNIT_MAX = 3;

/** Java's String serializer: UTF-8 without a length. Malformed bytes decode to U+FFFD, as in Java. */
export const stringSerde: Serde<string> = {
  decode: (bytes, start, end) => bytes.toString('utf8', start, end),
  encode: (value, target, at) => {
    if (typeof value !== 'string') throw notA('string', value);
    return encodeText(value, target, at);
  },
};

/** Java's Short. */
export const int16Serde: Serde<number> = fixedSize<number>({
  name: 'int16',
  sizeBytes: 2,
  isValid: (value) => isIntegerWithin(value, 2 ** 15),
  read: (bytes, at) => bytes.readInt16BE(at),
  write: (value, target, at) => target.writeInt16BE(value, at),
});

/** Java's Integer. */
export const int32Serde: Serde<number> = fixedSize<number>({
  name: 'int32',
  sizeBytes: 4,
  isValid: (value) => isIntegerWithin(value, 2 ** 31),
  read: (bytes, at) => bytes.readInt32BE(at),
  write: (value, target, at) => target.writeInt32BE(value, at),
});

/** Java's Long as a number. Beyond 2^53 it neither encodes nor decodes: use bigInt64Serde there. */
export const int64Serde: Serde<number> = fixedSize<number>({
  name: 'safe int64',
  sizeBytes: 8,
  isValid: Number.isSafeInteger,
  read: (bytes, at) => bytes.readInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4),
  write: (value, target, at) => {
    target.writeInt32BE(Math.floor(value / 2 ** 32), at);
    return target.writeUInt32BE(value >>> 0, at + 4);
  },
});

/** Java's Long as a bigint. */
export const bigInt64Serde: Serde<bigint> = fixedSize<bigint>({
  name: 'bigint within int64',
  sizeBytes: 8,
  isValid: (value) => typeof value === 'bigint' && BigInt.asIntN(64, value) === value,
  read: (bytes, at) => bytes.readBigInt64BE(at),
  write: (value, target, at) => target.writeBigInt64BE(value, at),
});

/** Java's Float; a number loses precision on the way. */
export const floatSerde: Serde<number> = fixedSize<number>({
  name: 'number',
  sizeBytes: 4,
  isValid: (value) => typeof value === 'number',
  read: (bytes, at) => bytes.readFloatBE(at),
  write: (value, target, at) => target.writeFloatBE(value, at),
});

/** Java's Double. */
export const doubleSerde: Serde<number> = fixedSize<number>({
  name: 'number',
  sizeBytes: 8,
  isValid: (value) => typeof value === 'number',
  read: (bytes, at) => bytes.readDoubleBE(at),
  write: (value, target, at) => target.writeDoubleBE(value, at),
});

/** Java's Boolean: one byte, 0 or 1. */
export const booleanSerde: Serde<boolean> = {
  decode: (bytes, start, end) => {
    const byte = bytes[start];
    if (end - start !== 1 || byte === undefined || byte > 1)
      throw malformed('boolean', end - start);
    return byte === 1;
  },
  encode: (value, target, at) => {
    if (typeof value !== 'boolean') throw notA('boolean', value);
    if (at >= target.length) return target.length - at - 1;
    return target.writeUInt8(value ? 1 : 0, at);
  },
};

/** The bytes themselves, copied: what is decoded outlives the fetched batch. */
export const bytesSerde: Serde<Buffer> = {
  decode: (bytes, start, end) => Buffer.from(bytes.subarray(start, end)),
  encode: (value, target, at) => {
    if (!Buffer.isBuffer(value)) throw notA('Buffer', value);
    const missing = at + value.length - target.length;
    return missing > 0 ? -missing : at + value.copy(target, at);
  },
};

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Java's UUID: its 36 characters. Decodes to lower case. */
export const uuidSerde: Serde<string> = {
  decode: (bytes, start, end) => {
    const text = bytes.toString('latin1', start, end);
    if (!UUID.test(text)) throw malformed('UUID', end - start);
    return text.toLowerCase();
  },
  encode: (value, target, at) => {
    if (typeof value !== 'string' || !UUID.test(value)) throw notA('UUID', value);
    return encodeText(value.toLowerCase(), target, at);
  },
};

/** UTF-8 JSON. T is what the producer promised: bytes are parsed, not checked against it. */
export function jsonSerde<T>(): Serde<T> {
  return {
    decode: (bytes, start, end) => {
      try {
        return JSON.parse(bytes.toString('utf8', start, end)) as T;
      } catch (cause) {
        throw new MillraceError('DESERIALIZATION', 'the bytes are not JSON', { cause });
      }
    },
    encode: (value, target, at) => {
      const text = JSON.stringify(value) as string | undefined;
      if (text === undefined) throw notA('JSON value', value);
      return encodeText(text, target, at);
    },
  };
}

function encodeText(text: string, target: Buffer, at: number): number {
  // The exact size is looked for only when the text might not fit.
  if (text.length * UTF8_BYTES_PER_UNIT_MAX > target.length - at) {
    const missing = at + Buffer.byteLength(text, 'utf8') - target.length;
    if (missing > 0) return -missing;
  }
  return at + target.write(text, at, 'utf8');
}

interface FixedSize<T> {
  readonly name: string;
  readonly sizeBytes: number;
  isValid(value: T): boolean;
  read(bytes: Buffer, at: number): T;
  write(value: T, target: Buffer, at: number): number;
}

function fixedSize<T>({ name, sizeBytes, isValid, read, write }: FixedSize<T>): Serde<T> {
  return {
    decode: (bytes, start, end) => {
      if (end - start !== sizeBytes) throw malformed(name, end - start);
      const value = read(bytes, start);
      if (!isValid(value)) throw malformed(name, sizeBytes);
      return value;
    },
    encode: (value, target, at) => {
      if (!isValid(value)) throw notA(name, value);
      const missing = at + sizeBytes - target.length;
      return missing > 0 ? -missing : write(value, target, at);
    },
  };
}

function isIntegerWithin(value: number, limit: number): boolean {
  return Number.isInteger(value) && value >= -limit && value < limit;
}

function notA(name: string, value: unknown): MillraceError {
  return new MillraceError('SERIALIZATION', `a ${typeof value} was given where a ${name} belongs`);
}

function malformed(name: string, sizeBytes: number): MillraceError {
  return new MillraceError('DESERIALIZATION', `${sizeBytes} bytes are not a ${name}`);
}
