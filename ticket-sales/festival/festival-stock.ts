/** Tells the festival's consumers, in their own record, what is left of its zones. */
import type { Processor, ProcessorContext, StreamRecord } from '../../topology/processor.ts';
import type { InventoryUpdated as ZoneStock } from '../records.ts';
import type { InventoryUpdated } from './festival-records.ts';

export class FestivalStock implements Processor<string, ZoneStock, string, InventoryUpdated> {
  readonly #eventId: string;
  #context!: ProcessorContext<string, InventoryUpdated>;

  constructor(eventId: string) {
    this.#eventId = eventId;
  }

  init(context: ProcessorContext<string, InventoryUpdated>): void {
    this.#context = context;
  }

  process({ value: stock, timestampMs }: StreamRecord<string, ZoneStock>): void | Promise<void> {
    if (stock.eventId !== this.#eventId) return;
    const { zoneId: ticketType, available: availableCount, updatedAtMs: timestamp } = stock;
    const value = { ticketType, availableCount, timestamp };
    return this.#context.forward({ key: ticketType, value, timestampMs, headers: [] });
  }
}
