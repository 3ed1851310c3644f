/**
 * Operators take seats off sale and put them back: all of those they name, or none. What is so already
 * stays so; the answer is what the state says afterwards.
 */
import { Problem, retryAfter } from '../../../interactive-queries/http/problem.ts';
import {
  changedRequest,
  type RouteRequest,
  type RouteResponse,
} from '../../../interactive-queries/http/route.ts';
import { positionAfter } from '../../../interactive-queries/positions.ts';
import type { CommandSender } from '../../command-sender.ts';
import type { BlockSeatsCommand, TicketCommand } from '../../domain/command.ts';
import { seatOf } from '../../domain/seats/seat-name.ts';
import { type SeatLayout, zoneKey } from '../../domain/zone.ts';
import type { TopicOf } from '../../records.ts';
import { asGet, read } from '../own-reads.ts';
import { getSeats, type SeatReadDeps, seatsPath } from './seat-reads.ts';
import { SIGNS } from './seat-views.ts';

export interface SeatRoutesDeps extends SeatReadDeps {
  readonly sender: CommandSender;
  readonly commands: TopicOf<TicketCommand>;
}

/** What a map says that is read back. */
interface SeatMapRead {
  readonly version: number;
  readonly layout: SeatLayout;
  readonly rows: readonly { readonly seats: string }[];
}

export async function changeBlocked(
  deps: SeatRoutesDeps,
  request: RouteRequest,
  kind: BlockSeatsCommand['kind'],
): Promise<RouteResponse> {
  const { eventId, zoneId } = request.params as { eventId: string; zoneId: string };
  const { seats } = request.body as { seats: readonly string[] };
  const [from, to] =
    kind === 'blockSeats' ? (['free', 'blocked'] as const) : (['blocked', 'free'] as const);
  const before = await readMap(deps, request);
  if (before === undefined) {
    throw new Problem('not-found', {
      detail: 'there is no such zone, or its seats have no numbers',
    });
  }
  const unknown = seats.findIndex((name) => seatOf(name, before.layout) === undefined);
  if (unknown >= 0) {
    const errors = [{ pointer: `/seats/${unknown}`, detail: 'the zone has no such seat' }];
    throw new Problem('validation-failed', { errors });
  }
  const wanted = seats.filter((name) => signOf(before, name) !== SIGNS[to]);
  refuseOthers(wanted, before, SIGNS[from]);
  const view = ({ version }: SeatMapRead) => ({ eventId, zoneId, version, seats, state: to });
  if (wanted.length === 0) return { status: 200, body: view(before) };
  const command = { kind, eventId, zoneId, seats: wanted };
  const sent = await deps.sender.send(deps.commands, zoneKey(eventId, zoneId), command);
  const after = await readMap(deps, request, positionAfter(deps.commands.topic, sent));
  if (after === undefined) throw new Problem('outcome-unknown', retryAfter(1));
  refuseOthers(seats, after, SIGNS[to]);
  return { status: 200, body: view(after) };
}

/** Throws 409 with the seats that are not as they must be. */
function refuseOthers(names: readonly string[], map: SeatMapRead, sign: string): void {
  const others = names.filter((name) => signOf(map, name) !== sign);
  if (others.length === 0) return;
  const detail =
    sign === SIGNS.blocked ? 'these seats are not blocked' : 'these seats are not free';
  throw new Problem('conflict', { detail, members: { seats: others } });
}

function signOf({ layout, rows }: SeatMapRead, name: string): string | undefined {
  const { row, column } = seatOf(name, layout)!;
  return rows[row]?.seats[column];
}

async function readMap(
  deps: SeatRoutesDeps,
  request: RouteRequest,
  minPosition?: string,
): Promise<SeatMapRead | undefined> {
  const { eventId, zoneId } = request.params as { eventId: string; zoneId: string };
  const get = asGet(request, seatsPath(eventId, zoneId), minPosition);
  const asJson = changedRequest(get, { headers: { ...get.headers, accept: 'application/json' } });
  return (await read(() => getSeats(deps, asJson))) as SeatMapRead | undefined;
}
