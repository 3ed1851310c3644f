/** The routes of events and zones: what operators define, what everybody may read. */
import Type from 'typebox';
import type { Route } from '../../../interactive-queries/http/route.ts';
import { readQuery } from '../../../interactive-queries/positions.ts';
import { BUYERS, OPERATORS } from '../roles.ts';
import { eventRequestSchema, eventSchema, idSchema } from '../views.ts';
import { answerZone, type EventRoutesDeps, getEvent, listZones } from './event-reads.ts';
import { putEvent } from './event-writes.ts';
import { inventorySchema, zoneRequestSchema, zoneSchema } from './zone-views.ts';
import { putZone } from './zone-writes.ts';

const event = { eventId: idSchema };
const zone = { eventId: idSchema, zoneId: idSchema };
const eventWithZonesSchema = Type.Object({
  ...eventSchema.properties,
  zones: Type.Array(inventorySchema, {
    description: 'of one moment, by id; a zone shows a moment after it was created',
  }),
  hasMoreZones: Type.Optional(
    Type.Boolean({ description: 'these are the first thousand: the inventory has all' }),
  ),
});
const unavailable = { 503: { about: 'The state is not available now' } };

export function eventRoutes(deps: EventRoutesDeps): Route[] {
  return [
    {
      method: 'PUT',
      path: '/v1/events/{eventId}',
      operationId: 'putEvent',
      summary: 'Define an event',
      tag: 'events',
      access: OPERATORS,
      params: event,
      body: eventRequestSchema,
      answers: {
        201: { about: 'Created', body: eventSchema },
        200: { about: 'It was so already', body: eventSchema },
        409: { about: 'It exists with other properties' },
        422: { about: 'Invalid values' },
        ...unavailable,
      },
      handle: (request) => putEvent(deps, request),
    },
    {
      method: 'GET',
      path: '/v1/events/{eventId}',
      operationId: 'getEvent',
      summary: 'An event with its zones',
      tag: 'events',
      access: BUYERS,
      params: event,
      query: readQuery,
      answers: {
        200: { about: 'The event, and what is left in its zones', body: eventWithZonesSchema },
        304: { about: 'Unchanged' },
        404: { about: 'There is no such event' },
        ...unavailable,
      },
      handle: (request) => getEvent(deps, request),
    },
    {
      method: 'GET',
      path: '/v1/events/{eventId}/zones',
      operationId: 'listZones',
      summary: 'The zones of an event',
      tag: 'events',
      access: BUYERS,
      params: event,
      answers: {
        200: { about: 'The zones', body: Type.Object({ items: Type.Array(zoneSchema) }) },
        ...unavailable,
      },
      handle: (request) => listZones(deps, request),
    },
    {
      method: 'PUT',
      path: '/v1/events/{eventId}/zones/{zoneId}',
      operationId: 'putZone',
      summary: 'Create a zone with its stock',
      tag: 'events',
      access: OPERATORS,
      params: zone,
      body: zoneRequestSchema,
      answers: {
        201: { about: 'Created', body: zoneSchema },
        200: { about: 'It was so already', body: zoneSchema },
        404: { about: 'There is no such event' },
        409: { about: 'It exists with other properties' },
        422: { about: 'Invalid values' },
        ...unavailable,
      },
      handle: (request) => putZone(deps, request),
    },
    {
      method: 'GET',
      path: '/v1/events/{eventId}/zones/{zoneId}',
      operationId: 'getZone',
      summary: 'A zone',
      tag: 'events',
      access: BUYERS,
      params: zone,
      query: readQuery,
      answers: {
        200: { about: 'The zone', body: zoneSchema },
        304: { about: 'Unchanged' },
        404: { about: 'There is no such zone' },
        ...unavailable,
      },
      handle: (request) => answerZone(deps, request, 'zone'),
    },
    {
      method: 'GET',
      path: '/v1/events/{eventId}/zones/{zoneId}/inventory',
      operationId: 'getInventory',
      isHot: true,
      summary: 'What is left in a zone',
      tag: 'events',
      access: BUYERS,
      params: zone,
      query: readQuery,
      answers: {
        200: { about: 'The stock', body: inventorySchema },
        304: { about: 'Unchanged' },
        404: { about: 'There is no such zone' },
        ...unavailable,
      },
      handle: (request) => answerZone(deps, request, 'inventory'),
    },
  ];
}
