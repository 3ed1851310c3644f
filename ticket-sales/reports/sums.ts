/**
 * What a zone's news change in the sums it is part of. Pure. A change is the difference between what
 * is known now and what was known before, so that sums are those of the zones as they stand, whatever
 * was sold, given back or added in between.
 */
import type { EventSales } from '../domain/event.ts';
import type { Money } from '../domain/money.ts';
import type { InventoryUpdated } from '../records.ts';

/** May be negative, all of it. */
export interface StockChange {
  readonly zones: number;
  readonly capacity: number;
  readonly held: number;
  readonly sold: number;
  readonly revenue: readonly Money[];
}

export function stockChange(
  before: InventoryUpdated | undefined,
  after: InventoryUpdated,
): StockChange {
  const added = addRevenue([], revenueOf(after), 1);
  if (before === undefined) {
    const { capacity, held, sold } = after;
    return { zones: 1, capacity, held, sold, revenue: added };
  }
  return {
    zones: 0,
    capacity: after.capacity - before.capacity,
    held: after.held - before.held,
    sold: after.sold - before.sold,
    revenue: addRevenue(added, revenueOf(before), -1),
  };
}

export function emptySales(eventId: string): EventSales {
  const counts = { zones: 0, capacity: 0, held: 0, sold: 0 };
  return { eventId, ...counts, venueId: null, version: 0, revenue: [] };
}

export function changedSales(sales: EventSales, change: StockChange): EventSales {
  return {
    eventId: sales.eventId,
    ...addCounts(sales, change),
    venueId: sales.venueId,
    version: sales.version + 1,
    revenue: addRevenue(sales.revenue, change.revenue, 1),
  };
}

export function addCounts(
  a: Omit<StockChange, 'revenue'>,
  b: Omit<StockChange, 'revenue'>,
): Omit<StockChange, 'revenue'> {
  return {
    zones: a.zones + b.zones,
    capacity: a.capacity + b.capacity,
    held: a.held + b.held,
    sold: a.sold + b.sold,
  };
}

/** By currency, in its order; what comes to 0 is left out, so that equal sums are equal lists. */
export function addRevenue(
  sums: readonly Money[],
  more: readonly Money[],
  sign: 1 | -1,
): readonly Money[] {
  if (more.length === 0) return sums;
  const byCurrency = new Map(sums.map(({ currency, amountMinor }) => [currency, amountMinor]));
  for (const { currency, amountMinor } of more) {
    byCurrency.set(currency, (byCurrency.get(currency) ?? 0) + sign * amountMinor);
  }
  return [...byCurrency]
    .filter(([, amountMinor]) => amountMinor !== 0)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([currency, amountMinor]) => ({ amountMinor, currency }));
}

/** A zone without a price takes nothing in. */
function revenueOf({ revenueMinor, currency }: InventoryUpdated): readonly Money[] {
  return currency === null ? [] : [{ amountMinor: revenueMinor, currency }];
}
