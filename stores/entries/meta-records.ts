/**
 * What a task keeps about itself beside its data, as small JSON records under store id 0, sealed
 * like every entry: which store has which id, positions, flushed positions, boot mark.
 */
import type { BytesBatch, BytesStore } from '../bytes-store.ts';
import type { ChangelogPosition, TaskPositions } from '../state-store.ts';
import {
  CHECKSUM_BYTES,
  META_STORE_ID,
  sealEntry,
  TIMESTAMP_BYTES,
  verifyEntry,
} from './entry-format.ts';

/** Positions, and the log time up to which they take the state. */
export interface StatePositions extends TaskPositions {
  readonly logTimeMs: number;
}

/** Who wrote last: after a power loss the boot id has changed and `clean` is false. */
export interface BootMark {
  /** undefined: written before it was kept. */
  readonly taskId?: string;
  readonly bootId: string;
  readonly clean: boolean;
}

export const NO_POSITIONS: StatePositions = {
  changelogs: new Map(),
  inputs: new Map(),
  logTimeMs: 0,
};

type PositionsName = 'positions' | 'flushed';

interface PositionsRecord {
  readonly changelogs: Readonly<Record<string, ChangelogPosition>>;
  readonly inputs: Readonly<Record<string, number>>;
  readonly logTimeMs: number;
}

export function readStoreIds(bytes: BytesStore): ReadonlyMap<string, number> | undefined {
  const ids = read<Record<string, number>>(bytes, 'stores');
  return ids && new Map(Object.entries(ids));
}

export function writeStoreIds(batch: BytesBatch, ids: ReadonlyMap<string, number>): void {
  write(batch, 'stores', Object.fromEntries(ids));
}

export function readPositions(bytes: BytesStore, name: PositionsName): StatePositions {
  const record = read<PositionsRecord>(bytes, name);
  if (record === undefined) return NO_POSITIONS;
  return {
    changelogs: new Map(Object.entries(record.changelogs)),
    inputs: new Map(Object.entries(record.inputs)),
    logTimeMs: record.logTimeMs,
  };
}

export function writePositions(
  batch: BytesBatch,
  name: PositionsName,
  positions: StatePositions,
): void {
  write(batch, name, {
    changelogs: Object.fromEntries(positions.changelogs),
    inputs: Object.fromEntries(positions.inputs),
    logTimeMs: positions.logTimeMs,
  });
}

export function readBootMark(bytes: BytesStore): BootMark | undefined {
  return read<BootMark>(bytes, 'boot');
}

export function writeBootMark(batch: BytesBatch, mark: BootMark): void {
  write(batch, 'boot', mark);
}

function keyOf(name: string): Buffer {
  return Buffer.concat([Buffer.of(META_STORE_ID), Buffer.from(name)]);
}

function read<T>(bytes: BytesStore, name: string): T | undefined {
  const key = keyOf(name);
  const value = bytes.get(key);
  if (value === undefined) return undefined;
  verifyEntry(key, value, `(meta record ${name})`);
  return JSON.parse(value.toString('utf8', TIMESTAMP_BYTES, value.length - CHECKSUM_BYTES)) as T;
}

function write(batch: BytesBatch, name: string, record: unknown): void {
  const key = keyOf(name);
  const entry = Buffer.concat([
    key,
    Buffer.alloc(TIMESTAMP_BYTES),
    Buffer.from(JSON.stringify(record)),
    Buffer.alloc(CHECKSUM_BYTES),
  ]);
  sealEntry(entry, 0, key.length, entry.length - CHECKSUM_BYTES, 0);
  batch.put(key, entry.subarray(key.length));
}
