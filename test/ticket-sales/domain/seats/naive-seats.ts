/**
 * Seats as a grid of letters, searched seat by seat: what best-seats.ts promises, written down again
 * in the dullest way. Names are made with an alphabet of its own.
 */
export type Cell = '.' | 'X' | '#';

export interface NaiveRun {
  readonly row: number;
  readonly column: number;
  readonly count: number;
}

export class NaiveSeats {
  readonly grid: Cell[][];
  readonly columns: number;

  constructor(rows: number, columns: number) {
    this.columns = columns;
    this.grid = Array.from({ length: rows }, () => new Array<Cell>(columns).fill('.'));
  }

  set(names: readonly string[], cell: Cell): void {
    for (const name of names) {
      const [row, column] = placeOf(name);
      this.grid[row]![column] = cell;
    }
  }

  at(name: string): Cell | undefined {
    const [row, column] = placeOf(name);
    return this.grid[row]?.[column];
  }

  namesOf(cell: Cell): string[] {
    return this.grid.flatMap((row, r) =>
      row.flatMap((each, c) => (each === cell ? [nameOf(r, c)] : [])),
    );
  }

  gaps(): NaiveRun[] {
    const gaps: NaiveRun[] = [];
    for (const [row, cells] of this.grid.entries()) {
      for (const part of cells.join('').matchAll(/\.+/g)) {
        gaps.push({ row, column: part.index, count: part[0].length });
      }
    }
    return gaps;
  }

  /** All places for so many side by side, best first. */
  places(count: number): NaiveRun[] {
    const places = this.gaps()
      .filter((gap) => gap.count >= count)
      .flatMap((gap) => {
        const ends = [gap.column, gap.column + gap.count - count];
        const centre = Math.floor((this.columns - count) / 2);
        const middle = Math.min(Math.max(centre, ends[0]!), ends[1]!);
        const alone = [middle - ends[0]!, ends[1]! - middle].includes(1);
        const neighbours = [gap.column - 1, gap.column + gap.count];
        const isBegun = neighbours.some((column) => this.grid[gap.row]![column] === 'X');
        return (isBegun || alone ? ends : [middle]).map((column) => ({ gap, column }));
      });
    const rank = ({ gap, column }: (typeof places)[number]) => [
      gap.count - count === 1 ? 1 : 0,
      gap.count === count ? 0 : 1,
      SIZES.findIndex((size) => gap.count < size),
      gap.row,
      Math.abs(column + count / 2 - this.columns / 2),
      column,
    ];
    return places
      .sort((a, b) => firstDifference(rank(a), rank(b)))
      .map(({ gap, column }) => ({ row: gap.row, column, count }));
  }

  /** Free seats with no free neighbour. */
  singles(): number {
    return this.gaps().filter(({ count }) => count === 1).length;
  }

  /** The fewest gaps that have so many seats together; undefined when there are not so many. */
  fewestParts(count: number): number | undefined {
    const sizes = this.gaps()
      .map((gap) => gap.count)
      .sort((a, b) => b - a);
    let parts = 0;
    for (let rest = count; rest > 0; rest -= sizes[parts - 1]!) {
      if (parts === sizes.length) return undefined;
      parts++;
    }
    return parts;
  }
}

/**
 * Whether so many can be seated in so many of these gaps without leaving one seat alone in any: tried with
 * every choice of gaps. What is left over can stay together in one of them, unless it is one seat.
 */
export function canLeaveNoSingle(sizes: readonly number[], count: number, parts: number): boolean {
  const tryFrom = (index: number, left: number, chosen: readonly number[]): boolean => {
    if (left === 0) {
      const over = chosen.reduce((sum, size) => sum + size, 0) - count;
      return over === 0 || (over > 1 && over < Math.max(...chosen));
    }
    if (sizes.length - index < left) return false;
    const size = sizes[index]!;
    return tryFrom(index + 1, left - 1, [...chosen, size]) || tryFrom(index + 1, left, chosen);
  };
  return tryFrom(0, parts, []);
}

/** The first sizes that belong to the next class. */
const SIZES = [
  ...Array.from({ length: 24 }, (_, index) => index + 2),
  32,
  64,
  128,
  256,
  512,
  1024,
  Number.POSITIVE_INFINITY,
];

function firstDifference(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((value, index) => value !== b[index]);
  return at < 0 ? 0 : a[at]! - b[at]!;
}

/** Every row of letters in order. */
const ROWS = (() => {
  const letters = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'];
  const two = letters.flatMap((a) => letters.map((b) => a + b));
  return [...letters, ...two, ...letters.flatMap((a) => two.map((rest) => a + rest))];
})();

export function nameOf(row: number, column: number): string {
  return `${ROWS[row]}${column + 1}`;
}

export function placeOf(name: string): [row: number, column: number] {
  const [, letters, number] = /^([A-Z]+)(\d+)$/.exec(name)!;
  return [ROWS.indexOf(letters!), Number(number) - 1];
}
