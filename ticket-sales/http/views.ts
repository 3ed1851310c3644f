/** What the API shows: plain JSON made from domain values, and the schemas of it. */
import Type from 'typebox';
import type { EventDefinition } from '../domain/event.ts';
import { AMOUNT_MINOR_MAX, CURRENCY_PATTERN, type Money } from '../domain/money.ts';
import { PURCHASE_STATES, type Purchase, REASONS } from '../domain/purchase.ts';
import { available, CAPACITY_MAX, ID_PATTERN, QUANTITY_MAX, type Zone } from '../domain/zone.ts';
import { TIME_PATTERN } from './times.ts';

export const idSchema = Type.String({
  pattern: ID_PATTERN,
  description: '1 to 64 of A-Z a-z 0-9 . _ ~ -',
});
export const purchaseIdSchema = Type.String({
  pattern: '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$',
  description: 'UUID, lower case',
});
export const timeSchema = Type.String({ description: 'RFC 3339, UTC' });
export const textSchema = Type.String({
  minLength: 1,
  maxLength: 200,
  pattern: '^[^\\p{Cc}\\p{Cs}]*[^\\p{Cc}\\p{Cs}\\s][^\\p{Cc}\\p{Cs}]*$',
});

export const moneySchema = Type.Object(
  {
    amountMinor: Type.Integer({ minimum: 0, maximum: AMOUNT_MINOR_MAX }),
    currency: Type.String({ pattern: CURRENCY_PATTERN, description: 'ISO 4217' }),
  },
  { additionalProperties: false },
);

export const purchaseRequestSchema = Type.Object(
  {
    eventId: idSchema,
    zoneId: idSchema,
    buyerId: idSchema,
    quantity: Type.Integer({ minimum: 1, maximum: QUANTITY_MAX }),
  },
  { additionalProperties: false },
);

export const purchaseSchema = Type.Object({
  purchaseId: purchaseIdSchema,
  eventId: idSchema,
  zoneId: idSchema,
  buyerId: idSchema,
  quantity: Type.Integer(),
  state: Type.Enum([...PURCHASE_STATES]),
  reason: Type.Optional(Type.Enum([...REASONS])),
  price: Type.Optional(moneySchema),
  requestedAt: timeSchema,
  decidedAt: Type.Optional(timeSchema),
});

const customersSchema = Type.Enum(['anyone', 'registered'], {
  description: 'registered: only customers that are defined may buy; default anyone',
});

export const eventRequestSchema = Type.Object(
  {
    name: textSchema,
    venueId: Type.Optional(idSchema),
    startsAt: Type.Optional(Type.String({ pattern: TIME_PATTERN })),
    customers: Type.Optional(customersSchema),
  },
  { additionalProperties: false },
);

export const zoneRequestSchema = Type.Object(
  {
    capacity: Type.Integer({ minimum: 0, maximum: CAPACITY_MAX }),
    checkout: Type.Optional(Type.Literal('immediate')),
    quantityMax: Type.Optional(Type.Integer({ minimum: 1, maximum: QUANTITY_MAX })),
    price: Type.Optional(moneySchema),
  },
  { additionalProperties: false },
);

export const inventorySchema = Type.Object({
  eventId: idSchema,
  zoneId: idSchema,
  capacity: Type.Integer(),
  available: Type.Integer(),
  held: Type.Integer(),
  sold: Type.Integer(),
  version: Type.Integer(),
});

export const zoneSchema = Type.Object({
  ...inventorySchema.properties,
  sale: Type.Enum(['open', 'closed']),
  quantityMax: Type.Integer(),
  checkout: Type.Literal('immediate'),
  price: Type.Optional(moneySchema),
});

export const eventSchema = Type.Object({
  eventId: idSchema,
  name: Type.String(),
  venueId: Type.Optional(idSchema),
  startsAt: Type.Optional(timeSchema),
  customers: Type.Optional(customersSchema),
  zones: Type.Optional(Type.Array(zoneSchema)),
});

export function purchaseView(purchase: Purchase): Record<string, unknown> {
  const decided = purchase.state !== 'requested';
  return {
    purchaseId: purchase.purchaseId,
    eventId: purchase.eventId,
    zoneId: purchase.zoneId,
    buyerId: purchase.buyerId,
    quantity: purchase.quantity,
    state: purchase.state,
    ...(purchase.reason === 'none' ? {} : { reason: purchase.reason }),
    ...(purchase.price === null ? {} : { price: moneyView(purchase.price) }),
    requestedAt: new Date(purchase.requestedAtMs).toISOString(),
    ...(decided ? { decidedAt: new Date(purchase.decidedAtMs).toISOString() } : {}),
  };
}

export function inventoryView(zone: Zone): Record<string, unknown> {
  const { eventId, zoneId, capacity, held, sold, version } = zone;
  return { eventId, zoneId, capacity, available: available(zone), held, sold, version };
}

export function zoneView(zone: Zone): Record<string, unknown> {
  return {
    ...inventoryView(zone),
    sale: zone.sale,
    quantityMax: zone.quantityMax,
    checkout: 'immediate',
    ...(zone.price === null ? {} : { price: moneyView(zone.price) }),
  };
}

export function eventView(event: EventDefinition): Record<string, unknown> {
  return {
    eventId: event.eventId,
    name: event.name,
    ...(event.venueId === null ? {} : { venueId: event.venueId }),
    ...(event.startsAtMs === null ? {} : { startsAt: new Date(event.startsAtMs).toISOString() }),
    ...(event.customers === 'anyone' ? {} : { customers: event.customers }),
  };
}

export function moneyView(money: Money): Money {
  return { amountMinor: money.amountMinor, currency: money.currency };
}
