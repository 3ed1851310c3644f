/**
 * Decoded, committed entries in front of the disk, tombstones included. Two generations stand in
 * for an exact LRU: reading costs one or two map lookups and moves an entry at most once per turn.
 */
import type { Entry, KeyIdentity } from './overlay.ts';

export class CommittedCache<K, V> {
  readonly #generationMax: number;
  #young = new Map<KeyIdentity, Entry<K, V>>();
  #old = new Map<KeyIdentity, Entry<K, V>>();

  constructor(entriesMax: number) {
    this.#generationMax = Math.floor(entriesMax / 2);
  }

  get(key: KeyIdentity): Entry<K, V> | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: KeyIdentity, entry: Entry<K, V>): void {
    if (this.#generationMax === 0) return;
    if (this.#young.size >= this.#generationMax) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, entry);
  }

  clear(): void {
    if (this.#young.size > 0) this.#young = new Map();
    if (this.#old.size > 0) this.#old = new Map();
  }
}
