/** Decides what operators ask of a zone: pure. */
import { unreachable } from '../../base/assert.ts';
import type { CreateZoneCommand, LogPlace, ZoneCommand } from './command.ts';
import { AMOUNT_MINOR_MAX, isMoney } from './money.ts';
import { CAPACITY_MAX, changed, QUANTITY_MAX, type Zone } from './zone.ts';

export type ZoneDecision =
  | { readonly kind: 'changed'; readonly zone: Zone }
  /** It is so already. */
  | { readonly kind: 'unchanged' }
  /** Why not, for the dead letter. */
  | { readonly kind: 'refused'; readonly why: string };

export function decideZone(
  zone: Zone | undefined,
  command: ZoneCommand,
  place: LogPlace,
): ZoneDecision {
  if (command.kind === 'createZone') return createZone(zone, command, place);
  if (zone === undefined) return { kind: 'refused', why: 'unknown_zone: create the zone first' };
  switch (command.kind) {
    case 'changeCapacity': {
      if (!isCount(command.capacity, CAPACITY_MAX)) return refusedCapacity();
      const taken = zone.held + zone.sold;
      if (command.capacity < taken) {
        return {
          kind: 'refused',
          why: `capacity ${command.capacity} is below held and sold, ${taken}`,
        };
      }
      if (command.capacity === zone.capacity) return { kind: 'unchanged' };
      return { kind: 'changed', zone: changed(zone, place, { capacity: command.capacity }) };
    }
    case 'openSale':
      return setSale(zone, 'open', place);
    case 'closeSale':
      return setSale(zone, 'closed', place);
    case 'pauseSale':
      return setSale(zone, 'paused', place);
    case 'setSaleWindow':
    case 'blockSeats':
    case 'unblockSeats':
    case 'defineVoucher':
      return { kind: 'refused', why: `${command.kind} is not decided yet` };
    default:
      return unreachable(command);
  }
}

function createZone(
  zone: Zone | undefined,
  command: CreateZoneCommand,
  place: LogPlace,
): ZoneDecision {
  if (!isCount(command.capacity, CAPACITY_MAX)) return refusedCapacity();
  if (!isCount(command.quantityMax, QUANTITY_MAX) || command.quantityMax === 0) {
    return { kind: 'refused', why: `quantityMax must be 1 to ${QUANTITY_MAX}` };
  }
  if (command.price !== null && !isMoney(command.price)) {
    const why = `price must be 0 to ${AMOUNT_MINOR_MAX} minor units of a currency like EUR`;
    return { kind: 'refused', why };
  }
  if (zone !== undefined) {
    return isSameZone(zone, command)
      ? { kind: 'unchanged' }
      : { kind: 'refused', why: 'the zone exists with other properties' };
  }
  return {
    kind: 'changed',
    zone: {
      eventId: command.eventId,
      zoneId: command.zoneId,
      capacity: command.capacity,
      held: 0,
      sold: 0,
      version: 1,
      sale: 'open',
      quantityMax: command.quantityMax,
      price: command.price,
      updatedAtMs: place.nowMs,
      commandOffset: place.offset,
      revenueMinor: 0,
      terms: command.terms,
    },
  };
}

/** Would creating it again be the same request? A later change of capacity makes it another one. */
export function isSameZone(
  zone: Zone,
  command: Pick<CreateZoneCommand, 'capacity' | 'quantityMax' | 'price'>,
): boolean {
  return (
    zone.capacity === command.capacity &&
    zone.quantityMax === command.quantityMax &&
    zone.price?.amountMinor === command.price?.amountMinor &&
    zone.price?.currency === command.price?.currency
  );
}

function setSale(zone: Zone, sale: Zone['sale'], place: LogPlace): ZoneDecision {
  if (zone.sale === sale) return { kind: 'unchanged' };
  return { kind: 'changed', zone: changed(zone, place, { sale }) };
}

function isCount(value: number, max: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= max;
}

function refusedCapacity(): ZoneDecision {
  return { kind: 'refused', why: `capacity must be 0 to ${CAPACITY_MAX}` };
}
