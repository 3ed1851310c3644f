/**
 * Where to start looking in a segment: one entry about every index.interval.bytes, pointing at a
 * batch. Held in memory (16 bytes per entry); segment-file.ts decides when it is written.
 */

const INITIAL_CAPACITY = 64;
const COUNT_BYTES = 4;
/** Of all indexes that have no entry: most segments of a young broker are smaller than one interval. */
const NO_NUMBERS = new Uint32Array(0);
const NO_TIMES = new Float64Array(0);

export class SparseIndex {
  readonly #baseOffset: number;
  #relativeOffsets = NO_NUMBERS;
  #positions = NO_NUMBERS;
  /** Largest timestamp of all batches before the entry's: never decreases. */
  #timestampsBeforeMs = NO_TIMES;
  #count = 0;

  constructor(baseOffset: number) {
    this.#baseOffset = baseOffset;
  }

  add(offset: number, position: number, maxTimestampBeforeMs: number): void {
    if (this.#count === this.#positions.length) {
      this.#grow(Math.max(INITIAL_CAPACITY, this.#count * 2));
    }
    this.#relativeOffsets[this.#count] = offset - this.#baseOffset;
    this.#positions[this.#count] = position;
    this.#timestampsBeforeMs[this.#count] = maxTimestampBeforeMs;
    this.#count++;
  }

  /** Of the last indexed batch that starts at or before `offset`; 0 when there is none. */
  positionForOffset(offset: number): number {
    const relative = offset - this.#baseOffset;
    return this.#positionOfLast((entry) => this.#relativeOffsets[entry]! <= relative);
  }

  /** No batch before the position has a timestamp of `timestampMs` or later. */
  positionForTimestamp(timestampMs: number): number {
    return this.#positionOfLast((entry) => this.#timestampsBeforeMs[entry]! < timestampMs);
  }

  encode(): Buffer {
    const count = Buffer.alloc(COUNT_BYTES);
    count.writeUInt32LE(this.#count);
    const columns = [this.#timestampsBeforeMs, this.#relativeOffsets, this.#positions];
    const bytes = columns.map((column) => {
      const used = column.subarray(0, this.#count);
      return new Uint8Array(used.buffer, used.byteOffset, used.byteLength);
    });
    return Buffer.concat([count, ...bytes]);
  }

  static decode(baseOffset: number, encoded: Buffer): SparseIndex {
    const index = new SparseIndex(baseOffset);
    const count = encoded.readUInt32LE(0);
    if (count === 0) return index;
    index.#grow(Math.max(INITIAL_CAPACITY, count));
    index.#count = count;
    // Copied out: the columns need their own alignment.
    const columns = encoded.buffer.slice(
      encoded.byteOffset + COUNT_BYTES,
      encoded.byteOffset + encoded.length,
    );
    index.#timestampsBeforeMs.set(new Float64Array(columns, 0, count));
    index.#relativeOffsets.set(new Uint32Array(columns, count * 8, count));
    index.#positions.set(new Uint32Array(columns, count * 12, count));
    return index;
  }

  /** `holds` is true for a prefix of the entries. */
  #positionOfLast(holds: (entry: number) => boolean): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (holds(middle)) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? 0 : this.#positions[low - 1]!;
  }

  #grow(capacity: number): void {
    const grown = <A extends Uint32Array | Float64Array>(old: A, made: A): A => {
      made.set(old.subarray(0, this.#count));
      return made;
    };
    this.#relativeOffsets = grown(this.#relativeOffsets, new Uint32Array(capacity));
    this.#positions = grown(this.#positions, new Uint32Array(capacity));
    this.#timestampsBeforeMs = grown(this.#timestampsBeforeMs, new Float64Array(capacity));
  }
}
