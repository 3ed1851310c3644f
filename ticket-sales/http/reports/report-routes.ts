/** The routes of what is gathered from the sale: lists, sums, sales over time, a buyer's purchases. */
import Type from 'typebox';
import type { Route } from '../../../interactive-queries/http/route.ts';
import { readQuery } from '../../../interactive-queries/positions.ts';
import { nextCursorSchema, pageQuery } from '../paging.ts';
import { type BuyerReadsDeps, listPurchases } from '../purchases/buyer-reads.ts';
import { purchaseSchema } from '../purchases/purchase-views.ts';
import { BUYERS, OPERATORS } from '../roles.ts';
import { TIME_PATTERN } from '../times.ts';
import { eventSchema, idSchema } from '../views.ts';
import {
  getEventInventory,
  getSales,
  getTimeline,
  getVenueSales,
  listEvents,
  type ReportDeps,
  WIDTHS,
} from './report-reads.ts';
import {
  eventInventorySchema,
  eventSalesSchema,
  timelineSchema,
  venueSalesSchema,
} from './report-views.ts';

const event = { eventId: idSchema };
const unavailable = { 503: { about: 'The state is not available now' } };
const unchanged = { 304: { about: 'Unchanged' } };
const noEvent = { 404: { about: 'There is no such event, or nothing of it yet' } };

const listAnswers = (about: string, item: Route['body'] & {}) => ({
  200: {
    about,
    body: Type.Object({ items: Type.Array(item), nextCursor: Type.Optional(nextCursorSchema) }),
  },
  ...unchanged,
  ...unavailable,
});

export function reportRoutes(deps: ReportDeps & BuyerReadsDeps): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/events',
      operationId: 'listEvents',
      summary: 'Events by id, all or those of a venue',
      tag: 'events',
      access: BUYERS,
      query: { ...pageQuery, venueId: idSchema },
      answers: listAnswers('A page of events', eventSchema),
      handle: (request) => listEvents(deps, request),
    },
    {
      method: 'GET',
      path: '/v1/events/{eventId}/inventory',
      operationId: 'getEventInventory',
      summary: 'What is left in all zones of an event',
      tag: 'events',
      access: BUYERS,
      params: event,
      query: readQuery,
      answers: {
        200: { about: 'The stock of its zones, of one moment', body: eventInventorySchema },
        ...unchanged,
        ...noEvent,
        ...unavailable,
      },
      handle: (request) => getEventInventory(deps, request),
    },
    {
      method: 'GET',
      path: '/v1/events/{eventId}/sales',
      operationId: 'getSales',
      summary: 'Sums over the zones of an event',
      tag: 'reports',
      access: OPERATORS,
      params: event,
      query: readQuery,
      answers: {
        200: { about: 'The sums', body: eventSalesSchema },
        ...unchanged,
        ...noEvent,
        ...unavailable,
      },
      handle: (request) => getSales(deps, request),
    },
    {
      method: 'GET',
      path: '/v1/events/{eventId}/sales/timeline',
      operationId: 'getSalesTimeline',
      summary: 'What an event sold over time',
      tag: 'reports',
      access: OPERATORS,
      params: event,
      query: {
        ...readQuery,
        from: Type.String({
          pattern: TIME_PATTERN,
          description: 'RFC 3339; begins with the stretch in which it lies',
        }),
        to: Type.String({ pattern: TIME_PATTERN, description: 'RFC 3339, exclusive' }),
        bucket: Type.Enum(Object.keys(WIDTHS), {
          description: 'how long each stretch is; default: as it is kept',
        }),
      },
      answers: {
        200: { about: 'Tickets and revenue, less what was given back', body: timelineSchema },
        ...unchanged,
        ...unavailable,
      },
      handle: (request) => getTimeline(deps, request),
    },
    {
      method: 'GET',
      path: '/v1/venues/{venueId}/sales',
      operationId: 'getVenueSales',
      summary: 'Sums over the events of a venue',
      tag: 'reports',
      access: OPERATORS,
      params: { venueId: idSchema },
      answers: {
        200: { about: 'The sums', body: venueSalesSchema },
        ...unchanged,
        404: { about: 'No event takes place there' },
        ...unavailable,
      },
      handle: (request) => getVenueSales(deps, request),
    },
    {
      method: 'GET',
      path: '/v1/purchases',
      operationId: 'listPurchases',
      summary: 'The purchases of a buyer, newest first',
      tag: 'purchases',
      access: BUYERS,
      query: { ...pageQuery, buyerId: idSchema },
      answers: {
        ...listAnswers('A page of purchases', purchaseSchema),
        403: { about: 'The purchases of somebody else' },
        501: { about: 'Purchases are not indexed by buyer here' },
      },
      handle: (request) => listPurchases(deps, request),
    },
  ];
}
