/**
 * Which keys a store may hold: their 32-bit hashes in memory, so that reading a key that was never
 * written costs no read of the disk, where a missing key is the most expensive of all.
 *
 * K1. A key that was added is never called absent, and nothing is before `learn` has gone through
 *     what was there already: whoever writes adds first. The other way round it errs, harmlessly:
 *     for two keys with one hash, a deleted key, a key whose transaction was dropped.
 * K2. Bounded: with more than `keysMax` keys it forgets them all, and every key may be there.
 */
import type { BytesScan } from '../bytes-store.ts';

/** Tables grow one by one: a doubling stays below a millisecond however many keys there are. */
const TABLES = 256;
const SHIFT_TO_TABLE = 24;
const SLOTS_MIN = 16;
/** Of every table that holds nothing yet: most tasks open their stores far more often than they fill them. */
const NO_SLOTS = new Int32Array(1);
const PAGE = 1_000;

/** Open addressing; 0 = free. */
interface Table {
  slots: Int32Array;
  used: number;
}

export class KnownKeys {
  readonly #keysMax: number;
  #tables: readonly Table[] = emptyTables();
  #count = 0;
  #isComplete = false;
  #isStopped = false;
  #learning: Promise<void> | undefined;

  constructor(keysMax: number) {
    this.#keysMax = keysMax;
  }

  /** The key in these bytes is going to be written. */
  add(bytes: Uint8Array, start: number, end: number): void {
    if (!this.#isStopped) this.#add(hashOf(bytes, start, end));
  }

  /** True: no such key has ever been written. False: it may have been. */
  isAbsent(bytes: Uint8Array, start: number, end: number): boolean {
    return this.#isComplete && !this.#has(hashOf(bytes, start, end));
  }

  /** True once absent keys are told; false for ever when there are too many. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** The store has never held anything: what is added is all there is. */
  assumeEmpty(): void {
    this.#isComplete = !this.#isStopped;
  }

  /**
   * Goes through what was written before anything was added, in the background and once; `scan` is
   * called at once. Should the scan fail, every key may be there: whoever reads meets the error.
   */
  learn(scan: () => BytesScan): void {
    this.#learning ??= this.#learn(scan()).catch(() => this.#stop());
  }

  /** Resolves when learn() has gone through everything, or given up. */
  async learned(): Promise<void> {
    await this.#learning;
  }

  /** Resolves when no scan is open any more. */
  async close(): Promise<void> {
    this.#stop();
    await this.#learning;
  }

  async #learn(scan: BytesScan): Promise<void> {
    try {
      while (!this.#isStopped) {
        const page = await scan.next(PAGE);
        if (page.length === 0) {
          this.#isComplete = !this.#isStopped;
          return;
        }
        for (const [key] of page) this.add(key, 0, key.length);
      }
    } finally {
      await scan.close();
    }
  }

  #stop(): void {
    this.#isStopped = true;
    this.#isComplete = false;
    this.#tables = [];
  }

  #has(hash: number): boolean {
    const { slots } = this.#tables[hash >>> SHIFT_TO_TABLE]!;
    return slots[slotOf(slots, hash)] !== 0;
  }

  #add(hash: number): void {
    const table = this.#tables[hash >>> SHIFT_TO_TABLE]!;
    if (table.slots === NO_SLOTS) table.slots = new Int32Array(SLOTS_MIN);
    const slot = slotOf(table.slots, hash);
    if (table.slots[slot] !== 0) return;
    if (this.#count === this.#keysMax) {
      this.#stop();
      return;
    }
    table.slots[slot] = hash;
    table.used++;
    this.#count++;
    // Two thirds: beyond it looking for what is not there, the common case, becomes long.
    if (table.used * 3 > table.slots.length * 2) grow(table);
  }
}

function emptyTables(): readonly Table[] {
  return Array.from({ length: TABLES }, () => ({ slots: NO_SLOTS, used: 0 }));
}

/** Where the hash is, or the free slot where it belongs. */
function slotOf(slots: Int32Array, hash: number): number {
  const mask = slots.length - 1;
  let slot = hash & mask;
  for (let seen = slots[slot]!; seen !== 0 && seen !== hash; seen = slots[slot]!) {
    slot = (slot + 1) & mask;
  }
  return slot;
}

function grow(table: Table): void {
  const slots = new Int32Array(table.slots.length * 2);
  for (const hash of table.slots) if (hash !== 0) slots[slotOf(slots, hash)] = hash;
  table.slots = slots;
}

/** Never 0. Murmur3's rounds: every bit of the key moves every bit of the hash. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = end - start;
  let at = start;
  for (; at + 4 <= end; at += 4) {
    const word =
      bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    hash = mix(hash, word);
  }
  for (; at < end; at++) hash = mix(hash, bytes[at]!);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16) || 1;
}

function mix(hash: number, word: number): number {
  const scrambled = Math.imul(word, 0xcc9e2d51);
  const mixed = hash ^ Math.imul((scrambled << 15) | (scrambled >>> 17), 0x1b873593);
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}
