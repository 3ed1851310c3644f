/**
 * Which zones exist, for early answers to requests that name others. Zones are never removed, so a
 * zone once seen need not be asked for again. Bounded; a miss asks the owner.
 */
import { Problem } from '../../interactive-queries/http/problem.ts';
import type { RouteRequest } from '../../interactive-queries/http/route.ts';
import type { OwnerRouting } from '../../interactive-queries/owner-routing.ts';
import type { Peers } from '../../interactive-queries/peers.ts';
import type { QueryableStreams } from '../../interactive-queries/queryable-streams.ts';
import { type Zone, zoneKey } from '../domain/zone.ts';
import { STORES } from '../ticket-processor.ts';

const KNOWN_MAX = 100_000;

export class ZoneDirectory {
  readonly #streams: QueryableStreams;
  readonly #routing: OwnerRouting;
  readonly #peers: Peers;
  readonly #known = new Set<string>();

  constructor(streams: QueryableStreams, routing: OwnerRouting, peers: Peers) {
    this.#streams = streams;
    this.#routing = routing;
    this.#peers = peers;
  }

  /**
   * Throws 404 when the owner says that there is no such zone. When nobody can say now, the command
   * goes ahead: the topology decides.
   */
  async mustExist(eventId: string, zoneId: string, request: RouteRequest): Promise<void> {
    const key = zoneKey(eventId, zoneId);
    if (this.#known.has(key)) return;
    const exists = await this.#ask(key, eventId, zoneId, request);
    if (exists === false) throw new Problem('not-found', { detail: 'unknown event or zone' });
    if (exists === true && this.#known.size < KNOWN_MAX) this.#known.add(key);
  }

  async #ask(
    key: string,
    eventId: string,
    zoneId: string,
    request: RouteRequest,
  ): Promise<boolean | undefined> {
    const location = this.#streams.locateKey(STORES.zones, Buffer.from(key));
    try {
      if (location.isLocal) {
        const answer = await this.#routing.answer<Zone>(
          STORES.zones,
          location,
          request,
          (store) => ({
            status: store.get(key) === undefined ? 404 : 200,
          }),
        );
        return answer.status === 200;
      }
      if (location.active === undefined) return undefined;
      const target = `/v1/events/${eventId}/zones/${zoneId}/inventory`;
      const { status } = await this.#peers.forward(location.active, request, target);
      return status === 200 ? true : status === 404 ? false : undefined;
    } catch (error) {
      if (error instanceof Problem && error.status >= 500) return undefined;
      throw error;
    }
  }
}
