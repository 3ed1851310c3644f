/** What operators ask of a life zone, as the auditor follows it. */
import type { CommandFields, CommandKind } from '../../records/sale-records.ts';
import { LifeZone } from '../life-zone.ts';

export type ZoneKind = Exclude<
  CommandKind,
  'Purchase' | 'CancelPurchase' | 'ExtendHold' | 'ConfirmHold' | 'RejectPurchase'
>;

const SALES = { OpenSale: 'open', CloseSale: 'closed', PauseSale: 'paused' } as const;

/**
 * Says why it belongs with the dead letters. Whether a smaller capacity or a blocked seat came before or
 * after a payment or the end of a hold no log tells: there the dead letters are believed (`isLetter`).
 */
export function alterZone(
  zones: Map<string, LifeZone>,
  kind: ZoneKind,
  fields: CommandFields,
  offset: number,
  isLetter: boolean,
): string | undefined {
  const key = `${fields.eventId}/${fields.zoneId}`;
  const zone = zones.get(key);
  if (kind === 'CreateZone') return create(zones, key, zone, fields, offset, isLetter);
  if (zone === undefined) return 'there is no such zone';
  if (isLetter) return 'it may have had to be';
  switch (kind) {
    case 'OpenSale':
    case 'CloseSale':
    case 'PauseSale': {
      const sale = SALES[kind];
      if (zone.sale !== sale) zone.altered(offset);
      zone.sale = sale;
      return undefined;
    }
    case 'ChangeCapacity':
      if (fields.capacity !== zone.capacity) zone.altered(offset, fields.capacity - zone.capacity);
      return undefined;
    case 'SetSaleWindow': {
      const { opensAtMs, closesAtMs } = fields;
      const { termsNow } = zone;
      const isSame = termsNow.opensAtMs === opensAtMs && termsNow.closesAtMs === closesAtMs;
      if (!isSame) zone.altered(offset);
      zone.terms = { ...termsNow, opensAtMs, closesAtMs };
      return undefined;
    }
    case 'BlockSeats':
      zone.seats?.block(fields.seats);
      zone.altered(offset, -fields.seats.length);
      return undefined;
    case 'UnblockSeats':
      zone.seats?.unblock(fields.seats);
      zone.altered(offset, fields.seats.length);
      return undefined;
    default: {
      const { code, percentOff, amountOffMinor, usesMax } = fields;
      const uses = zone.vouchers.get(code)?.uses ?? 0;
      zone.vouchers.set(code, { percentOff, amountOffMinor, usesMax, uses });
      return undefined;
    }
  }
}

function create(
  zones: Map<string, LifeZone>,
  key: string,
  zone: LifeZone | undefined,
  fields: CommandFields,
  commandOffset: number,
  isLetter: boolean,
): string | undefined {
  if (isLetter) return 'it may have had to be';
  if (zone !== undefined) return undefined;
  const { eventId, zoneId, capacity, quantityMax, price, terms, blockedSeats } = fields;
  const created = new LifeZone({
    eventId,
    zoneId,
    quantityMax,
    price,
    terms,
    capacity: 0,
    held: 0,
    sold: 0,
    revenueMinor: 0,
    version: 0,
    commandOffset,
    sale: 'open',
  });
  created.seats?.block(blockedSeats);
  created.altered(commandOffset, capacity);
  zones.set(key, created);
  return undefined;
}
