/**
 * The last offset of every key in the part of a log that is being compacted. Keys are compared byte
 * by byte: two keys are never taken for one, whatever they hash to. Memory is bounded: when it is
 * full, put() says so and the caller compacts up to there.
 */

const INITIAL_ENTRIES = 256;
const INITIAL_KEY_BYTES = 16 * 1024;
const ENTRY_BYTES = 8 + 4 + 4;
const SLOT_BYTES = 4;
/** Slots per entry: keeps probe chains short. */
const SLOTS_PER_ENTRY = 2;

export class KeyOffsets {
  readonly #bytesMax: number;
  /** Entry number + 1; 0 = free. A power of two long. */
  #slots = new Int32Array(INITIAL_ENTRIES * SLOTS_PER_ENTRY);
  #offsets = new Float64Array(INITIAL_ENTRIES);
  #keyStarts = new Uint32Array(INITIAL_ENTRIES);
  #keyLengths = new Uint32Array(INITIAL_ENTRIES);
  #keys = Buffer.allocUnsafeSlow(INITIAL_KEY_BYTES);
  #keyBytes = 0;
  #count = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get size(): number {
    return this.#count;
  }

  /** Offset of the key `buffer[start, end)`; -1 when it is not known. */
  get(buffer: Buffer, start: number, end: number): number {
    const entry = this.#slots[this.#find(buffer, start, end)]! - 1;
    return entry < 0 ? -1 : this.#offsets[entry]!;
  }

  /** Offsets must come in rising order. False, with nothing changed, when there is no more room. */
  put(buffer: Buffer, start: number, end: number, offset: number): boolean {
    const slot = this.#find(buffer, start, end);
    const known = this.#slots[slot]! - 1;
    if (known >= 0) {
      this.#offsets[known] = offset;
      return true;
    }
    const length = end - start;
    if (!this.#makeRoom(length)) return false;
    const entry = this.#count++;
    this.#offsets[entry] = offset;
    this.#keyStarts[entry] = this.#keyBytes;
    this.#keyLengths[entry] = length;
    this.#keyBytes += buffer.copy(this.#keys, this.#keyBytes, start, end);
    // Making room may have moved everything.
    this.#slots[this.#find(buffer, start, end)] = entry + 1;
    return true;
  }

  /** The slot of the key, or the free one where it would go. */
  #find(buffer: Buffer, start: number, end: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = hashOf(buffer, start, end) & mask; ; slot = (slot + 1) & mask) {
      const entry = this.#slots[slot]! - 1;
      if (entry < 0) return slot;
      if (this.#keyLengths[entry] !== end - start) continue;
      const at = this.#keyStarts[entry]!;
      if (buffer.compare(this.#keys, at, at + end - start, start, end) === 0) return slot;
    }
  }

  #makeRoom(keyLength: number): boolean {
    const keysCapacity = grown(this.#keys.length, this.#keyBytes + keyLength);
    const entriesCapacity = grown(this.#offsets.length, this.#count + 1);
    const entryBytes = ENTRY_BYTES + SLOT_BYTES * SLOTS_PER_ENTRY;
    if (keysCapacity + entriesCapacity * entryBytes > this.#bytesMax) return false;
    if (keysCapacity > this.#keys.length) {
      const keys = Buffer.allocUnsafeSlow(keysCapacity);
      this.#keys.copy(keys, 0, 0, this.#keyBytes);
      this.#keys = keys;
    }
    if (entriesCapacity > this.#offsets.length) this.#growEntries(entriesCapacity);
    return true;
  }

  #growEntries(capacity: number): void {
    const offsets = new Float64Array(capacity);
    const keyStarts = new Uint32Array(capacity);
    const keyLengths = new Uint32Array(capacity);
    offsets.set(this.#offsets);
    keyStarts.set(this.#keyStarts);
    keyLengths.set(this.#keyLengths);
    this.#offsets = offsets;
    this.#keyStarts = keyStarts;
    this.#keyLengths = keyLengths;
    this.#slots = new Int32Array(capacity * SLOTS_PER_ENTRY);
    const mask = this.#slots.length - 1;
    for (let entry = 0; entry < this.#count; entry++) {
      const start = keyStarts[entry]!;
      let slot = hashOf(this.#keys, start, start + keyLengths[entry]!) & mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
      this.#slots[slot] = entry + 1;
    }
  }
}

function grown(capacity: number, needed: number): number {
  let size = capacity;
  while (size < needed) size *= 2;
  return size;
}

/** FNV-1a, with its bits mixed once more for the low ones that choose the slot. */
function hashOf(buffer: Buffer, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ buffer[at]!, 0x01000193);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x2c1b3c6d);
  return hash ^ (hash >>> 13);
}
