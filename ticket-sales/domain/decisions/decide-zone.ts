/**
 * Decides what operators ask of a zone: pure. The capacity of a zone with numbered seats is always the
 * number of those that are not blocked.
 */
import { unreachable } from '../../../base/assert.ts';
import type {
  BlockSeatsCommand,
  CreateZoneCommand,
  DefineVoucherCommand,
  LogPlace,
  SetSaleWindowCommand,
  ZoneCommand,
} from '../command.ts';
import { AMOUNT_MINOR_MAX, isMoney } from '../money.ts';
import type { SeatChange } from '../seats/seat-map.ts';
import type { Voucher } from '../voucher.ts';
import { CAPACITY_MAX, changed, isId, QUANTITY_MAX, type Zone } from '../zone.ts';
import { flawOfTerms, flawOfWindow, isSameTerms, PLAIN_TERMS } from '../zone-terms.ts';
import type { ZoneFacts } from './facts.ts';

export type ZoneDecision =
  | {
      readonly kind: 'changed';
      /** What is undefined stays as it is. */
      readonly zone?: Zone | undefined;
      readonly seats?: SeatChange | undefined;
      readonly voucher?: Voucher | undefined;
    }
  /** It is so already. */
  | { readonly kind: 'unchanged' }
  /** Why not, for the dead letter. */
  | { readonly kind: 'refused'; readonly why: string };

export const USES_MAX = 1_000_000_000;

export function decideZone(
  zone: Zone | undefined,
  command: ZoneCommand,
  place: LogPlace,
  facts: ZoneFacts,
): ZoneDecision {
  if (command.kind === 'createZone') return createZone(zone, command, place, facts);
  if (zone === undefined) return refused('unknown_zone: create the zone first');
  switch (command.kind) {
    case 'changeCapacity':
      return changeCapacity(zone, command.capacity, place);
    case 'openSale':
      return setSale(zone, 'open', place);
    case 'closeSale':
      return setSale(zone, 'closed', place);
    case 'pauseSale':
      return setSale(zone, 'paused', place);
    case 'setSaleWindow':
      return setSaleWindow(zone, command, place);
    case 'blockSeats':
    case 'unblockSeats':
      return blockSeats(zone, command, place, facts);
    case 'defineVoucher':
      return defineVoucher(command, facts.voucher(command.code));
    default:
      return unreachable(command);
  }
}

function createZone(
  zone: Zone | undefined,
  command: CreateZoneCommand,
  place: LogPlace,
  facts: ZoneFacts,
): ZoneDecision {
  const { eventId, zoneId, capacity, quantityMax, price, terms, blockedSeats } = command;
  const flaw = flawOfZone(command) ?? flawOfSeats(command, facts);
  if (flaw !== undefined) return refused(flaw);
  if (zone !== undefined) {
    return isSameZone(zone, command)
      ? { kind: 'unchanged' }
      : refused('the zone exists with other properties');
  }
  return {
    kind: 'changed',
    zone: {
      eventId,
      zoneId,
      capacity,
      held: 0,
      sold: 0,
      version: 1,
      sale: 'open',
      quantityMax,
      price,
      updatedAtMs: place.nowMs,
      commandOffset: place.offset,
      revenueMinor: 0,
      terms,
    },
    seats: blockedSeats.length === 0 ? undefined : { kind: 'block', seats: blockedSeats },
  };
}

function flawOfZone({ capacity, quantityMax, price, terms }: CreateZoneCommand) {
  if (!isCount(capacity, CAPACITY_MAX)) return `capacity must be 0 to ${CAPACITY_MAX}`;
  if (!isCount(quantityMax, QUANTITY_MAX) || quantityMax === 0) {
    return `quantityMax must be 1 to ${QUANTITY_MAX}`;
  }
  if (price !== null && !isMoney(price)) {
    return `price must be 0 to ${AMOUNT_MINOR_MAX} minor units of a currency like EUR`;
  }
  return terms === null ? undefined : flawOfTerms(terms, price);
}

function flawOfSeats({ capacity, terms, blockedSeats }: CreateZoneCommand, facts: ZoneFacts) {
  const layout = terms?.layout ?? null;
  if (layout === null) return blockedSeats.length === 0 ? undefined : 'the zone has no seats';
  if (new Set(blockedSeats).size < blockedSeats.length) return 'a seat is blocked twice';
  const unknown = facts.seatMap(layout).unknown(blockedSeats);
  if (unknown.length > 0) return `there are no seats ${some(unknown)}`;
  const seats = layout.rows * layout.columns - blockedSeats.length;
  return capacity === seats ? undefined : `capacity must be that of the seats, ${seats}`;
}

/** Would creating it again be the same request? A later change makes it another one. */
export function isSameZone(
  zone: Zone,
  command: Pick<CreateZoneCommand, 'capacity' | 'quantityMax' | 'price' | 'terms'>,
): boolean {
  return (
    zone.capacity === command.capacity &&
    zone.quantityMax === command.quantityMax &&
    zone.price?.amountMinor === command.price?.amountMinor &&
    zone.price?.currency === command.price?.currency &&
    isSameTerms(zone.terms, command.terms)
  );
}

function changeCapacity(zone: Zone, capacity: number, place: LogPlace): ZoneDecision {
  if (!isCount(capacity, CAPACITY_MAX)) return refused(`capacity must be 0 to ${CAPACITY_MAX}`);
  if ((zone.terms?.layout ?? null) !== null) {
    return refused('the capacity is that of the seats: block or unblock some');
  }
  const taken = zone.held + zone.sold;
  if (capacity < taken) return refused(`capacity ${capacity} is below held and sold, ${taken}`);
  if (capacity === zone.capacity) return { kind: 'unchanged' };
  return { kind: 'changed', zone: changed(zone, place, { capacity }) };
}

function setSale(zone: Zone, sale: Zone['sale'], place: LogPlace): ZoneDecision {
  if (zone.sale === sale) return { kind: 'unchanged' };
  return { kind: 'changed', zone: changed(zone, place, { sale }) };
}

function isCount(value: number, max: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= max;
}

function setSaleWindow(
  zone: Zone,
  { opensAtMs, closesAtMs }: SetSaleWindowCommand,
  place: LogPlace,
): ZoneDecision {
  const flaw = flawOfWindow(opensAtMs, closesAtMs);
  if (flaw !== undefined) return refused(flaw);
  const terms = zone.terms ?? PLAIN_TERMS;
  if (terms.opensAtMs === opensAtMs && terms.closesAtMs === closesAtMs) {
    return { kind: 'unchanged' };
  }
  const changes = { terms: { ...terms, opensAtMs, closesAtMs } };
  return { kind: 'changed', zone: changed(zone, place, changes) };
}

/** All or nothing; seats that are so already are refused, since the capacity would not follow them. */
function blockSeats(
  zone: Zone,
  { kind, seats }: BlockSeatsCommand,
  place: LogPlace,
  facts: ZoneFacts,
): ZoneDecision {
  const layout = zone.terms?.layout ?? null;
  if (layout === null) return refused('the zone has no seats');
  if (seats.length === 0) return refused('no seats are named');
  if (new Set(seats).size < seats.length) return refused('a seat is named twice');
  const map = facts.seatMap(layout);
  const unknown = map.unknown(seats);
  if (unknown.length > 0) return refused(`there are no seats ${some(unknown)}`);
  if (kind === 'blockSeats') {
    const lost = map.unavailable(seats);
    if (lost.length > 0) return refused(`held, sold or blocked: ${some(lost)}`);
    return {
      kind: 'changed',
      zone: changed(zone, place, { capacity: zone.capacity - seats.length }),
      seats: { kind: 'block', seats },
    };
  }
  const blocked = new Set(map.blocked(seats));
  const others = seats.filter((seat) => !blocked.has(seat));
  if (others.length > 0) return refused(`not blocked: ${some(others)}`);
  return {
    kind: 'changed',
    zone: changed(zone, place, { capacity: zone.capacity + seats.length }),
    seats: { kind: 'unblock', seats },
  };
}

function defineVoucher(command: DefineVoucherCommand, before: Voucher | undefined): ZoneDecision {
  const { eventId, zoneId, code, percentOff, amountOffMinor, usesMax } = command;
  if (!isId(code)) return refused('a code is 1 to 64 of A-Z a-z 0-9 . _ ~ -');
  if (!isCount(percentOff, 100)) return refused('percentOff must be 0 to 100');
  if (!isCount(amountOffMinor, AMOUNT_MINOR_MAX)) {
    return refused(`amountOffMinor must be 0 to ${AMOUNT_MINOR_MAX}`);
  }
  if (!isCount(usesMax, USES_MAX)) return refused(`usesMax must be 0 to ${USES_MAX}`);
  const uses = before?.uses ?? 0;
  const isSame =
    before?.percentOff === percentOff &&
    before.amountOffMinor === amountOffMinor &&
    before.usesMax === usesMax;
  if (isSame) return { kind: 'unchanged' };
  const voucher = { eventId, zoneId, code, percentOff, amountOffMinor, uses, usesMax };
  return { kind: 'changed', voucher };
}

/** Enough of them to know what is meant. */
function some(seats: readonly string[]): string {
  return seats.length <= 10 ? seats.join(', ') : `${seats.slice(0, 10).join(', ')}, …`;
}

function refused(why: string): ZoneDecision {
  return { kind: 'refused', why };
}
