/** Zigzag varints as record batches use them: sizes and writing. Values are integers below 2^53. */

/** Bytes that `value` (int32) takes. */
export function varintSize(value: number): number {
  const bits = (value << 1) ^ (value >> 31);
  if ((bits & ~0x7f) === 0) return 1;
  if ((bits & ~0x3fff) === 0) return 2;
  if ((bits & ~0x1fffff) === 0) return 3;
  return (bits & ~0xfffffff) === 0 ? 4 : 5;
}

/** Writes an int32 and returns where it ends. */
export function writeVarint(buffer: Uint8Array, value: number, position: number): number {
  let bits = (value << 1) ^ (value >> 31);
  let at = position;
  while ((bits & ~0x7f) !== 0) {
    buffer[at++] = (bits & 0x7f) | 0x80;
    bits >>>= 7;
  }
  buffer[at++] = bits;
  return at;
}

const INT32_MAX = 0x7fffffff;

/** Bytes that `value` (an int64 below 2^53) takes. */
export function varlongSize(value: number): number {
  if (value >= -INT32_MAX && value <= INT32_MAX) return varintSize(value);
  let size = 1;
  for (let rest = zigzagLong(value); rest >= 128; rest = Math.floor(rest / 128)) size++;
  return size;
}

/** Writes an int64 below 2^53 and returns where it ends. */
export function writeVarlong(buffer: Uint8Array, value: number, position: number): number {
  if (value >= -INT32_MAX && value <= INT32_MAX) return writeVarint(buffer, value, position);
  let at = position;
  let rest = zigzagLong(value);
  for (; rest >= 128; rest = Math.floor(rest / 128)) buffer[at++] = (rest % 128) | 0x80;
  buffer[at++] = rest;
  return at;
}

function zigzagLong(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}
