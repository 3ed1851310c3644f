/** Who has which seat of a zone: by name, A1 is row 1, seat 1. */
const NAME = /^(?<row>[A-Z]{1,3})(?<number>[1-9][0-9]{0,4})$/;
const LETTERS = 26;

export interface SeatOwner {
  readonly purchaseId: string;
  /** Where that was announced. */
  readonly place: string;
}

export class Seats {
  readonly #rows: number;
  readonly #columns: number;
  readonly #owners = new Map<string, SeatOwner>();
  readonly #blocked = new Set<string>();

  constructor({ rows, columns }: { readonly rows: number; readonly columns: number }) {
    this.#rows = rows;
    this.#columns = columns;
  }

  get count(): number {
    return this.#rows * this.#columns - this.#blocked.size;
  }

  exists(seat: string): boolean {
    const at = placeOf(seat);
    return at !== undefined && at.row <= this.#rows && at.number <= this.#columns;
  }

  ownerOf(seat: string): SeatOwner | undefined {
    return this.#owners.get(seat);
  }

  isFree(seat: string): boolean {
    return !this.#owners.has(seat) && !this.#blocked.has(seat);
  }

  isBlocked(seat: string): boolean {
    return this.#blocked.has(seat);
  }

  take(seats: readonly string[], owner: SeatOwner): void {
    for (const seat of seats) this.#owners.set(seat, owner);
  }

  free(seats: readonly string[], purchaseId: string): void {
    for (const seat of seats) {
      if (this.#owners.get(seat)?.purchaseId === purchaseId) this.#owners.delete(seat);
    }
  }

  block(seats: readonly string[]): void {
    for (const seat of seats) this.#blocked.add(seat);
  }

  unblock(seats: readonly string[]): void {
    for (const seat of seats) this.#blocked.delete(seat);
  }

  /** Is there a row with so many free seats side by side? */
  hasRun(length: number): boolean {
    for (let row = 1; row <= this.#rows; row++) {
      let run = 0;
      for (let number = 1; number <= this.#columns; number++) {
        run = this.isFree(lettersOf(row) + number) ? run + 1 : 0;
        if (run >= length) return true;
      }
    }
    return false;
  }
}

/** In one row, without one between. */
export function areSideBySide(seats: readonly string[]): boolean {
  const places = seats.map(placeOf);
  const numbers = places.map((place) => place?.number ?? 0).sort((a, b) => a - b);
  return (
    new Set(places.map((place) => place?.row)).size === 1 &&
    numbers.every((number, index) => number === numbers[0]! + index)
  );
}

function placeOf(seat: string): { readonly row: number; readonly number: number } | undefined {
  const parts = NAME.exec(seat)?.groups;
  if (parts === undefined) return undefined;
  let row = 0;
  for (const letter of parts['row']!) row = row * LETTERS + letter.charCodeAt(0) - 64;
  return { row, number: Number(parts['number']) };
}

function lettersOf(row: number): string {
  let letters = '';
  for (let rest = row; rest > 0; rest = Math.floor((rest - 1) / LETTERS)) {
    letters = String.fromCharCode(65 + ((rest - 1) % LETTERS)) + letters;
  }
  return letters;
}
