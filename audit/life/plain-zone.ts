/** When a zone that sells for good at one price begins to do more, and is followed by its outcomes. */
import type { SaleFold } from '../sale-fold.ts';
import type { CommandKind, CommandRecord } from '../sale-records.ts';
import type { LifeAudit } from './life-audit.ts';

const PLAIN: ReadonlySet<CommandKind> = new Set([
  'Purchase',
  'CancelPurchase',
  'CreateZone',
  'ChangeCapacity',
  'OpenSale',
  'CloseSale',
  'PauseSale',
]);

export function needsLife({ kind, fields }: CommandRecord): boolean {
  if (!PLAIN.has(kind)) return true;
  if (kind === 'CreateZone') return fields.terms !== null || fields.blockedSeats.length > 0;
  return kind === 'Purchase' && fields.options !== null;
}

/** With all that is known of it. Its outcomes up to here have been read. */
export function adopt(life: LifeAudit, fold: SaleFold, key: string): void {
  const released = fold.release(key);
  if (released === undefined) {
    life.own(key);
    return;
  }
  const { zone, purchases } = released;
  const [version = 0, capacity = 0, sold = 0, , commandOffset = -1, revenueMinor = 0] =
    zone.announced;
  const { eventId, zoneId, sale, quantityMax, price } = zone;
  const told = { version, capacity, held: 0, sold, revenueMinor, commandOffset };
  life.own(key, { eventId, zoneId, sale, quantityMax, price, terms: null, ...told }, purchases);
  life.zones.get(key)!.catchUp(zone.unannounced);
}
