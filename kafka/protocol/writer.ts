/**
 * Writes Kafka's primitive types into one growing buffer. A value that its type cannot hold is refused:
 * a wrapped number on the wire would be somebody else's corrupt data.
 */
import { misfit } from './protocol-error.ts';

const INITIAL_SIZE_BYTES = 4096;
/** Up to here the buffer is reused: growing anew for every frame would cost more than copying it out. */
const REUSED_BYTES_MAX = 4 * 1024 * 1024;
/** Node's pool is for small results; larger ones get memory of their own, which can be given away. */
const POOLED_BYTES_MAX = 4 * 1024;
const TWO_TO_32 = 2 ** 32;

export class Writer {
  #buffer: Buffer;
  #position = 0;

  constructor(sizeBytes: number = INITIAL_SIZE_BYTES) {
    this.#buffer = Buffer.allocUnsafeSlow(sizeBytes);
  }

  get position(): number {
    return this.#position;
  }

  /** Forgets what was written. */
  reset(): void {
    this.#position = 0;
  }

  /** Hands over what was written since the last reset, and resets. The writer may be used again. */
  take(): Buffer {
    const written = this.#buffer.subarray(0, this.#position);
    this.#position = 0;
    if (written.length < POOLED_BYTES_MAX) return Buffer.from(written);
    if (this.#buffer.length > REUSED_BYTES_MAX) {
      this.#buffer = Buffer.allocUnsafeSlow(INITIAL_SIZE_BYTES);
      return written;
    }
    const taken = Buffer.allocUnsafeSlow(written.length);
    written.copy(taken);
    return taken;
  }

  int8(value: number): void {
    if ((value << 24) >> 24 !== value) throw misfit('int8', value);
    this.#byte(value);
  }

  int16(value: number): void {
    if ((value << 16) >> 16 !== value) throw misfit('int16', value);
    const start = this.#advance(2);
    this.#buffer[start] = value >> 8;
    this.#buffer[start + 1] = value;
  }

  int32(value: number): void {
    if ((value | 0) !== value) throw misfit('int32', value);
    const start = this.#advance(4);
    this.#buffer.writeInt32BE(value, start);
  }

  int64(value: number): void {
    if (!Number.isSafeInteger(value)) throw misfit('int64', value);
    const start = this.#advance(8);
    const high = Math.floor(value / TWO_TO_32);
    this.#buffer.writeInt32BE(high, start);
    this.#buffer.writeUInt32BE(value - high * TWO_TO_32, start + 4);
  }

  bool(value: boolean): void {
    if (typeof value !== 'boolean') throw misfit('bool', value);
    this.#byte(value ? 1 : 0);
  }

  /** 32 hex digits. */
  uuid(value: string): void {
    if (typeof value !== 'string' || value.length !== 32) throw misfit('uuid', value);
    const start = this.#advance(16);
    if (this.#buffer.write(value, start, 16, 'hex') !== 16) throw misfit('uuid', value);
  }

  /** An unsigned varint of at most 32 bits. */
  uvarint(value: number): void {
    if (value >>> 0 !== value) throw misfit('unsigned varint', value);
    let rest = value;
    while (rest > 0x7f) {
      this.#byte((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.#byte(rest);
  }

  /** The text's bytes alone; `sizeBytes` is its Buffer.byteLength, which the caller had to know. */
  utf8(value: string, sizeBytes: number): void {
    const start = this.#advance(sizeBytes);
    this.#buffer.write(value, start, sizeBytes, 'utf8');
  }

  bytes(value: Uint8Array): void {
    const start = this.#advance(value.length);
    this.#buffer.set(value, start);
  }

  /** Writes an int32 at an earlier position, e.g. a frame's size once it is known. */
  int32At(position: number, value: number): void {
    if ((value | 0) !== value) throw misfit('int32', value);
    this.#buffer.writeInt32BE(value, position);
  }

  /** Begins a part that is preceded by its size as unsigned varint; give the result to `closeSized`. */
  openSized(): number {
    return this.#advance(1);
  }

  closeSized(mark: number): void {
    const start = mark + 1;
    const sizeBytes = this.#position - start;
    const extraBytes = uvarintSizeBytes(sizeBytes) - 1;
    // One byte was kept free; a size that needs more pushes its part to the right (rare: tags are small).
    if (extraBytes > 0) {
      this.#advance(extraBytes);
      this.#buffer.copyWithin(start + extraBytes, start, start + sizeBytes);
    }
    const end = this.#position;
    this.#position = mark;
    this.uvarint(sizeBytes);
    this.#position = end;
  }

  #byte(value: number): void {
    const start = this.#advance(1);
    this.#buffer[start] = value;
  }

  /** Makes room and gives where it is. It may replace the buffer: call it before naming the buffer. */
  #advance(sizeBytes: number): number {
    const start = this.#position;
    const end = start + sizeBytes;
    if (end > this.#buffer.length) this.#grow(end);
    this.#position = end;
    return start;
  }

  #grow(neededBytes: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(neededBytes, this.#buffer.length * 2));
    this.#buffer.copy(grown, 0, 0, this.#position);
    this.#buffer = grown;
  }
}

export function uvarintSizeBytes(value: number): number {
  let sizeBytes = 1;
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) sizeBytes += 1;
  return sizeBytes;
}
