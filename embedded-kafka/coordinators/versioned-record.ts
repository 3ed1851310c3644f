/**
 * The framing of coordinator records: an int16 version, then the message in that version. The formats are
 * Kafka's own, so that its tools can read our internal topics.
 */
import { codecOf } from '../../kafka/protocol/compile.ts';
import { Reader } from '../../kafka/protocol/reader.ts';
import type { Schema } from '../../kafka/protocol/schema.ts';
import { Writer } from '../../kafka/protocol/writer.ts';

const scratch = new Writer(512);

/** `flexibleFrom`: the first version with compact encodings; Infinity when none has. */
export interface RecordFormat<Read, Written> {
  readonly schema: Schema<Read, Written>;
  readonly flexibleFrom: number;
}

export function encodeVersioned<Read, Written>(
  format: RecordFormat<Read, Written>,
  version: number,
  value: Written,
): Buffer {
  scratch.reset();
  scratch.int16(version);
  codecOf(format.schema, version, version >= format.flexibleFrom).write(scratch, value);
  return scratch.take();
}

/** The first two bytes of a key or value. */
export function versionOf(bytes: Buffer): number {
  return new Reader(bytes).int16();
}

/** Throws KAFKA_PROTOCOL when the bytes are not such a record. */
export function decodeVersioned<Read, Written>(
  format: RecordFormat<Read, Written>,
  bytes: Buffer,
): Read {
  const reader = new Reader(bytes);
  const version = reader.int16();
  const value = codecOf(format.schema, version, version >= format.flexibleFrom).read(reader);
  return value as Read;
}
