/** Serdes, specs, positions and records that the store tests and their child processes share. */
import { MillraceError } from '../../base/errors.ts';
import type { Serde } from '../../schemas/serde.ts';
import type { RestoredRecord, StoreSpec, TaskPositions } from '../../stores/state-store.ts';

function writeText(text: string, target: Buffer, at: number): number {
  const missing = at + Buffer.byteLength(text) - target.length;
  return missing > 0 ? -missing : at + target.write(text, at);
}

export const text: Serde<string> = {
  decode: (bytes, start, end) => bytes.toString('utf8', start, end),
  encode: writeText,
};

/** Keys as objects: the overlay has to identify them by their bytes. */
export interface Seat {
  readonly zone: string;
  readonly row: number;
}

export const seat: Serde<Seat> = {
  decode: (bytes, start, end) => ({
    zone: bytes.toString('utf8', start + 1, end),
    row: bytes[start]!,
  }),
  encode: (value, target, at) => {
    if (at >= target.length) return -(1 + Buffer.byteLength(value.zone));
    target[at] = value.row;
    return writeText(value.zone, target, at + 1);
  },
};

export interface Stock {
  sold: number;
}

export const stock: Serde<Stock> = {
  decode: (bytes, start, end) => JSON.parse(bytes.toString('utf8', start, end)) as Stock,
  encode: (value, target, at) => {
    if (!Number.isInteger(value.sold)) throw new MillraceError('SERIALIZATION', 'not a stock');
    return writeText(JSON.stringify(value), target, at);
  },
};

export function specOf<K, V>(
  name: string,
  keySerde: Serde<K>,
  valueSerde: Serde<V>,
  more: Partial<StoreSpec<K, V>> = {},
): StoreSpec {
  const spec: StoreSpec<K, V> = {
    kind: 'keyValue',
    name,
    keySerde,
    valueSerde,
    persistence: 'leveldb',
    changelog: { configs: {} },
    ...more,
  };
  return spec as unknown as StoreSpec;
}

export function positionsAt(offset: number, storeName: string = 'words'): TaskPositions {
  const position = { offset, leaderEpoch: 3, topicId: 'topic-1', positionAtMs: 1000 + offset };
  return { changelogs: new Map([[storeName, position]]), inputs: new Map([['in-0', offset * 10]]) };
}

export function recordOf(key: string, value: string | undefined, timestampMs = 5): RestoredRecord {
  const buffer = Buffer.from(`##${key}${value ?? ''}##`);
  const keyEnd = 2 + Buffer.byteLength(key);
  const valueEnd = buffer.length - 2;
  return value === undefined
    ? { buffer, keyStart: 2, keyEnd, valueStart: -1, valueEnd: -1, timestampMs }
    : { buffer, keyStart: 2, keyEnd, valueStart: keyEnd, valueEnd, timestampMs };
}
