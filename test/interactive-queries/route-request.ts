import { TRUSTED } from '../../interactive-queries/auth/access.ts';
import type { RouteRequest } from '../../interactive-queries/http/route.ts';

/** A request as a handler gets it, of which a test names only what matters to it. */
export function routeRequest(properties: Partial<RouteRequest> = {}): RouteRequest {
  return {
    params: {},
    query: {},
    headers: {},
    caller: TRUSTED,
    body: undefined,
    target: '/v1/things',
    signal: new AbortController().signal,
    whenGone: () => () => {},
    raw: undefined as never,
    ...properties,
  };
}
