/** Where two outcomes differ, seats and money included; what nobody reads is left out. */
import { differs } from '../../checks/outcomes.ts';
import type { CheckoutRecord, PurchaseRecord } from '../../records/sale-records.ts';
import { NEVER_HELD } from '../life-zone.ts';

/** The first field that differs, in words. */
export function differsInLife(expected: PurchaseRecord, found: PurchaseRecord): string | undefined {
  const difference = differs(expected, found);
  if (difference !== undefined) return difference;
  if (expected.seats.join() !== found.seats.join()) {
    return `seats are ${found.seats.join(', ') || 'none'}, and should be ${expected.seats.join(', ') || 'none'}`;
  }
  const [left, right] = [expected.checkout ?? NEVER_HELD, found.checkout ?? NEVER_HELD];
  const field = FIELDS.find((name) => left[name] !== right[name]);
  return field && `${field} is ${right[field]}, and should be ${left[field]}`;
}

const FIELDS = Object.keys(NEVER_HELD) as (keyof CheckoutRecord)[];

/** Names an effect on a purchase, the same in its outcome and in its changelog. */
export function effectOf({ commandOffset, checkout, state }: PurchaseRecord): number {
  const isUnpaid = checkout === null || (state === 'rejected' && checkout.paymentOffset < 0);
  if (isUnpaid) return commandOffset;
  const change = ((checkout.paymentOffset + 1) % PAYMENTS) * STATES.length + STATES.indexOf(state);
  return commandOffset + change * 2 ** 32;
}

const PAYMENTS = 2 ** 16;
const STATES = [
  'requested',
  'held',
  'confirmed',
  'rejected',
  'expired',
  'released',
  'payment_failed',
  'cancelled',
  'refunded',
];
