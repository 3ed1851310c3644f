/**
 * The whole dataflow of the sale on one screen: each part is a file of its own.
 *
 *   ticketPurchase -> tickets (zones, purchases) -> purchaseStatusUpdated, inventoryUpdated     one hop, by zone
 *   eventDefined   -> events                                                                    a table
 *   venueDefined, customerDefined -> venues, customers                                          tables
 *   stock, by event -> event-zones, event-sales, sales-timeline, venue-events                   reports, off the sale's path
 */
import { StreamsBuilder } from '../topology/streams-builder.ts';
import type { Topology } from '../topology/topology.ts';
import { defineCustomers, defineVenues } from './catalog/catalog-tables.ts';
import { defineEvents } from './events-table.ts';
import type { TicketSerdes } from './records.ts';
import { DEFAULT_REPORTS, defineReports, type ReportOptions } from './reports/define-reports.ts';
import { sellTickets } from './sell-tickets.ts';
import { SINKS } from './ticket-processor.ts';

export interface TicketTopologyOptions {
  /** How many the topic of commands has, to know a zone's own partition. */
  readonly commandPartitions: number;
  readonly reports?: ReportOptions;
}

export function ticketTopology(serdes: TicketSerdes, options: TicketTopologyOptions): Topology {
  const builder = new StreamsBuilder();
  defineEvents(builder, serdes);
  defineVenues(builder, serdes);
  defineCustomers(builder, serdes);
  const topology = builder.build();
  sellTickets(topology, serdes, options);
  defineReports(topology, serdes, options.reports ?? DEFAULT_REPORTS, SINKS.inventory);
  return topology;
}
