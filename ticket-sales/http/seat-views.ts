/** A zone's seats as they are shown: a line of characters per row, or two bits per seat. Pure. */
import Type from 'typebox';
import { rowLetters, SEAT_PATTERN } from '../domain/seats/seat-name.ts';
import { type SeatRow, type SeatState, seatState } from '../domain/seats/seat-row.ts';
import type { SeatLayout, Zone } from '../domain/zone.ts';
import { idSchema } from './views.ts';

/** A zone with numbered seats, and the rows of it that were ever touched, of one moment. */
export interface SeatView {
  readonly zone: Zone;
  readonly layout: SeatLayout;
  readonly rows: ReadonlyMap<number, SeatRow>;
}

export const SIGNS = { free: '.', taken: 'X', blocked: '#' } as const satisfies Record<
  SeatState,
  string
>;

export const BITMAP_TYPE = 'application/octet-stream';
const BITS = { free: 0, taken: 1, blocked: 2 } as const satisfies Record<SeatState, number>;
const SEATS_PER_BYTE = 4;
const HEADER_BYTES = 16;

export const seatNameSchema = Type.String({
  pattern: SEAT_PATTERN,
  description: 'row in letters and number in the row: A1, AA7',
});

export const seatMapSchema = Type.Object({
  eventId: idSchema,
  zoneId: idSchema,
  version: Type.Integer(),
  layout: Type.Object({
    rows: Type.Integer(),
    columns: Type.Integer({ description: 'seats per row' }),
  }),
  rows: Type.Array(
    Type.Object({
      row: Type.String({ description: 'its letters' }),
      seats: Type.String({
        pattern: '^[.X#]+$',
        description: 'a character per seat: `.` free, `X` held or sold, `#` blocked',
      }),
    }),
  ),
});

export const bestSeatsSchema = Type.Object({
  eventId: idSchema,
  zoneId: idSchema,
  version: Type.Integer(),
  seats: Type.Array(seatNameSchema),
});

export const blockRequestSchema = Type.Object(
  { seats: Type.Array(seatNameSchema, { minItems: 1, maxItems: 1_000, uniqueItems: true }) },
  { additionalProperties: false },
);

export const blockedSeatsSchema = Type.Object({
  ...bestSeatsSchema.properties,
  state: Type.Enum(['blocked', 'free']),
});

export const bitmapSchema = Type.String({
  format: 'binary',
  description:
    'Big-endian: rows (4 bytes), seats per row (4), version (8); then two bits per seat, row by ' +
    'row, the first seat of a byte in its lowest bits: 0 free, 1 held or sold, 2 blocked',
});

export function seatMapView({ zone, layout, rows }: SeatView): Record<string, unknown> {
  const { eventId, zoneId, version } = zone;
  const { columns } = layout;
  const untouched = SIGNS.free.repeat(columns);
  const lines = Array.from({ length: layout.rows }, (_, index) => {
    const row = rows.get(index);
    return { row: rowLetters(index), seats: row === undefined ? untouched : signsOf(row, columns) };
  });
  return { eventId, zoneId, version, layout: { rows: layout.rows, columns }, rows: lines };
}

function signsOf(row: SeatRow, columns: number): string {
  let signs = '';
  for (let column = 0; column < columns; column++) signs += SIGNS[seatState(row, column)];
  return signs;
}

export function seatBitmap({ zone, layout, rows }: SeatView): Buffer {
  const { columns } = layout;
  const bytes = Buffer.alloc(HEADER_BYTES + Math.ceil((layout.rows * columns) / SEATS_PER_BYTE));
  bytes.writeUInt32BE(layout.rows, 0);
  bytes.writeUInt32BE(columns, 4);
  bytes.writeBigUInt64BE(BigInt(zone.version), 8);
  for (const [index, row] of rows) {
    for (let column = 0; column < columns; column++) {
      const seat = index * columns + column;
      const at = HEADER_BYTES + Math.floor(seat / SEATS_PER_BYTE);
      bytes[at]! |= BITS[seatState(row, column)] << (2 * (seat % SEATS_PER_BYTE));
    }
  }
  return bytes;
}
