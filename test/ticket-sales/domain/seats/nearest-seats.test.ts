import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  nearestSeats,
  REACH_ROWS,
  REACH_SEATS,
  ROW_DISTANCE,
} from '../../../../ticket-sales/domain/seats/nearest-seats.ts';
import { seatOf } from '../../../../ticket-sales/domain/seats/seat-name.ts';
import { changeSeats, namesOf } from '../../../../ticket-sales/domain/seats/seat-plan.ts';
import { NaiveSeats, nameOf, placeOf } from './naive-seats.ts';
import { RecordsInMemory } from './records-in-memory.ts';

function near(naive: NaiveSeats, lost: readonly string[]): readonly string[] {
  const layout = { rows: naive.grid.length, columns: naive.columns };
  const records = new RecordsInMemory();
  const taken = naive.namesOf('X');
  if (taken.length > 0) changeSeats(records, layout, { kind: 'take', seats: taken });
  return nearestSeats(
    records,
    layout,
    lost.map((name) => seatOf(name, layout)!),
  ).flatMap(namesOf);
}

function hall(...rows: readonly string[]): NaiveSeats {
  const naive = new NaiveSeats(rows.length, rows[0]!.length);
  for (const [r, row] of rows.entries()) {
    for (const [c, cell] of [...row].entries()) if (cell === 'X') naive.set([nameOf(r, c)], 'X');
  }
  return naive;
}

type Place = readonly [row: number, column: number];

function middleOf(places: readonly Place[]): Place {
  const mean = (axis: 0 | 1) => places.reduce((sum, at) => sum + at[axis], 0) / places.length;
  return [Math.round(mean(0)), Math.round(2 * mean(1)) / 2];
}

/** In seats. */
function wayOf([row, column]: Place, lost: readonly string[]): number {
  const [middleRow, middleColumn] = middleOf(lost.map(placeOf));
  return Math.abs(row - middleRow) * ROW_DISTANCE + Math.abs(column - middleColumn);
}

const wayOfGroup = (group: readonly string[], lost: readonly string[]) =>
  wayOf(middleOf(group.map(placeOf)), lost);

test('seats beside the lost ones come first, then those before and behind them', () => {
  expect(near(hall('......', '..XX..'), ['B3', 'B4'])).toEqual(['B1', 'B2']);
  expect(near(hall('......', 'XXXXX.'), ['B3', 'B4'])).toEqual(['A3', 'A4']);
});

test('a group stays together, if need be farther away', () => {
  expect(near(hall('X.X.X.', 'XXXXXX', '......'), ['A3', 'A4'])).toEqual(['C3', 'C4']);
});

test('where nobody can sit together they sit apart, as near as they can', () => {
  expect(near(hall('.X.X.X.X.', 'XXXXXXXXX'), ['A4', 'A5'])).toEqual(['A3', 'A5']);
});

test('nothing is offered where there is not enough, or only far away', () => {
  expect(near(hall('X.XX'), ['A1', 'A3'])).toEqual([]);
  const rows = Array.from({ length: REACH_ROWS + 1 }, () => 'XX');
  expect(near(hall(...rows, '..'), ['A1', 'A2'])).toEqual([]);
  expect(near(hall(...rows.slice(1), '..'), ['A1', 'A2'])).toEqual(['U1', 'U2']);
});

test('a long row is looked at around the lost one only', () => {
  const row = 'X'.repeat(2 * REACH_SEATS);
  expect(near(hall(`${row}..`), ['A1'])).toEqual([]);
  expect(near(hall(`${row}..`), [nameOf(0, 2 * REACH_SEATS - 1)])).toEqual([
    nameOf(0, 2 * REACH_SEATS),
  ]);
});

test('what is offered is free, as many as are lost, and there is nothing nearer', () => {
  const rows = fc.array(fc.array(fc.constantFrom('.', 'X', 'X'), { minLength: 9, maxLength: 9 }), {
    minLength: 1,
    maxLength: 5,
  });
  fc.assert(
    fc.property(rows, fc.array(fc.nat(), { minLength: 1, maxLength: 4 }), (cells, at) => {
      const naive = hall(...cells.map((row) => row.join('')));
      const names = naive.grid.flatMap((row, r) => row.map((_, c) => nameOf(r, c)));
      const lost = [...new Set(at.map((index) => names[index % names.length]!))];
      const free = naive.namesOf('.');
      const offered = near(naive, lost);
      const together = naive
        .gaps()
        .flatMap(({ row, column, count }) =>
          Array.from({ length: Math.max(0, count - lost.length + 1) }, (_, shift) =>
            lost.map((_, index) => nameOf(row, column + shift + index)),
          ),
        );
      if (together.length > 0) {
        const nearest = Math.min(...together.map((group) => wayOfGroup(group, lost)));
        expect(together).toContainEqual(offered);
        expect(wayOfGroup(offered, lost)).toBeCloseTo(nearest);
      } else if (free.length < lost.length) {
        expect(offered).toEqual([]);
      } else {
        expect(new Set(offered).size).toBe(lost.length);
        expect(offered.every((name) => free.includes(name))).toBe(true);
        const best = free.map((name) => wayOf(placeOf(name), lost)).sort((a, b) => a - b);
        const least = best.slice(0, lost.length).reduce((sum, each) => sum + each, 0);
        const ways = offered.reduce((sum, name) => sum + wayOf(placeOf(name), lost), 0);
        expect(ways).toBeCloseTo(least);
      }
    }),
    { numRuns: 500 },
  );
});
