/**
 * What everybody may read of numbered seats: the map of a zone, and which seats one would get. Zone and
 * seats are two stores, read one after the other: what is answered belongs to one version of the zone.
 */
import { hasTag, jsonWithEtag } from '../../../interactive-queries/http/etag.ts';
import { Problem, retryAfter } from '../../../interactive-queries/http/problem.ts';
import {
  changedRequest,
  type RouteRequest,
  type RouteResponse,
} from '../../../interactive-queries/http/route.ts';
import type { OwnerRouting } from '../../../interactive-queries/owner-routing.ts';
import type { QueryableStreams } from '../../../interactive-queries/queryable-streams.ts';
import type { ReadOnlyKeyValueStore } from '../../../stores/state-store.ts';
import type { PurchaseOptions } from '../../domain/command.ts';
import { nearestSeats } from '../../domain/seats/nearest-seats.ts';
import { seatOf } from '../../domain/seats/seat-name.ts';
import { namesOf, SeatPlan } from '../../domain/seats/seat-plan.ts';
import type { SeatRow } from '../../domain/seats/seat-row.ts';
import { type SeatLayout, type Zone, zoneKey } from '../../domain/zone.ts';
import { STORES } from '../../sale/sale-stores.ts';
import { type SeatRecord, StoredSeats, seatKeyPrefix } from '../../sale/seat-store.ts';
import { asGet, read } from '../own-reads.ts';
import { seatForm } from './seat-views.ts';

export interface SeatReadDeps {
  readonly streams: QueryableStreams;
  readonly routing: OwnerRouting;
}

/** A zone with numbered seats where it is owned, or followed. */
interface SeatsHere {
  readonly key: string;
  readonly zone: Zone;
  readonly layout: SeatLayout;
  readonly seats: ReadOnlyKeyValueStore<unknown, SeatRecord>;
  /** What reads the seats goes through it. */
  readonly readSeats: <T>(look: () => T | Promise<T>) => T | Promise<T>;
  /** Throws 404 when the zone is gone. */
  readonly zoneNow: () => Zone;
  /** A standby's stores follow their logs each on its own: no version holds for both. */
  readonly isOwner: boolean;
}

/** Versions in a row that may pass while zone and seats are read. */
const LOOKS_MAX = 10;

export function seatsPath(eventId: string, zoneId: string): string {
  return `/v1/events/${eventId}/zones/${zoneId}/seats`;
}

export function getSeats(
  deps: SeatReadDeps,
  request: RouteRequest,
): RouteResponse | Promise<RouteResponse> {
  const form = seatForm(request.headers.accept);
  return answerSeats(deps, request, async (here) => {
    const headers: Record<string, string> = { Vary: 'Accept' };
    const current = form.tagOf(here.zone.version);
    if (here.isOwner && hasTag(request, current)) {
      return { status: 304, headers: { ...headers, ETag: current } };
    }
    const { found: rows, zone } = await ofOneVersion(here, () => touchedRows(here));
    if (here.isOwner) headers['ETag'] = form.tagOf(zone.version);
    headers['Content-Type'] = form.mediaType;
    return { status: 200, headers, body: form.write({ zone, layout: here.layout, rows }) };
  });
}

type Placement = PurchaseOptions['placement'];

/** A suggestion, not a promise: somebody may be faster. */
export function getBestSeats(
  deps: SeatReadDeps,
  request: RouteRequest,
): RouteResponse | Promise<RouteResponse> {
  const { quantity, placement = 'adjacent', near } = request.query;
  if ((quantity === undefined) === (near === undefined)) {
    const errors = [{ pointer: '?quantity', detail: 'either quantity or near must be given' }];
    throw new Problem('malformed-request', { errors });
  }
  const lost = near?.split(',');
  return answerSeats(deps, request, async (here) => {
    const { quantityMax } = here.zone;
    const records = new StoredSeats(here.seats, here.key);
    const find = (): readonly string[] => {
      // No purchase gets more than that.
      if ((lost?.length ?? Number(quantity)) > quantityMax) return [];
      if (lost === undefined) {
        const plan = new SeatPlan(records, here.layout);
        return plan.choose(Number(quantity), placement as Placement) ?? [];
      }
      const places = lost.map((name) => knownSeat(name, here.layout));
      return nearestSeats(records, here.layout, places).flatMap(namesOf);
    };
    const { found, zone } = await ofOneVersion(here, find);
    const { eventId, zoneId, version } = zone;
    return jsonWithEtag(request, { eventId, zoneId, version, seats: found });
  });
}

function knownSeat(name: string, layout: SeatLayout) {
  const seat = seatOf(name, layout);
  if (seat !== undefined) return seat;
  const errors = [{ pointer: '?near', detail: `the zone has no seat ${name}` }];
  throw new Problem('malformed-request', { errors });
}

/** Free seats near those that somebody lost; none when it cannot be told now. */
export async function seatAlternatives(
  deps: SeatReadDeps,
  request: RouteRequest,
  { eventId, zoneId }: Pick<Zone, 'eventId' | 'zoneId'>,
  lost: readonly string[],
): Promise<readonly string[]> {
  const near = lost.join(',');
  const get = asGet(request, `${seatsPath(eventId, zoneId)}/best?near=${near}`);
  const asked = changedRequest(get, { params: { eventId, zoneId }, query: { near } });
  try {
    const answer = await read(() => getBestSeats(deps, asked));
    return (answer?.['seats'] ?? []) as readonly string[];
  } catch (error) {
    // The purchase was decided, whatever else cannot be had.
    if (error instanceof Problem) return [];
    throw error;
  }
}

function answerSeats(
  deps: SeatReadDeps,
  request: RouteRequest,
  answer: (here: SeatsHere) => RouteResponse | Promise<RouteResponse>,
): RouteResponse | Promise<RouteResponse> {
  const { streams, routing } = deps;
  const key = zoneKey(request.params['eventId']!, request.params['zoneId']!);
  const location = streams.locateKey(STORES.zones, Buffer.from(key));
  return routing.answer<Zone>(STORES.zones, location, request, async (zones, { role }) => {
    const zoneNow = () => {
      const found = zones.get(key);
      if (found === undefined) throw new Problem('not-found', { detail: 'there is no such zone' });
      return found;
    };
    const layout = zoneNow().terms?.layout ?? null;
    if (layout === null) {
      throw new Problem('not-found', { detail: 'the seats of this zone have no numbers' });
    }
    const seats = await openSeats(streams, location.partition);
    const readSeats = <T>(look: () => T | Promise<T>) => routing.read(STORES.seats, look);
    const isOwner = role === 'active';
    return answer({ key, zone: zoneNow(), layout, seats, readSeats, zoneNow, isOwner });
  });
}

/** In the same task as the zone; it may have gone meanwhile. */
async function openSeats(
  streams: QueryableStreams,
  partition: number,
): Promise<ReadOnlyKeyValueStore<unknown, SeatRecord>> {
  const opened = await streams.openLocal(STORES.seats, partition);
  if (opened.kind !== 'available') throw new Problem('rebalancing', retryAfter(1));
  return opened.store as ReadOnlyKeyValueStore<unknown, SeatRecord>;
}

/** `look` takes its snapshot before it returns; a commit may come just then, so it may look again. */
async function ofOneVersion<T>(
  here: SeatsHere,
  look: () => T | Promise<T>,
): Promise<{ readonly found: T; readonly zone: Zone }> {
  const versionNow = async () => here.zoneNow().version;
  for (let looks = 0; looks < LOOKS_MAX; looks++) {
    const zone = here.zoneNow();
    const [found, version] = await Promise.all([here.readSeats(look), versionNow()]);
    if (!here.isOwner || version === zone.version) return { found, zone };
  }
  throw new Problem('rebalancing', { ...retryAfter(1), detail: 'the zone changes too fast' });
}

/** A walk sees one moment from its first step, which is taken at once. */
async function touchedRows({ key, seats }: SeatsHere): Promise<ReadonlyMap<number, SeatRow>> {
  const rows = new Map<number, SeatRow>();
  for await (const [, record] of seats.range({ prefix: Buffer.from(seatKeyPrefix(key)) })) {
    // Rows come first, what sums them up after them.
    if (!('row' in record)) break;
    rows.set(record.row - 1, record);
  }
  return rows;
}
