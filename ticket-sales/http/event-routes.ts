/** Events and zones: what operators define, what everybody may read. */
import Type from 'typebox';
import { Problem, retryAfter } from '../../interactive-queries/http/problem.ts';
import {
  changedRequest,
  type Route,
  type RouteRequest,
  type RouteResponse,
} from '../../interactive-queries/http/route.ts';
import { jsonWithEtag, type OwnerRouting } from '../../interactive-queries/owner-routing.ts';
import { positionAfter, readQuery } from '../../interactive-queries/positions.ts';
import type { QueryableStreams } from '../../interactive-queries/queryable-streams.ts';
import type { ReadOnlyKeyValueStore } from '../../stores/state-store.ts';
import type { CommandSender } from '../command-sender.ts';
import type { TicketCommand } from '../domain/command.ts';
import { isSameZone } from '../domain/decide-zone.ts';
import type { EventDefinition, EventSales } from '../domain/event.ts';
import type { Money } from '../domain/money.ts';
import { type Zone, zoneKey } from '../domain/zone.ts';
import type { TopicOf } from '../records.ts';
import { STORES } from '../ticket-processor.ts';
import { EVENT_STORES } from '../ticket-topology.ts';
import {
  eventRequestSchema,
  eventSalesSchema,
  eventSchema,
  eventView,
  idSchema,
  inventorySchema,
  inventoryView,
  zoneRequestSchema,
  zoneSchema,
  zoneView,
} from './views.ts';

export interface EventRoutesDeps {
  readonly streams: QueryableStreams;
  readonly routing: OwnerRouting;
  readonly sender: CommandSender;
  readonly commands: TopicOf<TicketCommand>;
  readonly events: TopicOf<EventDefinition>;
}

const event = { eventId: idSchema };
const zone = { eventId: idSchema, zoneId: idSchema };
/** Lists are answered whole; paging comes with the need. */
const EVENTS_PER_PARTITION_MAX = 1_000;
const ZONES_PER_PARTITION_MAX = 10_000;

const unavailable = { 503: { about: 'The state is not available now' } };

export function eventRoutes(deps: EventRoutesDeps): Route[] {
  return [
    {
      method: 'PUT',
      path: '/v1/events/{eventId}',
      operationId: 'putEvent',
      summary: 'Define an event',
      tag: 'events',
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
      path: '/v1/events',
      operationId: 'listEvents',
      summary: 'All events',
      tag: 'events',
      answers: {
        200: { about: 'The events', body: Type.Object({ items: Type.Array(eventSchema) }) },
        ...unavailable,
      },
      handle: (request) => listEvents(deps, request),
    },
    {
      method: 'GET',
      path: '/v1/events/{eventId}',
      operationId: 'getEvent',
      summary: 'An event',
      tag: 'events',
      params: event,
      query: readQuery,
      answers: {
        200: { about: 'The event', body: eventSchema },
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
      params: zone,
      query: readQuery,
      answers: {
        200: { about: 'The zone', body: zoneSchema },
        304: { about: 'Unchanged' },
        404: { about: 'There is no such zone' },
        ...unavailable,
      },
      handle: (request) => answerZone(deps, request, zoneView),
    },
    {
      method: 'GET',
      path: '/v1/events/{eventId}/zones/{zoneId}/inventory',
      operationId: 'getInventory',
      summary: 'What is left in a zone',
      tag: 'events',
      params: zone,
      query: readQuery,
      answers: {
        200: { about: 'The stock', body: inventorySchema },
        304: { about: 'Unchanged' },
        404: { about: 'There is no such zone' },
        ...unavailable,
      },
      handle: (request) => answerZone(deps, request, inventoryView),
    },
    {
      method: 'GET',
      path: '/v1/events/{eventId}/sales',
      operationId: 'getSales',
      summary: 'Sums over the zones of an event',
      tag: 'events',
      params: event,
      answers: {
        200: { about: 'The sums', body: eventSalesSchema },
        304: { about: 'Unchanged' },
        404: { about: 'There is no such event, or no zone yet' },
        ...unavailable,
      },
      handle: (request) => getSales(deps, request),
    },
  ];
}

async function putEvent(deps: EventRoutesDeps, request: RouteRequest): Promise<RouteResponse> {
  const eventId = request.params['eventId']!;
  const body = request.body as { name: string; venueId?: string; startsAt?: string };
  const startsAtMs = body.startsAt === undefined ? null : parseTime(body.startsAt);
  if (startsAtMs === undefined) {
    const errors = [{ pointer: '/startsAt', detail: 'is not a time' }];
    throw new Problem('validation-failed', { errors });
  }
  const wanted: EventDefinition = {
    eventId,
    name: body.name,
    venueId: body.venueId ?? null,
    startsAtMs,
  };
  const existing = await read(() => getEvent(deps, asGet(request, `/v1/events/${eventId}`)));
  if (existing !== undefined) {
    if (!isSame(existing, eventView(wanted)))
      throw new Problem('conflict', { detail: 'the event exists with other properties' });
    return { status: 200, body: existing };
  }
  const sent = await deps.sender.send(deps.events, eventId, wanted);
  const created = await read(() =>
    getEvent(deps, asGet(request, `/v1/events/${eventId}`, positionAfter(deps.events.topic, sent))),
  );
  if (!isSame(created, eventView(wanted)))
    throw new Problem('conflict', { detail: 'somebody else defined it meanwhile' });
  return { status: 201, headers: { Location: `/v1/events/${eventId}` }, body: created };
}

/** Undefined for a time that does not exist: Date.parse takes 30 February for 2 March. */
function parseTime(text: string): number | undefined {
  const timeMs = Date.parse(text);
  const [year, month, day] = text.slice(0, 10).split('-').map(Number) as [number, number, number];
  const isDay = day <= new Date(Date.UTC(year, month, 0)).getUTCDate();
  return isDay && !Number.isNaN(timeMs) ? timeMs : undefined;
}

async function putZone(deps: EventRoutesDeps, request: RouteRequest): Promise<RouteResponse> {
  const { eventId, zoneId } = request.params as { eventId: string; zoneId: string };
  const body = request.body as { capacity: number; quantityMax?: number; price?: Money };
  const wanted = {
    capacity: body.capacity,
    quantityMax: body.quantityMax ?? 10,
    price: body.price ?? null,
  };
  const target = `/v1/events/${eventId}/zones/${zoneId}`;
  if ((await read(() => getEvent(deps, asGet(request, `/v1/events/${eventId}`)))) === undefined) {
    throw new Problem('not-found', { detail: 'there is no such event' });
  }
  const existing = await read(() => answerZone(deps, asGet(request, target), zoneView));
  if (existing !== undefined) return { status: 200, body: sameZone(existing, wanted) };
  const sent = await deps.sender.send(deps.commands, zoneKey(eventId, zoneId), {
    kind: 'createZone',
    eventId,
    zoneId,
    ...wanted,
  });
  const created = await read(() =>
    answerZone(deps, asGet(request, target, positionAfter(deps.commands.topic, sent)), zoneView),
  );
  if (created === undefined) throw new Problem('outcome-unknown', retryAfter(1));
  return { status: 201, headers: { Location: target }, body: sameZone(created, wanted) };
}

function sameZone(
  view: Record<string, unknown>,
  wanted: { capacity: number; quantityMax: number; price: Money | null },
) {
  const zone = {
    capacity: view['capacity'],
    quantityMax: view['quantityMax'],
    price: view['price'] ?? null,
  } as Zone;
  if (!isSameZone(zone, wanted))
    throw new Problem('conflict', { detail: 'the zone exists with other properties' });
  return view;
}

function getEvent(deps: EventRoutesDeps, request: RouteRequest): Promise<RouteResponse> {
  const eventId = request.params['eventId']!;
  const location = deps.streams.locateKey(EVENT_STORES.events, Buffer.from(eventId));
  return deps.routing.answer<EventDefinition>(EVENT_STORES.events, location, request, (store) => {
    const found = store.get(eventId);
    if (found === undefined) throw new Problem('not-found', { detail: 'there is no such event' });
    return jsonWithEtag(request, eventView(found));
  });
}

async function listEvents(deps: EventRoutesDeps, request: RouteRequest): Promise<RouteResponse> {
  const { items, headers } = await deps.routing.gather(
    EVENT_STORES.events,
    request,
    async (store) => {
      const events = store as ReadOnlyKeyValueStore<unknown, EventDefinition>;
      const views: object[] = [];
      for await (const [, definition] of events.range({ limit: EVENTS_PER_PARTITION_MAX })) {
        views.push(eventView(definition));
      }
      return views;
    },
  );
  return jsonWithEtag(request, { items }, undefined, headers);
}

async function listZones(deps: EventRoutesDeps, request: RouteRequest): Promise<RouteResponse> {
  const prefix = Buffer.from(`${request.params['eventId']}/`);
  const { items, headers } = await deps.routing.gather(STORES.zones, request, async (store) => {
    const zones = store as ReadOnlyKeyValueStore<unknown, Zone>;
    const views: object[] = [];
    for await (const [, found] of zones.range({ prefix, limit: ZONES_PER_PARTITION_MAX })) {
      views.push(zoneView(found));
    }
    return views;
  });
  return jsonWithEtag(request, { items }, undefined, headers);
}

function answerZone(
  deps: EventRoutesDeps,
  request: RouteRequest,
  view: (zone: Zone) => Record<string, unknown>,
): Promise<RouteResponse> {
  const key = zoneKey(request.params['eventId']!, request.params['zoneId']!);
  const location = deps.streams.locateKey(STORES.zones, Buffer.from(key));
  return deps.routing.answer<Zone>(STORES.zones, location, request, (store) => {
    const found = store.get(key);
    if (found === undefined) throw new Problem('not-found', { detail: 'there is no such zone' });
    return jsonWithEtag(request, view(found), `"${found.version}"`);
  });
}

function getSales(deps: EventRoutesDeps, request: RouteRequest): Promise<RouteResponse> {
  const eventId = request.params['eventId']!;
  const location = deps.streams.locateKey(EVENT_STORES.sales, Buffer.from(eventId));
  return deps.routing.answer<EventSales>(EVENT_STORES.sales, location, request, (store) => {
    const found = store.get(eventId);
    if (found === undefined)
      throw new Problem('not-found', { detail: 'no zone of such an event has been announced' });
    return jsonWithEtag(request, found);
  });
}

/** The same request as a plain read of that resource, here or at its owner. */
function asGet(request: RouteRequest, path: string, minPosition?: string): RouteRequest {
  const query = minPosition === undefined ? '' : `?minPosition=${encodeURIComponent(minPosition)}`;
  return changedRequest(request, {
    query: minPosition === undefined ? {} : { minPosition },
    headers: { ...request.headers, 'if-none-match': undefined, prefer: undefined },
    body: undefined,
    target: `${path}${query}`,
  });
}

/** The body of a 200, undefined for a 404; other problems pass. */
async function read(
  get: () => Promise<RouteResponse>,
): Promise<Record<string, unknown> | undefined> {
  const response = await get().catch((error: unknown) => {
    if (error instanceof Problem && error.slug === 'not-found')
      return { status: 404 } as RouteResponse;
    throw error;
  });
  if (response.status === 404) return undefined;
  if (response.status !== 200) throw new Problem('owner-unavailable', retryAfter(1));
  return JSON.parse(String(response.body)) as Record<string, unknown>;
}

function isSame(
  view: Record<string, unknown> | undefined,
  wanted: Record<string, unknown>,
): boolean {
  return view !== undefined && JSON.stringify(view) === JSON.stringify(wanted);
}
