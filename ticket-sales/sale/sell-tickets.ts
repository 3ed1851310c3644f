/** The sale itself, in one hop: commands of a zone and its payments in, its outcomes and its stock out. */
import type { Serde } from '../../schemas/serde.ts';
import { stringSerde } from '../../schemas/serdes.ts';
import { passThroughProcessor } from '../../topology/dsl/processors/stateless.ts';
import type { Topology } from '../../topology/topology.ts';
import { addFestivalDoor, FESTIVAL_DOOR, type Festival } from '../festival/festival-topology.ts';
import { type TicketSerdes, TOPICS } from '../records.ts';
import { saleStores } from './sale-stores.ts';
import { SINKS, TicketProcessor, type TicketProcessorOptions } from './ticket-processor.ts';

export const SALE_NODE = 'tickets';
const SOURCES = { commands: 'commands', payments: 'payments' } as const;

export interface SaleOptions extends TicketProcessorOptions {
  /** Present while an event is the festival, whose producers write to the same topics. */
  readonly festival?: Festival | undefined;
}

export function sellTickets(
  topology: Topology,
  serdes: TicketSerdes,
  options: SaleOptions,
): Topology {
  const sources = [SOURCES.commands, SOURCES.payments];
  const { festival } = options;
  const read = festival?.serdes ?? serdes;
  topology
    .addSource(source(SOURCES.commands, TOPICS.commands, read.command, festival))
    .addSource(source(SOURCES.payments, TOPICS.payments, read.payment, festival))
    .copartitionSources(...sources);
  if (festival !== undefined) addFestivalDoor(topology, festival, sources, SALE_NODE);
  topology.addProcessor({
    name: SALE_NODE,
    supplier: () => new TicketProcessor(options),
    parents: festival === undefined ? sources : [FESTIVAL_DOOR],
  });
  for (const store of saleStores(serdes, options.commandPartitions))
    topology.addStateStore(store, SALE_NODE);
  return topology
    .addSink(sinkOfTask(SINKS.purchaseStatus, TOPICS.purchaseStatus, serdes.purchase))
    .addSink(sink(SINKS.paymentRequests, TOPICS.paymentRequests, serdes.paymentRequest))
    .addSink(sink(SINKS.refundRequests, TOPICS.refundRequests, serdes.refundRequest))
    .addSink(
      sink(SINKS.notificationRequests, TOPICS.notificationRequests, serdes.notificationRequest),
    )
    .addProcessor({ name: SINKS.inventory, supplier: passThroughProcessor(), parents: [SALE_NODE] })
    .addSink({
      ...sinkOfTask('inventory-updated', TOPICS.inventory, serdes.inventory),
      parents: [SINKS.inventory],
    });
}

/** The festival's producers choose their keys, and may choose none. */
function source<V>(
  name: string,
  topic: string,
  valueSerde: Serde<V>,
  festival: Festival | undefined,
) {
  const nullKeys = festival !== undefined;
  return { name, topics: [topic], keySerde: stringSerde, valueSerde, nullKeys, nullValues: false };
}

function sink<V>(name: string, topic: string, valueSerde: Serde<V>) {
  return { name, topic, keySerde: stringSerde, valueSerde, parents: [SALE_NODE] };
}

/** One task writes one partition: batches stay whole, and compaction still works. */
function sinkOfTask<V>(name: string, topic: string, valueSerde: Serde<V>) {
  const partitioner = ({ taskPartition }: { taskPartition: number }) => taskPartition;
  return { ...sink(name, topic, valueSerde), partitioner };
}
