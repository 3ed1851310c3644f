/** What everybody may read: events, their zones and what is left in them. */
import { jsonWithEtag, taggedJson } from '../../../interactive-queries/http/etag.ts';
import { Problem } from '../../../interactive-queries/http/problem.ts';
import type { RouteRequest, RouteResponse } from '../../../interactive-queries/http/route.ts';
import type { OwnerRouting } from '../../../interactive-queries/owner-routing.ts';
import type { QueryableStreams } from '../../../interactive-queries/queryable-streams.ts';
import type { ReadOnlyKeyValueStore } from '../../../stores/state-store.ts';
import type { CommandSender } from '../../command-sender.ts';
import type { TicketCommand } from '../../domain/command.ts';
import type { EventDefinition } from '../../domain/event.ts';
import { type Zone, zoneKey } from '../../domain/zone.ts';
import type { TopicOf } from '../../records.ts';
import { type EventZone, REPORT_STORES } from '../../reports/report-stores.ts';
import { STORES } from '../../sale/sale-stores.ts';
import { readZones } from '../reports/report-reads.ts';
import { eventZoneView } from '../reports/report-views.ts';
import { eventView } from '../views.ts';
import { inventoryView, zoneView } from './zone-views.ts';

export interface EventRoutesDeps {
  readonly streams: QueryableStreams;
  readonly routing: OwnerRouting;
  readonly sender: CommandSender;
  readonly commands: TopicOf<TicketCommand>;
  readonly events: TopicOf<EventDefinition>;
  /** Whether there is an intake for the events that ask for it. */
  readonly hasIntake?: boolean | undefined;
}

/** The zones of an event are answered whole. */
const ZONES_PER_PARTITION_MAX = 10_000;
/** Beyond so many, an event shows the first of them: its inventory has them all. */
const ZONES_SHOWN_MAX = 1_000;

/** What is shown of a zone. */
const VIEWS = { zone: zoneView, inventory: inventoryView } as const;

/** Of an event as it is shown: whether its purchases have to pass the intake. */
export function asksForIntake(event: Readonly<Record<string, unknown>>): boolean {
  return event['customers'] === 'registered' || event['customerMax'] !== undefined;
}

/** With the stock of its zones, which is kept in the event's own partition: nobody else is asked. */
export function getEvent(
  deps: Pick<EventRoutesDeps, 'streams' | 'routing'>,
  request: RouteRequest,
): RouteResponse | Promise<RouteResponse> {
  const eventId = request.params['eventId']!;
  const location = deps.streams.locateKey(REPORT_STORES.events, Buffer.from(eventId));
  const { events, zones } = REPORT_STORES;
  return deps.routing.answer<EventDefinition>(events, location, request, async (store) => {
    const found = store.get(eventId);
    if (found === undefined) throw new Problem('not-found', { detail: 'there is no such event' });
    const stock = await deps.routing.alongside<EventZone, readonly EventZone[]>(
      zones,
      location.partition,
      request,
      (zonesOfEvents) => readZones(zonesOfEvents, eventId, ZONES_SHOWN_MAX + 1),
    );
    return jsonWithEtag(request, {
      ...eventView(found),
      zones: stock.slice(0, ZONES_SHOWN_MAX).map(eventZoneView),
      ...(stock.length > ZONES_SHOWN_MAX ? { hasMoreZones: true } : {}),
    });
  });
}

export async function listZones(
  deps: EventRoutesDeps,
  request: RouteRequest,
): Promise<RouteResponse> {
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

export function answerZone(
  deps: EventRoutesDeps,
  request: RouteRequest,
  shown: keyof typeof VIEWS,
): RouteResponse | Promise<RouteResponse> {
  const key = zoneKey(request.params['eventId']!, request.params['zoneId']!);
  const location = deps.streams.locateKey(STORES.zones, Buffer.from(key));
  const name = `${shown} ${key}`;
  return deps.routing.answerSame<Zone>(STORES.zones, location, request, name, (store) => {
    const found = store.get(key);
    if (found === undefined) throw new Problem('not-found', { detail: 'there is no such zone' });
    return taggedJson(VIEWS[shown](found), `"${found.version}"`);
  });
}
