/** Java's partitioner: murmur2 of the key bytes. Any producer in any language lands where we look. */

const SEED = 0x9747b28c | 0;
const MULTIPLIER = 0x5bd1e995;
const SHIFT = 24;

/** The hash of `bytes[start, end)` as a signed 32-bit number, equal to Java's Utils.murmur2. */
export function murmur2(bytes: Uint8Array, start = 0, end = bytes.length): number {
  const length = end - start;
  let hash = SEED ^ length;
  let at = start;
  for (const last = end - 4; at <= last; at += 4) {
    const word =
      bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    const mixed = Math.imul(word, MULTIPLIER);
    hash = Math.imul(hash, MULTIPLIER) ^ Math.imul(mixed ^ (mixed >>> SHIFT), MULTIPLIER);
  }
  const tail = end - at;
  if (tail === 3) hash ^= bytes[at + 2]! << 16;
  if (tail >= 2) hash ^= bytes[at + 1]! << 8;
  if (tail >= 1) hash = Math.imul(hash ^ bytes[at]!, MULTIPLIER);
  hash = Math.imul(hash ^ (hash >>> 13), MULTIPLIER);
  return hash ^ (hash >>> 15);
}

/** The partition of `partitionCount` that Java's producer chooses for the key `bytes[start, end)`. */
export function partitionForKey(
  bytes: Uint8Array,
  start: number,
  end: number,
  partitionCount: number,
): number {
  return (murmur2(bytes, start, end) & 0x7fffffff) % partitionCount;
}
