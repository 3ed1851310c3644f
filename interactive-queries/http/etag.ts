/** JSON answers with a strong tag, and 304 for a client that has what it asks for. */
import { hash } from 'node:crypto';
import type { RouteRequest, RouteResponse } from './route.ts';

/** The tag is a hash of the bytes unless one is given. */
export function jsonWithEtag(
  request: RouteRequest,
  value: unknown,
  etag?: string,
  more?: Readonly<Record<string, string>>,
): RouteResponse {
  return unlessKnown(request, taggedJson(value, etag, more));
}

/** The same for every client: what may be kept. */
export function taggedJson(
  value: unknown,
  etag?: string,
  more: Readonly<Record<string, string>> = {},
): RouteResponse {
  const body = JSON.stringify(value);
  const tag = etag ?? `"${tagOf(body)}"`;
  return {
    status: 200,
    headers: { ...more, ETag: tag, 'Content-Type': 'application/json' },
    body,
  };
}

/** A tagged answer as this client needs it: without what it has already. */
export function unlessKnown(request: RouteRequest, response: RouteResponse): RouteResponse {
  const { headers } = response;
  const tag = headers?.['ETag'];
  if (tag === undefined || !hasTag(request, tag)) return response;
  return { status: 304, ...(headers === undefined ? {} : { headers }) };
}

/** The same for the same text, another for another. */
export function tagOf(text: string): string {
  return hash('sha1', text, 'base64url').slice(0, 22);
}

/**
 * Whether the client has what this tag stands for. If-None-Match compares weakly: a proxy may have
 * marked our tags as weak.
 */
export function hasTag(request: RouteRequest, tag: string): boolean {
  const ifNoneMatch = request.headers['if-none-match'];
  if (ifNoneMatch === undefined) return false;
  const tags = ifNoneMatch.split(',').map((part) => part.trim().replace(/^W\//, ''));
  return tags.includes(tag) || tags.includes('*');
}
