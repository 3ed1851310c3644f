/** Cuts a stream of bytes into frames: a 4-byte size, then as many bytes. Holds at most one unfinished frame. */
import { protocolError } from './protocol-error.ts';

const SIZE_BYTES = 4;

export class FrameSplitter {
  readonly #frameBytesMax: number;
  readonly #chunks: Buffer[] = [];
  #heldBytes = 0;
  /** Of the frame that has begun, its size included; SIZE_BYTES while that is not known. */
  #neededBytes = SIZE_BYTES;

  constructor(frameBytesMax: number) {
    this.#frameBytesMax = frameBytesMax;
  }

  /**
   * The frames, without their sizes, that `chunk` completes. Throws KAFKA_PROTOCOL for a size that is
   * negative or above the limit; the stream is unusable then.
   */
  *push(chunk: Buffer): Generator<Buffer> {
    this.#chunks.push(chunk);
    this.#heldBytes += chunk.length;
    while (this.#heldBytes >= this.#neededBytes) {
      const held = this.#join();
      const sizeBytes = held.readInt32BE(0);
      if (sizeBytes < 0 || sizeBytes > this.#frameBytesMax) {
        throw protocolError(`A frame of ${sizeBytes} bytes; at most ${this.#frameBytesMax} may be`);
      }
      const end = SIZE_BYTES + sizeBytes;
      if (held.length < end) {
        this.#neededBytes = end;
        return;
      }
      this.#keep(held.subarray(end));
      yield held.subarray(SIZE_BYTES, end);
    }
  }

  /** One buffer of what is held; frames are views into it. Joins at most twice per frame. */
  #join(): Buffer {
    const [first] = this.#chunks;
    return this.#chunks.length === 1 && first !== undefined ? first : this.#concat();
  }

  #concat(): Buffer {
    const joined = Buffer.concat(this.#chunks, this.#heldBytes);
    this.#chunks.length = 0;
    this.#chunks.push(joined);
    return joined;
  }

  #keep(rest: Buffer): void {
    this.#chunks.length = 0;
    if (rest.length > 0) this.#chunks.push(rest);
    this.#heldBytes = rest.length;
    this.#neededBytes = SIZE_BYTES;
  }
}
