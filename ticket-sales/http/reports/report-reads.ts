/**
 * Answers of the reports: what an event and a venue sold, and when, and what is left of an event.
 * They follow the sale by a commit or two, and say in Store-Position how far they are.
 */
import { jsonWithEtag } from '../../../interactive-queries/http/etag.ts';
import { Problem } from '../../../interactive-queries/http/problem.ts';
import type { RouteRequest, RouteResponse } from '../../../interactive-queries/http/route.ts';
import type { OwnerRouting } from '../../../interactive-queries/owner-routing.ts';
import type { QueryableStreams } from '../../../interactive-queries/queryable-streams.ts';
import type { ReadOnlyKeyValueStore } from '../../../stores/state-store.ts';
import type { EventDefinition, EventSales } from '../../domain/event.ts';
import { venueKey } from '../../reports/report-processors.ts';
import { type EventZone, REPORT_STORES } from '../../reports/report-stores.ts';
import {
  bucketKey,
  bucketStartMs,
  type SalesBucket,
  widened,
} from '../../reports/sales-timeline.ts';
import { addCounts, addRevenue } from '../../reports/sums.ts';
import { type Page, pageAnswer, pageOf, pageRange } from '../paging.ts';
import { parseTime } from '../times.ts';
import { eventView } from '../views.ts';
import { bucketView, eventInventoryView, salesView, sumsView } from './report-views.ts';

export interface ReportDeps {
  readonly streams: QueryableStreams;
  readonly routing: OwnerRouting;
  /** How long each stretch of the timeline is. */
  readonly bucketMs: number;
}

const EVENTS_OF_VENUE_MAX = 10_000;
const ZONES_OF_EVENT_MAX = 100_000;
/** Stretches that one answer may be made from: a month of minutes. */
const BUCKETS_MAX = 50_000;

export const WIDTHS = {
  '1m': 60_000,
  '5m': 5 * 60_000,
  '15m': 15 * 60_000,
  '1h': 60 * 60_000,
  '6h': 6 * 60 * 60_000,
  '1d': 24 * 60 * 60_000,
} as const;
export type Width = keyof typeof WIDTHS;

export function getSales(
  deps: ReportDeps,
  request: RouteRequest,
): RouteResponse | Promise<RouteResponse> {
  const eventId = request.params['eventId']!;
  const location = deps.streams.locateKey(REPORT_STORES.sales, Buffer.from(eventId));
  return deps.routing.answer<EventSales>(REPORT_STORES.sales, location, request, (store) => {
    const found = store.get(eventId);
    if (found === undefined) throw noSuchEvent();
    return jsonWithEtag(request, salesView(found));
  });
}

function noSuchEvent(): Problem {
  return new Problem('not-found', { detail: 'there is no such event, or nothing of it yet' });
}

/** Throws 400 for times that do not exist, and for more than one answer may be made from. */
export function getTimeline(
  deps: ReportDeps,
  request: RouteRequest,
): RouteResponse | Promise<RouteResponse> {
  const eventId = request.params['eventId']!;
  const width = (request.query['bucket'] ?? narrowest(deps.bucketMs)) as Width;
  if (WIDTHS[width] % deps.bucketMs !== 0) {
    throw badQuery('bucket', `is no multiple of the ${deps.bucketMs} ms that are kept`);
  }
  const fromMs = bucketStartMs(timeOf(request, 'from') ?? 0, WIDTHS[width]);
  const untilMs = timeOf(request, 'to') ?? Number.MAX_SAFE_INTEGER;
  const location = deps.streams.locateKey(REPORT_STORES.timeline, Buffer.from(eventId));
  const { timeline } = REPORT_STORES;
  return deps.routing.answer<SalesBucket>(timeline, location, request, async (store) => {
    const buckets: SalesBucket[] = [];
    const range = {
      prefix: Buffer.from(`${eventId}/`),
      from: bucketKey(eventId, fromMs),
      to: bucketKey(eventId, untilMs - 1),
      limit: BUCKETS_MAX + 1,
    };
    for await (const [, bucket] of store.range(range)) buckets.push(bucket);
    if (buckets.length > BUCKETS_MAX) {
      throw badQuery('from', `more than ${BUCKETS_MAX} stretches lie behind it: ask for less`);
    }
    const items = widened(buckets, WIDTHS[width]).map(bucketView);
    return jsonWithEtag(request, { eventId, bucket: width, items });
  });
}

/** The narrowest width that what is kept can be told in. */
function narrowest(bucketMs: number): Width {
  const widths = Object.keys(WIDTHS) as Width[];
  return widths.find((width) => WIDTHS[width] % bucketMs === 0) ?? '1d';
}

function timeOf({ query }: RouteRequest, name: 'from' | 'to'): number | undefined {
  const text = query[name];
  if (text === undefined) return undefined;
  const timeMs = parseTime(text);
  if (timeMs === undefined || timeMs < 0) throw badQuery(name, 'is not a time');
  return timeMs;
}

function badQuery(name: string, detail: string): Problem {
  return new Problem('malformed-request', { errors: [{ pointer: `?${name}`, detail }] });
}

/** Put together from the venue's events as they stand, wherever they are. */
export async function getVenueSales(
  deps: ReportDeps,
  request: RouteRequest,
): Promise<RouteResponse> {
  const venueId = request.params['venueId']!;
  const range = { prefix: Buffer.from(venueKey(venueId, '')), limit: EVENTS_OF_VENUE_MAX };
  const { items, headers } = await deps.routing.gather(
    REPORT_STORES.venues,
    request,
    async (store, partition) => {
      const eventIds: string[] = [];
      for await (const [, eventId] of store.range(range)) eventIds.push(eventId as string);
      return deps.routing.alongside<EventSales, readonly EventSales[]>(
        REPORT_STORES.sales,
        partition,
        request,
        // One may have moved since the venue's events were looked up.
        (sales) =>
          sales.getMany(eventIds).filter((found) => found?.venueId === venueId) as EventSales[],
      );
    },
  );
  if (deps.routing.asksForPart(request)) return { status: 200, headers, body: { items } };
  if (items.length === 0) throw new Problem('not-found', { detail: 'no event takes place there' });
  let counts = { zones: 0, capacity: 0, held: 0, sold: 0 };
  let revenue: EventSales['revenue'] = [];
  for (const sales of items) {
    counts = addCounts(counts, sales);
    revenue = addRevenue(revenue, sales.revenue, 1);
  }
  const view = { venueId, events: items.length, ...sumsView({ ...counts, revenue }) };
  return jsonWithEtag(request, view, undefined, headers);
}

/** By id, all or those of a venue. */
export async function listEvents(deps: ReportDeps, request: RouteRequest): Promise<RouteResponse> {
  const page = pageOf(request);
  const { venueId } = request.query;
  const gathered =
    venueId === undefined
      ? await gatherEvents(deps, request, page)
      : await gatherEventsAt(deps, request, page, venueId);
  if (deps.routing.asksForPart(request)) {
    return { status: 200, headers: gathered.headers, body: { items: gathered.items } };
  }
  return pageAnswer(request, page, gathered, ({ eventId }) => eventId as string);
}

type View = Record<string, unknown>;

function gatherEvents(deps: ReportDeps, request: RouteRequest, page: Page) {
  return deps.routing.gather<View>(REPORT_STORES.events, request, async (store) => {
    const views: View[] = [];
    for await (const [, event] of store.range(pageRange('', page))) {
      views.push(eventView(event as EventDefinition));
    }
    return views;
  });
}

function gatherEventsAt(deps: ReportDeps, request: RouteRequest, page: Page, venueId: string) {
  const range = pageRange(venueKey(venueId, ''), page);
  return deps.routing.gather<View>(REPORT_STORES.venues, request, async (store, partition) => {
    const eventIds: string[] = [];
    for await (const [, eventId] of store.range(range)) eventIds.push(eventId as string);
    return deps.routing.alongside<EventDefinition, readonly View[]>(
      REPORT_STORES.events,
      partition,
      request,
      (events) => events.getMany(eventIds).flatMap((event) => (event ? [eventView(event)] : [])),
    );
  });
}

/** All zones of an event, of one moment; the version is that of the event. */
export function getEventInventory(
  deps: ReportDeps,
  request: RouteRequest,
): RouteResponse | Promise<RouteResponse> {
  const eventId = request.params['eventId']!;
  const location = deps.streams.locateKey(REPORT_STORES.zones, Buffer.from(eventId));
  return deps.routing.answer<EventZone>(REPORT_STORES.zones, location, request, async (store) => {
    const zones = await readZones(store, eventId);
    if (zones.length === 0) {
      const event = await deps.routing.alongside<EventDefinition, EventDefinition | undefined>(
        REPORT_STORES.events,
        location.partition,
        request,
        (events) => events.get(eventId),
      );
      if (event === undefined) throw noSuchEvent();
    }
    const view = eventInventoryView(eventId, zones);
    return jsonWithEtag(request, view, `"${view.version}"`);
  });
}

/** Of one moment, by id. */
export async function readZones(
  store: ReadOnlyKeyValueStore<unknown, EventZone>,
  eventId: string,
  limit = ZONES_OF_EVENT_MAX,
): Promise<readonly EventZone[]> {
  const zones: EventZone[] = [];
  const range = { prefix: Buffer.from(`${eventId}/`), limit };
  for await (const [, zone] of store.range(range)) zones.push(zone);
  return zones;
}
