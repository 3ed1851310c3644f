/**
 * What is left in the zones of an event, as it changes: a snapshot first, then the zones that have
 * changed since. Events are numbered by the version of the event, which grows by one with every change
 * of one of its zones and is stored with the zone: `Last-Event-ID` resumes exactly, wherever the event's
 * partition is by now, since what the client lacks are the zones with a greater one. A client that is
 * slow gets less often more.
 */
import type { Clock } from '../../../base/clock.ts';
import { Problem } from '../../../interactive-queries/http/problem.ts';
import type { ResponseStream } from '../../../interactive-queries/http/response-streams.ts';
import type { RouteRequest, RouteResponse } from '../../../interactive-queries/http/route.ts';
import {
  EVENT_STREAM_HEADERS,
  HEARTBEAT,
  HEARTBEAT_MS,
  OPENING,
  serverSentEvent,
} from '../../../interactive-queries/http/server-sent-events.ts';
import type { OwnerRouting } from '../../../interactive-queries/owner-routing.ts';
import type { QueryableStreams } from '../../../interactive-queries/queryable-streams.ts';
import { changelogTopic } from '../../../runtime/assignment/topic-plan.ts';
import { CommittedKeys } from '../../committed-keys.ts';
import type { EventDefinition } from '../../domain/event.ts';
import { type EventZone, REPORT_STORES } from '../../reports/report-stores.ts';
import { readZones } from '../reports/report-reads.ts';
import { eventInventoryView } from '../reports/report-views.ts';

export interface InventoryStreamsDeps {
  readonly streams: QueryableStreams;
  readonly routing: OwnerRouting;
  readonly clock: Clock;
}

/** A busy event is told this often at most. */
const PAUSE_MS = 100;

export class InventoryStreams {
  readonly #deps: InventoryStreamsDeps;
  readonly #events: CommittedKeys;
  /** What is read of an event that is followed is good for all until it changes. */
  readonly #stocks = new Map<string, Promise<EventStock>>();

  constructor(deps: InventoryStreamsDeps) {
    const { streams, clock } = deps;
    this.#deps = deps;
    this.#events = new CommittedKeys({ clock, onStale: (eventId) => this.#stocks.delete(eventId) });
    streams.onCommitted(
      [changelogTopic(streams.applicationId, REPORT_STORES.sales)],
      () => this.#events.isWatched,
      (notice) => this.#events.onCommitted(notice),
    );
  }

  /** Answered by the owner of the event's partition, here or there. Throws 404, 503. */
  answer(request: RouteRequest): RouteResponse | Promise<RouteResponse> {
    const { streams, routing } = this.#deps;
    const eventId = request.params['eventId']!;
    const location = streams.locateKey(REPORT_STORES.events, Buffer.from(eventId));
    const { partition } = location;
    return routing.answer<EventDefinition>(
      REPORT_STORES.events,
      location,
      request,
      async (store) => {
        const read = () =>
          routing.alongside<EventZone, EventStock>(
            REPORT_STORES.zones,
            partition,
            request,
            async (zones) => new EventStock(eventId, await readZones(zones, eventId)),
          );
        if (store.get(eventId) === undefined && (await read()).isEmpty) {
          throw new Problem('not-found', { detail: 'there is no such event' });
        }
        const after = versionOf(request.headers['last-event-id']);
        const stream: ResponseStream = (signal) => this.#follow(eventId, after, read, signal);
        return { status: 200, headers: EVENT_STREAM_HEADERS, stream };
      },
    );
  }

  /** Ends when the partition leaves: the client comes again, and finds its new owner. */
  async *#follow(
    eventId: string,
    after: number | undefined,
    read: () => Promise<EventStock>,
    signal: AbortSignal,
  ): AsyncGenerator<string> {
    const watch = this.#events.watch(eventId);
    try {
      yield OPENING;
      let told = after;
      while (!signal.aborted) {
        const stock = await this.#stock(eventId, read);
        const news = stock.since(told);
        told = stock.version;
        if (news !== undefined) yield news;
        await this.#deps.clock.sleep(PAUSE_MS, signal);
        if (!(await watch.changed(HEARTBEAT_MS, signal)) && !signal.aborted) yield HEARTBEAT;
      }
    } finally {
      watch.close();
    }
  }

  /** One read for all that follow the event. Only while somebody does: the others are not told of changes. */
  #stock(eventId: string, read: () => Promise<EventStock>): Promise<EventStock> {
    const known = this.#stocks.get(eventId);
    if (known !== undefined) return known;
    const reading = read().catch((error: unknown) => {
      if (this.#stocks.get(eventId) === reading) this.#stocks.delete(eventId);
      throw error;
    });
    this.#stocks.set(eventId, reading);
    return reading;
  }
}

/** The zones of one moment, and what each client lacks of them, made once for all that lack the same. */
class EventStock {
  readonly version: number;
  readonly #eventId: string;
  readonly #zones: readonly EventZone[];
  readonly #news = new Map<number | undefined, string>();

  constructor(eventId: string, zones: readonly EventZone[]) {
    this.#eventId = eventId;
    this.#zones = zones;
    this.version = eventInventoryView(eventId, zones).version;
  }

  get isEmpty(): boolean {
    return this.#zones.length === 0;
  }

  /** undefined = nothing. A version that has not been yet is not one of this event: all is told anew. */
  since(told: number | undefined): string | undefined {
    if (told === this.version) return undefined;
    const from = told === undefined || told > this.version ? undefined : told;
    const known = this.#news.get(from);
    if (known !== undefined) return known;
    const zones =
      from === undefined
        ? this.#zones
        : this.#zones.filter(({ eventVersion }) => eventVersion > from);
    const view = { ...eventInventoryView(this.#eventId, zones), version: this.version };
    const kind = from === undefined ? 'snapshot' : 'update';
    const text = serverSentEvent(kind, String(this.version), view);
    this.#news.set(from, text);
    return text;
  }
}

/** Anything that is no version of ours asks for all. */
function versionOf(lastEventId: string | string[] | undefined): number | undefined {
  if (typeof lastEventId !== 'string' || !/^\d{1,15}$/.test(lastEventId)) return undefined;
  return Number(lastEventId);
}
