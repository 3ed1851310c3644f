/**
 * What a life zone's announced stock must be. Commands name their place in the log, payments and the
 * end of holds do not: of those so many are contained as the version has changes beyond its commands'.
 * Sums do not ask in which order.
 */
import type { StockRecord } from '../records/sale-records.ts';

export interface StockChange {
  readonly capacity: number;
  readonly held: number;
  readonly sold: number;
  readonly revenueMinor: number;
}

interface CommandChange extends StockChange {
  readonly commandOffset: number;
}

export interface ToldStock extends StockChange {
  readonly version: number;
  readonly commandOffset: number;
}

export class StockTrail {
  #told: ToldStock;
  readonly #commands: CommandChange[] = [];
  readonly #others: StockChange[] = [];

  /** `told`: as it was announced last, or before anything was. */
  constructor(told: ToldStock) {
    this.#told = told;
  }

  get hasUntold(): boolean {
    return this.#commands.length + this.#others.length > 0;
  }

  /** `commandOffset`: undefined = a payment or time. */
  changed(change: StockChange, commandOffset: number | undefined): void {
    if (commandOffset === undefined) this.#others.push(change);
    else this.#commands.push({ ...change, commandOffset });
  }

  /** False: what it contains has not been followed yet. */
  isFollowed(stock: StockRecord, followedOffset: number): boolean {
    if (stock.commandOffset > followedOffset) return false;
    return this.#othersIn(stock) <= this.#others.length;
  }

  /** The next stock that is announced; says what is wrong with it. */
  announced(stock: StockRecord): string | undefined {
    const commands = this.#commandsIn(stock);
    const others = this.#othersIn(stock);
    if (others < 0 || others > this.#others.length) {
      return `version ${stock.version} contains the commands up to ${stock.commandOffset} and ${others} other changes, of which there are ${this.#others.length}`;
    }
    const taken = [...this.#commands.splice(0, commands), ...this.#others.splice(0, others)];
    const sum = { ...this.#told, version: stock.version };
    for (const { capacity, held, sold, revenueMinor } of taken) {
      sum.capacity += capacity;
      sum.held += held;
      sum.sold += sold;
      sum.revenueMinor += revenueMinor;
    }
    const last = taken.slice(0, commands).at(-1) as CommandChange | undefined;
    this.#told = { ...sum, commandOffset: last?.commandOffset ?? this.#told.commandOffset };
    for (const field of FIELDS) {
      if (this.#told[field] === stock[field]) continue;
      return `${field} is ${stock[field]}, and should be ${this.#told[field]}`;
    }
    return undefined;
  }

  #commandsIn({ commandOffset }: StockRecord): number {
    const after = this.#commands.findIndex((each) => each.commandOffset > commandOffset);
    return after < 0 ? this.#commands.length : after;
  }

  #othersIn(stock: StockRecord): number {
    return stock.version - this.#told.version - this.#commandsIn(stock);
  }
}

const FIELDS = ['capacity', 'held', 'sold', 'revenueMinor', 'commandOffset'] as const;
