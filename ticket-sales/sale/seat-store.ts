/**
 * The numbered seats of all zones of a task, in one store: a value per row that was ever touched,
 * under `<eventId>/<zoneId>/<row, 5 digits>`, and two levels of summaries that keep a decision cheap,
 * under `…/gaps/<block, 3 digits>` and `…/gaps`.
 *
 * Nothing is remembered beside the store: what a failed transaction wrote is gone with it.
 */
import type { Serde } from '../../schemas/serde.ts';
import type { KeyValueStore, ReadOnlyKeyValueStore } from '../../stores/state-store.ts';
import type { SeatChange, SeatMap } from '../domain/seats/seat-map.ts';
import { changeSeats, SeatPlan } from '../domain/seats/seat-plan.ts';
import type { SeatPort } from '../domain/seats/seat-port.ts';
import type { GapSummary, SeatReads, SeatRecords } from '../domain/seats/seat-records.ts';
import type { SeatRow } from '../domain/seats/seat-row.ts';
import type { SeatLayout } from '../domain/zone.ts';

/** The key tells which. */
export type SeatRecord = SeatRow | GapSummary;

export class SeatStore implements SeatPort {
  readonly #store: KeyValueStore<string, SeatRecord>;

  constructor(store: KeyValueStore<string, SeatRecord>) {
    this.#store = store;
  }

  mapOf(zoneKey: string, layout: SeatLayout): SeatMap {
    return new SeatPlan(new StoredSeats(this.#store, zoneKey), layout);
  }

  apply(zoneKey: string, layout: SeatLayout, change: SeatChange): void {
    changeSeats(new ChangingSeats(this.#store, zoneKey), layout, change);
  }
}

/** What is stored of a zone, for whoever only reads. */
export class StoredSeats implements SeatReads {
  readonly #store: ReadOnlyKeyValueStore<unknown, SeatRecord>;
  protected readonly zoneKey: string;

  constructor(store: ReadOnlyKeyValueStore<unknown, SeatRecord>, zoneKey: string) {
    this.#store = store;
    this.zoneKey = zoneKey;
  }

  row(row: number): SeatRow | undefined {
    return this.#store.get(rowKey(this.zoneKey, row)) as SeatRow | undefined;
  }

  blockGaps(block: number): GapSummary | undefined {
    return this.#store.get(blockKey(this.zoneKey, block)) as GapSummary | undefined;
  }

  zoneGaps(): GapSummary | undefined {
    return this.#store.get(gapsKey(this.zoneKey)) as GapSummary | undefined;
  }
}

class ChangingSeats extends StoredSeats implements SeatRecords {
  readonly #store: KeyValueStore<string, SeatRecord>;

  constructor(store: KeyValueStore<string, SeatRecord>, zoneKey: string) {
    super(store, zoneKey);
    this.#store = store;
  }

  putRow(row: number, value: SeatRow): void {
    this.#store.put(rowKey(this.zoneKey, row), value);
  }

  putBlockGaps(block: number, value: GapSummary): void {
    this.#store.put(blockKey(this.zoneKey, block), value);
  }

  putZoneGaps(value: GapSummary): void {
    this.#store.put(gapsKey(this.zoneKey), value);
  }
}

/** Keys of rows start with this and sort by row; those of summaries come after them. */
export function seatKeyPrefix(zoneKey: string): string {
  return `${zoneKey}/`;
}

function rowKey(zoneKey: string, row: number): string {
  return `${zoneKey}/${String(row + 1).padStart(5, '0')}`;
}

function blockKey(zoneKey: string, block: number): string {
  return `${zoneKey}/gaps/${String(block).padStart(3, '0')}`;
}

function gapsKey(zoneKey: string): string {
  return `${zoneKey}/gaps`;
}

/** As the schema has it: one of the two. */
interface StoredRecord {
  readonly row: SeatRow | null;
  readonly gaps: GapSummary | null;
}

export function seatSerde(stored: Serde<StoredRecord>): Serde<SeatRecord> {
  return {
    prepare: async (topic, part) => stored.prepare?.(topic, part),
    resolve: async (schemaId) => stored.resolve?.(schemaId),
    decode: (bytes, start, end) => {
      const { row, gaps } = stored.decode(bytes, start, end);
      return row ?? gaps!;
    },
    encode: (value, target, at) =>
      stored.encode(
        'sizes' in value ? { row: null, gaps: value } : { row: value, gaps: null },
        target,
        at,
      ),
  };
}
