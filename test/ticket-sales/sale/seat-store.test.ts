/** Seats in a task's state: what counts is what was committed, whatever was decided meanwhile. */
import fc from 'fast-check';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { stringSerde } from '../../../schemas/serdes.ts';
import type { TaskPositions } from '../../../stores/state-store.ts';
import { type LocalTaskState, openTaskState } from '../../../stores/task-state.ts';
import { seatName } from '../../../ticket-sales/domain/seats/seat-name.ts';
import { type TicketSerdes, TOPICS, ticketSerdes } from '../../../ticket-sales/records.ts';
import { type SeatRecord, SeatStore } from '../../../ticket-sales/sale/seat-store.ts';
import { temporaryDirectory } from '../../stores/fixtures.ts';
import { optionsOf } from '../../stores/task-options.ts';

const HALL = { rows: 300, columns: 40 };
const KEY = 'gala/hall';
const POSITIONS: TaskPositions = { changelogs: new Map(), inputs: new Map() };

let serdes: TicketSerdes;
let state: LocalTaskState;
let seats: SeatStore;

beforeEach(async () => {
  serdes = ticketSerdes({ register: async () => 7, schemaById: async () => 'string' });
  await serdes.seats.prepare?.(TOPICS.commands, 'value');
  await open(10_000);
});

async function open(cacheEntriesMax: number, directory?: string): Promise<void> {
  const specs = [
    {
      kind: 'keyValue' as const,
      name: 'seats',
      keySerde: stringSerde,
      valueSerde: serdes.seats,
      persistence: 'leveldb' as const,
      changelog: false as const,
      cacheEntriesMax,
    },
  ];
  state = await openTaskState(optionsOf({ directory, specs }));
  seats = new SeatStore(state.store<string, SeatRecord>('seats'));
}

const take = (names: readonly string[], key = KEY) =>
  seats.apply(key, HALL, { kind: 'take', seats: names });

async function commit(): Promise<void> {
  state.freeze();
  await state.apply(POSITIONS);
}

async function keys(): Promise<string[]> {
  const found: string[] = [];
  for await (const [key] of state.store<string, SeatRecord>('seats').range()) found.push(key);
  return found;
}

test('only what was touched is stored: the row, and what sums it up', async () => {
  take(['C7', 'C8']);
  take(['FA20']);
  seats.apply(KEY, HALL, { kind: 'block', seats: ['A1'] });
  await commit();
  expect(await keys()).toEqual([
    'gala/hall/00001',
    'gala/hall/00003',
    'gala/hall/00157',
    'gala/hall/gaps',
    'gala/hall/gaps/000',
    'gala/hall/gaps/001',
  ]);
});

test('a zone is not told of the seats of another, even of one whose name begins like its own', () => {
  take(['A1'], 'gala/hall');
  take(['A2'], 'gala/hall2');
  expect(seats.mapOf('gala/hall', HALL).unavailable(['A1', 'A2'])).toEqual(['A1']);
  expect(seats.mapOf('gala/hall2', HALL).unavailable(['A1', 'A2'])).toEqual(['A2']);
});

test('seats that an aborted transaction took are free again, for a map that was there before, too', async () => {
  const map = seats.mapOf(KEY, HALL);
  take(['A1', 'A2']);
  await commit();
  const chosen = map.choose(4, 'adjacent')!;
  take(chosen);
  seats.apply(KEY, HALL, { kind: 'free', seats: ['A1'] });
  seats.apply(KEY, HALL, { kind: 'block', seats: ['A9'] });
  expect(map.unavailable(['A1', 'A9', chosen[0]!])).toEqual(['A9', chosen[0]!]);
  state.dropUncommitted();
  expect(map.unavailable(['A1', 'A2', 'A9', ...chosen])).toEqual(['A1', 'A2']);
  expect(map.choose(4, 'adjacent')).toEqual(chosen);
});

test('seats that were frozen into a transaction that then failed are free again', async () => {
  const map = seats.mapOf(KEY, HALL);
  const chosen = map.choose(4, 'adjacent')!;
  take(chosen);
  state.freeze();
  take(map.choose(4, 'adjacent')!);
  state.dropUncommitted();
  expect(map.choose(4, 'adjacent')).toEqual(chosen);
});

test('what was committed is on the disk, as it was', async () => {
  const directory = await temporaryDirectory();
  await open(0, directory);
  const map = seats.mapOf(KEY, HALL);
  for (let purchase = 0; purchase < 300; purchase++) take(map.choose(7, 'adjacent')!);
  seats.apply(KEY, HALL, { kind: 'block', seats: map.choose(3, 'adjacent')! });
  const names = Array.from({ length: HALL.columns }, (_, column) => seatName(0, column));
  const [taken, blocked] = [map.unavailable(names), map.blocked(names)];
  const next = map.choose(5, 'adjacent');
  await commit();
  await state.close({ clean: true });
  await open(0, directory);
  onTestFinished(() => state.close({ clean: false }));
  const again = seats.mapOf(KEY, HALL);
  expect([again.unavailable(names), again.blocked(names)]).toEqual([taken, blocked]);
  expect([taken.length, blocked.length]).toEqual([38, 3]);
  expect(again.choose(5, 'adjacent')).toEqual(next);
});

/** What may happen to a task, as often as it likes and in any order. */
const happening = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('buy' as const),
      count: fc.integer({ min: 1, max: 7 }),
      placement: fc.constantFrom('any' as const, 'adjacent' as const, 'adjacent_or_split' as const),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('name' as const),
      at: fc.array(fc.nat(), { minLength: 1, maxLength: 4 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('giveBack' as const), which: fc.nat() }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('block' as const, 'unblock' as const),
      at: fc.array(fc.nat(), { minLength: 1, maxLength: 4 }),
    }),
  },
  { weight: 3, arbitrary: fc.constant({ kind: 'commit' as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'abort' as const }) },
);

const SMALL = { rows: 4, columns: 9 };
const NAMES = ['A', 'B', 'C', 'D'].flatMap((row) =>
  Array.from({ length: SMALL.columns }, (_, index) => `${row}${index + 1}`),
);

/** Who has which seat, and which are blocked. */
interface Book {
  readonly owners: ReadonlyMap<string, number>;
  readonly blocked: ReadonlySet<string>;
}

test('no seat ever has two owners, whatever is bought, given back, blocked, committed and aborted', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(happening, { maxLength: 60, size: 'max' }),
      fc.constantFrom(0, 2, 10_000),
      async (happenings, cached) => {
        await open(cached);
        const map = seats.mapOf(KEY, SMALL);
        let committed: Book = { owners: new Map(), blocked: new Set() };
        let book = committed;
        let purchases = 0;
        const isFree = (name: string) => !book.owners.has(name) && !book.blocked.has(name);
        const sell = (names: readonly string[]) => {
          expect(names.filter((name) => !isFree(name))).toEqual([]);
          seats.apply(KEY, SMALL, { kind: 'take', seats: names });
          const owner = purchases++;
          book = {
            ...book,
            owners: new Map([...book.owners, ...names.map((name) => [name, owner] as const)]),
          };
        };
        for (const each of happenings) {
          switch (each.kind) {
            case 'buy': {
              const chosen = map.choose(each.count, each.placement);
              if (chosen !== undefined) sell(chosen);
              else if (each.placement !== 'adjacent')
                expect(NAMES.filter(isFree).length).toBeLessThan(each.count);
              break;
            }
            case 'name': {
              const wanted = [...new Set(each.at.map((index) => NAMES[index % NAMES.length]!))];
              const lost = map.unavailable(wanted);
              expect(lost).toEqual(wanted.filter((name) => !isFree(name)));
              if (lost.length === 0) sell(wanted);
              break;
            }
            case 'giveBack': {
              const owners = [...new Set(book.owners.values())];
              if (owners.length === 0) break;
              const owner = owners[each.which % owners.length]!;
              const its = [...book.owners].filter(([, one]) => one === owner).map(([name]) => name);
              seats.apply(KEY, SMALL, { kind: 'free', seats: its });
              book = {
                ...book,
                owners: new Map([...book.owners].filter(([, one]) => one !== owner)),
              };
              break;
            }
            case 'block':
            case 'unblock': {
              const isBlock = each.kind === 'block';
              const from = NAMES.filter((name) =>
                isBlock ? isFree(name) : book.blocked.has(name),
              );
              if (from.length === 0) break;
              const names = [...new Set(each.at.map((index) => from[index % from.length]!))];
              seats.apply(KEY, SMALL, { kind: each.kind, seats: names });
              const blocked = new Set(book.blocked);
              for (const name of names) isBlock ? blocked.add(name) : blocked.delete(name);
              book = { ...book, blocked };
              break;
            }
            case 'commit':
              await commit();
              committed = book;
              break;
            case 'abort':
              state.dropUncommitted();
              book = committed;
          }
        }
        expect(map.unavailable(NAMES)).toEqual(NAMES.filter((name) => !isFree(name)));
        expect(map.blocked(NAMES)).toEqual(NAMES.filter((name) => book.blocked.has(name)));
      },
    ),
    { numRuns: 300 },
  );
});
