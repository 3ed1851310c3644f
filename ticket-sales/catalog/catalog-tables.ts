/**
 * Venues and customers as tables: the latest definition of each key, restored from its own topic.
 * Customers are keyed by buyer and have as many partitions as the commands: what is keyed by buyer
 * can be joined with them where it is.
 */
import { stringSerde } from '../../schemas/serdes.ts';
import type { KTable } from '../../topology/dsl/ktable.ts';
import type { StreamsBuilder } from '../../topology/streams-builder.ts';
import type { Customer, Venue } from '../domain/catalog.ts';
import { type TicketSerdes, TOPICS } from '../records.ts';

/** The node that reads the customers' topic: what is keyed by buyer is copartitioned with it. */
export const CUSTOMERS_SOURCE = 'customer-definitions-source';

export const CATALOG_STORES = {
  venues: 'venues',
  customers: 'customers',
  unknownVenues: 'unknown-venues',
} as const;

export function defineVenues(builder: StreamsBuilder, serdes: TicketSerdes): KTable<string, Venue> {
  return builder.table(TOPICS.venues, {
    name: 'venue-definitions',
    keySerde: stringSerde,
    valueSerde: serdes.venue,
    store: CATALOG_STORES.venues,
  });
}

export function defineCustomers(
  builder: StreamsBuilder,
  serdes: TicketSerdes,
): KTable<string, Customer> {
  return builder.table(TOPICS.customers, {
    name: 'customer-definitions',
    keySerde: stringSerde,
    valueSerde: serdes.customer,
    store: CATALOG_STORES.customers,
  });
}
