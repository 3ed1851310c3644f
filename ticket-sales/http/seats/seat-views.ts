/** A zone's seats as they are shown: characters in JSON, two bits per seat, or plain text. Pure. */
import Type from 'typebox';
import { rowLetters, SEAT_PATTERN } from '../../domain/seats/seat-name.ts';
import { type SeatRow, type SeatState, writeStates } from '../../domain/seats/seat-row.ts';
import { available, type SeatLayout, type Zone } from '../../domain/zone.ts';
import { idSchema } from '../views.ts';

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

/** One way to show a map. */
export interface SeatForm {
  readonly mediaType: string;
  /** Bytes that differ have tags that differ. */
  readonly tagOf: (version: number) => string;
  readonly write: (view: SeatView) => string | Buffer;
}

const JSON_FORM: SeatForm = {
  mediaType: 'application/json',
  tagOf: (version) => `"${version}"`,
  write: (view) => JSON.stringify(seatMapView(view)),
};

const FORMS: readonly SeatForm[] = [
  JSON_FORM,
  {
    mediaType: BITMAP_TYPE,
    tagOf: (version) => `"${version}-bitmap"`,
    write: seatBitmap,
  },
  {
    mediaType: 'text/plain; charset=utf-8',
    tagOf: (version) => `"${version}-text"`,
    write: seatText,
  },
];

/** JSON, unless another one is asked for by name, and not less than JSON. */
export function seatForm(accept: string | undefined): SeatForm {
  const qualities = new Map<string, number>();
  for (const range of (accept ?? '').toLowerCase().split(',')) {
    const [name, ...parameters] = range.split(';').map((part) => part.trim());
    const q = parameters.find((parameter) => parameter.startsWith('q='));
    qualities.set(name!, q === undefined ? 1 : Number(q.slice(2)));
  }
  const qualityOf = ({ mediaType }: SeatForm) => qualities.get(mediaType.split(';')[0]!) ?? 0;
  return FORMS.reduce((best, form) => {
    const quality = qualityOf(form);
    return quality > 0 && quality >= qualityOf(best) ? form : best;
  }, JSON_FORM);
}

function seatMapView({ zone, layout, rows }: SeatView): object {
  const { eventId, zoneId, version } = zone;
  const lines = signsOfRows(layout, rows).map((seats, row) => ({ row: rowLetters(row), seats }));
  return {
    eventId,
    zoneId,
    version,
    layout: { rows: layout.rows, columns: layout.columns },
    rows: lines,
  };
}

/** For people at a terminal. */
function seatText({ zone, layout, rows }: SeatView): string {
  const { eventId, zoneId, version, held, sold } = zone;
  const width = rowLetters(layout.rows - 1).length;
  const lines = signsOfRows(layout, rows).map(
    (seats, row) => `${rowLetters(row).padStart(width)} ${seats}`,
  );
  const blocked = layout.rows * layout.columns - zone.capacity;
  return [
    `${eventId}/${zoneId}, version ${version}`,
    `${available(zone)} free (${SIGNS.free}), ${held} held and ${sold} sold (${SIGNS.taken}), ${blocked} blocked (${SIGNS.blocked})`,
    ...lines,
    '',
  ].join('\n');
}

function signsOfRows({ rows, columns }: SeatLayout, touched: SeatView['rows']): readonly string[] {
  const untouched = SIGNS.free.repeat(columns);
  const line = Buffer.alloc(columns);
  return Array.from({ length: rows }, (_, index) => {
    const row = touched.get(index);
    if (row === undefined) return untouched;
    writeStates(row, columns, SIGN_CODES, line, 0);
    return line.toString('latin1');
  });
}

function seatBitmap({ zone, layout, rows }: SeatView): Buffer {
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
