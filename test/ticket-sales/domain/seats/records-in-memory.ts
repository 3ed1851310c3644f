/** What is stored of one zone's seats, in maps. Counts what is read and written. */
import type {
  GapSummary,
  SeatRecords,
} from '../../../../ticket-sales/domain/seats/seat-records.ts';
import type { SeatRow } from '../../../../ticket-sales/domain/seats/seat-row.ts';

export class RecordsInMemory implements SeatRecords {
  readonly rows = new Map<number, SeatRow>();
  readonly blocks = new Map<number, GapSummary>();
  zone: GapSummary | undefined;
  rowsRead = 0;
  written = 0;

  row(row: number): SeatRow | undefined {
    this.rowsRead++;
    return this.rows.get(row);
  }

  blockGaps(block: number): GapSummary | undefined {
    return this.blocks.get(block);
  }

  zoneGaps(): GapSummary | undefined {
    return this.zone;
  }

  putRow(row: number, value: SeatRow): void {
    this.written++;
    this.rows.set(row, value);
  }

  putBlockGaps(block: number, value: GapSummary): void {
    this.written++;
    this.blocks.set(block, value);
  }

  putZoneGaps(value: GapSummary): void {
    this.written++;
    this.zone = value;
  }
}
