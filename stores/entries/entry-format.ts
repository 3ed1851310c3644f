/**
 * How an entry looks as bytes, on disk and in a slab, always contiguous:
 *
 *   [store id: 1][key] [timestamp: 8][value][checksum: 4]
 *   `---- db key ---'  `---------- db value ----------'
 *
 * The checksum covers everything in front of it, the db key, too: LevelDB does not check its blocks
 * when it reads, and a bit that flips in a key would put one key's value under another.
 */
import { crc32c } from '../../base/crc32c.ts';
import { MillraceError } from '../../base/errors.ts';

export const META_STORE_ID = 0;
/** 255 stays free: above it there is no key, and an empty range there can be compacted. */
export const STORE_ID_MAX = 254;
/** In front of the value. */
export const TIMESTAMP_BYTES = 8;
/** Behind the value. */
export const CHECKSUM_BYTES = 4;

export const WIPE_HINT = 'The state of this task has to be wiped and restored from its changelog.';

const TWO_TO_32 = 4_294_967_296;
let scratch = Buffer.allocUnsafe(1024);

/** Writes the timestamp at keyEnd and the checksum at valueEnd, around a value that is there. */
export function sealEntry(
  buffer: Buffer,
  keyStart: number,
  keyEnd: number,
  valueEnd: number,
  timestampMs: number,
): void {
  buffer.writeInt32BE(Math.floor(timestampMs / TWO_TO_32), keyEnd);
  buffer.writeUInt32BE(timestampMs >>> 0, keyEnd + 4);
  buffer.writeUInt32BE(crc32c(buffer, keyStart, valueEnd), valueEnd);
}

/** Throws STORE_CORRUPT when the db value is not the one that was written under this db key. */
export function verifyEntry(key: Buffer, value: Buffer, storeName: string): void {
  const coveredBytes = key.length + value.length - CHECKSUM_BYTES;
  if (coveredBytes > scratch.length) scratch = Buffer.allocUnsafe(coveredBytes * 2);
  if (value.length >= TIMESTAMP_BYTES + CHECKSUM_BYTES) {
    key.copy(scratch, 0);
    value.copy(scratch, key.length, 0, value.length - CHECKSUM_BYTES);
    if (value.readUInt32BE(value.length - CHECKSUM_BYTES) === crc32c(scratch, 0, coveredBytes)) {
      return;
    }
  }
  throw new MillraceError('STORE_CORRUPT', `a checksum in store ${storeName} is wrong`, {
    hint: WIPE_HINT,
    facts: { store: storeName, key: key.toString('hex', 1) },
  });
}

export function timestampOf(value: Buffer): number {
  return value.readInt32BE(0) * TWO_TO_32 + value.readUInt32BE(4);
}
