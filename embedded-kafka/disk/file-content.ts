/**
 * The bytes of one file of a MemoryDisk. `#stable` of them are on the platters as they are; `#oldTail`
 * is what the platters still hold behind them when a synced file was truncated and not synced since.
 */
import type { Random } from '../../base/random.ts';

const SECTOR_BYTES = 512;

export class FileContent {
  #bytes = Buffer.alloc(0);
  #size = 0;
  #stable = 0;
  #oldTail = Buffer.alloc(0);
  #isEntryStable = false;

  get sizeBytes(): number {
    return this.#size;
  }

  append(part: Uint8Array): void {
    if (this.#size + part.length > this.#bytes.length) {
      const grown = Buffer.alloc(Math.max(1024, (this.#size + part.length) * 2));
      this.#bytes.copy(grown, 0, 0, this.#size);
      this.#bytes = grown;
    }
    this.#bytes.set(part, this.#size);
    this.#size += part.length;
  }

  /** A copy: a reader must not see what is written later. */
  read(position: number, length: number): Buffer {
    return Buffer.from(this.#bytes.subarray(position, Math.min(this.#size, position + length)));
  }

  truncate(sizeBytes: number): void {
    if (sizeBytes < this.#stable) {
      const cut = Buffer.from(this.#bytes.subarray(sizeBytes, this.#stable));
      this.#oldTail = Buffer.concat([cut, this.#oldTail]);
      this.#stable = sizeBytes;
    }
    this.#size = sizeBytes;
  }

  syncTo(sizeBytes: number): void {
    this.#stable = Math.max(this.#stable, Math.min(sizeBytes, this.#size));
    this.#oldTail = Buffer.alloc(0);
    this.syncEntry();
  }

  syncEntry(): void {
    this.#isEntryStable = true;
  }

  flipBit(position: number): void {
    this.#bytes[position]! ^= 1;
  }

  /** Undefined when the directory never heard of this file. */
  afterPowerLoss(random: Random): FileContent | undefined {
    if (!this.#isEntryStable && random.next() < 0.5) return undefined;
    const survivor = new FileContent();
    survivor.append(this.#bytes.subarray(0, this.#stable));
    const isTruncationLost = this.#oldTail.length > 0 && random.next() < 0.5;
    survivor.append(isTruncationLost ? this.#oldTail : this.#damagedTail(random));
    survivor.syncTo(survivor.sizeBytes);
    return survivor;
  }

  #damagedTail(random: Random): Buffer {
    const tail = Buffer.from(this.#bytes.subarray(this.#stable, this.#size));
    const cutAt = Math.floor(random.next() * (tail.length + 1));
    const fate = random.next();
    if (fate < 0.3) return tail.subarray(0, cutAt);
    if (fate < 0.5) return tail.fill(0, cutAt);
    if (fate < 0.8) {
      for (let sector = 0; sector < tail.length; sector += SECTOR_BYTES) {
        if (random.next() < 0.5) tail.fill(0, sector, Math.min(tail.length, sector + SECTOR_BYTES));
      }
    }
    return tail;
  }
}
