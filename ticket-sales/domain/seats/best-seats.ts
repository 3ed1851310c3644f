/**
 * Which seats a group gets. Side by side in one row, and of all places where that is possible:
 *
 * B1. one that leaves no seat alone between taken ones, if there is any such place;
 * B2. in the gap that it fills best: exactly if possible, else of the smallest class (gap-sizes.ts);
 * B3. in the front-most row, there nearest to the middle, there the lower numbers;
 * B4. at the edge of its gap nearer to the middle, so that what is left stays together. A gap with nobody
 *     at its ends (a whole row, or what lies between blocked seats) is begun as near to the row's middle
 *     as it can be, unless that leaves a seat alone.
 *
 * The summaries tell which row has the best gap for a group below EXACT_MAX, and that row alone is
 * read. Larger groups, whose gaps they do not tell apart, look at the front-most rows that have room.
 *
 * Where no place is large enough, a group that may be split takes the largest gaps there are, whole,
 * until the rest of it fits into one: the fewest parts possible. If that one would keep a single seat, it
 * is filled, too, and one of the others given up for a gap that is one seat smaller: where there is none,
 * so few parts leave one seat alone however they are chosen (but for gaps of EXACT_MAX and more).
 */
import type { SeatLayout } from '../zone.ts';
import { gapsOfZone, putRow, rowWithRoom, rowWithSize } from './gap-index.ts';
import {
  classesFrom,
  EXACT_MAX,
  SIZE_CLASSES,
  sizeBit,
  sizeClass,
  smallestClass,
} from './gap-sizes.ts';
import { DraftRecords, type SeatReads } from './seat-records.ts';
import {
  changedRow,
  nextFree,
  nextUnavailable,
  type SeatRow,
  seatState,
  untouchedRow,
} from './seat-row.ts';

/** Of the rows that have room for a large group. */
export const ROWS_LOOKED_AT = 100;

/** Free seats side by side. */
export interface SeatRun {
  readonly row: number;
  /** The first of them. */
  readonly column: number;
  readonly count: number;
}

export function bestAdjacent(
  records: SeatReads,
  layout: SeatLayout,
  count: number,
): SeatRun | undefined {
  const { sizes, longest } = gapsOfZone(records, layout);
  if (longest < count) return undefined;
  if (count >= EXACT_MAX) return bestForLarge(records, layout, count);
  const fitting = classesFrom(sizes, sizeClass(count));
  const good = fitting & ~sizeBit(count + 1);
  const row = rowWithSize(records, layout, 1 << smallestClass(good === 0 ? fitting : good), 0);
  return row < 0 ? undefined : bestOfRow(records, layout, row, count)?.run;
}

/** undefined when there are not so many free seats. */
export function fewestRuns(
  records: SeatReads,
  layout: SeatLayout,
  count: number,
): readonly SeatRun[] | undefined {
  const whole = bestAdjacent(records, layout, count);
  if (whole !== undefined) return [whole];
  const draft = new DraftRecords(records);
  const parts: SeatRun[] = [];
  for (let rest = count; ; ) {
    const last = bestAdjacent(draft, layout, rest);
    if (last !== undefined) {
      const all = [...completed(draft, layout, parts, last)];
      return all.sort((a, b) => a.row - b.row || a.column - b.column);
    }
    const part = longestGap(draft, layout);
    if (part === undefined) return undefined;
    takeRun(draft, layout, part);
    parts.push(part);
    rest -= part.count;
  }
}

/**
 * The parts and the last one. Where that would leave a single seat of its gap: the whole gap and, for one
 * of the other parts, a gap that is one seat smaller, if there is any such gap.
 */
function completed(
  draft: DraftRecords,
  layout: SeatLayout,
  parts: readonly SeatRun[],
  last: SeatRun,
): readonly SeatRun[] {
  const whole = gapAround(draft, layout, last);
  if (whole.count === last.count + 1) {
    takeRun(draft, layout, whole);
    for (const [index, { count }] of parts.entries()) {
      const smaller = gapOfSize(draft, layout, count - 1);
      if (smaller !== undefined) return [...parts.with(index, smaller), whole];
    }
  }
  return [...parts, last];
}

function takeRun(draft: DraftRecords, layout: SeatLayout, run: SeatRun): void {
  const row = draft.row(run.row) ?? untouchedRow(run.row, layout.columns);
  putRow(draft, layout, run.row, changedRow(row, 'take', columnsOf(run)));
}

function columnsOf({ column, count }: SeatRun): readonly number[] {
  return Array.from({ length: count }, (_, index) => column + index);
}

/** The gap that these free seats are in. */
function gapAround(
  records: SeatReads,
  { columns }: SeatLayout,
  { row, column, count }: SeatRun,
): SeatRun {
  const seats = records.row(row);
  let start = column;
  while (start > 0 && seatState(seats, start - 1) === 'free') start--;
  const end = nextUnavailable(seats, column + count, columns);
  return { row, column: start, count: end - start };
}

/** The front-most, if gaps of this size are told apart. */
function gapOfSize(records: SeatReads, layout: SeatLayout, size: number): SeatRun | undefined {
  if (size < 1 || size > EXACT_MAX) return undefined;
  const row = rowWithSize(records, layout, sizeBit(size), 0);
  // Filled exactly: the best place of its row there can be.
  return row < 0 ? undefined : bestOfRow(records, layout, row, size)?.run;
}

function bestForLarge(records: SeatReads, layout: SeatLayout, count: number): SeatRun | undefined {
  let best: Place | undefined;
  let row = rowWithRoom(records, layout, count, 0);
  for (let looked = 0; row >= 0 && looked < ROWS_LOOKED_AT; looked++) {
    const place = bestOfRow(records, layout, row, count);
    if (place !== undefined && (best === undefined || place.rank < best.rank)) best = place;
    row = rowWithRoom(records, layout, count, row + 1);
  }
  return best?.run;
}

interface Place {
  readonly run: SeatRun;
  /** Of its gap: the lower the better. */
  readonly rank: number;
}

function bestOfRow(
  records: SeatReads,
  { columns }: SeatLayout,
  row: number,
  count: number,
): Place | undefined {
  const seats = records.row(row);
  let best = -1;
  let bestRank = Infinity;
  let bestOff = Infinity;
  for (let start = nextFree(seats, 0, columns); start < columns; ) {
    const end = nextUnavailable(seats, start, columns);
    const rank = rankOf(end - start, count);
    if (rank <= bestRank && rank < Infinity) {
      const column = placeInGap(seats, start, end, count, columns);
      const off = offMiddle(column, count, columns);
      if (rank < bestRank || off < bestOff) {
        best = column;
        bestRank = rank;
        bestOff = off;
      }
    }
    start = nextFree(seats, end, columns);
  }
  return best < 0 ? undefined : { run: { row, column: best, count }, rank: bestRank };
}

/** Filled exactly, then by class; with one seat left alone only where nothing else is left. */
function rankOf(size: number, count: number): number {
  if (size <= count) return size === count ? -1 : Infinity;
  return size === count + 1 ? SIZE_CLASSES : sizeClass(size);
}

function placeInGap(
  seats: SeatRow | undefined,
  start: number,
  end: number,
  count: number,
  columns: number,
): number {
  const last = end - count;
  const isTaken = (column: number) =>
    column >= 0 && column < columns && seatState(seats, column) === 'taken';
  if (!isTaken(start - 1) && !isTaken(end)) {
    const middle = Math.min(Math.max((columns - count) >> 1, start), last);
    if (middle - start !== 1 && last - middle !== 1) return middle;
  }
  return offMiddle(last, count, columns) < offMiddle(start, count, columns) ? last : start;
}

/** How far from the middle of the row, in half seats. */
function offMiddle(column: number, count: number, columns: number): number {
  return Math.abs(2 * column + count - columns);
}

/** The longest there is, in the front-most row that has one; undefined when no seat is free. */
function longestGap(records: SeatReads, layout: SeatLayout): SeatRun | undefined {
  const { longest } = gapsOfZone(records, layout);
  const row = longest === 0 ? -1 : rowWithRoom(records, layout, longest, 0);
  return row < 0 ? undefined : longestOfRow(records, layout, row);
}

/** Of those of one size the one nearest to the middle. */
function longestOfRow(records: SeatReads, { columns }: SeatLayout, row: number): SeatRun {
  const seats = records.row(row);
  let longest: SeatRun = { row, column: 0, count: 0 };
  for (let start = nextFree(seats, 0, columns); start < columns; ) {
    const end = nextUnavailable(seats, start, columns);
    const count = end - start;
    const isNearer =
      count === longest.count &&
      offMiddle(start, count, columns) < offMiddle(longest.column, count, columns);
    if (count > longest.count || isNearer) longest = { row, column: start, count };
    start = nextFree(seats, end, columns);
  }
  return longest;
}
