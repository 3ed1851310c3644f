/** The sale itself, in one hop: commands of a zone and its payments in, its outcomes and its stock out. */
import type { Serde } from '../schemas/serde.ts';
import { stringSerde } from '../schemas/serdes.ts';
import { passThroughProcessor } from '../topology/dsl/processors/stateless.ts';
import type { Topology } from '../topology/topology.ts';
import { type TicketSerdes, TOPICS } from './records.ts';
import { saleStores } from './sale-stores.ts';
import { SINKS, TicketProcessor, type TicketProcessorOptions } from './ticket-processor.ts';

export const SALE_NODE = 'tickets';
const SOURCES = { commands: 'commands', payments: 'payments' } as const;

export function sellTickets(
  topology: Topology,
  serdes: TicketSerdes,
  options: TicketProcessorOptions,
): Topology {
  const { commands, payments } = SOURCES;
  topology
    .addSource(source(commands, TOPICS.commands, serdes.command))
    .addSource(source(payments, TOPICS.payments, serdes.payment))
    .copartitionSources(commands, payments)
    .addProcessor({
      name: SALE_NODE,
      supplier: () => new TicketProcessor(options),
      parents: [commands, payments],
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

function source<V>(name: string, topic: string, valueSerde: Serde<V>) {
  const keySerde = stringSerde;
  return { name, topics: [topic], keySerde, valueSerde, nullKeys: false, nullValues: false };
}

function sink<V>(name: string, topic: string, valueSerde: Serde<V>) {
  return { name, topic, keySerde: stringSerde, valueSerde, parents: [SALE_NODE] };
}

/** One task writes one partition: batches stay whole, and compaction still works. */
function sinkOfTask<V>(name: string, topic: string, valueSerde: Serde<V>) {
  const partitioner = ({ taskPartition }: { taskPartition: number }) => taskPartition;
  return { ...sink(name, topic, valueSerde), partitioner };
}
