/**
 * Small files that are either whole or not there: a CRC-32C in front of the bytes. A reader gets the
 * bytes as they were written or nothing; whatever is sealed can be rebuilt or is replaced atomically.
 */
import { crc32c } from '../../base/crc32c.ts';
import { MillraceError } from '../../base/errors.ts';
import type { Disk } from '../ports.ts';

const CRC_BYTES = 4;
const HEADER_BYTES = CRC_BYTES + 1;
/** Grows when the content of any sealed file changes its form: older ones are then as good as damaged. */
const FORMAT_VERSION = 1;

export function writeSealed(disk: Disk, path: string, body: Uint8Array): void {
  const sealed = Buffer.allocUnsafe(HEADER_BYTES + body.length);
  sealed.writeUInt8(FORMAT_VERSION, CRC_BYTES);
  sealed.set(body, HEADER_BYTES);
  sealed.writeUInt32BE(crc32c(sealed, CRC_BYTES), 0);
  disk.writeAtomically(path, sealed);
}

/** The body, or undefined when the file is absent, damaged or of another version. */
export function readSealed(disk: Disk, path: string): Buffer | undefined {
  if (!disk.exists(path)) return undefined;
  const file = disk.open(path, { create: false });
  try {
    const sealed = file.read(0, file.sizeBytes());
    if (sealed.length < HEADER_BYTES) return undefined;
    if (crc32c(sealed, CRC_BYTES) !== sealed.readUInt32BE(0)) return undefined;
    return sealed.readUInt8(CRC_BYTES) === FORMAT_VERSION
      ? sealed.subarray(HEADER_BYTES)
      : undefined;
  } finally {
    file.close();
  }
}

export function writeSealedJson(disk: Disk, path: string, value: unknown): void {
  writeSealed(disk, path, Buffer.from(JSON.stringify(value)));
}

/** The value as JSON gives it (the seal vouches for its shape), or undefined like readSealed. */
export function readSealedJson(disk: Disk, path: string): unknown {
  const body = readSealed(disk, path);
  return body === undefined ? undefined : JSON.parse(body.toString('utf8'));
}

/** For files that nothing can rebuild: absent is undefined, unreadable is STORE_CORRUPT. */
export function readSealedJsonOrFail(disk: Disk, path: string): unknown {
  const value = readSealedJson(disk, path);
  if (value === undefined && disk.exists(path)) {
    throw new MillraceError(
      'STORE_CORRUPT',
      `${path} is damaged, or was written by another version`,
      {
        hint: 'restore the data directory of the broker from a backup; this file cannot be rebuilt',
      },
    );
  }
  return value;
}
