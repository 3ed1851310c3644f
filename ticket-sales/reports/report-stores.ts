/** The stores of the reports. All but the buyers' are in the partition of their event. */

import type { InventoryUpdated } from '../records.ts';
import { EVENTS_STORE } from '../sale/events-table.ts';

export const REPORT_STORES = {
  /** By event: its definition. */
  events: EVENTS_STORE,
  /** By event: the sums over its zones. */
  sales: 'event-sales',
  /** `<eventId>/<zoneId>`: each zone's stock. */
  zones: 'event-zones',
  /** `<venueId>/<eventId>`: the event's id. */
  venues: 'venue-events',
  /** `<eventId>/<start>`: sales over time. */
  timeline: 'sales-timeline',
} as const;

/** A zone's stock, with the version of its event that it led to. */
export interface EventZone extends InventoryUpdated {
  readonly eventVersion: number;
}
