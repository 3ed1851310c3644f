/**
 * Which seats a group gets. Side by side in one row, and of all places where that is possible:
 *
 * B1. one that leaves no seat alone between taken ones, if there is any such place;
 * B2. in the gap that it fills best: exactly if possible, else in the smallest (by gap-sizes.ts' class);
 * B3. in the front-most row, there nearest to the middle, there the lower numbers;
 * B4. at the edge of its gap nearer to the middle, so that what is left stays together. A row that is
 *     all free is begun in its middle, unless that leaves a seat alone.
 *
 * Where no place is large enough, a group that may be split takes the largest gaps there are, whole,
 * until the rest of it fits into one: the fewest parts possible.
 */
import type { SeatLayout } from '../zone.ts';
import { gapSizes, putRow, rowWithGap } from './gap-index.ts';
import {
  classesFrom,
  exactSize,
  largestClass,
  sizeBit,
  sizeClass,
  smallestClass,
} from './gap-sizes.ts';
import { DraftRecords, type SeatReads } from './seat-records.ts';
import { changedRow, nextFree, nextUnavailable, untouchedRow } from './seat-row.ts';

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
  if (count > layout.columns) return undefined;
  const fitting = classesFrom(gapSizes(records, layout), sizeClass(count));
  if (fitting === 0) return undefined;
  return (
    bestOf(records, layout, count, fitting, (left) => left !== 1) ??
    bestOf(records, layout, count, fitting & sizeBit(count + 1), (left) => left === 1)
  );
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
  const runs: SeatRun[] = [];
  for (let rest = count; rest > 0; ) {
    const run = bestAdjacent(draft, layout, rest) ?? largestGap(draft, layout);
    if (run === undefined) return undefined;
    const row = draft.row(run.row) ?? untouchedRow(run.row, layout.columns);
    putRow(draft, layout, run.row, changedRow(row, 'take', columnsOf(run)));
    runs.push(run);
    rest -= run.count;
  }
  return runs.sort((a, b) => a.row - b.row || a.column - b.column);
}

export function columnsOf({ column, count }: SeatRun): readonly number[] {
  return Array.from({ length: count }, (_, index) => column + index);
}

/** The smallest class first, in it the front-most row: the rows read are those that can have it. */
function bestOf(
  records: SeatReads,
  layout: SeatLayout,
  count: number,
  classes: number,
  mayLeave: (seats: number) => boolean,
): SeatRun | undefined {
  for (let rest = classes; rest !== 0; rest &= rest - 1) {
    const gapClass = smallestClass(rest);
    const size = exactSize(gapClass);
    if (size !== undefined && !mayLeave(size - count)) continue;
    const bit = 1 << gapClass;
    let row = rowWithGap(records, layout, bit, 0);
    for (; row >= 0; row = rowWithGap(records, layout, bit, row + 1)) {
      const run = bestOfRow(records, layout, row, count, gapClass, mayLeave);
      if (run !== undefined) return run;
    }
  }
  return undefined;
}

function bestOfRow(
  records: SeatReads,
  { columns }: SeatLayout,
  row: number,
  count: number,
  gapClass: number,
  mayLeave: (seats: number) => boolean,
): SeatRun | undefined {
  const seats = records.row(row);
  let best = -1;
  for (let start = nextFree(seats, 0, columns); start < columns; ) {
    const end = nextUnavailable(seats, start, columns);
    const size = end - start;
    if (size >= count && sizeClass(size) === gapClass && mayLeave(size - count)) {
      const column = placeInGap(start, end, count, columns);
      if (best < 0 || offMiddle(column, count, columns) < offMiddle(best, count, columns)) {
        best = column;
      }
    }
    start = nextFree(seats, end, columns);
  }
  return best < 0 ? undefined : { row, column: best, count };
}

function placeInGap(start: number, end: number, count: number, columns: number): number {
  const last = end - count;
  if (end - start === columns) {
    const middle = last >> 1;
    if (middle !== 1 && last - middle !== 1) return middle;
  }
  return offMiddle(last, count, columns) < offMiddle(start, count, columns) ? last : start;
}

/** How far from the middle of the row, in half seats. */
function offMiddle(column: number, count: number, columns: number): number {
  return Math.abs(2 * column + count - columns);
}

/** The largest there is, in the front-most row that has one; undefined when no seat is free. */
function largestGap(records: SeatReads, layout: SeatLayout): SeatRun | undefined {
  const sizes = gapSizes(records, layout);
  if (sizes === 0) return undefined;
  const gapClass = largestClass(sizes);
  const bit = 1 << gapClass;
  const exact = exactSize(gapClass);
  let largest: SeatRun | undefined;
  let row = rowWithGap(records, layout, bit, 0);
  for (; row >= 0; row = rowWithGap(records, layout, bit, row + 1)) {
    const run = largestOfRow(records, layout, row);
    if (largest === undefined || run.count > largest.count) largest = run;
    if (exact !== undefined) break;
  }
  return largest;
}

/** Of those of one size the one nearest to the middle. */
function largestOfRow(records: SeatReads, { columns }: SeatLayout, row: number): SeatRun {
  const seats = records.row(row);
  let largest: SeatRun = { row, column: 0, count: 0 };
  for (let start = nextFree(seats, 0, columns); start < columns; ) {
    const end = nextUnavailable(seats, start, columns);
    const count = end - start;
    const isNearer =
      count === largest.count &&
      offMiddle(start, count, columns) < offMiddle(largest.column, count, columns);
    if (count > largest.count || isNearer) largest = { row, column: start, count };
    start = nextFree(seats, end, columns);
  }
  return largest;
}
