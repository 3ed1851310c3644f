/**
 * Text that comes again and again (names of zones, of events), from bytes to the string that is there
 * already: no new string, and one whose hash is known. Bounded; a place whose texts turn out to be
 * all different is left alone after a while.
 */

/** Slices as text without looking for the encoding's name each time; not in Node's typings. */
type Bytes = Buffer & { latin1Slice(start: number, end: number): string };

const SLOTS = 4_096;
const INTERNED_BYTES_MAX = 64;
/** Looked at after so many texts: fewer than half known means that it does not pay. */
const TRIAL = 16_384;

export class InternedText {
  /** undefined: it does not pay. */
  #slots: (string | undefined)[] | undefined = [];
  #seen = 0;
  #known = 0;

  /** The text of `bytes[start, end)`, or undefined when it is not all ASCII. */
  read(bytes: Buffer, start: number, end: number): string | undefined {
    const slots = this.#slots;
    if (slots === undefined || end - start > INTERNED_BYTES_MAX)
      return asciiText(bytes, start, end);
    let hash = end - start;
    let all = 0;
    for (let at = start; at < end; at++) {
      const byte = bytes[at]!;
      all |= byte;
      hash = (Math.imul(hash, 31) + byte) | 0;
    }
    if (all > 0x7f) return undefined;
    const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1);
    const known = slots[slot];
    if (++this.#seen === 1) slots.length = SLOTS;
    if (this.#seen === TRIAL) this.#judge();
    if (known !== undefined && isText(known, bytes, start, end)) {
      this.#known++;
      return known;
    }
    const text = (bytes as Bytes).latin1Slice(start, end);
    slots[slot] = text;
    return text;
  }

  #judge(): void {
    if (this.#known * 2 < this.#seen) this.#slots = undefined;
    this.#seen = 0;
    this.#known = 0;
  }
}

/** undefined when it is not all ASCII. */
export function asciiText(bytes: Buffer, start: number, end: number): string | undefined {
  for (let at = start; at < end; at++) if (bytes[at]! > 0x7f) return undefined;
  return (bytes as Bytes).latin1Slice(start, end);
}

function isText(text: string, bytes: Buffer, start: number, end: number): boolean {
  if (text.length !== end - start) return false;
  for (let index = 0; index < text.length; index++) {
    if (text.charCodeAt(index) !== bytes[start + index]) return false;
  }
  return true;
}
