/** What the reports show: plain JSON, and the schemas of it. */
import Type from 'typebox';
import type { EventSales } from '../../domain/event.ts';
import { CURRENCY_PATTERN } from '../../domain/money.ts';
import type { EventZone } from '../../reports/report-stores.ts';
import type { SalesBucket } from '../../reports/sales-timeline.ts';
import { inventorySchema } from '../events/zone-views.ts';
import { idSchema, moneyView, timeSchema } from '../views.ts';

const amountSchema = Type.Object({
  amountMinor: Type.Integer(),
  currency: Type.String({ pattern: CURRENCY_PATTERN, description: 'ISO 4217' }),
});

const revenueSchema = Type.Array(amountSchema, {
  description: 'prices of what is sold, fees included, by currency; none that is 0',
});

const sumsSchema = Type.Object({
  zones: Type.Integer(),
  capacity: Type.Integer(),
  held: Type.Integer(),
  sold: Type.Integer(),
  revenue: revenueSchema,
});

export const eventSalesSchema = Type.Object({
  eventId: idSchema,
  venueId: Type.Optional(idSchema),
  ...sumsSchema.properties,
});

export const venueSalesSchema = Type.Object({
  venueId: idSchema,
  events: Type.Integer({ description: 'that take place there now' }),
  ...sumsSchema.properties,
});

const bucketSchema = Type.Object({
  start: timeSchema,
  sold: Type.Integer({ description: 'less what was given back; negative where that was more' }),
  revenue: revenueSchema,
});

export const timelineSchema = Type.Object({
  eventId: idSchema,
  bucket: Type.String(),
  items: Type.Array(bucketSchema, {
    description: 'by time; those without any change are left out',
  }),
});

export const eventInventorySchema = Type.Object({
  eventId: idSchema,
  version: Type.Integer({ description: 'grows by one with every change of a zone' }),
  zones: Type.Array(inventorySchema),
});

type Sums = Pick<EventSales, 'zones' | 'capacity' | 'held' | 'sold' | 'revenue'>;

export function sumsView({ zones, capacity, held, sold, revenue }: Sums): Record<string, unknown> {
  return { zones, capacity, held, sold, revenue: revenue.map(moneyView) };
}

export function salesView(sales: EventSales): Record<string, unknown> {
  const { eventId, venueId } = sales;
  return { eventId, ...(venueId === null ? {} : { venueId }), ...sumsView(sales) };
}

export function bucketView({ startMs, sold, revenue }: SalesBucket): Record<string, unknown> {
  return { start: new Date(startMs).toISOString(), sold, revenue: revenue.map(moneyView) };
}

/** `zones` of one moment: the newest of their event's versions is that of the event. */
export function eventInventoryView(eventId: string, zones: readonly EventZone[]) {
  const version = zones.reduce((newest, { eventVersion }) => Math.max(newest, eventVersion), 0);
  return { eventId, version, zones: zones.map(eventZoneView) };
}

export function eventZoneView(zone: EventZone): Record<string, unknown> {
  const { eventId, zoneId, capacity, available, held, sold, version } = zone;
  return { eventId, zoneId, capacity, available, held, sold, version };
}
