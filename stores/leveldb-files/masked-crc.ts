import { crc32c } from '../../base/crc32c.ts';

const MASK_DELTA = 0xa282ead8;

/** LevelDB stores CRCs rotated and shifted, so that a CRC over bytes that hold CRCs stays strong. */
export function maskedCrc(bytes: Buffer, start: number, end: number): number {
  const crc = crc32c(bytes, start, end);
  return (((crc >>> 15) | (crc << 17)) + MASK_DELTA) >>> 0;
}
