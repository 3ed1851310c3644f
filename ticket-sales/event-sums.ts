/** Sums over the zones of each event, from the stock that is announced: off the sale's path. */
import { stringSerde } from '../schemas/serdes.ts';
import type { StreamsBuilder } from '../topology/streams-builder.ts';
import type { EventSales } from './domain/event.ts';
import { type InventoryUpdated, type TicketSerdes, TOPICS } from './records.ts';

export const EVENT_SALES_STORE = 'event-sales';

/** A zone's new stock replaces its old one in the sums of its event. */
export function sumUpEvents(builder: StreamsBuilder, serdes: TicketSerdes): void {
  builder
    .table(TOPICS.inventory, {
      name: 'zone-stock',
      keySerde: stringSerde,
      valueSerde: serdes.inventory,
      store: 'zone-stock',
    })
    .groupBy((_key, stock) => [stock.eventId, stock] as const, {
      name: 'stock-by-event',
      keySerde: stringSerde,
      valueSerde: serdes.inventory,
    })
    .aggregate<EventSales>(
      () => ({ eventId: '', zones: 0, capacity: 0, held: 0, sold: 0 }),
      (eventId, stock, sums) => changeSums(eventId, stock, sums, 1),
      (eventId, stock, sums) => changeSums(eventId, stock, sums, -1),
      { name: 'sum-up', store: EVENT_SALES_STORE, valueSerde: serdes.eventSales },
    );
}

function changeSums(
  eventId: string,
  stock: InventoryUpdated,
  sums: EventSales,
  sign: 1 | -1,
): EventSales {
  return {
    eventId,
    zones: sums.zones + sign,
    capacity: sums.capacity + sign * stock.capacity,
    held: sums.held + sign * stock.held,
    sold: sums.sold + sign * stock.sold,
  };
}
