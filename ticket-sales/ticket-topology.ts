/**
 * The whole dataflow of the sale on one screen: each part is a file of its own.
 *
 *   ticketPurchase, paymentStatusUpdate -> tickets -> purchaseStatusUpdated, inventoryUpdated,  one hop, by zone
 *                                  paymentRequested, refundRequested, notificationRequested
 *   ticketOrder, the sale's progress -> orders -> ticketPurchase, orderStatusUpdated            sagas, one key per order
 *   purchaseIntake, lines of orders, outcomes -> intake -> ticketPurchase                       limits per event, one key per buyer
 *   eventDefined   -> events                                                                    a table
 *   venueDefined, customerDefined -> venues, customers                                          tables
 *   events by venue -> unknown-venues -> unknownVenue                                           while nobody defines them
 *   stock, by event -> event-zones, event-sales, sales-timeline, venue-events                   reports, off the sale's path
 *   purchaseStatusUpdated -> buyer-purchases                                                    an index, if wanted
 */
import { StreamsBuilder } from '../topology/streams-builder.ts';
import type { Topology } from '../topology/topology.ts';
import { CATALOG_STORES, defineCustomers, defineVenues } from './catalog/catalog-tables.ts';
import { VENUE_WATCH, watchVenues } from './catalog/unknown-venues.ts';
import { addFestivalSinks, type Festival } from './festival/festival-topology.ts';
import { defineReadModel } from './festival/read-model.ts';
import {
  defineIntake,
  INTAKE_SINK,
  type IntakeOptions,
  LINES_SINK,
} from './intake/intake-topology.ts';
import {
  defineOrders,
  ORDERS_NODE,
  type OrdersOptions,
  PROGRESS_SINK,
} from './orders/order-topology.ts';
import type { TicketSerdes } from './records.ts';
import { defineBuyerIndex } from './reports/buyer-index.ts';
import { DEFAULT_REPORTS, defineReports, type ReportOptions } from './reports/define-reports.ts';
import { REPORT_STORES } from './reports/report-stores.ts';
import { defineEvents } from './sale/events-table.ts';
import { sellTickets } from './sale/sell-tickets.ts';
import { SINKS } from './sale/ticket-processor.ts';

export interface TicketTopologyOptions {
  /** How many the topic of commands has, to know a zone's own partition. */
  readonly commandPartitions: number;
  readonly reports?: ReportOptions;
  /** undefined = none are taken. */
  readonly orders?: OrdersOptions | undefined;
  /** undefined = nobody counts what a buyer has of an event. */
  readonly intake?: IntakeOptions | undefined;
  readonly festival?: Festival | undefined;
}

export function ticketTopology(serdes: TicketSerdes, options: TicketTopologyOptions): Topology {
  const builder = new StreamsBuilder();
  watchVenues(defineEvents(builder, serdes), defineVenues(builder, serdes), serdes);
  defineCustomers(builder, serdes);
  const { festival } = options;
  if (festival !== undefined) defineReadModel(builder, serdes.festivalReadModel);
  const topology = builder.build();
  const { orders, intake, reports = DEFAULT_REPORTS } = options;
  const progressSink = orders && PROGRESS_SINK;
  const intakeSink = intake && INTAKE_SINK;
  sellTickets(topology, serdes, { ...options, progressSink, intakeSink });
  const linesSink = intake && LINES_SINK;
  if (orders !== undefined) defineOrders(topology, serdes, { ...orders, linesSink });
  const ordersNode = orders && ORDERS_NODE;
  if (intake !== undefined) defineIntake(topology, serdes, { ...intake, ordersNode });
  defineReports(topology, serdes, reports, SINKS.inventory);
  // One task per partition for events, venues and customers together: each of them is little work.
  const tables = [CATALOG_STORES.customers, REPORT_STORES.sales];
  topology.connectProcessorAndStateStores(VENUE_WATCH, ...tables);
  if (reports.isIndexedByBuyer) defineBuyerIndex(topology, serdes.purchase);
  if (festival !== undefined) addFestivalSinks(topology, serdes, festival, SINKS.inventory);
  return topology;
}
