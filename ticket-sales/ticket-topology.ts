/**
 * The whole dataflow of the sale on one screen: each part is a file of its own.
 *
 *   ticketPurchase -> tickets (zones, purchases) -> purchaseStatusUpdated, inventoryUpdated     one hop, by zone
 *   eventDefined   -> events                                                                    a table
 *   venueDefined, customerDefined -> venues, customers                                          tables
 *   inventoryUpdated -> by event -> event-sales                                                 sums, off the sale's path
 */
import { StreamsBuilder } from '../topology/streams-builder.ts';
import type { Topology } from '../topology/topology.ts';
import { defineCustomers, defineVenues } from './catalog/catalog-tables.ts';
import { EVENT_SALES_STORE, sumUpEvents } from './event-sums.ts';
import { defineEvents, EVENTS_STORE } from './events-table.ts';
import type { TicketSerdes } from './records.ts';
import { sellTickets } from './sell-tickets.ts';

export const EVENT_STORES = { events: EVENTS_STORE, sales: EVENT_SALES_STORE } as const;

export interface TicketTopologyOptions {
  /** How many the topic of commands has, to know a zone's own partition. */
  readonly commandPartitions: number;
}

export function ticketTopology(serdes: TicketSerdes, options: TicketTopologyOptions): Topology {
  const builder = new StreamsBuilder();
  defineEvents(builder, serdes);
  defineVenues(builder, serdes);
  defineCustomers(builder, serdes);
  sumUpEvents(builder, serdes);
  return sellTickets(builder.build(), serdes, options.commandPartitions);
}
