/** Records between the driver's topics: bytes, as in Kafka, so that serdes are part of every test. */
import { type Serde, toBytes } from '../../schemas/serde.ts';
import type { RecordHeaders, StreamRecord } from '../../topology/processor.ts';

export interface DriverRecord {
  readonly topic: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly timestampMs: number;
  readonly headers: readonly RecordHeaders[];
}

export interface SerdePair<K, V> {
  readonly keySerde: Serde<K>;
  readonly valueSerde: Serde<V>;
}

export function encodeRecord<K, V>(
  topic: string,
  { key, value, timestampMs, headers }: StreamRecord<K | null, V | null>,
  { keySerde, valueSerde }: SerdePair<K, V>,
): DriverRecord {
  const keyBytes = isNothing(key) ? null : toBytes(keySerde, key);
  const valueBytes = isNothing(value) ? null : toBytes(valueSerde, value);
  return { topic, key: keyBytes, value: valueBytes, timestampMs, headers };
}

export function decodeRecord<K, V>(
  { key, value, timestampMs, headers }: DriverRecord,
  { keySerde, valueSerde }: SerdePair<K, V>,
): StreamRecord<K | null, V | null> {
  return {
    key: key === null ? null : keySerde.decode(key, 0, key.length),
    value: value === null ? null : valueSerde.decode(value, 0, value.length),
    timestampMs,
    headers,
  };
}

function isNothing<T>(value: T | null | undefined): value is null | undefined {
  return value === null || value === undefined;
}
