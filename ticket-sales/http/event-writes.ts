/**
 * What operators define: events and zones. Each write is looked up first, sent once, and answered with
 * what the state says afterwards, so that a repeated request is told the same.
 */
import { Problem, retryAfter } from '../../interactive-queries/http/problem.ts';
import {
  changedRequest,
  type RouteRequest,
  type RouteResponse,
} from '../../interactive-queries/http/route.ts';
import { positionAfter } from '../../interactive-queries/positions.ts';
import { getVenue } from '../catalog/catalog-routes.ts';
import type { CreateZoneCommand } from '../domain/command.ts';
import { isSameZone } from '../domain/decide-zone.ts';
import type { EventDefinition } from '../domain/event.ts';
import type { Money } from '../domain/money.ts';
import { type Zone, zoneKey } from '../domain/zone.ts';
import { answerZone, type EventRoutesDeps, getEvent } from './event-reads.ts';
import { asGet, read } from './own-reads.ts';
import { parseTime } from './times.ts';
import { eventView, zoneView } from './views.ts';

interface EventRequest extends Partial<Pick<EventDefinition, 'customers'>> {
  readonly name: string;
  readonly venueId?: string;
  readonly startsAt?: string;
}

export async function putEvent(
  deps: EventRoutesDeps,
  request: RouteRequest,
): Promise<RouteResponse> {
  const eventId = request.params['eventId']!;
  const body = request.body as EventRequest;
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
    customers: body.customers ?? 'anyone',
  };
  const existing = await read(() => getEvent(deps, asGet(request, `/v1/events/${eventId}`)));
  if (existing !== undefined) {
    if (!isSame(existing, eventView(wanted)))
      throw new Problem('conflict', { detail: 'the event exists with other properties' });
    return { status: 200, body: existing };
  }
  await mustExist(deps, request, wanted.venueId);
  const sent = await deps.sender.send(deps.events, eventId, wanted);
  const created = await read(() =>
    getEvent(deps, asGet(request, `/v1/events/${eventId}`, positionAfter(deps.events.topic, sent))),
  );
  if (!isSame(created, eventView(wanted)))
    throw new Problem('conflict', { detail: 'somebody else defined it meanwhile' });
  return { status: 201, headers: { Location: `/v1/events/${eventId}` }, body: created };
}

/** Throws 422 for a venue that nobody defined. */
async function mustExist(
  deps: EventRoutesDeps,
  request: RouteRequest,
  venueId: string | null,
): Promise<void> {
  if (venueId === null) return;
  const asked = changedRequest(asGet(request, `/v1/venues/${venueId}`), { params: { venueId } });
  if ((await read(() => getVenue(deps, asked))) !== undefined) return;
  const errors = [{ pointer: '/venueId', detail: 'there is no such venue' }];
  throw new Problem('validation-failed', { errors });
}

export async function putZone(
  deps: EventRoutesDeps,
  request: RouteRequest,
): Promise<RouteResponse> {
  const { eventId, zoneId } = request.params as { eventId: string; zoneId: string };
  const body = request.body as { capacity: number; quantityMax?: number; price?: Money };
  const wanted = {
    capacity: body.capacity,
    quantityMax: body.quantityMax ?? 10,
    price: body.price ?? null,
    terms: null,
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
    blockedSeats: [],
  });
  const created = await read(() =>
    answerZone(deps, asGet(request, target, positionAfter(deps.commands.topic, sent)), zoneView),
  );
  if (created === undefined) throw new Problem('outcome-unknown', retryAfter(1));
  return { status: 201, headers: { Location: target }, body: sameZone(created, wanted) };
}

function sameZone(
  view: Record<string, unknown>,
  wanted: Pick<CreateZoneCommand, 'capacity' | 'quantityMax' | 'price' | 'terms'>,
) {
  const zone = {
    capacity: view['capacity'],
    quantityMax: view['quantityMax'],
    price: view['price'] ?? null,
    terms: null,
  } as Zone;
  if (!isSameZone(zone, wanted))
    throw new Problem('conflict', { detail: 'the zone exists with other properties' });
  return view;
}

function isSame(
  view: Record<string, unknown> | undefined,
  wanted: Record<string, unknown>,
): boolean {
  return view !== undefined && JSON.stringify(view) === JSON.stringify(wanted);
}
