/**
 * Small files that are either whole or not there: a CRC-32C in front of the bytes. A reader gets the
 * bytes as they were written or nothing; whatever is sealed can be rebuilt or is replaced atomically.
 */
import { crc32c } from '../../base/crc32c.ts';
import { MillraceError } from '../../base/errors.ts';
import type { Disk } from '../ports.ts';

const CRC_BYTES = 4;

export function writeSealed(disk: Disk, path: string, body: Uint8Array): void {
  const sealed = Buffer.allocUnsafe(CRC_BYTES + body.length);
  sealed.writeUInt32BE(crc32c(body), 0);
  sealed.set(body, CRC_BYTES);
  disk.writeAtomically(path, sealed);
}

/** The body, or undefined when the file is absent or damaged. */
export function readSealed(disk: Disk, path: string): Buffer | undefined {
  if (!disk.exists(path)) return undefined;
  const file = disk.open(path, { create: false });
  try {
    const sealed = file.read(0, file.sizeBytes());
    if (sealed.length < CRC_BYTES) return undefined;
    const body = sealed.subarray(CRC_BYTES);
    return crc32c(body) === sealed.readUInt32BE(0) ? body : undefined;
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

/** For files that nothing can rebuild: absent is undefined, damaged is STORE_CORRUPT. */
export function readSealedJsonOrFail(disk: Disk, path: string): unknown {
  const value = readSealedJson(disk, path);
  if (value === undefined && disk.exists(path)) {
    throw new MillraceError('STORE_CORRUPT', `${path} is damaged`, {
      hint: 'restore the data directory of the broker from a backup; this file cannot be rebuilt',
    });
  }
  return value;
}
