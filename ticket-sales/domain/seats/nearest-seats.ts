/**
 * Free seats near some that are lost: as many, side by side if that is possible within reach, else one
 * by one. Near means few seats to the side, and a row before or behind counts as ROW_DISTANCE seats.
 */
import type { SeatLayout } from '../zone.ts';
import type { SeatRun } from './best-seats.ts';
import { gapsOfZone, roomFinder } from './gap-index.ts';
import type { Seat } from './seat-name.ts';
import type { SeatReads } from './seat-records.ts';
import { nextFree, nextUnavailable } from './seat-row.ts';

export const ROW_DISTANCE = 2;
/** What is farther away is no alternative: rows before and behind, seats to either side. */
export const REACH_ROWS = 20;
export const REACH_SEATS = 200;

/** The middle of what is lost. */
interface Middle {
  readonly row: number;
  /** In half seats from the row's beginning. */
  readonly halves: number;
}

interface Near extends SeatRun {
  /** In half seats. */
  readonly distance: number;
}

/** In the order of rows and numbers; empty when there are not so many within reach. */
export function nearestSeats(
  records: SeatReads,
  layout: SeatLayout,
  lost: readonly Seat[],
): readonly SeatRun[] {
  const count = lost.length;
  const middle: Middle = {
    row: Math.round(lost.reduce((sum, { row }) => sum + row, 0) / count),
    halves: Math.round((2 * lost.reduce((sum, { column }) => sum + column, 0)) / count) + 1,
  };
  if (gapsOfZone(records, layout).longest === 0) return [];
  const together = nearestRuns(records, layout, middle, count, 1);
  if (together.length > 0) return together;
  const apart = nearestRuns(records, layout, middle, 1, count);
  if (apart.length < count) return [];
  return [...apart].sort((a, b) => a.row - b.row || a.column - b.column);
}

/** The `most` nearest runs of so many seats, the nearest first. */
function nearestRuns(
  records: SeatReads,
  layout: SeatLayout,
  middle: Middle,
  count: number,
  most: number,
): readonly Near[] {
  const hasRoom = roomFinder(records, layout, count);
  let nearest: readonly Near[] = [];
  for (const row of rowsAround(middle.row, layout.rows)) {
    const farthest = nearest.length < most ? Number.POSITIVE_INFINITY : nearest.at(-1)!.distance;
    if (rowDistance(row, middle) >= farthest) break;
    if (!hasRoom(row)) continue;
    const runs = runsOfRow(records, layout, row, middle, count, most);
    nearest = [...nearest, ...runs].sort((a, b) => a.distance - b.distance).slice(0, most);
  }
  return nearest;
}

/** That row, then those around it: one before, one behind, and so on outwards. */
function* rowsAround(row: number, rows: number): Generator<number> {
  yield row;
  for (let step = 1; step <= REACH_ROWS; step++) {
    if (row - step >= 0) yield row - step;
    if (row + step < rows) yield row + step;
  }
}

/** Of each gap within reach the nearest runs, side by side. */
function runsOfRow(
  records: SeatReads,
  { columns }: SeatLayout,
  row: number,
  middle: Middle,
  count: number,
  most: number,
): readonly Near[] {
  const seats = records.row(row);
  const runs: Near[] = [];
  const reach = REACH_SEATS + count;
  const first = Math.max(0, (middle.halves >> 1) - reach);
  const last = Math.min(columns, (middle.halves >> 1) + reach);
  for (let start = nextFree(seats, first, last); start < last; ) {
    const end = nextUnavailable(seats, start, last);
    const fitting = Math.min(Math.floor((end - start) / count), most);
    const centred = Math.round((middle.halves - fitting * count) / 2);
    let column = Math.min(Math.max(centred, start), end - fitting * count);
    for (let run = 0; run < fitting; run++, column += count) {
      const aside = Math.abs(2 * column + count - middle.halves);
      runs.push({ row, column, count, distance: aside + rowDistance(row, middle) });
    }
    start = nextFree(seats, end, last);
  }
  return runs;
}

function rowDistance(row: number, middle: Middle): number {
  return 2 * ROW_DISTANCE * Math.abs(row - middle.row);
}
