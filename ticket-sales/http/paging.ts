/**
 * Lists in pages. Every partition gives what follows the cursor, in order, one more than a page has;
 * the page is the first of all of these. A cursor is the place of the last item, hidden from clients,
 * so that what is added or taken away meanwhile neither repeats nor skips what stays. Pure.
 */
import Type from 'typebox';
import { jsonWithEtag } from '../../interactive-queries/http/etag.ts';
import { Problem } from '../../interactive-queries/http/problem.ts';
import type { RouteRequest, RouteResponse } from '../../interactive-queries/http/route.ts';
import type { Gathered } from '../../interactive-queries/owner-routing.ts';
import type { RangeOptions } from '../../stores/state-store.ts';

const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 500;

export const pageQuery = {
  limit: Type.String({
    pattern: '^[1-9][0-9]{0,3}$',
    description: `items of a page, at most ${LIMIT_MAX}; default ${LIMIT_DEFAULT}`,
  }),
  cursor: Type.String({
    pattern: '^[A-Za-z0-9_-]{1,400}$',
    description: '`nextCursor` of the page before',
  }),
};

export const nextCursorSchema = Type.String({
  description: 'ask with it for the next page; absent on the last one',
});

export interface Page {
  readonly limit: number;
  /** The place of the last item of the page before. */
  readonly after: string | undefined;
}

/** Throws 400 for a cursor that we did not give out. */
export function pageOf({ query }: Pick<RouteRequest, 'query'>): Page {
  const limit = Math.min(LIMIT_MAX, Number(query['limit'] ?? LIMIT_DEFAULT));
  const { cursor } = query;
  if (cursor === undefined) return { limit, after: undefined };
  const after = Buffer.from(cursor, 'base64url').toString();
  if (cursorOf(after) !== cursor) {
    const errors = [{ pointer: '?cursor', detail: 'is not one that was given out' }];
    throw new Problem('malformed-request', { errors });
  }
  return { limit, after };
}

/** What a partition is read for: keys with the prefix, behind the cursor, one more than the page has. */
export function pageRange(prefix: string, { limit, after }: Page): RangeOptions<unknown> {
  return {
    prefix: Buffer.from(prefix),
    limit: limit + 1,
    // The very next key in the order of bytes.
    ...(after === undefined ? {} : { from: `${prefix}${after}\0` }),
  };
}

/** `placeOf` an item is what its key says behind the prefix. */
export function pageAnswer<T>(
  request: RouteRequest,
  { limit }: Page,
  { items, headers }: Gathered<T>,
  placeOf: (item: T) => string,
): RouteResponse {
  const placed = items.map((item) => ({ item, place: placeOf(item) }));
  placed.sort((a, b) => (a.place < b.place ? -1 : 1));
  const page = placed.slice(0, limit);
  const answered = { items: page.map(({ item }) => item) };
  if (placed.length <= limit) return jsonWithEtag(request, answered, undefined, headers);
  const nextCursor = cursorOf(page.at(-1)!.place);
  const Link = `<${nextTarget(request, nextCursor)}>; rel="next"`;
  return jsonWithEtag(request, { ...answered, nextCursor }, undefined, { ...headers, Link });
}

function nextTarget({ target, query }: RouteRequest, cursor: string): string {
  const [path] = target.split('?', 1);
  return `${path}?${new URLSearchParams({ ...query, cursor })}`;
}

function cursorOf(place: string): string {
  return Buffer.from(place).toString('base64url');
}
