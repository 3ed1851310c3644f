/** What tickets cost: pure, exact integers in minor units. */
import { type Money, times } from './money.ts';
import type { Voucher } from './voucher.ts';
import type { Zone } from './zone.ts';

export interface Quote {
  /** Tickets less discount plus fees; null = this zone has no prices. */
  readonly price: Money | null;
  readonly feesMinor: number;
  readonly discountMinor: number;
}

const FREE: Quote = { price: null, feesMinor: 0, discountMinor: 0 };

/** For so many tickets of the zone as it stands before they are taken. */
export function quote(zone: Zone, quantity: number, voucher: Voucher | undefined): Quote {
  const ticket = ticketPrice(zone);
  if (ticket === null) return FREE;
  const tickets = times(ticket, quantity);
  const discountMinor = discountOf(tickets.amountMinor, voucher);
  const fees = zone.terms?.fees ?? null;
  const feesMinor = fees === null ? 0 : fees.perTicketMinor * quantity + fees.perPurchaseMinor;
  const amountMinor = tickets.amountMinor - discountMinor + feesMinor;
  return { price: { ...tickets, amountMinor }, feesMinor, discountMinor };
}

/** Of the last tier that is reached, else the base price. Products stay far below 2^53. */
function ticketPrice(zone: Zone): Money | null {
  if (zone.price === null) return null;
  const permille = (zone.held + zone.sold) * 1_000;
  const tier = zone.terms?.tiers.findLast(
    ({ fromSoldPermille }) => permille >= fromSoldPermille * zone.capacity,
  );
  return tier === undefined ? zone.price : { ...zone.price, amountMinor: tier.amountMinor };
}

/** First the percentage, rounded down, then the amount; never more than there is to pay. */
function discountOf(amountMinor: number, voucher: Voucher | undefined): number {
  if (voucher === undefined) return 0;
  const percentage = Math.floor((amountMinor * voucher.percentOff) / 100);
  return Math.min(amountMinor, percentage + voucher.amountOffMinor);
}
