/**
 * Which rows have gaps of which sizes: a word per row, and above that a word per block of rows that
 * has what any of its rows has. Finding the front-most row with a gap of some size looks at some
 * hundred words at most, whatever the zone's size, and a change rewrites two short lists at most.
 */
import type { SeatLayout } from '../zone.ts';
import { classesFrom, sizeBit, sizeClass } from './gap-sizes.ts';
import type { GapSummary, SeatReads, SeatRecords } from './seat-records.ts';
import { nextFree, nextUnavailable, type SeatRow } from './seat-row.ts';

export const BLOCK_ROWS = 128;

/** Sizes of gaps that there are in the zone. */
export function gapSizes(records: SeatReads, layout: SeatLayout): number {
  const blocks = records.zoneGaps();
  if (blocks === undefined) return sizeBit(layout.columns);
  let sizes = 0;
  for (const ofBlock of blocks.sizes) sizes |= ofBlock;
  return sizes;
}

/** The front-most row from this one on that has a gap of this size; -1 when there is none. */
export function rowWithGap(
  records: SeatReads,
  layout: SeatLayout,
  bit: number,
  from: number,
): number {
  const untouched = sizeBit(layout.columns);
  const blocks = records.zoneGaps();
  for (let block = Math.floor(from / BLOCK_ROWS); block * BLOCK_ROWS < layout.rows; block++) {
    if (((blocks === undefined ? untouched : blocks.sizes[block]!) & bit) === 0) continue;
    const first = block * BLOCK_ROWS;
    const end = Math.min(first + BLOCK_ROWS, layout.rows);
    const rows = records.blockGaps(block);
    for (let row = Math.max(first, from); row < end; row++) {
      if (((rows === undefined ? untouched : rows.sizes[row - first]!) & bit) !== 0) return row;
    }
  }
  return -1;
}

/**
 * Tells of rows near each other whether they may have a gap of so many seats. Each block is read once:
 * for one search, not to be kept.
 */
export function gapFinder(
  records: SeatReads,
  layout: SeatLayout,
  count: number,
): (row: number) => boolean {
  const untouched = sizeBit(layout.columns);
  const blocks = new Map<number, GapSummary | undefined>();
  return (row) => {
    const block = Math.floor(row / BLOCK_ROWS);
    if (!blocks.has(block)) blocks.set(block, records.blockGaps(block));
    const sizes = blocks.get(block)?.sizes[row % BLOCK_ROWS] ?? untouched;
    return classesFrom(sizes, sizeClass(count)) !== 0;
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
  const rows = replaced(
    records.blockGaps(block) ?? untouchedGaps(rowsOfBlock, layout),
    row % BLOCK_ROWS,
    sizesOf(value, layout.columns),
  );
  if (rows === undefined) return;
  records.putBlockGaps(block, rows);
  let sizes = 0;
  for (const ofRow of rows.sizes) sizes |= ofRow;
  const blocks = replaced(
    records.zoneGaps() ?? untouchedGaps(Math.ceil(layout.rows / BLOCK_ROWS), layout),
    block,
    sizes,
  );
  if (blocks !== undefined) records.putZoneGaps(blocks);
}

function untouchedGaps(count: number, { columns }: SeatLayout): GapSummary {
  return { sizes: new Array<number>(count).fill(sizeBit(columns)) };
}

/** undefined when it is so already. */
function replaced(summary: GapSummary, at: number, sizes: number): GapSummary | undefined {
  if (summary.sizes[at] === sizes) return undefined;
  const copy = summary.sizes.slice();
  copy[at] = sizes;
  return { sizes: copy };
}

function sizesOf(row: SeatRow, columns: number): number {
  let sizes = 0;
  for (let start = nextFree(row, 0, columns); start < columns; ) {
    const end = nextUnavailable(row, start, columns);
    sizes |= sizeBit(end - start);
    start = nextFree(row, end, columns);
  }
  return sizes;
}
