/** The terms of a zone: which ones are sound, when they let something be sold. Pure. */
import { AMOUNT_MINOR_MAX, type Money } from './money.ts';
import { COLUMNS_MAX, isSeatLayout, ROWS_MAX, SEATS_MAX } from './seats/seat-name.ts';
import type { PriceTier, SeatLayout, Zone, ZoneTerms } from './zone.ts';

export const HOLD_MS_DEFAULT = 600_000;
export const HOLD_MS_MIN = 1_000;
export const HOLD_MS_MAX = 86_400_000;
export const TIERS_MAX = 100;
export const CUSTOMER_MAX = 1_000_000;

/** Those of a zone that has none: what it gets when the first of them is set. */
export const PLAIN_TERMS: ZoneTerms = {
  checkout: 'immediate',
  holdMs: 0,
  latePayment: 'refund',
  customerMax: 0,
  opensAtMs: null,
  closesAtMs: null,
  fees: null,
  tiers: [],
  layout: null,
  notify: false,
  intakeOnly: false,
};

/** Log time decides. Holds and payments go on whatever this says. */
export function saleAt(zone: Zone, nowMs: number): 'open' | 'not_open' | 'closed' {
  const { sale, terms } = zone;
  if (sale === 'closed') return 'closed';
  if (terms !== null && terms.closesAtMs !== null && nowMs >= terms.closesAtMs) return 'closed';
  if (sale === 'paused') return 'not_open';
  return terms !== null && terms.opensAtMs !== null && nowMs < terms.opensAtMs
    ? 'not_open'
    : 'open';
}

/** How long a hold of this zone lives: lines of an order are held in every zone. */
export function holdMsOf({ terms }: Zone): number {
  return terms === null || terms.holdMs === 0 ? HOLD_MS_DEFAULT : terms.holdMs;
}

/** What is wrong with them, for people; undefined = nothing. */
export function flawOfTerms(terms: ZoneTerms, price: Money | null): string | undefined {
  const { checkout, holdMs, customerMax, opensAtMs, closesAtMs, fees, tiers, layout } = terms;
  const isHoldMs = isWithin(holdMs, HOLD_MS_MIN, HOLD_MS_MAX);
  if (!isHoldMs && (checkout === 'hold' || holdMs !== 0)) {
    return `holdMs must be ${HOLD_MS_MIN} to ${HOLD_MS_MAX}`;
  }
  if (!isWithin(customerMax, 0, CUSTOMER_MAX)) return `customerMax must be 0 to ${CUSTOMER_MAX}`;
  if (price === null && (fees !== null || tiers.length > 0)) return 'fees and tiers need a price';
  if (fees !== null && !(isAmount(fees.perTicketMinor) && isAmount(fees.perPurchaseMinor))) {
    return `fees must be 0 to ${AMOUNT_MINOR_MAX} minor units`;
  }
  return flawOfWindow(opensAtMs, closesAtMs) ?? flawOfTiers(tiers) ?? flawOfLayout(layout);
}

export function flawOfWindow(
  opensAtMs: number | null,
  closesAtMs: number | null,
): string | undefined {
  const isTime = (time: number | null) => time === null || isWithin(time, 0, 8.64e15);
  if (!isTime(opensAtMs) || !isTime(closesAtMs)) return 'opensAtMs and closesAtMs must be times';
  const isForward = opensAtMs === null || closesAtMs === null || opensAtMs < closesAtMs;
  return isForward ? undefined : 'the sale must open before it closes';
}

function flawOfTiers(tiers: readonly PriceTier[]): string | undefined {
  if (tiers.length > TIERS_MAX) return `there may be ${TIERS_MAX} tiers at most`;
  let before = 0;
  for (const { fromSoldPermille, amountMinor } of tiers) {
    if (!isWithin(fromSoldPermille, before + 1, 1_000)) {
      return 'tiers must rise, each from 1 to 1000 permille sold';
    }
    if (!isAmount(amountMinor)) return `a tier's price must be 0 to ${AMOUNT_MINOR_MAX}`;
    before = fromSoldPermille;
  }
  return undefined;
}

function flawOfLayout(layout: SeatLayout | null): string | undefined {
  if (layout === null || isSeatLayout(layout)) return undefined;
  return `a layout has up to ${ROWS_MAX} rows of up to ${COLUMNS_MAX} seats, ${SEATS_MAX} in all`;
}

export function isSameTerms(one: ZoneTerms | null, other: ZoneTerms | null): boolean {
  return canonical(one) === canonical(other);
}

/** Whatever order the fields came in. */
function canonical(terms: ZoneTerms | null): string {
  if (terms === null) return '';
  const { checkout, holdMs, latePayment, customerMax, opensAtMs, closesAtMs, notify } = terms;
  const { fees, tiers, layout, intakeOnly } = terms;
  return JSON.stringify([
    [checkout, holdMs, latePayment, customerMax, opensAtMs, closesAtMs, notify, intakeOnly],
    fees === null ? null : [fees.perTicketMinor, fees.perPurchaseMinor],
    tiers.map(({ fromSoldPermille, amountMinor }) => [fromSoldPermille, amountMinor]),
    layout === null ? null : [layout.rows, layout.columns],
  ]);
}

function isAmount(value: number): boolean {
  return isWithin(value, 0, AMOUNT_MINOR_MAX);
}

function isWithin(value: number, min: number, max: number): boolean {
  return Number.isInteger(value) && value >= min && value <= max;
}
