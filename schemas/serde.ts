/**
 * Bytes <-> values, synchronous, over ranges: the hot path decodes from a fetched batch and encodes
 * into a slab without slices. Null (a tombstone) never reaches a serde.
 */
export interface Serde<T> {
  /**
   * Throws DESERIALIZATION when the bytes are not a T, or UnknownSchemaError when the schema id has
   * not been seen yet (the caller parks the partition, awaits resolve(), and decodes again).
   */
  decode(bytes: Buffer, start: number, end: number): T;
  /**
   * Writes at `at` and returns the end position, or minus the number of missing bytes when it does
   * not fit (nothing useful is then in the target). Throws SERIALIZATION when the value is not a T.
   */
  encode(value: T, target: Buffer, at: number): number;
  /** Called once per topic before the first encode or decode: registers or fetches schemas. */
  prepare?(topic: string, part: 'key' | 'value'): Promise<void>;
  /** Fetches what an UnknownSchemaError named. Rejects SCHEMA_UNKNOWN (no such id) or SCHEMA_REGISTRY_UNAVAILABLE. */
  resolve?(schemaId: number): Promise<void>;
}

/** Not a failure: "ask resolve(schemaId) once and try again". */
export class UnknownSchemaError extends Error {
  readonly schemaId: number;
  constructor(schemaId: number) {
    super(`schema ${schemaId} is not cached`);
    this.name = 'UnknownSchemaError';
    this.schemaId = schemaId;
  }
}

/** Encodes into a fresh Buffer: for cold paths and tests. */
export function toBytes<T>(serde: Serde<T>, value: T): Buffer {
  let target = Buffer.allocUnsafe(256);
  for (;;) {
    const end = serde.encode(value, target, 0);
    if (end >= 0) return target.subarray(0, end);
    target = Buffer.allocUnsafe(Math.max(target.length - end, target.length * 2));
  }
}

/** Decodes a whole Buffer: for cold paths and tests. */
export function fromBytes<T>(serde: Serde<T>, bytes: Buffer): T {
  return serde.decode(bytes, 0, bytes.length);
}
