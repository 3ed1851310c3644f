/**
 * An update of a table, with what was there before: what tables send each other. null = nothing there.
 */
import { MillraceError } from '../../../base/errors.ts';
import type { Serde } from '../../../schemas/serde.ts';
import type { StreamRecord } from '../../processor.ts';

export interface Change<V> {
  readonly newValue: V | null;
  /** null as well when nobody downstream needs it. */
  readonly oldValue: V | null;
}

export type ChangeRecord<K, V> = StreamRecord<K, Change<V>>;

/** The record with another value, of the same shape as every other record. */
export function withValue<K, V>(record: StreamRecord<K, unknown>, value: V): StreamRecord<K, V> {
  const { key, timestampMs, headers } = record;
  return { key, value, timestampMs, headers };
}

export function changed<K, V>(
  record: StreamRecord<K, unknown>,
  newValue: V | null,
  oldValue: V | null,
  timestampMs: number = record.timestampMs,
): ChangeRecord<K, V> {
  return { key: record.key, value: { newValue, oldValue }, timestampMs, headers: record.headers };
}

const OLD = 0;
const NEW = 1;
const BOTH = 2;
const LENGTH_BYTES = 4;

/**
 * A change in a repartition topic, in Kafka's format: the value and a last byte that says whether it
 * is the old (0) or the new (1) one, or both (2): length of the new value, new value, old value, 2.
 */
export function changeSerde<V>(inner: Serde<V>): Serde<Change<V>> {
  return {
    decode: (bytes, start, end) => decodeChange(inner, bytes, start, end),
    encode: (change, target, at) => encodeChange(inner, change, target, at),
    ...(inner.prepare && { prepare: inner.prepare.bind(inner) }),
    ...(inner.resolve && { resolve: inner.resolve.bind(inner) }),
  };
}

function decodeChange<V>(inner: Serde<V>, bytes: Buffer, start: number, end: number): Change<V> {
  const last = end - 1;
  switch (last < start ? undefined : bytes[last]) {
    case OLD:
      return { newValue: null, oldValue: inner.decode(bytes, start, last) };
    case NEW:
      return { newValue: inner.decode(bytes, start, last), oldValue: null };
    case BOTH: {
      const newStart = start + LENGTH_BYTES;
      const newEnd = newStart <= last ? newStart + bytes.readUInt32BE(start) : Infinity;
      if (newEnd > last) break;
      return {
        newValue: inner.decode(bytes, newStart, newEnd),
        oldValue: inner.decode(bytes, newEnd, last),
      };
    }
  }
  throw new MillraceError('DESERIALIZATION', `${end - start} bytes are not a change of a table`);
}

function encodeChange<V>(inner: Serde<V>, change: Change<V>, target: Buffer, at: number): number {
  const { newValue, oldValue } = change;
  if (newValue !== null && oldValue !== null) {
    const newEnd = inner.encode(newValue, target, at + LENGTH_BYTES);
    if (newEnd < 0) return newEnd;
    target.writeUInt32BE(newEnd - at - LENGTH_BYTES, at);
    return endWith(BOTH, inner.encode(oldValue, target, newEnd), target);
  }
  if (newValue !== null) return endWith(NEW, inner.encode(newValue, target, at), target);
  if (oldValue !== null) return endWith(OLD, inner.encode(oldValue, target, at), target);
  throw new MillraceError('SERIALIZATION', 'a change without a new or an old value says nothing');
}

function endWith(kind: number, end: number, target: Buffer): number {
  if (end < 0) return end - 1;
  return end < target.length ? target.writeUInt8(kind, end) : -1;
}
