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
  const merge = new Merge(source);
  let left = source.limit;
  let pageMax = Math.min(FIRST_PAGE, left);
  try {
    while (left > 0) {
      const page = await source.scan.next(pageMax);
      source.assertUsable();
      for (const entry of page.length === 0 ? merge.rest() : merge.with(page)) {
        yield entry;
        if (--left === 0) return;
      }
      if (page.length === 0) return;
      pageMax = PAGE;
    }
  } finally {
    await source.scan.close();
  }
}

/** Where the walk stands in the overlays. */
class Merge<K, V> {
  readonly #source: RangeSource<K, V>;
  #next = 0;

  constructor(source: RangeSource<K, V>) {
    this.#source = source;
  }

  /** The page's entries and what is overlaid among them. */
  *with(page: readonly BytesEntry[]): Generator<readonly [K, V], undefined> {
    const { overlaid, decode } = this.#source;
    for (const stored of page) {
      let isShadowed = false;
      if (this.#next < overlaid.length) {
        const orderKey = stored[0].toString('latin1', 1);
        for (let top = this.#upTo(orderKey); top !== undefined; top = this.#upTo(orderKey)) {
          isShadowed = top.orderKey === orderKey;
          if (top.entry !== undefined) yield top.entry;
        }
      }
      const entry = isShadowed ? undefined : decode(stored);
      if (entry !== undefined) yield entry;
    }
  }

  /** What is overlaid beyond the disk's last entry. */
  *rest(): Generator<readonly [K, V], undefined> {
    const { overlaid } = this.#source;
    while (this.#next < overlaid.length) {
      const { entry } = overlaid[this.#next++]!;
      if (entry !== undefined) yield entry;
    }
  }

  /** Takes the next overlaid write unless it lies beyond this key. */
  #upTo(orderKey: string): Overlaid<K, V> | undefined {
    const top = this.#source.overlaid[this.#next];
    if (top === undefined) return undefined;
    const isBeyond = this.#source.reverse ? top.orderKey < orderKey : top.orderKey > orderKey;
    if (isBeyond) return undefined;
    this.#next++;
    return top;
  }
}

/** Limits are positive whole numbers; none = no limit. */
export function limitOf(limit: number | undefined): number {
  if (limit === undefined) return Number.POSITIVE_INFINITY;
  if (Number.isInteger(limit) && limit >= 0) return limit;
  throw new MillraceError('CONFIG_INVALID', `a range's limit must not be ${limit}`);
}
