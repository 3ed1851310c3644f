/**
 * Sales over time: what was sold, and what was given back, in each stretch of log time. Pure. Changes
 * belong to the stretch in which they happened: a cancellation takes nothing out of an earlier one.
 */
import type { Money } from '../domain/money.ts';
import { addRevenue, type StockChange } from './sums.ts';

export interface SalesBucket {
  readonly eventId: string;
  readonly startMs: number;
  /** Negative where more was given back than sold. */
  readonly sold: number;
  readonly revenue: readonly Money[];
}

/** Digits of a time in a key: enough for 30,000 years, so that the order of keys is that of time. */
const TIME_DIGITS = 15;

export function bucketStartMs(timeMs: number, bucketMs: number): number {
  return Math.floor(timeMs / bucketMs) * bucketMs;
}

/** `<eventId>/<start>`: the buckets of an event lie together, in the order of time. */
export function bucketKey(eventId: string, startMs: number): string {
  return `${eventId}/${String(startMs).padStart(TIME_DIGITS, '0')}`;
}

export function isSale({ sold, revenue }: StockChange): boolean {
  return sold !== 0 || revenue.length > 0;
}

export function changedBucket(
  bucket: SalesBucket,
  change: Pick<StockChange, 'sold' | 'revenue'>,
): SalesBucket {
  return {
    eventId: bucket.eventId,
    startMs: bucket.startMs,
    sold: bucket.sold + change.sold,
    revenue: addRevenue(bucket.revenue, change.revenue, 1),
  };
}

/** Buckets in the order of time as fewer, wider ones. Empty ones are left out. */
export function widened(buckets: readonly SalesBucket[], bucketMs: number): readonly SalesBucket[] {
  const wide: SalesBucket[] = [];
  for (const bucket of buckets) {
    const startMs = bucketStartMs(bucket.startMs, bucketMs);
    const last = wide.at(-1);
    if (last?.startMs === startMs) wide[wide.length - 1] = changedBucket(last, bucket);
    else wide.push({ ...bucket, startMs });
  }
  return wide.filter(({ sold, revenue }) => sold !== 0 || revenue.length > 0);
}
