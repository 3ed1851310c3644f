/**
 * An ordered walk over overlays above a disk, all of one moment. Overlays are sorted when the walk
 * begins (they are small: one transaction's writes); the disk is read page by page.
 * The newest layer wins; tombstones and expired entries are left out and do not count to the limit.
 */
import { MillraceError } from '../base/errors.ts';
import type { BytesEntry, BytesScan } from './bytes-store.ts';

/** A write in an overlay: the key's bytes as latin1 (without the store id), and what it holds. */
export interface Overlaid<K, V> {
  readonly orderKey: string;
  /** undefined = there is nothing under this key, whatever the disk says. */
  readonly entry: readonly [K, V] | undefined;
}

export interface RangeSource<K, V> {
  /** In the walk's direction, one per key. */
  readonly overlaid: readonly Overlaid<K, V>[];
  readonly scan: BytesScan;
  readonly reverse: boolean;
  readonly limit: number;
  /** undefined = expired. Throws what makes the walk fail. */
  readonly decode: (entry: BytesEntry) => readonly [K, V] | undefined;
  /** Throws when the walk may not go on. */
  readonly assertUsable: () => void;
}

const FIRST_PAGE = 64;
const PAGE = 1024;

export async function* walkRange<K, V>(
  source: RangeSource<K, V>,
): AsyncGenerator<readonly [K, V], undefined> {
  const { overlaid, scan, decode } = source;
  let left = source.limit;
  let nextOverlaid = 0;
  let pageMax = Math.min(FIRST_PAGE, left);
  try {
    while (left > 0) {
      const page = await scan.next(Math.max(1, pageMax));
      source.assertUsable();
      pageMax = PAGE;
      for (const stored of page) {
        let shadowed = false;
        if (nextOverlaid < overlaid.length) {
          const orderKey = stored[0].toString('latin1', 1);
          while (
            nextOverlaid < overlaid.length &&
            !isBeyond(overlaid[nextOverlaid]!.orderKey, orderKey, source.reverse)
          ) {
            const { orderKey: overlaidKey, entry } = overlaid[nextOverlaid++]!;
            if (overlaidKey === orderKey) shadowed = true;
            if (entry === undefined) continue;
            yield entry;
            if (--left === 0) return;
          }
        }
        if (shadowed) continue;
        const entry = decode(stored);
        if (entry === undefined) continue;
        yield entry;
        if (--left === 0) return;
      }
      if (page.length > 0) continue;
      for (; nextOverlaid < overlaid.length; nextOverlaid++) {
        const { entry } = overlaid[nextOverlaid]!;
        if (entry === undefined) continue;
        yield entry;
        if (--left === 0) return;
      }
      return;
    }
  } finally {
    await scan.close();
  }
}

function isBeyond(key: string, other: string, reverse: boolean): boolean {
  return reverse ? key < other : key > other;
}

/** Limits are positive whole numbers; none = no limit. */
export function limitOf(limit: number | undefined): number {
  if (limit === undefined) return Number.POSITIVE_INFINITY;
  if (Number.isInteger(limit) && limit >= 0) return limit;
  throw new MillraceError('CONFIG_INVALID', `a range's limit must not be ${limit}`);
}
