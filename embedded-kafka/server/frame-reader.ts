/**
 * Cuts a stream of bytes into frames: a 4-byte size, then that many bytes. Holds what has arrived of
 * the next frames and nothing more: an announced size allocates nothing.
 */
import { MillraceError } from '../../base/errors.ts';

const SIZE_BYTES = 4;

export class FrameReader {
  readonly #frameBytesMax: number;
  #chunks: Buffer[] = [];
  #bufferedBytes = 0;

  constructor(frameBytesMax: number) {
    this.#frameBytesMax = frameBytesMax;
  }

  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bufferedBytes += chunk.length;
  }

  /** The next whole frame without its size. Throws KAFKA_PROTOCOL for a size that cannot be right. */
  next(): Buffer | undefined {
    if (this.#bufferedBytes < SIZE_BYTES) return undefined;
    const sizeBytes = this.#peekSize();
    if (sizeBytes <= 0 || sizeBytes > this.#frameBytesMax) {
      throw new MillraceError('KAFKA_PROTOCOL', `a frame of ${sizeBytes} bytes is announced`, {
        facts: { sizeBytes, frameBytesMax: this.#frameBytesMax },
      });
    }
    if (this.#bufferedBytes < SIZE_BYTES + sizeBytes) return undefined;
    return this.#take(SIZE_BYTES + sizeBytes).subarray(SIZE_BYTES);
  }

  #peekSize(): number {
    const first = this.#chunks[0];
    if (first !== undefined && first.length >= SIZE_BYTES) return first.readInt32BE(0);
    // The size itself is cut: join what is there, which happens at most once per frame.
    this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0]?.readInt32BE(0) ?? 0;
  }

  /** A view when the bytes lie in one chunk, else a copy. */
  #take(count: number): Buffer {
    this.#bufferedBytes -= count;
    const first = this.#chunks[0];
    if (first !== undefined && first.length >= count) {
      if (first.length === count) this.#chunks.shift();
      else this.#chunks[0] = first.subarray(count);
      return first.subarray(0, count);
    }
    const taken = Buffer.allocUnsafe(count);
    let filled = 0;
    let used = 0;
    for (const chunk of this.#chunks) {
      const length = Math.min(chunk.length, count - filled);
      chunk.copy(taken, filled, 0, length);
      filled += length;
      if (length < chunk.length) {
        this.#chunks[used] = chunk.subarray(length);
        break;
      }
      used++;
      if (filled === count) break;
    }
    this.#chunks.splice(0, used);
    return taken;
  }
}
