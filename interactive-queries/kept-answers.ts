/**
 * Answers that are good for everybody as long as the state does not change: many look at the same
 * zone between two commits. They go when their revision does; bounded.
 */
import type { RouteResponse } from './http/route.ts';

/** Of one revision; what is asked for beyond is answered as if nothing were kept. */
const KEPT_MAX = 1_000;

export class KeptAnswers {
  readonly #byRevision = new WeakMap<object, Map<string, RouteResponse>>();

  get(revision: object, name: string): RouteResponse | undefined {
    return this.#byRevision.get(revision)?.get(name);
  }

  keep(revision: object, name: string, response: RouteResponse): void {
    const kept = this.#byRevision.get(revision) ?? new Map<string, RouteResponse>();
    if (kept.size < KEPT_MAX) kept.set(name, response);
    this.#byRevision.set(revision, kept);
  }
}
