import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  hasRepeatedSeat,
  isSeatLayout,
  ROWS_MAX,
  SEAT_PATTERN,
  seatName,
  seatOf,
} from '../../../../ticket-sales/domain/seats/seat-name.ts';
import { nameOf } from './naive-seats.ts';

const HALL = { rows: ROWS_MAX, columns: 99_999 };

describe('the name of a seat', () => {
  test('is its row in letters and its number, from A1 to ZZZ99999, and leads back to it', () => {
    const wrong: number[] = [];
    for (let row = 0; row < ROWS_MAX; row++) {
      const column = (row * 31) % 99_999;
      const name = seatName(row, column);
      const seat = seatOf(name, HALL);
      const isRight = name === nameOf(row, column) && seat?.row === row && seat.column === column;
      if (!isRight) wrong.push(row);
    }
    expect(wrong).toEqual([]);
  });

  test.each([
    'a1',
    'A0',
    'A01',
    'A',
    '1',
    '',
    'A1 ',
    ' A1',
    'A-1',
    'A1.0',
    'AAAA1',
    'A100000',
    'A1B',
    '\uff211',
    'A\uff11',
    '\u0391' + '1',
    '\u0410' + '1',
    'A\u0661',
    'A1\n',
    'A1\u200b',
    '[1',
    '@1',
    'A:',
    'A/',
  ])('is not %j', (text) => {
    expect(seatOf(text, HALL)).toBeUndefined();
    expect(new RegExp(SEAT_PATTERN, 'u').test(text)).toBe(false);
  });

  test('is what the pattern says, and nothing else', () => {
    const pattern = new RegExp(SEAT_PATTERN, 'u');
    const characters = fc.constantFrom('A', 'B', 'Z', 'a', '0', '1', '9', ' ', '\u0410');
    const text = fc.string({ unit: characters, maxLength: 9 });
    fc.assert(
      fc.property(text, (each) => {
        expect(seatOf(each, HALL) !== undefined).toBe(pattern.test(each));
      }),
      { numRuns: 2_000 },
    );
  });

  test('is of a seat that the zone has', () => {
    const layout = { rows: 2, columns: 3 };
    expect(['A1', 'B3', 'B4', 'C1', 'AA1'].filter((name) => seatOf(name, layout))).toEqual([
      'A1',
      'B3',
    ]);
  });
});

test('a seat that is named twice is noticed', () => {
  expect(hasRepeatedSeat(['A1', 'A2', 'A1'])).toBe(true);
  expect(hasRepeatedSeat(['A1', 'A2', 'A11'])).toBe(false);
});

test.each([
  [{ rows: 1_000, columns: 100 }, true],
  [{ rows: 10_000, columns: 10 }, true],
  [{ rows: 1, columns: 99_999 }, true],
  [{ rows: 18_278, columns: 5 }, true],
  [{ rows: 18_279, columns: 1 }, false],
  [{ rows: 1, columns: 100_000 }, false],
  [{ rows: 1_000, columns: 101 }, false],
  [{ rows: 0, columns: 5 }, false],
  [{ rows: 5, columns: 0 }, false],
  [{ rows: 2.5, columns: 2 }, false],
  [{ rows: -1, columns: -1 }, false],
])('a zone laid out as %j: %s', (layout, isPossible) => {
  expect(isSeatLayout(layout)).toBe(isPossible);
});
