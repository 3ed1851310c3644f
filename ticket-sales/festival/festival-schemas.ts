/** The bodies of the festival's contract. What it does not forbid, a client may send. */
import Type from 'typebox';
import { ID_PATTERN, QUANTITY_MAX } from '../domain/zone.ts';
import { FESTIVAL_STATUSES, TICKET_TYPES } from './festival.ts';

export const uuidSchema = Type.String({
  pattern: '^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$',
  description: 'UUID',
});

const availableCountSchema = Type.Integer({ minimum: 0, maximum: 2_147_483_647 });

export const purchaseRequestSchema = Type.Object({
  userId: uuidSchema,
  quantity: Type.Integer({ minimum: 1, maximum: QUANTITY_MAX }),
  ticketType: Type.Enum([...TICKET_TYPES]),
});

export const purchaseAcceptedSchema = Type.Object({
  purchaseId: uuidSchema,
  statusUrl: Type.String({ description: 'Where its status is to be asked for' }),
});

export const purchaseStatusSchema = Type.Object({
  purchaseId: uuidSchema,
  status: Type.Enum([...FESTIVAL_STATUSES]),
  paymentStatus: Type.Optional(
    Type.String({ maxLength: 200, description: 'State of the payment, or why there is none' }),
  ),
});

/** Any zone of the festival; its contract leaves the text open. */
export const ticketTypeSchema = Type.String({ pattern: ID_PATTERN });

export const inventorySchema = Type.Object({
  ticketType: ticketTypeSchema,
  availableCount: availableCountSchema,
});

export const ticketsSchema = Type.Object({
  items: Type.Array(
    Type.Object({ ticketType: Type.Enum([...TICKET_TYPES]), ticketId: uuidSchema }),
  ),
});
