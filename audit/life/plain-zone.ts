/** When a zone that sells for good at one price begins to do more, and is followed by its outcomes. */

import type { CommandKind, CommandRecord } from '../records/sale-records.ts';
import type { SaleFold } from '../sale-fold.ts';
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

/**
 * Who follows this command? A purchase belongs to the zone that decided it: whoever asks for it again,
 * in whichever zone, is answered with it. What is known of it lies where that zone is followed.
 */
export function isFollowedByLife(
  life: LifeAudit,
  fold: SaleFold,
  { kind, fields }: CommandRecord,
  key: string,
): boolean {
  if (life.isIdle) return false;
  if (kind === 'Purchase' || kind === 'RejectPurchase') {
    if (fold.purchases.has(fields.purchaseId)) return false;
    if (life.knows(fields.purchaseId)) return true;
  }
  return life.isOurs(key);
}

/** With all that is known of it. Its outcomes up to here have been read. */
export function adopt(life: LifeAudit, fold: SaleFold, key: string): void {
  const { zone, purchases } = fold.release(key);
  if (zone === undefined) {
    life.own(key, undefined, purchases);
    return;
  }
  const [version = 0, capacity = 0, sold = 0, , commandOffset = -1, revenueMinor = 0] =
    zone.announced;
  const { eventId, zoneId, sale, quantityMax, price } = zone;
  const told = { version, capacity, held: 0, sold, revenueMinor, commandOffset };
  life.own(key, { eventId, zoneId, sale, quantityMax, price, terms: null, ...told }, purchases);
  life.zones.get(key)!.catchUp(zone.unannounced);
}
