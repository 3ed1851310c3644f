/**
 * What operators do to zones: create one, open and close its sale, change its capacity, give out
 * vouchers. Each write is answered with what the state says afterwards.
 */
import { Problem, retryAfter } from '../../../interactive-queries/http/problem.ts';
import type { RouteRequest, RouteResponse } from '../../../interactive-queries/http/route.ts';
import { positionAfter } from '../../../interactive-queries/positions.ts';
import type { ZoneCommand } from '../../domain/command.ts';
import { seatOf } from '../../domain/seats/seat-name.ts';
import type { Voucher } from '../../domain/voucher.ts';
import { zoneKey } from '../../domain/zone.ts';
import { flawOfTerms, flawOfWindow } from '../../domain/zone-terms.ts';
import { keyWithin, STORES } from '../../sale/sale-stores.ts';
import { asGet, read } from '../own-reads.ts';
import { timeOrNull } from '../times.ts';
import {
  answerZone,
  asksForIntake,
  type EventRoutesDeps,
  getEvent,
  listZones,
} from './event-reads.ts';
import {
  definitionView,
  voucherView,
  type WantedZone,
  wantedZone,
  type ZoneBody,
} from './zone-views.ts';

type ZoneJson = Readonly<Record<string, unknown>>;

export async function putZone(
  deps: EventRoutesDeps,
  request: RouteRequest,
): Promise<RouteResponse> {
  const { eventId, zoneId } = request.params as { eventId: string; zoneId: string };
  const body = request.body as ZoneBody;
  refuseFlaws(wantedZone(body));
  const event = await read(() => getEvent(deps, asGet(request, `/v1/events/${eventId}`)));
  if (event === undefined) throw new Problem('not-found', { detail: 'there is no such event' });
  const existing = await readZone(deps, request);
  const isByIntake = deps.hasIntake === true && asksForIntake(event);
  const intakeOnly = existing === undefined ? isByIntake : existing['intakeOnly'] === true;
  const wanted = wantedZone({ intakeOnly, ...body });
  if (existing !== undefined) return { status: 200, body: sameZone(existing, wanted) };
  const created = await change(deps, request, { kind: 'createZone', eventId, zoneId, ...wanted });
  const headers = { Location: `/v1/events/${eventId}/zones/${zoneId}` };
  return { status: 201, headers, body: sameZone(created, wanted) };
}

/** The topology would say the same, but to the dead letters. */
function refuseFlaws({ capacity, price, terms, blockedSeats }: WantedZone): void {
  if (capacity < 0) throw invalid('', 'needs a capacity, or a layout');
  const flaw = terms === null ? undefined : flawOfTerms(terms, price);
  if (flaw !== undefined) throw invalid('', flaw);
  const layout = terms?.layout ?? null;
  if (layout === null) return;
  const unknown = blockedSeats.findIndex((name) => seatOf(name, layout) === undefined);
  if (unknown >= 0) throw invalid(`/layout/blocked/${unknown}`, 'the layout has no such seat');
  if (capacity !== layout.rows * layout.columns - blockedSeats.length) {
    throw invalid('/capacity', 'is that of the seats: it can be left out');
  }
}

function sameZone(view: ZoneJson, wanted: WantedZone): ZoneJson {
  const asked = { capacity: wanted.capacity, ...definitionView(wanted) };
  const { capacity } = view;
  const found = { capacity, ...pick(view, Object.keys(definitionView(wanted))) };
  const isSame = JSON.stringify(asked) === JSON.stringify(found) && hasNoMore(view, asked);
  if (isSame) return view;
  throw new Problem('conflict', { detail: 'the zone exists with other properties' });
}

function pick(view: ZoneJson, names: readonly string[]): ZoneJson {
  return Object.fromEntries(names.map((name) => [name, view[name]]));
}

/** Of what defines a zone: stock, version and whether it sells now are not asked for. */
const STATE = ['eventId', 'zoneId', 'available', 'held', 'sold', 'version', 'sale'];

function hasNoMore(view: ZoneJson, asked: ZoneJson): boolean {
  return Object.keys(view).every((name) => name in asked || STATE.includes(name));
}

export async function changeSale(
  deps: EventRoutesDeps,
  request: RouteRequest,
): Promise<RouteResponse> {
  const { eventId, zoneId } = request.params as { eventId: string; zoneId: string };
  await mustExist(deps, request);
  const command = { ...saleCommand(request.body as SaleBody), eventId, zoneId };
  return { status: 200, body: await change(deps, request, command) };
}

interface SaleBody {
  readonly state?: keyof typeof SALE_COMMANDS;
  readonly opensAt?: string | null;
  readonly closesAt?: string | null;
}

const SALE_COMMANDS = { open: 'openSale', paused: 'pauseSale', closed: 'closeSale' } as const;

function saleCommand({ state, opensAt, closesAt }: SaleBody) {
  if (state !== undefined) {
    if (opensAt !== undefined || closesAt !== undefined) {
      throw invalid('', 'needs either a state, or opensAt and closesAt');
    }
    return { kind: SALE_COMMANDS[state] };
  }
  const opensAtMs = timeOrNull(opensAt, '/opensAt');
  const closesAtMs = timeOrNull(closesAt, '/closesAt');
  const flaw = flawOfWindow(opensAtMs, closesAtMs);
  if (flaw !== undefined) throw invalid('', flaw);
  return { kind: 'setSaleWindow', opensAtMs, closesAtMs } as const;
}

/** One command per zone of the event, one after the other: no moment at which all of them change. */
export async function changeSaleOfEvent(
  deps: EventRoutesDeps,
  request: RouteRequest,
): Promise<RouteResponse> {
  const { eventId } = request.params as { eventId: string };
  const wanted = saleCommand(request.body as SaleBody);
  const target = `/v1/events/${eventId}`;
  if ((await read(() => getEvent(deps, asGet(request, target)))) === undefined) {
    throw new Problem('not-found', { detail: 'there is no such event' });
  }
  const zones = await read(() => listZones(deps, asGet(request, `${target}/zones`)));
  const items: object[] = [];
  for (const { zoneId } of (zones?.['items'] ?? []) as readonly { zoneId: string }[]) {
    const command = { ...wanted, eventId, zoneId } as ZoneCommand;
    const sent = await deps.sender.send(deps.commands, zoneKey(eventId, zoneId), command);
    const position = positionAfter(deps.commands.topic, sent);
    items.push({ zoneId, ...(position === undefined ? {} : { position }) });
  }
  return { status: 202, body: { isAtomic: false, items } };
}

export async function changeCapacity(
  deps: EventRoutesDeps,
  request: RouteRequest,
): Promise<RouteResponse> {
  const { eventId, zoneId } = request.params as { eventId: string; zoneId: string };
  const { capacity } = request.body as { capacity: number };
  const { layout } = await mustExist(deps, request);
  if (layout !== undefined) {
    throw new Problem('conflict', { detail: 'the capacity is that of the seats: block some' });
  }
  const command = { kind: 'changeCapacity', eventId, zoneId, capacity } as const;
  const after = await change(deps, request, command);
  if (after['capacity'] === capacity) return { status: 200, body: after };
  const detail = 'so many are held and sold already, or somebody else changed it';
  throw new Problem('conflict', { detail, members: pick(after, ['capacity', 'held', 'sold']) });
}

export async function putVoucher(
  deps: EventRoutesDeps,
  request: RouteRequest,
): Promise<RouteResponse> {
  const { eventId, zoneId, code } = request.params as Record<'eventId' | 'zoneId' | 'code', string>;
  const { percentOff = 0, amountOffMinor = 0, usesMax } = request.body as VoucherBody;
  await mustExist(deps, request);
  const terms = { percentOff, amountOffMinor, usesMax };
  const command = { kind: 'defineVoucher', eventId, zoneId, code, ...terms } as const;
  const sent = await deps.sender.send(deps.commands, zoneKey(eventId, zoneId), command);
  const path = `/v1/events/${eventId}/zones/${zoneId}/vouchers/${code}`;
  const position = positionAfter(deps.commands.topic, sent);
  const after = await read(() => getVoucher(deps, asGet(request, path, position)));
  if (after === undefined) throw new Problem('outcome-unknown', retryAfter(1));
  return { status: 200, body: after };
}

type VoucherBody = Pick<Voucher, 'usesMax'> & Partial<Voucher>;

/** In the partition of its zone. */
export function getVoucher(
  deps: EventRoutesDeps,
  request: RouteRequest,
): RouteResponse | Promise<RouteResponse> {
  const { eventId, zoneId, code } = request.params as Record<'eventId' | 'zoneId' | 'code', string>;
  const key = zoneKey(eventId, zoneId);
  const location = deps.streams.locateKey(STORES.vouchers, Buffer.from(key));
  return deps.routing.answer<Voucher>(STORES.vouchers, location, request, (store) => {
    const found = store.get(keyWithin(key, code));
    if (found === undefined) throw new Problem('not-found', { detail: 'there is no such voucher' });
    return { status: 200, body: JSON.stringify(voucherView(found)) };
  });
}

/** The zone after the command, whatever it did. */
async function change(
  deps: EventRoutesDeps,
  request: RouteRequest,
  command: ZoneCommand,
): Promise<ZoneJson> {
  const { eventId, zoneId } = command;
  const sent = await deps.sender.send(deps.commands, zoneKey(eventId, zoneId), command);
  const after = await readZone(deps, request, positionAfter(deps.commands.topic, sent));
  if (after === undefined) throw new Problem('outcome-unknown', retryAfter(1));
  return after;
}

async function mustExist(deps: EventRoutesDeps, request: RouteRequest): Promise<ZoneJson> {
  const zone = await readZone(deps, request);
  if (zone === undefined) throw new Problem('not-found', { detail: 'there is no such zone' });
  return zone;
}

function readZone(
  deps: EventRoutesDeps,
  request: RouteRequest,
  minPosition?: string,
): Promise<ZoneJson | undefined> {
  const { eventId, zoneId } = request.params as { eventId: string; zoneId: string };
  const target = `/v1/events/${eventId}/zones/${zoneId}`;
  return read(() => answerZone(deps, asGet(request, target, minPosition), 'zone'));
}

function invalid(pointer: string, detail: string): Problem {
  return new Problem('validation-failed', { errors: [{ pointer, detail }] });
}
