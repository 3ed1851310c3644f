/** Reads LevelDB's little-endian integers and varints one after the other. Throws RangeError past the end. */
export class ByteCursor {
  readonly #bytes: Buffer;
  #at: number;
  readonly #end: number;

  constructor(bytes: Buffer, at: number = 0, end: number = bytes.length) {
    if (at < 0 || at > end || end > bytes.length) throw new RangeError('outside the bytes');
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
  }

  get atEnd(): boolean {
    return this.#at >= this.#end;
  }

  /** Up to 2^53; LevelDB's file numbers, sizes and offsets stay far below. */
  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 53; shift += 7) {
      const byte = this.#byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError('varint too long');
  }

  take(length: number): Buffer {
    if (this.#at + length > this.#end) throw new RangeError('past the end');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  lengthPrefixed(): Buffer {
    return this.take(this.varint());
  }

  #byte(): number {
    if (this.#at >= this.#end) throw new RangeError('past the end');
    return this.#bytes[this.#at++]!;
  }
}
