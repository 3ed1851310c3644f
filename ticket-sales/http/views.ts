/** What the API shows: plain JSON made from domain values, and the schemas of it. */
import Type from 'typebox';
import type { EventDefinition } from '../domain/event.ts';
import { AMOUNT_MINOR_MAX, CURRENCY_PATTERN, type Money } from '../domain/money.ts';
import { CAPACITY_MAX, ID_PATTERN } from '../domain/zone.ts';
import { writtenTimeSchema } from './times.ts';

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

const customerMaxSchema = Type.Integer({
  minimum: 1,
  maximum: CAPACITY_MAX,
  description: 'tickets of one buyer in all zones together; default: no limit',
});
const customersSchema = Type.Enum(['anyone', 'registered'], {
  description: 'registered: only customers that are defined may buy; default anyone',
});

export const eventRequestSchema = Type.Object(
  {
    name: textSchema,
    venueId: Type.Optional(idSchema),
    startsAt: Type.Optional(writtenTimeSchema),
    customers: Type.Optional(customersSchema),
    customerMax: Type.Optional(customerMaxSchema),
  },
  { additionalProperties: false },
);

export const eventSchema = Type.Object({
  eventId: idSchema,
  name: Type.String(),
  venueId: Type.Optional(idSchema),
  startsAt: Type.Optional(timeSchema),
  customers: Type.Optional(customersSchema),
  customerMax: Type.Optional(customerMaxSchema),
});

export const amountSchema = Type.Object({
  amountMinor: Type.Integer(),
  currency: Type.String({ pattern: CURRENCY_PATTERN, description: 'ISO 4217' }),
});

export function eventView(event: EventDefinition): Record<string, unknown> {
  return {
    eventId: event.eventId,
    name: event.name,
    ...(event.venueId === null ? {} : { venueId: event.venueId }),
    ...(event.startsAtMs === null ? {} : { startsAt: new Date(event.startsAtMs).toISOString() }),
    ...(event.customers === 'anyone' ? {} : { customers: event.customers }),
    ...(event.customerMax === 0 ? {} : { customerMax: event.customerMax }),
  };
}

export function moneyView(money: Money): Money {
  return { amountMinor: money.amountMinor, currency: money.currency };
}
