/** What the API takes and shows of venues and customers. */
import Type from 'typebox';
import type { Customer, Venue } from '../domain/catalog.ts';
import { idSchema, textSchema } from '../http/views.ts';

const addressSchema = Type.Optional(textSchema);
/** Whether mail arrives there is seen when it does. */
const emailSchema = Type.Optional(
  Type.String({ maxLength: 254, pattern: '^[^\\s@\\p{Cc}\\p{Cs}]+@[^\\s@\\p{Cc}\\p{Cs}]+$' }),
);

export const venueRequestSchema = Type.Object(
  { name: textSchema, address: addressSchema },
  { additionalProperties: false },
);

export const venueSchema = Type.Object({
  venueId: idSchema,
  name: Type.String(),
  address: Type.Optional(Type.String()),
});

export const venueMentionsSchema = Type.Object({
  venueId: idSchema,
  events: Type.Array(idSchema),
});

export const customerRequestSchema = Type.Object(
  { name: textSchema, email: emailSchema },
  { additionalProperties: false },
);

export const customerSchema = Type.Object({
  customerId: idSchema,
  name: Type.String(),
  email: Type.Optional(Type.String()),
});

export function venueView({ venueId, name, address }: Venue): Record<string, unknown> {
  return { venueId, name, ...(address === null ? {} : { address }) };
}

export function customerView({ customerId, name, email }: Customer): Record<string, unknown> {
  return { customerId, name, ...(email === null ? {} : { email }) };
}
