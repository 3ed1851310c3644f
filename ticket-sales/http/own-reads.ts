/** Reads of a resource on the way to an answer about it: what a write found, and what it led to. */
import { Problem, retryAfter } from '../../interactive-queries/http/problem.ts';
import {
  changedRequest,
  type RouteRequest,
  type RouteResponse,
} from '../../interactive-queries/http/route.ts';

/** The same request as a plain read of that resource, here or at its owner. */
export function asGet(request: RouteRequest, path: string, minPosition?: string): RouteRequest {
  const query = minPosition === undefined ? '' : `?minPosition=${encodeURIComponent(minPosition)}`;
  return changedRequest(request, {
    query: minPosition === undefined ? {} : { minPosition },
    headers: { ...request.headers, 'if-none-match': undefined, prefer: undefined },
    body: undefined,
    target: `${path}${query}`,
  });
}

/** The body of a 200, undefined for a 404; other problems pass. */
export async function read(
  get: () => RouteResponse | Promise<RouteResponse>,
): Promise<Record<string, unknown> | undefined> {
  let response: RouteResponse;
  try {
    response = await get();
  } catch (error) {
    if (error instanceof Problem && error.slug === 'not-found') return undefined;
    throw error;
  }
  if (response.status === 404) return undefined;
  if (response.status !== 200) throw new Problem('owner-unavailable', retryAfter(1));
  return JSON.parse(String(response.body)) as Record<string, unknown>;
}
