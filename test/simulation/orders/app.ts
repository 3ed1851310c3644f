/** The sale with orders, and with all that else makes a sale of several steps: the intake, reports, indexes. */
import { partitionForKey } from '../../../kafka/murmur2.ts';
import type { TopicSpec } from '../../../kafka/ports.ts';
import { type IntakeSerdes, intakeSerdes } from '../../../ticket-sales/intake/intake-records.ts';
import { INTAKE_TOPIC, intakeTopics } from '../../../ticket-sales/intake/intake-topology.ts';
import {
  ORDER_TOPICS,
  type OrderSerdes,
  orderSerdes,
} from '../../../ticket-sales/orders/order-records.ts';
import {
  defineOrders,
  orderTopics,
  PROGRESS_SINK,
} from '../../../ticket-sales/orders/order-topology.ts';
import { TOPICS } from '../../../ticket-sales/records.ts';
import { DEFAULT_REPORTS } from '../../../ticket-sales/reports/define-reports.ts';
import { sellTickets } from '../../../ticket-sales/sale/sell-tickets.ts';
import { ticketTopology } from '../../../ticket-sales/ticket-topology.ts';
import { ticketTopics } from '../../../ticket-sales/topics.ts';
import type { BuiltTopology } from '../../../topology/sub-topology.ts';
import { Topology } from '../../../topology/topology.ts';
import { PARTITIONS, registry, serdes as saleSerdes } from '../sale.ts';

const orders: OrderSerdes = orderSerdes(registry);
const intake: IntakeSerdes = intakeSerdes(registry);
/** Registered once: no run may differ from another one because it came first. */
for (const serde of [...Object.values(orders), ...Object.values(intake)]) {
  await serde.prepare?.('any', 'value');
}

export const serdes = { ...saleSerdes, orderCommand: orders.command, order: orders.order };

const TABLES: readonly string[] = [
  TOPICS.events,
  TOPICS.venues,
  TOPICS.customers,
  TOPICS.unknownVenues,
];

export const IN_TOPICS = {
  commands: TOPICS.commands,
  payments: TOPICS.payments,
  orders: ORDER_TOPICS.orders,
  intake: INTAKE_TOPIC,
} as const;

/** Orders and what they need, or all that the app has. */
export type Extent = 'orders' | 'everything';

export function topicsOf(extent: Extent): readonly TopicSpec[] {
  const sold = [...ticketTopics(PARTITIONS, 1), ...orderTopics(PARTITIONS, 1)];
  if (extent === 'everything') return [...sold, ...intakeTopics(PARTITIONS, 1)];
  return sold.filter(({ name }) => !TABLES.includes(name));
}

export function topologyOf(extent: Extent): BuiltTopology {
  const [commandPartitions, partitions] = [PARTITIONS, PARTITIONS];
  const ordersOptions = { serdes: orders, partitions };
  if (extent === 'orders') {
    const sale = { commandPartitions, progressSink: PROGRESS_SINK };
    const topology = sellTickets(new Topology(), saleSerdes, sale);
    return defineOrders(topology, saleSerdes, ordersOptions).build();
  }
  return ticketTopology(saleSerdes, {
    commandPartitions,
    orders: ordersOptions,
    intake: { serdes: intake, partitions },
    reports: { ...DEFAULT_REPORTS, isIndexedByBuyer: true },
  }).build();
}

/** As every producer of the app chooses it. */
export function partitionOf(key: string): number {
  const bytes = Buffer.from(key);
  return partitionForKey(bytes, 0, bytes.length, PARTITIONS);
}
