/**
 * Which rows have gaps of which sizes: a word and a number per row, and above that the same per block of
 * rows, for all of its rows together. Finding the front-most row with a gap of some size looks at some
 * hundred of them at most, whatever the zone's size; a change rewrites two short lists at most.
 */
import type { SeatLayout } from '../zone.ts';
import { sizeBit } from './gap-sizes.ts';
import type { GapSummary, SeatReads, SeatRecords } from './seat-records.ts';
import { nextFree, nextUnavailable, type SeatRow } from './seat-row.ts';

export const BLOCK_ROWS = 128;

/** Of a row, a block of rows or a zone. */
export interface Gaps {
  readonly sizes: number;
  readonly longest: number;
}

/** What of the summaries must be there. */
type Wanted = 'sizes' | 'longest';

export function gapsOfZone(records: SeatReads, layout: SeatLayout): Gaps {
  const blocks = records.zoneGaps();
  return blocks === undefined ? gapsOfUntouched(layout) : allTogether(blocks);
}

/** The front-most row from this one on that has a gap of a size that is in the word; -1 = none. */
export function rowWithSize(
  records: SeatReads,
  layout: SeatLayout,
  sizes: number,
  from: number,
): number {
  return findRow(records, layout, from, 'sizes', (ofRow) => (ofRow & sizes) !== 0);
}

/** The front-most row from this one on that has so many free seats side by side; -1 = none. */
export function rowWithRoom(
  records: SeatReads,
  layout: SeatLayout,
  count: number,
  from: number,
): number {
  return findRow(records, layout, from, 'longest', (ofRow) => ofRow >= count);
}

/** What a block does not have none of its rows has. */
function findRow(
  records: SeatReads,
  layout: SeatLayout,
  from: number,
  what: Wanted,
  fits: (value: number) => boolean,
): number {
  const untouched = fits(gapsOfUntouched(layout)[what]);
  const blocks = records.zoneGaps()?.[what];
  for (let block = Math.floor(from / BLOCK_ROWS); block * BLOCK_ROWS < layout.rows; block++) {
    if (!(blocks === undefined ? untouched : fits(blocks[block]!))) continue;
    const first = block * BLOCK_ROWS;
    const end = Math.min(first + BLOCK_ROWS, layout.rows);
    const rows = records.blockGaps(block)?.[what];
    for (let row = Math.max(first, from); row < end; row++) {
      if (rows === undefined ? untouched : fits(rows[row - first]!)) return row;
    }
  }
  return -1;
}

/**
 * Tells of rows near each other which have so many free seats side by side. Each block is read once:
 * for one search, not to be kept.
 */
export function roomFinder(
  records: SeatReads,
  layout: SeatLayout,
  count: number,
): (row: number) => boolean {
  const blocks = new Map<number, GapSummary | undefined>();
  return (row) => {
    const block = Math.floor(row / BLOCK_ROWS);
    if (!blocks.has(block)) blocks.set(block, records.blockGaps(block));
    return (blocks.get(block)?.longest[row % BLOCK_ROWS] ?? layout.columns) >= count;
  };
}

/** Stores a row, and what follows from it. */
export function putRow(
  records: SeatRecords,
  layout: SeatLayout,
  row: number,
  value: SeatRow,
): void {
  records.putRow(row, value);
  const block = Math.floor(row / BLOCK_ROWS);
  const rowsOfBlock = Math.min(BLOCK_ROWS, layout.rows - block * BLOCK_ROWS);
  const before = records.blockGaps(block) ?? untouchedSummary(rowsOfBlock, layout);
  const rows = replaced(before, row % BLOCK_ROWS, gapsOfRow(value, layout.columns));
  if (rows === undefined) return;
  records.putBlockGaps(block, rows);
  const blocksOfZone = Math.ceil(layout.rows / BLOCK_ROWS);
  const zone = records.zoneGaps() ?? untouchedSummary(blocksOfZone, layout);
  const blocks = replaced(zone, block, allTogether(rows));
  if (blocks !== undefined) records.putZoneGaps(blocks);
}

/** undefined when it is so already. */
function replaced(summary: GapSummary, at: number, gaps: Gaps): GapSummary | undefined {
  if (summary.sizes[at] === gaps.sizes && summary.longest[at] === gaps.longest) return undefined;
  const [sizes, longest] = [summary.sizes.slice(), summary.longest.slice()];
  sizes[at] = gaps.sizes;
  longest[at] = gaps.longest;
  return { sizes, longest };
}

function allTogether(summary: GapSummary): Gaps {
  let sizes = 0;
  let longest = 0;
  for (let at = 0; at < summary.sizes.length; at++) {
    sizes |= summary.sizes[at]!;
    longest = Math.max(longest, summary.longest[at]!);
  }
  return { sizes, longest };
}

function gapsOfUntouched({ columns }: SeatLayout): Gaps {
  return { sizes: sizeBit(columns), longest: columns };
}

function untouchedSummary(count: number, layout: SeatLayout): GapSummary {
  const { sizes, longest } = gapsOfUntouched(layout);
  return {
    sizes: new Array<number>(count).fill(sizes),
    longest: new Array<number>(count).fill(longest),
  };
}

function gapsOfRow(row: SeatRow, columns: number): Gaps {
  let sizes = 0;
  let longest = 0;
  for (let start = nextFree(row, 0, columns); start < columns; ) {
    const end = nextUnavailable(row, start, columns);
    sizes |= sizeBit(end - start);
    longest = Math.max(longest, end - start);
    start = nextFree(row, end, columns);
  }
  return { sizes, longest };
}
