/** A buffer that grows: things are encoded one behind the other and found again by their offsets. */
import type { Serde } from '../../schemas/serde.ts';

/** A slab that grew beyond this in a burst is not kept for the next use. */
const KEPT_BYTES_MAX = 8 << 20;

export class Slab {
  buffer: Buffer;
  /** Where the next thing goes. */
  end = 0;

  constructor(sizeBytes: number) {
    this.buffer = Buffer.allocUnsafe(sizeBytes);
  }

  /** Makes room for `count` more bytes; what is there stays at its offsets. */
  reserve(count: number): void {
    if (this.end + count <= this.buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.end + count, this.buffer.length * 2));
    this.buffer.copy(grown, 0, 0, this.end);
    this.buffer = grown;
  }

  append<T>(serde: Serde<T>, value: T): void {
    let end = serde.encode(value, this.buffer, this.end);
    while (end < 0) {
      this.reserve(Math.max(this.buffer.length - this.end - end, 64));
      end = serde.encode(value, this.buffer, this.end);
    }
    this.end = end;
  }

  appendBytes(source: Buffer, start: number, end: number): void {
    this.reserve(end - start);
    source.copy(this.buffer, this.end, start, end);
    this.end += end - start;
  }

  appendByte(byte: number): void {
    this.reserve(1);
    this.buffer[this.end++] = byte;
  }

  /** Leaves room that the caller fills in later. */
  skip(count: number): void {
    this.reserve(count);
    this.end += count;
  }

  get reusable(): boolean {
    return this.buffer.length <= KEPT_BYTES_MAX;
  }
}
