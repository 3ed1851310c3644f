/**
 * The newest bytes of segment files, kept in memory so that tail fetches do not touch the disk.
 * All segments share one budget; the oldest chunk of all goes first. Invariants: the chunks of one
 * segment are contiguous and end where its file ends; a batch lies in one chunk; bytes once written
 * never change, so views stay valid after their chunk was dropped.
 */

const FIRST_CHUNK_BYTES = 16 * 1024;
const LARGEST_CHUNK_BYTES = 1024 * 1024;

interface Chunk {
  readonly owner: RecentBytes;
  readonly position: number;
  readonly buffer: Buffer;
  used: number;
}

export class RecentBytesBudget {
  readonly #bytesMax: number;
  /** Oldest first. */
  readonly #chunks = new Set<Chunk>();
  #bytes = 0;

  /** 0 = nothing is kept. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get isOff(): boolean {
    return this.#bytesMax === 0;
  }

  add(chunk: Chunk): void {
    this.#chunks.add(chunk);
    this.#bytes += chunk.buffer.length;
    for (const oldest of this.#chunks) {
      if (this.#bytes <= this.#bytesMax) break;
      oldest.owner.dropOldest();
    }
  }

  release(chunk: Chunk): void {
    if (this.#chunks.delete(chunk)) this.#bytes -= chunk.buffer.length;
  }
}

/** The recent bytes of one segment file. */
export class RecentBytes {
  readonly #budget: RecentBytesBudget;
  #chunks: Chunk[] = [];
  #end: number;

  /** `end`: how long the file is now. */
  constructor(budget: RecentBytesBudget, end: number) {
    this.#budget = budget;
    this.#end = end;
  }

  /** Copies what was just appended to the file: one whole batch. */
  append(batch: Uint8Array): void {
    if (this.#budget.isOff) {
      this.#end += batch.length;
      return;
    }
    const chunk = this.#chunkFor(batch.length);
    chunk.buffer.set(batch, chunk.used);
    chunk.used += batch.length;
    this.#end += batch.length;
  }

  /** Everything from `position` to the end of its chunk; undefined when that is not in memory. */
  from(position: number): Buffer | undefined {
    if (position >= this.#end) return undefined;
    for (let index = this.#chunks.length - 1; index >= 0; index--) {
      const chunk = this.#chunks[index]!;
      if (position >= chunk.position) {
        return chunk.buffer.subarray(position - chunk.position, chunk.used);
      }
    }
    return undefined;
  }

  /** The file was cut to `end`. */
  cut(end: number): void {
    if (end === this.#end) return;
    this.dropAll();
    this.#end = end;
  }

  dropOldest(): void {
    const oldest = this.#chunks.shift();
    if (oldest !== undefined) this.#budget.release(oldest);
  }

  dropAll(): void {
    while (this.#chunks.length > 0) this.dropOldest();
  }

  #chunkFor(sizeBytes: number): Chunk {
    const last = this.#chunks.at(-1);
    if (last !== undefined && last.buffer.length - last.used >= sizeBytes) return last;
    const wanted = Math.min(
      LARGEST_CHUNK_BYTES,
      (last?.buffer.length ?? FIRST_CHUNK_BYTES / 2) * 2,
    );
    const buffer = Buffer.allocUnsafeSlow(Math.max(sizeBytes, wanted));
    const chunk: Chunk = { owner: this, position: this.#end, buffer, used: 0 };
    this.#chunks.push(chunk);
    this.#budget.add(chunk);
    return chunk;
  }
}
