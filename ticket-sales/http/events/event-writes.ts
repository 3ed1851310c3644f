/**
 * What operators define of events. Each write is looked up first, sent once, and answered with
 * what the state says afterwards, so that a repeated request is told the same.
 */
import { Problem } from '../../../interactive-queries/http/problem.ts';
import {
  changedRequest,
  type RouteRequest,
  type RouteResponse,
} from '../../../interactive-queries/http/route.ts';
import { positionAfter } from '../../../interactive-queries/positions.ts';
import { getVenue } from '../../catalog/catalog-routes.ts';
import type { EventDefinition } from '../../domain/event.ts';
import { asGet, read } from '../own-reads.ts';
import { timeOrNull } from '../times.ts';
import { eventView } from '../views.ts';
import { type EventRoutesDeps, getEvent } from './event-reads.ts';

interface EventRequest extends Partial<Pick<EventDefinition, 'customers' | 'customerMax'>> {
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
  const startsAtMs = timeOrNull(body.startsAt, '/startsAt');
  const wanted: EventDefinition = {
    eventId,
    name: body.name,
    venueId: body.venueId ?? null,
    startsAtMs,
    customers: body.customers ?? 'anyone',
    customerMax: body.customerMax ?? 0,
  };
  const existing = definitionIn(
    await read(() => getEvent(deps, asGet(request, `/v1/events/${eventId}`))),
  );
  if (existing !== undefined) {
    if (!isSame(existing, eventView(wanted)))
      throw new Problem('conflict', { detail: 'the event exists with other properties' });
    return { status: 200, body: existing };
  }
  await mustExist(deps, request, wanted.venueId);
  const sent = await deps.sender.send(deps.events, eventId, wanted);
  const after = positionAfter(deps.events.topic, sent);
  const created = definitionIn(
    await read(() => getEvent(deps, asGet(request, `/v1/events/${eventId}`, after))),
  );
  if (!isSame(created, eventView(wanted)))
    throw new Problem('conflict', { detail: 'somebody else defined it meanwhile' });
  return { status: 201, headers: { Location: `/v1/events/${eventId}` }, body: created };
}

/** Without its zones: they are none of the definition's business. */
function definitionIn(
  view: Record<string, unknown> | undefined,
): Record<string, unknown> | undefined {
  if (view === undefined) return undefined;
  const { zones: _zones, hasMoreZones: _more, ...definition } = view;
  return definition;
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
  const detail = `there is no venue ${venueId}: define it first, by PUT /v1/venues/${venueId}`;
  const errors = [{ pointer: '/venueId', detail }];
  throw new Problem('validation-failed', { errors });
}

function isSame(
  view: Record<string, unknown> | undefined,
  wanted: Record<string, unknown>,
): boolean {
  return view !== undefined && JSON.stringify(view) === JSON.stringify(wanted);
}
