/** Whatever happens to the seats of a zone, against a grid that is searched seat by seat. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ROWS_LOOKED_AT } from '../../../../ticket-sales/domain/seats/best-seats.ts';
import { changeSeats, SeatPlan } from '../../../../ticket-sales/domain/seats/seat-plan.ts';
import type { SeatLayout } from '../../../../ticket-sales/domain/zone.ts';
import { canLeaveNoSingle, NaiveSeats, nameOf, placeOf } from './naive-seats.ts';
import { RecordsInMemory } from './records-in-memory.ts';

const PLACEMENTS = ['any', 'adjacent', 'adjacent_or_split'] as const;

/** Rows shorter and longer than a word, and some whose gaps are of the coarse classes. */
const layout = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      rows: fc.integer({ min: 1, max: 6 }),
      columns: fc.integer({ min: 1, max: 12 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      rows: fc.integer({ min: 1, max: 4 }),
      columns: fc.integer({ min: 25, max: 70 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      rows: fc.integer({ min: 120, max: 300 }),
      columns: fc.integer({ min: 1, max: 3 }),
    }),
  },
);

/** One thing that happens: `at` picks seats or a size, whatever the layout is. */
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('choose' as const),
      size: fc.integer({ min: 1, max: 9 }),
      placement: fc.constantFrom(...PLACEMENTS),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('choose' as const),
      size: fc.integer({ min: 10, max: 80 }),
      placement: fc.constantFrom(...PLACEMENTS),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('take' as const, 'block' as const),
      at: fc.array(fc.nat(), { minLength: 1, maxLength: 12 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('free' as const, 'unblock' as const),
      at: fc.array(fc.nat(), { minLength: 1, maxLength: 12 }),
    }),
  },
);

class Tried {
  readonly layout: SeatLayout;
  readonly records = new RecordsInMemory();
  readonly plan: SeatPlan;
  readonly naive: NaiveSeats;

  constructor(layout: SeatLayout) {
    this.layout = layout;
    this.plan = new SeatPlan(this.records, layout);
    this.naive = new NaiveSeats(layout.rows, layout.columns);
  }

  change(kind: 'take' | 'free' | 'block' | 'unblock', seats: readonly string[]): void {
    changeSeats(this.records, this.layout, { kind, seats });
    this.naive.set(seats, kind === 'take' ? 'X' : kind === 'block' ? '#' : '.');
  }

  /** Different seats that are in the state that the change needs. */
  pick(kind: 'take' | 'free' | 'block' | 'unblock', at: readonly number[]): string[] {
    const from = this.naive.namesOf(kind === 'free' ? 'X' : kind === 'unblock' ? '#' : '.');
    return from.length === 0 ? [] : [...new Set(at.map((index) => from[index % from.length]!))];
  }

  choose(size: number, placement: (typeof PLACEMENTS)[number]): void {
    const chosen = this.plan.choose(size, placement);
    const best = this.naive.places(size)[0];
    if (best !== undefined) {
      const wanted = Array.from({ length: size }, (_, index) =>
        nameOf(best.row, best.column + index),
      );
      expect(chosen).toEqual(wanted);
    } else if (placement === 'adjacent') {
      expect(chosen).toBeUndefined();
    } else {
      this.#expectFewestParts(chosen, size);
    }
    if (chosen !== undefined) this.change('take', chosen);
  }

  #expectFewestParts(chosen: readonly string[] | undefined, size: number): void {
    const parts = this.naive.fewestParts(size);
    if (parts === undefined) {
      expect(chosen).toBeUndefined();
      return;
    }
    expect(new Set(chosen).size).toBe(size);
    expect(chosen!.every((name) => this.naive.at(name) === '.')).toBe(true);
    const places = chosen!.map(placeOf);
    const begins = places.filter(
      ([row, column], index) =>
        index === 0 || places[index - 1]![0] !== row || places[index - 1]![1] !== column - 1,
    );
    expect(begins).toHaveLength(parts);
  }

  expectSame(): void {
    const names = this.naive.grid.flatMap((row, r) => row.map((_, c) => nameOf(r, c)));
    expect(this.plan.unknown(names)).toEqual([]);
    expect(this.plan.unavailable(names)).toEqual(
      names.filter((name) => this.naive.at(name) !== '.'),
    );
    expect(this.plan.blocked(names)).toEqual(names.filter((name) => this.naive.at(name) === '#'));
  }
}

describe('the seats of a zone', () => {
  test('are what a grid searched seat by seat says, whatever is taken, freed, blocked and chosen', () => {
    fc.assert(
      fc.property(layout, fc.array(step, { maxLength: 40, size: 'max' }), (size, steps) => {
        const tried = new Tried(size);
        for (const each of steps) {
          if (each.kind === 'choose') tried.choose(each.size, each.placement);
          else {
            const seats = tried.pick(each.kind, each.at);
            if (seats.length > 0) tried.change(each.kind, seats);
          }
        }
        tried.expectSame();
      }),
      { numRuns: 600 },
    );
  });

  test('leave no seat alone where another place would not', () => {
    fc.assert(
      fc.property(
        layout,
        fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 60, size: 'max' }),
        (size, groups) => {
          const tried = new Tried(size);
          for (const count of groups) {
            const before = tried.naive.singles();
            const others = tried.naive.gaps().filter((gap) => gap.count >= count);
            const chosen = tried.plan.choose(count, 'adjacent');
            if (chosen === undefined) continue;
            tried.change('take', chosen);
            const isAvoidable = others.some((gap) => gap.count !== count + 1);
            if (isAvoidable) expect(tried.naive.singles()).toBeLessThanOrEqual(before);
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  test('leave no seat alone by groups that are split, where as few parts can do without', () => {
    let avoided = 0;
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 2, maxLength: 7 }),
        fc.integer({ min: 2, max: 24 }),
        (sizes, count) => {
          // A row per gap.
          const tried = new Tried({ rows: sizes.length, columns: 6 });
          for (const [row, size] of sizes.entries()) {
            for (let column = size; column < 6; column++)
              tried.change('block', [nameOf(row, column)]);
          }
          const before = tried.naive.singles();
          const parts = tried.naive.fewestParts(count);
          const chosen = tried.plan.choose(count, 'adjacent_or_split');
          if (parts === undefined || parts === 1 || chosen === undefined) return;
          tried.change('take', chosen);
          if (!canLeaveNoSingle(sizes, count, parts)) return;
          avoided++;
          expect(tried.naive.singles()).toBeLessThanOrEqual(before);
        },
      ),
      { numRuns: 2_000, seed: 20_261_121 },
    );
    expect(avoided).toBeGreaterThan(200);
  });

  test('are filled to the last one by groups that may be split', () => {
    const tried = new Tried({ rows: 7, columns: 13 });
    for (let left = 91; left > 0; left -= Math.min(left, 4)) {
      tried.choose(Math.min(left, 4), 'adjacent_or_split');
    }
    expect(tried.naive.namesOf('.')).toEqual([]);
    expect(tried.plan.choose(1, 'any')).toBeUndefined();
  });
});

describe('a group', () => {
  const rowOf = (text: string) => {
    const tried = new Tried({ rows: 2, columns: text.length });
    const those = (wanted: string) =>
      [...text].flatMap((cell, c) => (cell === wanted ? [nameOf(0, c)] : []));
    if (text.includes('X')) tried.change('take', those('X'));
    if (text.includes('#')) tried.change('block', those('#'));
    tried.change(
      'block',
      Array.from(text, (_, c) => nameOf(1, c)),
    );
    return tried.plan;
  };

  test('begins an empty row in its middle', () => {
    expect(rowOf('..........').choose(4, 'adjacent')).toEqual(['A4', 'A5', 'A6', 'A7']);
  });

  test('begins in the middle of a row with blocked corners, or beside the aisle', () => {
    expect(rowOf('#........#').choose(4, 'adjacent')).toEqual(['A4', 'A5', 'A6', 'A7']);
    expect(rowOf('....##....').choose(2, 'adjacent')).toEqual(['A3', 'A4']);
    expect(rowOf('#.......X.').choose(3, 'adjacent')).toEqual(['A6', 'A7', 'A8']);
  });

  test('sits down beside those who are there, towards the middle', () => {
    expect(rowOf('...XXXX...').choose(1, 'adjacent')).toEqual(['A3']);
    expect(rowOf('XXXX......').choose(2, 'adjacent')).toEqual(['A5', 'A6']);
  });

  test('takes the gap that it fills, however far from the middle', () => {
    expect(rowOf('..X.......').choose(2, 'adjacent')).toEqual(['A1', 'A2']);
  });

  test('leaves a larger gap rather than one seat alone', () => {
    expect(rowOf('...X......').choose(2, 'adjacent')).toEqual(['A5', 'A6']);
  });

  test('leaves one seat alone when there is no other way', () => {
    expect(rowOf('...XXXXXXX').choose(2, 'adjacent')).toEqual(['A2', 'A3']);
  });

  test('that must sit together gets nothing from seats apart', () => {
    const apart = rowOf('..X..X..XX');
    expect(apart.choose(3, 'adjacent')).toBeUndefined();
    expect(apart.choose(3, 'adjacent_or_split')).toEqual(['A4', 'A5', 'A7']);
    expect(apart.choose(7, 'any')).toBeUndefined();
  });

  test('that is split gives up a gap for one that is a seat smaller, rather than leave one alone', () => {
    // The largest gap and two of the next would leave one of those.
    const apart = rowOf('....X...X...');
    expect(apart.choose(6, 'adjacent_or_split')).toEqual(['A6', 'A7', 'A8', 'A10', 'A11', 'A12']);
    expect(rowOf('....X...X').choose(6, 'any')).toEqual(['A1', 'A2', 'A3', 'A4', 'A6', 'A7']);
  });
});

describe('a large group', () => {
  const hall = (row: number) => {
    const tried = new Tried({ rows: ROWS_LOOKED_AT + 10, columns: 30 });
    const taken = [25, 26, 27, 28, 29].map((column) => nameOf(row, column));
    tried.change('take', taken);
    return tried.plan.choose(25, 'adjacent')?.[0];
  };

  test('gets the gap that it fills, among the rows in front that have room', () => {
    expect(hall(ROWS_LOOKED_AT - 1)).toBe(nameOf(ROWS_LOOKED_AT - 1, 0));
    expect(hall(ROWS_LOOKED_AT)).toBe('A3');
  });

  test('is seated in the last row, if there is room only there', () => {
    const tried = new Tried({ rows: 1_000, columns: 30 });
    for (let row = 0; row < 999; row++) tried.change('take', [nameOf(row, 14)]);
    tried.records.rowsRead = 0;
    expect(tried.plan.choose(29, 'adjacent')?.[0]).toBe(nameOf(999, 0));
    expect(tried.records.rowsRead).toBe(1);
  });
});

describe('a change that would break the sale', () => {
  test.each<[kind: 'take' | 'free' | 'block', seats: string[], why: string]>([
    ['take', ['A1', 'A1'], 'a seat twice'],
    ['take', ['B1'], 'a seat that is taken'],
    ['take', ['B2'], 'a seat that is blocked'],
    ['free', ['A1'], 'a seat that nobody has'],
    ['free', ['B1', 'B1'], 'a seat twice'],
    ['block', ['B1'], 'a seat that is taken'],
    ['take', ['C1'], 'a seat that there is not'],
  ])('%s %j crashes: %s', (kind, seats) => {
    const tried = new Tried({ rows: 2, columns: 2 });
    tried.change('take', ['B1']);
    tried.change('block', ['B2']);
    expect(() => changeSeats(tried.records, tried.layout, { kind, seats })).toThrow(
      'assertion failed',
    );
  });
});

describe('a decision in a zone of 100,000 seats', () => {
  test('reads one row and writes it with its summaries, from empty to full', () => {
    const tried = new Tried({ rows: 1_000, columns: 100 });
    let decisions = 0;
    let rowsReadMax = 0;
    let writtenMax = 0;
    for (; ; decisions++) {
      tried.records.rowsRead = 0;
      const seats = tried.plan.choose(4, 'adjacent');
      rowsReadMax = Math.max(rowsReadMax, tried.records.rowsRead);
      if (seats === undefined) break;
      tried.records.written = 0;
      changeSeats(tried.records, tried.layout, { kind: 'take', seats });
      writtenMax = Math.max(writtenMax, tried.records.written);
    }
    expect({ decisions, rowsReadMax, writtenMax }).toEqual({
      decisions: 25_000,
      rowsReadMax: 1,
      writtenMax: 3,
    });
  });
});
