/**
 * The second part of the sale: what is asked of events and venues, off the path of a purchase. The
 * stock that a zone announces, once per commit, goes in the same transaction to the partition of its
 * event, where all that is told of the event is kept: one task reads both, and queries of an event
 * find everything in one place. A venue's sums are put together from its events when they are asked
 * for: an event that moves to another venue takes its sums along, and there is nothing to repartition.
 */
import { partitionForKey } from '../../kafka/murmur2.ts';
import type { Serde } from '../../schemas/serde.ts';
import { stringSerde } from '../../schemas/serdes.ts';
import type { StoreSpec } from '../../stores/state-store.ts';
import type { StreamPartitioner } from '../../topology/processor.ts';
import type { Topology } from '../../topology/topology.ts';
import type { InventoryUpdated, TicketSerdes } from '../records.ts';
import { EVENT_NODES } from '../sale/events-table.ts';
import { EventReporter, StockReporter } from './report-processors.ts';
import { REPORT_STORES } from './report-stores.ts';

export interface ReportOptions {
  /** How long each stretch of the timeline is, and how long it is kept after its last change. */
  readonly bucketMs: number;
  readonly timelineMs: number;
  /** Whether the purchases of a buyer can be asked for: reads every outcome once more. */
  readonly isIndexedByBuyer: boolean;
}

export const DEFAULT_REPORTS: ReportOptions = {
  bucketMs: 60_000,
  timelineMs: 30 * 24 * 60 * 60_000,
  isIndexedByBuyer: false,
};

const STOCK_BY_EVENT = 'stock-by-event-repartition';

const byEvent: StreamPartitioner<string, InventoryUpdated> = ({ value, partitionCount }) => {
  const bytes = Buffer.from(value.eventId);
  return partitionForKey(bytes, 0, bytes.length, partitionCount);
};

/** Reports are behind the sale anyway; they must not double its transactions. */
const REPORTS_LINGER_MS = 100;

/** `stock`: the node that forwards what zones announce. The table of events is there already. */
export function defineReports(
  topology: Topology,
  serdes: TicketSerdes,
  { bucketMs, timelineMs }: ReportOptions,
  stock: string,
): Topology {
  return topology
    .addRepartitionTopic({ name: STOCK_BY_EVENT })
    .addSink({
      name: 'stock-by-event-sink',
      topic: STOCK_BY_EVENT,
      keySerde: stringSerde,
      valueSerde: serdes.inventory,
      partitioner: byEvent,
      parents: [stock],
    })
    .addSource({
      name: 'stock-by-event-source',
      topics: [STOCK_BY_EVENT],
      lingerMs: REPORTS_LINGER_MS,
      keySerde: stringSerde,
      valueSerde: serdes.inventory,
    })
    .addProcessor({
      name: 'report-stock',
      supplier: () => new StockReporter(bucketMs),
      parents: ['stock-by-event-source'],
    })
    .addProcessor({
      name: 'report-events',
      supplier: () => new EventReporter(),
      parents: [EVENT_NODES.table],
    })
    .copartitionSources('stock-by-event-source', EVENT_NODES.source)
    .addStateStore(logged(REPORT_STORES.sales, serdes.eventSales), 'report-stock', 'report-events')
    .addStateStore(logged(REPORT_STORES.zones, serdes.eventZone), 'report-stock')
    .addStateStore(
      { ...logged(REPORT_STORES.timeline, serdes.salesBucket), ttlMs: timelineMs },
      'report-stock',
    )
    .addStateStore(logged(REPORT_STORES.venues, stringSerde), 'report-events');
}

function logged<V>(name: string, valueSerde: Serde<V>): StoreSpec<string, V> {
  const changelog = { configs: {} };
  return {
    kind: 'keyValue',
    name,
    keySerde: stringSerde,
    valueSerde,
    persistence: 'leveldb',
    changelog,
  };
}
