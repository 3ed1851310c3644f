/**
 * The festival's contract over HTTP (`Festival_Ticket_Sales_API`): its paths and bodies, told in terms
 * of our own operations.
 *
 * F1. A purchase, its state and the stock are what /v1 says of them, in the festival's words.
 * F2. What the contract calls invalid is 400, as problem+json.
 * F3. What is loaded by hand shows where the sale itself knows nothing, and changes no stock.
 */
import type { Route } from '../../interactive-queries/http/route.ts';
import { readQuery } from '../../interactive-queries/positions.ts';
import { BUYERS, OPERATORS } from '../http/roles.ts';
import { type FestivalDeps, FestivalDesk } from './festival-desk.ts';
import {
  inventorySchema,
  purchaseAcceptedSchema,
  purchaseRequestSchema,
  purchaseStatusSchema,
  ticketsSchema,
  ticketTypeSchema,
  uuidSchema,
} from './festival-schemas.ts';

export function festivalRoutes(deps: FestivalDeps): Route[] {
  const desk = new FestivalDesk(deps);
  const { basePath } = deps.address;
  const tag = 'festival';
  return [
    {
      method: 'GET',
      path: `${basePath}/tickets`,
      operationId: 'festivalTickets',
      summary: 'The ticket types and their ids',
      tag,
      access: BUYERS,
      answers: { 200: { about: 'The ticket types', body: ticketsSchema } },
      handle: () => desk.tickets(),
    },
    {
      method: 'POST',
      path: `${basePath}/tickets/{ticketId}/purchase`,
      operationId: 'purchaseTicket',
      summary: 'Ask for tickets of the festival',
      tag,
      access: BUYERS,
      params: { ticketId: uuidSchema },
      body: purchaseRequestSchema,
      invalidAs: 'malformed-request',
      requestHeaders: {
        'Idempotency-Key': {
          required: false,
          about: 'the same key, user and type is the same purchase; without it each is a new one',
        },
      },
      answers: {
        202: { about: 'Accepted; statusUrl tells where to look', body: purchaseAcceptedSchema },
        400: { about: 'Invalid, or ticketId is not of this ticketType' },
        429: { about: 'Too many requests of this client; Retry-After says when' },
        503: { about: 'Not accepted, or unknown' },
      },
      handle: (request) => desk.purchase(request),
    },
    {
      method: 'GET',
      path: `${basePath}/purchases/{purchaseId}`,
      operationId: 'purchaseStatus',
      summary: 'The status of a purchase',
      tag,
      access: BUYERS,
      params: { purchaseId: uuidSchema },
      query: readQuery,
      answers: {
        200: { about: 'The status', body: purchaseStatusSchema },
        404: { about: 'There is no such purchase' },
        503: { about: 'The state is not available now' },
      },
      handle: (request) => desk.purchaseStatus(request),
    },
    {
      method: 'POST',
      path: `${basePath}/purchases`,
      operationId: 'loadPurchaseStatus',
      summary: 'Load a status into the read model',
      tag,
      access: OPERATORS,
      body: purchaseStatusSchema,
      invalidAs: 'malformed-request',
      answers: {
        201: { about: 'Loaded', body: purchaseStatusSchema },
        400: { about: 'Invalid' },
        503: { about: 'Not accepted, or unknown' },
      },
      handle: (request) => desk.loadPurchaseStatus(request),
    },
    {
      method: 'GET',
      path: `${basePath}/tickets/{ticketType}/inventory`,
      operationId: 'ticketInventory',
      summary: 'How many tickets of a type are left',
      tag,
      access: BUYERS,
      params: { ticketType: ticketTypeSchema },
      query: readQuery,
      answers: {
        200: { about: 'What is left', body: inventorySchema },
        404: { about: 'There is no such ticket type' },
        503: { about: 'The state is not available now' },
      },
      handle: (request) => desk.ticketInventory(request),
    },
    {
      method: 'POST',
      path: `${basePath}/tickets/inventory`,
      operationId: 'loadTicketInventory',
      summary: 'Load an inventory into the read model',
      tag,
      access: OPERATORS,
      body: inventorySchema,
      invalidAs: 'malformed-request',
      answers: {
        201: { about: 'Loaded', body: inventorySchema },
        400: { about: 'Invalid' },
        503: { about: 'Not accepted, or unknown' },
      },
      handle: (request) => desk.loadTicketInventory(request),
    },
  ];
}
