/** The sale of a festival alone: its door in front, its own inventory behind; no tables, no reports. */
import { avroSerde } from '../../../schemas/avro-serde.ts';
import type { Serde } from '../../../schemas/serde.ts';
import { festivalSerdes } from '../../../ticket-sales/festival/festival-records.ts';
import {
  addFestivalSinks,
  type FestivalOptions,
} from '../../../ticket-sales/festival/festival-topology.ts';
import { loadSchema, TOPICS } from '../../../ticket-sales/records.ts';
import { sellTickets } from '../../../ticket-sales/sale/sell-tickets.ts';
import { SINKS } from '../../../ticket-sales/sale/ticket-processor.ts';
import { ticketTopics } from '../../../ticket-sales/topics.ts';
import { Topology } from '../../../topology/topology.ts';
import { PARTITIONS, registry, serdes as sale } from '../sale.ts';

export const FESTIVAL: FestivalOptions = {
  eventId: 'festival',
  inventoryTopic: 'festivalInventoryUpdated',
  paymentWaitMs: 6_000,
};

/** As the festival's own programs write them. */
export interface PurchaseRequested {
  readonly purchaseId: string;
  readonly userId: string;
  readonly ticketType: string;
  readonly quantity: number;
  readonly timestamp: number;
}

export interface PaymentStatusUpdate {
  readonly purchaseId: string;
  readonly timestamp: number;
  readonly status: string;
}

const [purchaseSchema, paymentSchema] = [
  loadSchema('festival-purchase-requested'),
  loadSchema('festival-payment-status-update'),
];
export const theirs: {
  readonly purchase: Serde<PurchaseRequested>;
  readonly payment: Serde<PaymentStatusUpdate>;
} = {
  purchase: avroSerde({ schema: purchaseSchema, registry }),
  payment: avroSerde({ schema: paymentSchema, registry }),
};
export const festival = festivalSerdes(registry, sale);

/** Known from the beginning: no run may differ from another one because it came first. */
for (const serde of [...Object.values(theirs), ...Object.values(festival)]) {
  await serde.prepare?.('any', 'value');
}
for (const schema of [purchaseSchema, paymentSchema]) {
  const id = await registry.register('any-value', schema);
  await festival.command.resolve?.(id);
  await festival.payment.resolve?.(id);
}

const SOLD: readonly string[] = [
  TOPICS.commands,
  TOPICS.payments,
  TOPICS.purchaseStatus,
  TOPICS.inventory,
  TOPICS.paymentRequests,
  TOPICS.refundRequests,
  TOPICS.notificationRequests,
  `${TOPICS.commands}.dlq`,
  `${TOPICS.payments}.dlq`,
];

export const topics = [
  ...ticketTopics(PARTITIONS, 1).filter(({ name }) => SOLD.includes(name)),
  {
    name: FESTIVAL.inventoryTopic,
    partitions: PARTITIONS,
    replicationFactor: 1,
    configs: { 'cleanup.policy': 'compact' },
  },
];

export function festivalTopology() {
  const options = { options: FESTIVAL, serdes: festival };
  const topology = new Topology();
  sellTickets(topology, sale, { commandPartitions: PARTITIONS, festival: options });
  addFestivalSinks(topology, sale, options, SINKS.inventory);
  return topology.build();
}
