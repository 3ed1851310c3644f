/** What the sale itself is measured by. Zones are few and bounded; buyers and purchases never are labels. */
import type { Labels, Metrics } from '../../interactive-queries/metrics.ts';
import type { QueryableStreams } from '../../interactive-queries/queryable-streams.ts';
import { forEachBatch } from '../../kafka/records/record-batch.ts';
import type { DecisionWaiters } from '../decision-waiters.ts';
import { available, type Zone } from '../domain/zone.ts';
import { type Outcome, TOPICS } from '../records.ts';
import { STORES } from '../sale/sale-stores.ts';

/** Zones beyond are told together, as `other`: a label's values must not grow with the sale. */
const ZONES_TOLD_MAX = 200;
/** A scrape reads at most so many zones of each partition. */
const ZONES_PER_PARTITION_MAX = 10_000;

/** Topics whose bad records this instance puts aside. */
const DEAD_LETTER_TOPICS = [TOPICS.commands, TOPICS.payments, TOPICS.events].map(
  (topic) => `${topic}.dlq`,
);

export class TicketMetrics {
  /** By state and reason. */
  readonly #outcomes = new Map<string, { readonly labels: Labels; count: number }>();
  readonly replayed: () => void;

  constructor(metrics: Metrics) {
    const outcomes = 'Outcomes committed by this instance, repeated ones included';
    const labelNames = ['outcome', 'reason'];
    metrics.total('tickets_purchase_decisions_total', outcomes, labelNames, (set) => {
      for (const { labels, count } of this.#outcomes.values()) set(labels, count);
    });
    this.replayed = metrics.counter(
      'tickets_idempotent_replays_total',
      'Requests that had been decided before, and got the same answer',
    );
  }

  /** Called for every decision: at full speed, fifty thousand times a second. */
  decided({ state, reason }: Outcome): void {
    const key = `${state} ${reason}`;
    const counted = this.#outcomes.get(key);
    if (counted !== undefined) counted.count++;
    else this.#outcomes.set(key, { labels: { outcome: state, reason }, count: 1 });
  }
}

/** Counts what was put aside, by the headers of the batches: nothing is decoded. */
export function countDeadLetters(metrics: Metrics, streams: QueryableStreams): void {
  const counts = new Map<string, number>();
  streams.onCommitted(
    DEAD_LETTER_TOPICS,
    () => true,
    ({ outputs }) => {
      for (const { topic, batch } of outputs) {
        forEachBatch(batch, ({ recordCount }) => {
          counts.set(topic, (counts.get(topic) ?? 0) + recordCount);
        });
      }
    },
  );
  const help = 'Records that could not be used and were put aside';
  metrics.total('kstream_dlq_records_total', help, ['topic'], (set) => {
    for (const topic of DEAD_LETTER_TOPICS) set({ topic }, counts.get(topic) ?? 0);
  });
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
