/**
 * Seats by name. A name is its row in letters, as in spreadsheets (A..Z, AA..ZZ, AAA..ZZZ), and its
 * number in the row: A1, Z40, AA7. Nothing else means a seat: no lower case, no leading zeros, no
 * characters that only look like these.
 *
 * Inside, rows and columns count from 0: A1 is row 0, column 0.
 */
import type { SeatLayout } from '../zone.ts';

export const SEAT_PATTERN = '^[A-Z]{1,3}[1-9][0-9]{0,4}$';

/** ZZZ. */
export const ROWS_MAX = 18_278;
export const COLUMNS_MAX = 99_999;
export const SEATS_MAX = 100_000;

export interface Seat {
  readonly row: number;
  readonly column: number;
}

const LETTERS = 26;
const CODE_A = 65;
const CODE_0 = 48;

/** Can a zone be laid out like this? Every seat of it has a name then. */
export function isSeatLayout({ rows, columns }: SeatLayout): boolean {
  return isCount(rows, ROWS_MAX) && isCount(columns, COLUMNS_MAX) && rows * columns <= SEATS_MAX;
}

function isCount(value: number, max: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= max;
}

/** undefined: that is no name of a seat of this layout. */
export function seatOf(name: string, layout: SeatLayout): Seat | undefined {
  let at = 0;
  let rowNumber = 0;
  for (; at < name.length && at <= 3; at++) {
    const letter = name.charCodeAt(at) - CODE_A;
    if (letter < 0 || letter >= LETTERS) break;
    rowNumber = rowNumber * LETTERS + letter + 1;
  }
  const digits = name.length - at;
  if (at < 1 || at > 3 || digits < 1 || digits > 5) return undefined;
  let seatNumber = 0;
  for (; at < name.length; at++) {
    const digit = name.charCodeAt(at) - CODE_0;
    if (digit < 0 || digit > 9 || (digit === 0 && seatNumber === 0)) return undefined;
    seatNumber = seatNumber * 10 + digit;
  }
  if (rowNumber > layout.rows || seatNumber > layout.columns) return undefined;
  return { row: rowNumber - 1, column: seatNumber - 1 };
}

export function seatName(row: number, column: number): string {
  return rowLetters(row) + (column + 1);
}

export function rowLetters(row: number): string {
  let letters = '';
  for (let rest = row + 1; rest > 0; rest = Math.floor((rest - 1) / LETTERS)) {
    letters = String.fromCharCode(CODE_A + ((rest - 1) % LETTERS)) + letters;
  }
  return letters;
}

/** Is a seat named more than once? */
export function hasRepeatedSeat(names: readonly string[]): boolean {
  return new Set(names).size !== names.length;
}
