/** What the sale itself is measured by. Zones are few and bounded; buyers and purchases never are labels. */
import type { Labels, Metrics } from '../interactive-queries/metrics.ts';
import type { QueryableStreams } from '../interactive-queries/queryable-streams.ts';
import type { DecisionWaiters } from './decision-waiters.ts';
import type { Purchase } from './domain/purchase.ts';
import { available, type Zone } from './domain/zone.ts';
import { STORES } from './ticket-processor.ts';

/** Zones beyond are told together, as `other`: a label's values must not grow with the sale. */
const ZONES_TOLD_MAX = 200;
/** A scrape reads at most so many zones of each partition. */
const ZONES_PER_PARTITION_MAX = 10_000;

export class TicketMetrics {
  readonly #outcome: (labels: Labels) => void;
  readonly replayed: () => void;

  constructor(metrics: Metrics) {
    this.#outcome = metrics.counter(
      'tickets_purchase_decisions_total',
      'Outcomes committed by this instance, repeated ones included',
      ['outcome', 'reason'],
    );
    this.replayed = metrics.counter(
      'tickets_idempotent_replays_total',
      'Requests that had been decided before, and got the same answer',
    );
  }

  decided({ state, reason }: Purchase): void {
    this.#outcome({ outcome: state, reason });
  }
}

/** Gauges that look at the state when they are asked. */
export function watchSale(
  metrics: Metrics,
  streams: QueryableStreams,
  waiters: DecisionWaiters,
): void {
  metrics.gauge('tickets_waiting_requests', 'Requests that wait for a decision', [], (set) =>
    set({}, waiters.waiterCount),
  );
  metrics.gauge(
    'tickets_pending_purchases',
    'Accepted here and not known to be decided',
    [],
    (set) => set({}, waiters.pendingCount),
  );
  const oversold = 'Tickets sold and held beyond the capacity of a zone: must stay 0';
  metrics.gauge('tickets_oversold_seats', oversold, [], async (set) => {
    let seats = 0;
    for await (const zone of localZones(streams)) seats += Math.max(0, -available(zone));
    set({}, seats);
  });
  const seats = 'Tickets of the zones of this instance';
  metrics.gauge('tickets_seats', seats, ['event', 'zone', 'status'], async (set) => {
    let told = 0;
    const other = { sold: 0, held: 0, available: 0 };
    for await (const zone of localZones(streams)) {
      const counts = { sold: zone.sold, held: zone.held, available: available(zone) };
      for (const [status, count] of Object.entries(counts)) {
        if (told >= ZONES_TOLD_MAX) other[status as keyof typeof other] += count;
        else set({ event: zone.eventId, zone: zone.zoneId, status }, count);
      }
      told++;
    }
    if (told <= ZONES_TOLD_MAX) return;
    for (const [status, count] of Object.entries(other)) {
      set({ event: 'other', zone: 'other', status }, count);
    }
  });
}

/** Zones of the partitions that are here and can be read now; the others are told by their owners. */
async function* localZones(streams: QueryableStreams): AsyncGenerator<Zone> {
  const { partitionCount = 0 } =
    streams.stores().find(({ spec }) => spec.name === STORES.zones) ?? {};
  for (let partition = 0; partition < partitionCount; partition++) {
    if (!streams.locatePartition(STORES.zones, partition).isLocal) continue;
    const local = await streams.openLocal(STORES.zones, partition);
    if (local.kind !== 'available') continue;
    for await (const [, zone] of local.store.range({ limit: ZONES_PER_PARTITION_MAX })) {
      yield zone as Zone;
    }
  }
}
