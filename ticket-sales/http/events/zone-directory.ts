/**
 * What is known of zones beforehand, for early answers: that a zone exists, how many tickets a purchase
 * may have, and whether it has to pass the intake. None of it ever changes, so a zone once seen is not asked for again. Bounded; a
 * miss asks the owner. The topology decides all the same.
 */
import { Problem } from '../../../interactive-queries/http/problem.ts';
import { changedRequest, type RouteRequest } from '../../../interactive-queries/http/route.ts';
import type { OwnerRouting } from '../../../interactive-queries/owner-routing.ts';
import type { Peers } from '../../../interactive-queries/peers.ts';
import type { QueryableStreams } from '../../../interactive-queries/queryable-streams.ts';
import type { PurchaseCommand } from '../../domain/command.ts';
import { QUANTITY_MAX, type Zone, zoneKey } from '../../domain/zone.ts';
import { STORES } from '../../sale/sale-stores.ts';
import { asGet, read } from '../own-reads.ts';
import { getEvent } from './event-reads.ts';

const KNOWN_MAX = 100_000;

const UNKNOWN_EVENT = { detail: 'there is no such event', members: { reason: 'unknown_event' } };
const UNKNOWN_ZONE = { detail: 'the event has no such zone', members: { reason: 'unknown_zone' } };

interface Known {
  /** The most tickets of one purchase. */
  readonly quantityMax: number;
  readonly intakeOnly: boolean;
}

type Found = Known | 'absent' | 'unavailable';

export class ZoneDirectory {
  readonly #streams: QueryableStreams;
  readonly #routing: OwnerRouting;
  readonly #peers: Peers;
  /** By zone key. */
  readonly #known = new Map<string, Known>();

  constructor(streams: QueryableStreams, routing: OwnerRouting, peers: Peers) {
    this.#streams = streams;
    this.#routing = routing;
    this.#peers = peers;
  }

  /**
   * Throws 404 when the owner says that there is no such zone, 422 when the quantity is over its
   * limit. When nobody can say now, the command goes ahead. A promise only where the owner is asked.
   */
  check(
    purchase: Pick<PurchaseCommand, 'eventId' | 'zoneId' | 'quantity'>,
    request: RouteRequest,
  ): void | Promise<void> {
    const { eventId, zoneId, quantity } = purchase;
    const key = zoneKey(eventId, zoneId);
    const known = this.#known.get(key);
    if (known !== undefined) return assertWithin(quantity, known.quantityMax);
    return this.#learn(key, purchase, request).then((found) =>
      assertWithin(quantity, found?.quantityMax),
    );
  }

  /** Of a zone that was checked: whether it takes what came through the intake, and nothing else. */
  isIntakeOnly(key: string): boolean {
    return this.#known.get(key)?.intakeOnly === true;
  }

  async #learn(
    key: string,
    address: Pick<PurchaseCommand, 'eventId' | 'zoneId'>,
    request: RouteRequest,
  ): Promise<Known | undefined> {
    const found = await this.#ask(key, address, request);
    if (found === 'absent') throw await this.#whatIsUnknown(address, request);
    if (found === 'unavailable') return undefined;
    if (this.#known.size < KNOWN_MAX) this.#known.set(key, found);
    return found;
  }

  /** The zone's partition knows zones only: of events, another one is to be asked. */
  async #whatIsUnknown(
    { eventId }: Pick<PurchaseCommand, 'eventId'>,
    request: RouteRequest,
  ): Promise<Problem> {
    const deps = { streams: this.#streams, routing: this.#routing };
    const asked = changedRequest(asGet(request, `/v1/events/${eventId}`), { params: { eventId } });
    const isUnavailable = () => 'unavailable' as const;
    const event = await read(() => getEvent(deps, asked)).catch(isUnavailable);
    if (event === 'unavailable')
      return new Problem('not-found', { detail: 'there is no such zone' });
    return event === undefined
      ? new Problem('not-found', UNKNOWN_EVENT)
      : new Problem('not-found', UNKNOWN_ZONE);
  }

  async #ask(
    key: string,
    { eventId, zoneId }: Pick<PurchaseCommand, 'eventId' | 'zoneId'>,
    request: RouteRequest,
  ): Promise<Found> {
    const location = this.#streams.locateKey(STORES.zones, Buffer.from(key));
    try {
      if (location.isLocal) return await this.#askHere(key, location, request);
      if (location.active === undefined) return 'unavailable';
      const target = `/v1/events/${eventId}/zones/${zoneId}`;
      const { status, body } = await this.#peers.forward(location.active, request, { target });
      if (status === 404) return 'absent';
      return status === 200 ? knownOf(JSON.parse(String(body)) as Partial<Known>) : 'unavailable';
    } catch (error) {
      // Whoever cannot be asked now has no say: the topology decides.
      if (error instanceof Problem && error.status < 500) throw error;
      return 'unavailable';
    }
  }

  async #askHere(
    key: string,
    location: ReturnType<QueryableStreams['locateKey']>,
    request: RouteRequest,
  ): Promise<Found> {
    let found: Zone | undefined;
    await this.#routing.answer<Zone>(STORES.zones, location, request, (store) => {
      found = store.get(key);
      return { status: found === undefined ? 404 : 200 };
    });
    if (found === undefined) return 'absent';
    const { quantityMax, terms } = found;
    return { quantityMax, intakeOnly: terms?.intakeOnly === true };
  }
}

/** Of a zone as another instance shows it. */
function knownOf({ quantityMax = QUANTITY_MAX, intakeOnly = false }: Partial<Known>): Known {
  return { quantityMax, intakeOnly };
}

function assertWithin(quantity: number, quantityMax: number | undefined): void {
  if (quantityMax === undefined || quantity <= quantityMax) return;
  const detail = `is over the limit of this zone, ${quantityMax}`;
  throw new Problem('validation-failed', { errors: [{ pointer: '/quantity', detail }] });
}
