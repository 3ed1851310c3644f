/** The SeatMap over what is stored of a zone, and the carrying out of a SeatChange. */
import { assert } from '../../../base/assert.ts';
import type { SeatLayout } from '../zone.ts';
import { bestAdjacent, fewestRuns, type SeatRun } from './best-seats.ts';
import { putRow } from './gap-index.ts';
import type { SeatChange, SeatMap } from './seat-map.ts';
import { seatName, seatOf } from './seat-name.ts';
import type { SeatReads, SeatRecords } from './seat-records.ts';
import { changedRow, type SeatState, seatState, untouchedRow } from './seat-row.ts';

export class SeatPlan implements SeatMap {
  readonly #records: SeatReads;
  readonly #layout: SeatLayout;

  constructor(records: SeatReads, layout: SeatLayout) {
    this.#records = records;
    this.#layout = layout;
  }

  unknown(names: readonly string[]): readonly string[] {
    return names.filter((name) => seatOf(name, this.#layout) === undefined);
  }

  unavailable(names: readonly string[]): readonly string[] {
    return names.filter((name) => this.#stateOf(name) !== 'free');
  }

  blocked(names: readonly string[]): readonly string[] {
    return names.filter((name) => this.#stateOf(name) === 'blocked');
  }

  choose(
    quantity: number,
    placement: 'any' | 'adjacent' | 'adjacent_or_split',
  ): readonly string[] | undefined {
    if (placement !== 'adjacent') {
      return fewestRuns(this.#records, this.#layout, quantity)?.flatMap(namesOf);
    }
    const run = bestAdjacent(this.#records, this.#layout, quantity);
    return run === undefined ? undefined : namesOf(run);
  }

  #stateOf(name: string): SeatState {
    const { row, column } = knownSeat(name, this.#layout);
    return seatState(this.#records.row(row), column);
  }
}

export function namesOf({ row, column, count }: SeatRun): readonly string[] {
  const names: string[] = [];
  for (let index = 0; index < count; index++) names.push(seatName(row, column + index));
  return names;
}

/** Each row that has seats of the change is written once. */
export function changeSeats(
  records: SeatRecords,
  layout: SeatLayout,
  { kind, seats }: SeatChange,
): void {
  const columnsOfRow = new Map<number, number[]>();
  for (const name of seats) {
    const { row, column } = knownSeat(name, layout);
    const columns = columnsOfRow.get(row);
    if (columns === undefined) columnsOfRow.set(row, [column]);
    else columns.push(column);
  }
  for (const [row, columns] of columnsOfRow) {
    const before = records.row(row) ?? untouchedRow(row, layout.columns);
    putRow(records, layout, row, changedRow(before, kind, columns));
  }
}

function knownSeat(name: string, layout: SeatLayout) {
  const seat = seatOf(name, layout);
  assert(seat !== undefined, `the zone has no seat ${JSON.stringify(name)}`);
  return seat;
}
