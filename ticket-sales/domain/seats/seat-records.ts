/**
 * What is stored of the seats of one zone, and the port to it. Whatever was never touched is not
 * stored: undefined means that all its seats are free. Nothing that is handed out is ever changed.
 */
import type { SeatRow } from './seat-row.ts';

/**
 * What gaps there are in each of several rows, or in each of several blocks of rows: searches read
 * these first, and then only a row that has what they want.
 */
export interface GapSummary {
  /** A word each: the sizes of gaps (gap-sizes.ts). */
  readonly sizes: readonly number[];
  /** Seats of the longest gap of each. */
  readonly longest: readonly number[];
}

export interface SeatReads {
  row(row: number): SeatRow | undefined;
  /** Of the rows of a block. */
  blockGaps(block: number): GapSummary | undefined;
  /** Of all blocks. */
  zoneGaps(): GapSummary | undefined;
}

export interface SeatRecords extends SeatReads {
  putRow(row: number, value: SeatRow): void;
  putBlockGaps(block: number, value: GapSummary): void;
  putZoneGaps(value: GapSummary): void;
}

/** What is done here is seen here only, and what is read is read once. */
export class DraftRecords implements SeatRecords {
  readonly #base: SeatReads;
  readonly #rows = new Map<number, SeatRow | undefined>();
  readonly #blocks = new Map<number, GapSummary | undefined>();
  #zone: GapSummary | undefined;

  constructor(base: SeatReads) {
    this.#base = base;
    this.#zone = base.zoneGaps();
  }

  row(row: number): SeatRow | undefined {
    if (!this.#rows.has(row)) this.#rows.set(row, this.#base.row(row));
    return this.#rows.get(row);
  }

  blockGaps(block: number): GapSummary | undefined {
    if (!this.#blocks.has(block)) this.#blocks.set(block, this.#base.blockGaps(block));
    return this.#blocks.get(block);
  }

  zoneGaps(): GapSummary | undefined {
    return this.#zone;
  }

  putRow(row: number, value: SeatRow): void {
    this.#rows.set(row, value);
  }

  putBlockGaps(block: number, value: GapSummary): void {
    this.#blocks.set(block, value);
  }

  putZoneGaps(value: GapSummary): void {
    this.#zone = value;
  }
}
