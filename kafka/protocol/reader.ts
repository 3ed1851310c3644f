/**
 * Reads Kafka's primitive types out of one frame. Every read is checked against the frame's end, and a
 * length is believed only when the bytes it promises are there: a lying frame cannot make us allocate.
 * Byte fields are views into the frame, never copies; who keeps them keeps the frame alive.
 */
import { protocolError } from './protocol-error.ts';

const TWO_TO_32 = 2 ** 32;

export class Reader {
  readonly #buffer: Buffer;
  #position: number;
  #limit: number;

  constructor(buffer: Buffer, position = 0, limit = buffer.length) {
    if (position < 0 || position > limit || limit > buffer.length) {
      throw protocolError(`Cannot read from ${position} to ${limit} in ${buffer.length} bytes`);
    }
    this.#buffer = buffer;
    this.#position = position;
    this.#limit = limit;
  }

  get position(): number {
    return this.#position;
  }

  get remaining(): number {
    return this.#limit - this.#position;
  }

  int8(): number {
    return this.#buffer.readInt8(this.#advance(1));
  }

  int16(): number {
    return this.#buffer.readInt16BE(this.#advance(2));
  }

  int32(): number {
    return this.#buffer.readInt32BE(this.#advance(4));
  }

  /** Throws beyond the integers that a number holds exactly. */
  int64(): number {
    const start = this.#advance(8);
    const value =
      this.#buffer.readInt32BE(start) * TWO_TO_32 + this.#buffer.readUInt32BE(start + 4);
    if (!Number.isSafeInteger(value)) {
      throw protocolError(`An int64 is beyond 2^53: ${this.#buffer.readBigInt64BE(start)}`);
    }
    return value;
  }

  bool(): boolean {
    return this.#buffer[this.#advance(1)] !== 0;
  }

  uuid(): string {
    const start = this.#advance(16);
    return this.#buffer.toString('hex', start, start + 16);
  }

  /** An unsigned varint of at most 32 bits. */
  uvarint(): number {
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#byte();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    const last = this.#byte();
    if (last > 0x0f) throw protocolError('An unsigned varint is longer than 32 bits');
    return (value | (last << 28)) >>> 0;
  }

  utf8(sizeBytes: number): string {
    const start = this.#advance(sizeBytes);
    return this.#buffer.toString('utf8', start, start + sizeBytes);
  }

  /** A view, not a copy. */
  bytes(sizeBytes: number): Buffer {
    const start = this.#advance(sizeBytes);
    return this.#buffer.subarray(start, start + sizeBytes);
  }

  skip(sizeBytes: number): void {
    this.#advance(sizeBytes);
  }

  /** Narrows the frame to its next `sizeBytes`; give what it returns to `leave`. */
  enter(sizeBytes: number): number {
    if (sizeBytes > this.remaining) throw this.#truncated(sizeBytes);
    const outerLimit = this.#limit;
    this.#limit = this.#position + sizeBytes;
    return outerLimit;
  }

  leave(outerLimit: number): void {
    this.expectEnd();
    this.#limit = outerLimit;
  }

  /** What was read must have been everything: bytes left over mean that we misread them. */
  expectEnd(): void {
    if (this.remaining > 0) throw protocolError(`${this.remaining} bytes are left over`);
  }

  #byte(): number {
    return this.#buffer[this.#advance(1)] as number;
  }

  #advance(sizeBytes: number): number {
    const start = this.#position;
    if (sizeBytes < 0 || sizeBytes > this.#limit - start) throw this.#truncated(sizeBytes);
    this.#position = start + sizeBytes;
    return start;
  }

  #truncated(sizeBytes: number): Error {
    return protocolError(
      `The frame ends too early: ${sizeBytes} bytes wanted, ${this.remaining} there`,
      { position: this.#position },
    );
  }
}
