/**
 * Reports and the buyers' index, exactly: a fold of what was committed, stock by stock and outcome by
 * outcome, against what the last owners have on their disks.
 */
import type { StoreContent } from '../../../simulation/scenario.ts';
import type { EventSales } from '../../../ticket-sales/domain/event.ts';
import type { Purchase } from '../../../ticket-sales/domain/purchase.ts';
import type { InventoryUpdated } from '../../../ticket-sales/records.ts';
import { BUYER_STORE } from '../../../ticket-sales/reports/buyer-index.ts';
import { DEFAULT_REPORTS } from '../../../ticket-sales/reports/define-reports.ts';
import { type EventZone, REPORT_STORES } from '../../../ticket-sales/reports/report-stores.ts';
import { isSameData } from '../same-data.ts';
import type { Logs } from './logs.ts';
import { entriesOf } from './stored-orders.ts';

/** Minor units by currency, without those that come to nothing. */
type Sums = ReadonlyMap<string, number>;

export function reportsAreRight(
  inventory: Logs['inventory'],
  purchases: ReadonlyMap<string, Purchase>,
  stores: readonly StoreContent[],
): string[] {
  const stocks = inventory.flat().map(({ value }) => value);
  const zones = new Map<string, InventoryUpdated>();
  const buckets = new Map<string, Bucket>();
  for (const stock of stocks) {
    const key = `${stock.eventId}/${stock.zoneId}`;
    addTo(buckets, zones.get(key), stock);
    zones.set(key, stock);
  }
  return [
    ...differences(REPORT_STORES.zones, zonesIn(stores), zones),
    ...differences(
      REPORT_STORES.sales,
      entriesOf(stores, REPORT_STORES.sales),
      salesOf(stocks, zones),
    ),
    ...differences(REPORT_STORES.timeline, timelineIn(stores), timelineOf(buckets)),
    ...indexIsRight(purchases, entriesOf(stores, BUYER_STORE)),
  ];
}

function zonesIn(stores: readonly StoreContent[]): ReadonlyMap<string, unknown> {
  const zones = entriesOf(stores, REPORT_STORES.zones) as ReadonlyMap<string, EventZone>;
  return new Map([...zones].map(([key, { eventVersion: _, ...stock }]) => [key, stock] as const));
}

/** Nobody defines venues here. */
function salesOf(
  stocks: readonly InventoryUpdated[],
  zones: ReadonlyMap<string, InventoryUpdated>,
): ReadonlyMap<string, EventSales> {
  const byEvent = Map.groupBy(zones.values(), ({ eventId }) => eventId);
  const sales = [...byEvent].map(([eventId, all]): [string, EventSales] => {
    const sum = (field: 'capacity' | 'held' | 'sold') =>
      all.reduce((total, zone) => total + zone[field], 0);
    const revenue = new Map<string, number>();
    for (const { currency, revenueMinor } of all) add(revenue, currency, revenueMinor);
    return [
      eventId,
      {
        eventId,
        zones: all.length,
        capacity: sum('capacity'),
        held: sum('held'),
        sold: sum('sold'),
        venueId: null,
        version: stocks.filter((stock) => stock.eventId === eventId).length,
        revenue: moneyOf(revenue),
      },
    ];
  });
  return new Map(sales);
}

interface Bucket {
  readonly eventId: string;
  readonly startMs: number;
  sold: number;
  readonly revenue: Map<string, number>;
}

function addTo(
  buckets: Map<string, Bucket>,
  before: InventoryUpdated | undefined,
  { eventId, updatedAtMs, sold, revenueMinor, currency }: InventoryUpdated,
): void {
  const [soldMore, moreMinor] = [
    sold - (before?.sold ?? 0),
    revenueMinor - (before?.revenueMinor ?? 0),
  ];
  if (soldMore === 0 && (moreMinor === 0 || currency === null)) return;
  const startMs = updatedAtMs - (updatedAtMs % DEFAULT_REPORTS.bucketMs);
  const key = `${eventId} ${startMs}`;
  const bucket = buckets.get(key) ?? { eventId, startMs, sold: 0, revenue: new Map() };
  buckets.set(key, bucket);
  bucket.sold += soldMore;
  add(bucket.revenue, currency, moreMinor);
}

function timelineOf(buckets: ReadonlyMap<string, Bucket>): ReadonlyMap<string, unknown> {
  return new Map(
    [...buckets].map(([key, bucket]) => [key, { ...bucket, revenue: moneyOf(bucket.revenue) }]),
  );
}

function timelineIn(stores: readonly StoreContent[]): ReadonlyMap<string, unknown> {
  const buckets = [...entriesOf(stores, REPORT_STORES.timeline).values()] as Bucket[];
  return new Map(buckets.map((bucket) => [`${bucket.eventId} ${bucket.startMs}`, bucket]));
}

/** Each purchase as it was announced last, under its buyer. */
function indexIsRight(
  purchases: ReadonlyMap<string, Purchase>,
  index: ReadonlyMap<string, unknown>,
): string[] {
  const found = new Map<string, unknown>();
  for (const [key, purchase] of index as ReadonlyMap<string, Purchase>) {
    const { buyerId, purchaseId } = purchase;
    const isInPlace = key.startsWith(`${buyerId}/`) && key.endsWith(`/${purchaseId}`);
    found.set(isInPlace ? purchaseId : key, purchase);
  }
  return differences(BUYER_STORE, found, purchases);
}

function add(sums: Map<string, number>, currency: string | null, amountMinor: number): void {
  if (currency !== null) sums.set(currency, (sums.get(currency) ?? 0) + amountMinor);
}

function moneyOf(sums: Sums) {
  return [...sums]
    .filter(([, amountMinor]) => amountMinor !== 0)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([currency, amountMinor]) => ({ amountMinor, currency }));
}

/** The first one. */
function differences(
  store: string,
  found: ReadonlyMap<string, unknown>,
  wanted: ReadonlyMap<string, unknown>,
): string[] {
  for (const key of new Set([...found.keys(), ...wanted.keys()])) {
    if (isSameData(found.get(key), wanted.get(key))) continue;
    const [has, should] = [found.get(key), wanted.get(key)].map((value) => JSON.stringify(value));
    return [`the store ${store} has ${key} as ${has} instead of ${should}`];
  }
  return [];
}
