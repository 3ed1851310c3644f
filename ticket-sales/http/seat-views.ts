/** A zone's seats as they are shown: a line of characters per row, or two bits per seat. Pure. */
import Type from 'typebox';
import { rowLetters, SEAT_PATTERN } from '../domain/seats/seat-name.ts';
import { type SeatRow, type SeatState, writeStates } from '../domain/seats/seat-row.ts';
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
const SIGN_CODES = {
  free: SIGNS.free.charCodeAt(0),
  taken: SIGNS.taken.charCodeAt(0),
  blocked: SIGNS.blocked.charCodeAt(0),
};

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

/** What the bytes mean, for the document. */
export const BITMAP_ABOUT =
  'big-endian rows (4 bytes), seats per row (4) and version (8), then two bits per seat, row by row, ' +
  'the first seat of a byte in its lowest bits: 0 free, 1 held or sold, 2 blocked';

export function seatMapView({ zone, layout, rows }: SeatView): Record<string, unknown> {
  const { eventId, zoneId, version } = zone;
  const { columns } = layout;
  const untouched = SIGNS.free.repeat(columns);
  const line = Buffer.alloc(columns);
  const lines = Array.from({ length: layout.rows }, (_, index) => {
    const row = rows.get(index);
    if (row === undefined) return { row: rowLetters(index), seats: untouched };
    writeStates(row, columns, SIGN_CODES, line, 0);
    return { row: rowLetters(index), seats: line.toString('latin1') };
  });
  return { eventId, zoneId, version, layout: { rows: layout.rows, columns }, rows: lines };
}

export function seatBitmap({ zone, layout, rows }: SeatView): Buffer {
  const { columns } = layout;
  const packedBytes = Math.ceil((layout.rows * columns) / SEATS_PER_BYTE);
  const states = Buffer.alloc(packedBytes * SEATS_PER_BYTE, BITS.free);
  for (const [index, row] of rows) writeStates(row, columns, BITS, states, index * columns);
  const bytes = Buffer.alloc(HEADER_BYTES + packedBytes);
  bytes.writeUInt32BE(layout.rows, 0);
  bytes.writeUInt32BE(columns, 4);
  bytes.writeBigUInt64BE(BigInt(zone.version), 8);
  for (let packed = 0; packed < packedBytes; packed++) {
    const seat = packed * SEATS_PER_BYTE;
    bytes[HEADER_BYTES + packed] =
      states[seat]! |
      (states[seat + 1]! << 2) |
      (states[seat + 2]! << 4) |
      (states[seat + 3]! << 6);
  }
  return bytes;
}
