/**
 * Messages that carry their own version in front, as an int16: Kafka's consumer protocol and the keys and
 * values of its internal topics.
 */
import { codecOf } from './compile.ts';
import { protocolError } from './protocol-error.ts';
import { Reader } from './reader.ts';
import type { Schema } from './schema.ts';
import { Writer } from './writer.ts';

const scratch = new Writer();

export interface VersionedOptions {
  /** First flexible version; Infinity (the default) when there is none. */
  readonly flexibleFrom?: number;
}

export function encodeVersioned<Value>(
  schema: Schema<unknown, Value>,
  version: number,
  value: Value,
  { flexibleFrom = Number.POSITIVE_INFINITY }: VersionedOptions = {},
): Buffer {
  scratch.reset();
  scratch.int16(version);
  codecOf(schema, version, version >= flexibleFrom).write(scratch, value);
  return scratch.take();
}

/**
 * Reads a version above `maxVersion` as `maxVersion`, and leaves what that does not know unread: such
 * messages grow at their end only. Byte fields are views into `buffer`.
 */
export function decodeVersioned<Value>(
  schema: Schema<Value, never>,
  maxVersion: number,
  buffer: Buffer,
  { flexibleFrom = Number.POSITIVE_INFINITY }: VersionedOptions = {},
): Value {
  const reader = new Reader(buffer);
  const written = reader.int16();
  if (written < 0) throw protocolError(`Not a message version: ${written}`);
  const version = Math.min(written, maxVersion);
  const value = codecOf(schema, version, version >= flexibleFrom).read(reader) as Value;
  if (written <= maxVersion) reader.expectEnd();
  return value;
}
