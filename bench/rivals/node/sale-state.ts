/**
 * The decisions of the Node jobs and their state in LevelDB, written in one batch after the commit:
 * z/<zone> = its stock, d/<purchase> = decided, o/<partition> = next offset. No changelog topic: this
 * state dies with its disk, ours does not.
 */
import { mkdirSync } from 'node:fs';
import { Level } from 'level';
import type { PurchaseAsked, SaleRecords } from './sale-records.ts';

export interface Input {
  readonly value: Buffer;
  readonly offset: string;
  readonly timestampMs: number;
}

export interface Output {
  readonly key: string;
  readonly value: Buffer;
}

export interface Decided {
  readonly statuses: readonly Output[];
  readonly inventories: readonly Output[];
  readonly writes: readonly Write[];
}

interface Write {
  readonly type: 'put';
  readonly key: string;
  readonly value: string;
}

interface Stock {
  readonly eventId: string;
  readonly zoneId: string;
  readonly capacity: number;
  readonly quantityMax: number;
  sold: number;
  version: number;
  updatedAtMs: number;
  commandOffset: number;
}

export class SaleState {
  readonly #db: Level<string, string>;
  readonly #records: SaleRecords;
  /** Ahead of the disk until the commit. */
  readonly #zones = new Map<string, Stock>();

  private constructor(db: Level<string, string>, records: SaleRecords) {
    this.#db = db;
    this.#records = records;
  }

  static async open(directory: string, records: SaleRecords): Promise<SaleState> {
    mkdirSync(directory, { recursive: true });
    const db = new Level<string, string>(directory);
    await db.open();
    return new SaleState(db, records);
  }

  /** Decides records of one or more partitions, in order. */
  async decide(inputs: readonly Input[]): Promise<Decided> {
    const commands = inputs.map(({ value }) => this.#records.command(value));
    const known = await this.#db.getMany(
      commands.map(({ purchase }) => `d/${purchase?.purchaseId ?? ''}`),
    );
    const fresh = new Map<string, string>();
    const changed = new Map<string, Stock>();
    const statuses: Output[] = [];
    for (const [index, { purchase, zone }] of commands.entries()) {
      const { offset, timestampMs } = inputs[index]!;
      const place = { updatedAtMs: timestampMs, commandOffset: Number(offset) };
      const named = purchase ?? zone!;
      const key = `${named.eventId}/${named.zoneId}`;
      const stock = this.#zones.get(key) ?? (await this.#stored(key));
      if (purchase === undefined) {
        if (stock !== undefined || zone === undefined) continue;
        const created = { ...zone, sold: 0, version: 1, ...place };
        this.#zones.set(key, created);
        changed.set(key, created);
        continue;
      }
      if (known[index] !== undefined || fresh.has(purchase.purchaseId)) continue;
      const reason = reasonToReject(stock, purchase);
      if (stock !== undefined && reason === 'none') {
        stock.sold += purchase.quantity;
        stock.version++;
        Object.assign(stock, place);
        changed.set(key, stock);
      }
      fresh.set(purchase.purchaseId, reason);
      statuses.push({
        key: purchase.purchaseId,
        value: this.#records.status({
          ...purchase,
          state: reason === 'none' ? 'confirmed' : 'rejected',
          reason,
          requestedAtMs: timestampMs,
          decidedAtMs: timestampMs,
          commandOffset: place.commandOffset,
          price: null,
        }),
      });
    }
    return { statuses, ...this.#outcome(changed, fresh) };
  }

  /** After the commit. `next`: the next offset of each partition that was read. */
  keep(decided: Decided, next: ReadonlyMap<number, string>): Promise<void> {
    const offsets = [...next].map(([partition, offset]) => ({
      type: 'put' as const,
      key: `o/${partition}`,
      value: offset,
    }));
    return this.#db.batch([...decided.writes, ...offsets]);
  }

  /** After an abort the memory is ahead of the disk. */
  drop(): void {
    this.#zones.clear();
  }

  #outcome(changed: ReadonlyMap<string, Stock>, fresh: ReadonlyMap<string, string>) {
    const inventories: Output[] = [];
    const writes: Write[] = [];
    for (const [key, stock] of changed) {
      const available = stock.capacity - stock.sold;
      inventories.push({ key, value: this.#records.inventory({ ...stock, available, held: 0 }) });
      writes.push({ type: 'put', key: `z/${key}`, value: JSON.stringify(stock) });
    }
    for (const [purchaseId, reason] of fresh) {
      writes.push({ type: 'put', key: `d/${purchaseId}`, value: reason });
    }
    return { inventories, writes };
  }

  async #stored(key: string): Promise<Stock | undefined> {
    const text = await this.#db.get(`z/${key}`);
    if (text === undefined) return undefined;
    const stock = JSON.parse(text) as Stock;
    this.#zones.set(key, stock);
    return stock;
  }
}

function reasonToReject(stock: Stock | undefined, { quantity }: PurchaseAsked): string {
  if (quantity < 1) return 'invalid_command';
  if (stock === undefined) return 'unknown_zone';
  if (quantity > stock.quantityMax) return 'quantity_over_limit';
  return quantity > stock.capacity - stock.sold ? 'sold_out' : 'none';
}
