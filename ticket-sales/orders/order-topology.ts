/**
 * Orders as a part of the topology; comes after the sale.
 *
 *   ticketOrder ──────┐
 *   order-progress ───┴> orders -> orderStatusUpdated
 *        ^                      -> ticketPurchase (purchases, confirmations, cancellations of lines),
 *        │                         by way of the intake where there is one
 *        └ tickets (the sale)   -> paymentRequested, refundRequested, notificationRequested
 *
 * The sale tells what happened to lines and payments of orders, and to nothing else: the topic
 * between them is as long as there are orders.
 */

import type { TopicSpec } from '../../kafka/ports.ts';
import type { Serde } from '../../schemas/serde.ts';
import { stringSerde } from '../../schemas/serdes.ts';
import type { StoreSpec } from '../../stores/state-store.ts';
import type { Topology } from '../../topology/topology.ts';
import { type TicketSerdes, TOPICS } from '../records.ts';
import { SALE_NODE } from '../sale/sell-tickets.ts';
import { COMPACT, DELETE, LOG_TIME } from '../topics.ts';
import {
  ORDER_SINKS,
  ORDER_STORES,
  OrderProcessor,
  type OrderProcessorOptions,
} from './order-processor.ts';
import { ORDER_TOPICS, type OrderSerdes } from './order-records.ts';

export interface OrdersOptions extends OrderProcessorOptions {
  readonly serdes: OrderSerdes;
}

/** The child of the sale that lines and payments of orders go to. */
export const PROGRESS_SINK = 'order-progress';
/** The node that carries orders out. */
export const ORDERS_NODE = 'orders';

/** Log time decides of orders, too: the broker stamps their commands. */
export function orderTopics(partitions: number, replicationFactor: number): readonly TopicSpec[] {
  const topic = (name: string, configs: TopicSpec['configs']): TopicSpec => {
    return { name, partitions, replicationFactor, configs };
  };
  return [
    topic(ORDER_TOPICS.orders, LOG_TIME),
    topic(ORDER_TOPICS.orderStatus, COMPACT),
    topic(`${ORDER_TOPICS.orders}.dlq`, DELETE),
  ];
}

const PROGRESS_TOPIC = 'order-progress-repartition';
const NODES = {
  commands: 'order-commands',
  progress: 'order-progress-source',
  orders: ORDERS_NODE,
};

export function defineOrders(
  topology: Topology,
  sale: TicketSerdes,
  { serdes, ...options }: OrdersOptions,
): Topology {
  const sink = <V>(name: string, topic: string, valueSerde: Serde<V>) => ({
    name,
    topic,
    keySerde: stringSerde,
    valueSerde,
    parents: [NODES.orders],
  });
  const source = { keySerde: stringSerde, nullKeys: false, nullValues: false };
  return topology
    .addRepartitionTopic({ name: PROGRESS_TOPIC })
    .addSink({
      name: PROGRESS_SINK,
      topic: PROGRESS_TOPIC,
      keySerde: stringSerde,
      valueSerde: serdes.progress,
      parents: [SALE_NODE],
    })
    .addSource({
      ...source,
      name: NODES.commands,
      topics: [ORDER_TOPICS.orders],
      valueSerde: serdes.command,
    })
    .addSource({
      ...source,
      name: NODES.progress,
      topics: [PROGRESS_TOPIC],
      valueSerde: serdes.progress,
    })
    .copartitionSources(NODES.commands, NODES.progress)
    .addProcessor({
      name: NODES.orders,
      supplier: () => new OrderProcessor(options),
      parents: [NODES.commands, NODES.progress],
    })
    .addStateStore(logged(ORDER_STORES.orders, serdes.order), NODES.orders)
    .addStateStore(logged(ORDER_STORES.deadlines, stringSerde), NODES.orders)
    .addSink(sink(ORDER_SINKS.status, ORDER_TOPICS.orderStatus, serdes.order))
    .addSink(sink(ORDER_SINKS.commands, TOPICS.commands, sale.command))
    .addSink(sink(ORDER_SINKS.paymentRequests, TOPICS.paymentRequests, sale.paymentRequest))
    .addSink(sink(ORDER_SINKS.refundRequests, TOPICS.refundRequests, sale.refundRequest))
    .addSink(
      sink(ORDER_SINKS.notificationRequests, TOPICS.notificationRequests, sale.notificationRequest),
    );
}

function logged<V>(name: string, valueSerde: Serde<V>): StoreSpec<string, V> {
  return {
    kind: 'keyValue',
    name,
    keySerde: stringSerde,
    valueSerde,
    persistence: 'leveldb',
    changelog: { configs: {} },
  };
}
