/**
 * The committed offsets of one group, and those that wait for their transaction's marker. Nothing here
 * is durable by itself. Writes carry an order (that of the log): a later one is never undone by an
 * earlier one, whichever becomes durable first.
 */
import { partitionKey, type TopicPartition } from '../../../kafka/ports.ts';
import type { StoredOffset } from './group-log.ts';

export interface OffsetEntry extends TopicPartition {
  readonly stored: StoredOffset;
  /** Place in the log. */
  readonly order: number;
}

export class GroupOffsets {
  readonly #committed = new Map<string, OffsetEntry>();
  /** By producer id, then by partitionKey. */
  readonly #pending = new Map<number, Map<string, OffsetEntry>>();

  get isEmpty(): boolean {
    return this.#committed.size === 0 && this.#pending.size === 0;
  }

  get(topic: string, partition: number): StoredOffset | undefined {
    return this.#committed.get(partitionKey(topic, partition))?.stored;
  }

  all(): Iterable<OffsetEntry> {
    return this.#committed.values();
  }

  /** Is an open transaction about to move this offset? */
  isPending(topic: string, partition: number): boolean {
    const key = partitionKey(topic, partition);
    for (const offsets of this.#pending.values()) if (offsets.has(key)) return true;
    return false;
  }

  get hasPending(): boolean {
    return this.#pending.size > 0;
  }

  commit(entry: OffsetEntry): void {
    const key = partitionKey(entry.topic, entry.partition);
    const current = this.#committed.get(key);
    if (current === undefined || current.order < entry.order) this.#committed.set(key, entry);
  }

  addPending(producerId: number, entry: OffsetEntry): void {
    let offsets = this.#pending.get(producerId);
    if (offsets === undefined) {
      offsets = new Map();
      this.#pending.set(producerId, offsets);
    }
    offsets.set(partitionKey(entry.topic, entry.partition), entry);
  }

  /** The log refused it. */
  dropPending(producerId: number, entry: OffsetEntry): void {
    const offsets = this.#pending.get(producerId);
    const key = partitionKey(entry.topic, entry.partition);
    if (offsets?.get(key) !== entry) return;
    offsets.delete(key);
    if (offsets.size === 0) this.#pending.delete(producerId);
  }

  /** The producer's transaction is over. */
  completeTransaction(producerId: number, committed: boolean): void {
    const offsets = this.#pending.get(producerId);
    if (offsets === undefined) return;
    this.#pending.delete(producerId);
    if (!committed) return;
    for (const entry of offsets.values()) this.commit(entry);
  }

  /** Forgets what was committed before `order`, pending ones included. */
  delete(topic: string, partition: number, order: number): void {
    const key = partitionKey(topic, partition);
    const current = this.#committed.get(key);
    if (current !== undefined && current.order < order) this.#committed.delete(key);
    for (const [producerId, offsets] of this.#pending) {
      const pending = offsets.get(key);
      if (pending === undefined || pending.order > order) continue;
      offsets.delete(key);
      if (offsets.size === 0) this.#pending.delete(producerId);
    }
  }
}
