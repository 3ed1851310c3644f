/**
 * How an entry looks as bytes, on disk and in a slab, always contiguous:
 *
 *   [store id: 1][key] [checksum: 4][timestamp: 8][value]
 *   `---- db key ---'  `---------- db value ----------'
 *
 * The checksum covers the db key, too: LevelDB does not check its blocks when it reads, and a bit
 * that flips in a key would put one key's value under another.
 */
import { crc32c } from '../../base/crc32c.ts';
import { MillraceError } from '../../base/errors.ts';

export const META_STORE_ID = 0;
/** 255 stays free: above it there is no key, and an empty range there can be compacted. */
export const STORE_ID_MAX = 254;
export const VALUE_HEADER_BYTES = 12;

export const WIPE_HINT = 'The state of this task has to be wiped and restored from its changelog.';

const TIMESTAMP_AT = 4;
const TWO_TO_32 = 4_294_967_296;

/** Fills in the header at valueAt of a value whose bytes lie behind it. Ranges are the db's. */
export function sealEntry(
  buffer: Buffer,
  keyStart: number,
  valueAt: number,
  valueEnd: number,
  timestampMs: number,
): void {
  buffer.writeInt32BE(Math.floor(timestampMs / TWO_TO_32), valueAt + TIMESTAMP_AT);
  buffer.writeUInt32BE(timestampMs >>> 0, valueAt + TIMESTAMP_AT + 4);
  const sum = checksum(buffer, keyStart, valueAt, buffer, valueAt + TIMESTAMP_AT, valueEnd);
  buffer.writeUInt32BE(sum, valueAt);
}

/** Throws STORE_CORRUPT when the value is not the one that was written under this key. */
export function verifyEntry(key: Buffer, keyEnd: number, value: Buffer, storeName: string): void {
  if (
    value.length >= VALUE_HEADER_BYTES &&
    value.readUInt32BE(0) === checksum(key, 0, keyEnd, value, TIMESTAMP_AT, value.length)
  ) {
    return;
  }
  throw new MillraceError('STORE_CORRUPT', `a checksum in store ${storeName} is wrong`, {
    hint: WIPE_HINT,
    facts: { store: storeName, key: key.toString('hex', 1, keyEnd) },
  });
}

export function timestampOf(value: Buffer): number {
  return value.readInt32BE(TIMESTAMP_AT) * TWO_TO_32 + value.readUInt32BE(TIMESTAMP_AT + 4);
}

function checksum(
  key: Buffer,
  keyStart: number,
  keyEnd: number,
  value: Buffer,
  valueStart: number,
  valueEnd: number,
): number {
  const ofKey = crc32c(key, keyStart, keyEnd);
  const ofValue = crc32c(value, valueStart, valueEnd);
  return (((ofKey << 1) | (ofKey >>> 31)) ^ ofValue) >>> 0;
}
