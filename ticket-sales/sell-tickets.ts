/** The sale itself, in one hop: commands of a zone in, its outcomes and its stock out. */
import { stringSerde } from '../schemas/serdes.ts';
import type { StoreSpec } from '../stores/state-store.ts';
import { passThroughProcessor } from '../topology/dsl/processors/stateless.ts';
import type { Topology } from '../topology/topology.ts';
import { type TicketSerdes, TOPICS } from './records.ts';
import { SINKS, STORES, TicketProcessor } from './ticket-processor.ts';

/** In all partitions together: a process that runs them all spends up to 200 MB on them. */
const KNOWN_PURCHASES_MAX = 16_000_000;

/**
 * `commandPartitions`: how many the topic of commands has, to know a zone's own partition. What zones
 * announce of their stock is forwarded by the node SINKS.inventory, which others may follow, too.
 */
export function sellTickets(
  topology: Topology,
  serdes: TicketSerdes,
  commandPartitions: number,
): Topology {
  const ofTask = ({ taskPartition }: { taskPartition: number }) => taskPartition;
  return topology
    .addSource({
      name: 'commands',
      topics: [TOPICS.commands],
      keySerde: stringSerde,
      valueSerde: serdes.command,
      nullKeys: false,
      nullValues: false,
    })
    .addProcessor({
      name: 'tickets',
      supplier: () => new TicketProcessor(commandPartitions),
      parents: ['commands'],
    })
    .addStateStore(logged(STORES.zones, serdes.zone), 'tickets')
    .addStateStore(
      {
        ...logged(STORES.purchases, serdes.purchase),
        // Nearly every purchase is a new one, and is hardly ever read again by the engine: objects
        // kept for that would only make the garbage collector copy them.
        knownKeysMax: Math.floor(KNOWN_PURCHASES_MAX / commandPartitions),
        cacheEntriesMax: 0,
      },
      'tickets',
    )
    .addSink({
      name: SINKS.purchaseStatus,
      topic: TOPICS.purchaseStatus,
      keySerde: stringSerde,
      valueSerde: serdes.purchase,
      partitioner: ofTask,
      parents: ['tickets'],
    })
    .addProcessor({ name: SINKS.inventory, supplier: passThroughProcessor(), parents: ['tickets'] })
    .addSink({
      name: 'inventory-updated',
      topic: TOPICS.inventory,
      keySerde: stringSerde,
      valueSerde: serdes.inventory,
      partitioner: ofTask,
      parents: [SINKS.inventory],
    });
}

function logged<V>(
  name: string,
  valueSerde: StoreSpec<string, V>['valueSerde'],
): StoreSpec<string, V> {
  return {
    kind: 'keyValue',
    name,
    keySerde: stringSerde,
    valueSerde,
    persistence: 'leveldb',
    changelog: { configs: {} },
  };
}
