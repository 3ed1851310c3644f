/**
 * The whole dataflow of the sale on one screen.
 *
 *   ticketPurchase -> tickets (zones, purchases) -> purchaseStatusUpdated, inventoryUpdated     one hop, by zone
 *   eventDefined   -> events                                                                    a table
 *   inventoryUpdated -> by event -> event-sales                                                 sums, off the sale's path
 */
import { stringSerde } from '../schemas/serdes.ts';
import type { StoreSpec } from '../stores/state-store.ts';
import { StreamsBuilder } from '../topology/streams-builder.ts';
import type { Topology } from '../topology/topology.ts';
import type { EventSales } from './domain/event.ts';
import { type InventoryUpdated, type TicketSerdes, TOPICS } from './records.ts';
import { SINKS, STORES, TicketProcessor } from './ticket-processor.ts';

export const EVENT_STORES = { events: 'events', sales: 'event-sales' } as const;

/** In all partitions together: a process that runs them all spends up to 200 MB on them. */
const KNOWN_PURCHASES_MAX = 16_000_000;

/** `commandPartitions`: how many the topic of commands has, to know a zone's own partition. */
export function ticketTopology(serdes: TicketSerdes, commandPartitions: number): Topology {
  const builder = new StreamsBuilder();
  defineEvents(builder, serdes);
  sumUpEvents(builder, serdes);
  return sellTickets(builder.build(), serdes, commandPartitions);
}

function sellTickets(
  topology: Topology,
  serdes: TicketSerdes,
  commandPartitions: number,
): Topology {
  const ofTask = ({ taskPartition }: { taskPartition: number }) => taskPartition;
  return topology
    .addSource({
      name: 'commands',
      topics: [TOPICS.commands],
      keySerde: stringSerde,
      valueSerde: serdes.command,
      nullKeys: false,
      nullValues: false,
    })
    .addProcessor({
      name: 'tickets',
      supplier: () => new TicketProcessor(commandPartitions),
      parents: ['commands'],
    })
    .addStateStore(logged(STORES.zones, serdes.zone), 'tickets')
    .addStateStore(
      {
        ...logged(STORES.purchases, serdes.purchase),
        // Nearly every purchase is a new one, and is hardly ever read again by the engine: objects
        // kept for that would only make the garbage collector copy them.
        knownKeysMax: Math.floor(KNOWN_PURCHASES_MAX / commandPartitions),
        cacheEntriesMax: 0,
      },
      'tickets',
    )
    .addSink({
      name: SINKS.purchaseStatus,
      topic: TOPICS.purchaseStatus,
      keySerde: stringSerde,
      valueSerde: serdes.purchase,
      partitioner: ofTask,
      parents: ['tickets'],
    })
    .addSink({
      name: SINKS.inventory,
      topic: TOPICS.inventory,
      keySerde: stringSerde,
      valueSerde: serdes.inventory,
      partitioner: ofTask,
      parents: ['tickets'],
    });
}

function logged<V>(
  name: string,
  valueSerde: StoreSpec<string, V>['valueSerde'],
): StoreSpec<string, V> {
  return {
    kind: 'keyValue',
    name,
    keySerde: stringSerde,
    valueSerde,
    persistence: 'leveldb',
    changelog: { configs: {} },
  };
}

function defineEvents(builder: StreamsBuilder, serdes: TicketSerdes): void {
  builder.table(TOPICS.events, {
    name: 'event-definitions',
    keySerde: stringSerde,
    valueSerde: serdes.event,
    store: EVENT_STORES.events,
  });
}

/** A zone's new stock replaces its old one in the sums of its event. */
function sumUpEvents(builder: StreamsBuilder, serdes: TicketSerdes): void {
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
      { name: 'sum-up', store: EVENT_STORES.sales, valueSerde: serdes.eventSales },
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
