/**
 * One row of seats as words of bits: a bit per seat, 31 to a word, seat 1 is bit 0 of the first. A row
 * that was never touched is not stored at all: undefined stands for it. Never changed in place.
 */
import { assert } from '../../../base/assert.ts';
import type { SeatChange } from './seat-map.ts';

export interface SeatRow {
  /** From 1, as in names. */
  readonly row: number;
  /** Held or sold. */
  readonly taken: readonly number[];
  /** Not for sale. */
  readonly blocked: readonly number[];
}

export type SeatState = 'free' | 'taken' | 'blocked';

const WORD_BITS = 31;
const FULL_WORD = 0x7fff_ffff;

export function untouchedRow(row: number, columns: number): SeatRow {
  const words = new Array<number>(Math.ceil(columns / WORD_BITS)).fill(0);
  return { row: row + 1, taken: words, blocked: words };
}

export function seatState(row: SeatRow | undefined, column: number): SeatState {
  if (row === undefined) return 'free';
  const word = Math.floor(column / WORD_BITS);
  const bit = 1 << (column % WORD_BITS);
  if ((row.taken[word]! & bit) !== 0) return 'taken';
  return (row.blocked[word]! & bit) !== 0 ? 'blocked' : 'free';
}

/** Writes a byte per seat, as `codes` has it: a whole map is many times faster than seat by seat. */
export function writeStates(
  row: SeatRow,
  columns: number,
  codes: Readonly<Record<SeatState, number>>,
  target: Uint8Array,
  at: number,
): void {
  const { free, taken, blocked } = codes;
  for (let word = 0, column = 0; column < columns; word++) {
    let takenBits = row.taken[word]!;
    let blockedBits = row.blocked[word]!;
    const end = Math.min(column + WORD_BITS, columns);
    for (; column < end; column++) {
      target[at + column] =
        (takenBits & 1) !== 0 ? taken : (blockedBits & 1) !== 0 ? blocked : free;
      takenBits >>>= 1;
      blockedBits >>>= 1;
    }
  }
}

/** The first free seat from this column on; `columns` when there is none. */
export function nextFree(row: SeatRow | undefined, from: number, columns: number): number {
  return row === undefined ? Math.min(from, columns) : next(row, from, columns, FULL_WORD);
}

/** The first seat from this column on that is not free; `columns` when there is none. */
export function nextUnavailable(row: SeatRow | undefined, from: number, columns: number): number {
  return row === undefined ? columns : next(row, from, columns, 0);
}

/** The first seat that is free (`flip` all ones) or is not (`flip` 0). */
function next({ taken, blocked }: SeatRow, from: number, columns: number, flip: number): number {
  let word = Math.floor(from / WORD_BITS);
  let wanted = (FULL_WORD << (from % WORD_BITS)) & FULL_WORD;
  for (; word < taken.length; word++) {
    const found = ((taken[word]! | blocked[word]!) ^ flip) & wanted;
    if (found !== 0) {
      const lowestBit = 31 - Math.clz32(found & -found);
      return Math.min(word * WORD_BITS + lowestBit, columns);
    }
    wanted = FULL_WORD;
  }
  return columns;
}

/**
 * The row after a change of these columns. Crashes where a seat would get a second owner, lose one
 * that it has not, or be blocked under its owner: decisions see to it that none of this is asked.
 */
export function changedRow(
  row: SeatRow,
  kind: SeatChange['kind'],
  columns: readonly number[],
): SeatRow {
  const taken = kind === 'take' || kind === 'free' ? row.taken.slice() : undefined;
  const blocked = kind === 'block' || kind === 'unblock' ? row.blocked.slice() : undefined;
  const isSet = kind === 'take' || kind === 'block';
  for (const column of columns) {
    const word = Math.floor(column / WORD_BITS);
    const bit = 1 << (column % WORD_BITS);
    const isTaken = ((taken ?? row.taken)[word]! & bit) !== 0;
    const mayChange = kind === 'free' ? isTaken : !isTaken;
    assert(
      mayChange && !(kind === 'take' && (row.blocked[word]! & bit) !== 0),
      `seat ${column + 1} of row ${row.row} cannot be changed by ${kind}`,
    );
    const words = (taken ?? blocked)!;
    words[word] = isSet ? words[word]! | bit : words[word]! & ~bit;
  }
  return { row: row.row, taken: taken ?? row.taken, blocked: blocked ?? row.blocked };
}
