/**
 * The LZ4 block format: a block is a row of sequences, each
 *
 *   token (literal length << 4 | match length - 4) | longer literal length | literals |
 *   distance uint16 LE | longer match length
 *
 * the last one of literals only. Greedy compression with one hash table, as the reference's fast mode;
 * decompression checks every bound.
 */

const MATCH_BYTES_MIN = 4;
/** The format's own rules: the last match starts 12 bytes before the end, the last 5 are literals. */
const MATCH_LIMIT_BYTES = 12;
const LAST_LITERALS_BYTES = 5;
const DISTANCE_MAX = 0xffff;
const HASH_BITS = 14;
const LENGTH_MASK = 15;
/** After 2^6 misses in a row the search strides two bytes, then three …: random data costs little. */
const SKIP_SHIFT = 6;

/** Last position of each hash, of the block being compressed; positions are relative and + 1. */
const table = new Int32Array(1 << HASH_BITS);

/** Room that compressing `lengthBytes` can need at worst. */
export function lz4BlockBound(lengthBytes: number): number {
  return lengthBytes + Math.ceil(lengthBytes / 255) + 16;
}

/** Compresses `from[start, end)` to `to` at `position`; returns where it ends. */
export function compressLz4Block(
  from: Buffer,
  start: number,
  end: number,
  to: Buffer,
  position: number,
): number {
  table.fill(0);
  const matchLimit = end - MATCH_LIMIT_BYTES;
  let out = position;
  let literalStart = start;
  let at = start;
  let misses = 0;
  while (at <= matchLimit) {
    const word = from.readInt32LE(at);
    const hash = Math.imul(word, 0x9e3779b1) >>> (32 - HASH_BITS);
    const candidate = table[hash]! + start - 1;
    table[hash] = at - start + 1;
    const isMatch =
      candidate >= start && at - candidate <= DISTANCE_MAX && from.readInt32LE(candidate) === word;
    if (!isMatch) {
      at += 1 + (misses++ >> SKIP_SHIFT);
      continue;
    }
    const matchEnd = extendMatch(from, at, candidate, end - LAST_LITERALS_BYTES);
    out = writeSequence(from, literalStart, at, to, out, at - candidate, matchEnd - at);
    at = matchEnd;
    literalStart = at;
    misses = 0;
  }
  return writeLiterals(from, literalStart, end, to, out);
}

function extendMatch(from: Buffer, at: number, candidate: number, limit: number): number {
  const distance = at - candidate;
  let matchEnd = at + MATCH_BYTES_MIN;
  while (matchEnd < limit && from[matchEnd] === from[matchEnd - distance]) matchEnd++;
  return matchEnd;
}

function writeSequence(
  from: Buffer,
  literalStart: number,
  literalEnd: number,
  to: Buffer,
  position: number,
  distance: number,
  matchBytes: number,
): number {
  const matchLength = matchBytes - MATCH_BYTES_MIN;
  let out = writeLiterals(from, literalStart, literalEnd, to, position);
  to[position] = to[position]! | Math.min(matchLength, LENGTH_MASK);
  to[out++] = distance & 0xff;
  to[out++] = distance >>> 8;
  if (matchLength >= LENGTH_MASK) out = writeLength(to, matchLength - LENGTH_MASK, out);
  return out;
}

/** Token with the match half empty, length, literals. */
function writeLiterals(from: Buffer, start: number, end: number, to: Buffer, position: number) {
  const length = end - start;
  let out = position + 1;
  to[position] = Math.min(length, LENGTH_MASK) << 4;
  if (length >= LENGTH_MASK) out = writeLength(to, length - LENGTH_MASK, out);
  return out + from.copy(to, out, start, end);
}

function writeLength(to: Buffer, length: number, position: number): number {
  let rest = length;
  let out = position;
  for (; rest >= 255; rest -= 255) to[out++] = 255;
  to[out++] = rest;
  return out;
}

/**
 * Unfolds the block `from[start, end)` into `to` at `position` and returns where it ends. Throws when
 * the block is malformed or `to` is too small. Matches reach back to `historyStart` at most.
 */
export function decompressLz4Block(
  from: Buffer,
  start: number,
  end: number,
  to: Buffer,
  position: number,
  historyStart: number = position,
): number {
  let at = start;
  let out = position;
  const readLength = (nibble: number): number => {
    let length = nibble;
    if (nibble < LENGTH_MASK) return length;
    for (;;) {
      if (at >= end) throw new Error('an lz4 length is cut short');
      const byte = from[at++]!;
      length += byte;
      if (byte < 255) return length;
    }
  };
  for (;;) {
    if (at >= end) throw new Error('an lz4 block is cut short');
    const token = from[at++]!;
    const literals = readLength(token >>> 4);
    if (at + literals > end || out + literals > to.length) throw new Error('lz4 literals overflow');
    from.copy(to, out, at, at + literals);
    at += literals;
    out += literals;
    if (at === end) return out;
    if (at + 2 > end) throw new Error('an lz4 distance is cut short');
    const distance = from[at]! | (from[at + 1]! << 8);
    at += 2;
    const matchBytes = readLength(token & LENGTH_MASK) + MATCH_BYTES_MIN;
    if (distance === 0 || out - distance < historyStart)
      throw new Error('an lz4 match out of reach');
    if (out + matchBytes > to.length) throw new Error('an lz4 match overflows');
    // Byte by byte: a match may overlap what it writes.
    for (const matchEnd = out + matchBytes; out < matchEnd; out++) to[out] = to[out - distance]!;
  }
}
