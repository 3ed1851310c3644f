/**
 * Keeps the reports of events: their zones' stock, the sums of it, and sales over time. Two inputs,
 * one task: what is told of an event and of its zones is in one partition.
 *
 * R1. A zone's stock counts once: what is not newer than what is known changes nothing.
 * R2. The sums of an event are those of its zones, whether or not it is defined, or has a venue.
 */
import type { KeyValueStore } from '../../stores/state-store.ts';
import type { Change } from '../../topology/dsl/processors/change.ts';
import type { Processor, ProcessorContext, StreamRecord } from '../../topology/processor.ts';
import type { EventDefinition, EventSales } from '../domain/event.ts';
import type { InventoryUpdated } from '../records.ts';
import { type EventZone, REPORT_STORES } from './report-stores.ts';
import {
  bucketKey,
  bucketStartMs,
  changedBucket,
  isSale,
  type SalesBucket,
} from './sales-timeline.ts';
import { changedSales, emptySales, type StockChange, stockChange } from './sums.ts';

export class StockReporter implements Processor<string, InventoryUpdated> {
  #zones!: KeyValueStore<string, EventZone>;
  #sales!: KeyValueStore<string, EventSales>;
  #timeline!: KeyValueStore<string, SalesBucket>;
  readonly #bucketMs: number;

  /** `bucketMs`: how long each stretch of the timeline is. */
  constructor(bucketMs: number) {
    this.#bucketMs = bucketMs;
  }

  init(context: ProcessorContext): void {
    this.#zones = context.getStateStore(REPORT_STORES.zones);
    this.#sales = context.getStateStore(REPORT_STORES.sales);
    this.#timeline = context.getStateStore(REPORT_STORES.timeline);
  }

  process({ key, value: stock }: StreamRecord<string, InventoryUpdated>): void {
    const before = this.#zones.get(key);
    if (before !== undefined && before.version >= stock.version) return;
    const { eventId } = stock;
    const change = stockChange(before, stock);
    const sales = changedSales(this.#sales.get(eventId) ?? emptySales(eventId), change);
    this.#sales.put(eventId, sales);
    this.#zones.put(key, { ...stock, eventVersion: sales.version });
    if (isSale(change)) this.#record(stock, change);
  }

  #record({ eventId, updatedAtMs }: InventoryUpdated, change: StockChange): void {
    const startMs = bucketStartMs(updatedAtMs, this.#bucketMs);
    const key = bucketKey(eventId, startMs);
    const bucket = this.#timeline.get(key) ?? { eventId, startMs, sold: 0, revenue: [] };
    this.#timeline.put(key, changedBucket(bucket, change));
  }
}

/** Follows the table of events: keeps their sums with their venue. */
export class EventReporter implements Processor<string, Change<EventDefinition>> {
  #sales!: KeyValueStore<string, EventSales>;
  #venues!: KeyValueStore<string, string>;

  init(context: ProcessorContext): void {
    this.#sales = context.getStateStore(REPORT_STORES.sales);
    this.#venues = context.getStateStore(REPORT_STORES.venues);
  }

  process({
    key: eventId,
    value: { newValue },
  }: StreamRecord<string, Change<EventDefinition>>): void {
    const venueId = newValue?.venueId ?? null;
    const sales = this.#sales.get(eventId) ?? emptySales(eventId);
    if (sales.venueId === venueId) return;
    if (sales.venueId !== null) this.#venues.delete(venueKey(sales.venueId, eventId));
    if (venueId !== null) this.#venues.put(venueKey(venueId, eventId), eventId);
    this.#sales.put(eventId, { ...sales, venueId });
  }
}

export function venueKey(venueId: string, eventId: string): string {
  return `${venueId}/${eventId}`;
}
