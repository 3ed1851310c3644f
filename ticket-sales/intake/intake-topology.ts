/**
 * The intake as a part of the topology: a stage in front of the zones, for the events that ask for it.
 *
 *   purchaseIntake ──────> intake (customer-tickets, intake-events, customers) -> ticketPurchase
 *   order-lines ─────────> intake-order-lines (the same stores) -> ticketPurchase
 *   intake-outcomes ─────> what zones say of purchases that came this way
 *   intake-events <──────  eventDefined, a copy for every partition
 *
 * It runs in the tasks of the customers' table: both are keyed by buyer.
 */
import type { TopicSpec } from '../../kafka/ports.ts';
import type { Serde } from '../../schemas/serde.ts';
import { stringSerde } from '../../schemas/serdes.ts';
import type { StoreSpec } from '../../stores/state-store.ts';
import type { Topology } from '../../topology/topology.ts';
import { CATALOG_STORES, CUSTOMERS_SOURCE } from '../catalog/catalog-tables.ts';
import { type TicketSerdes, TOPICS } from '../records.ts';
import { EVENT_NODES, EVENTS_STORE } from '../sale/events-table.ts';
import { SALE_NODE } from '../sale/sell-tickets.ts';
import { DELETE, LOG_TIME } from '../topics.ts';
import {
  addressOf,
  EventCopier,
  EventKeeper,
  INTAKE_STORES,
  IntakeProcessor,
  LineProcessor,
  OutcomeCounter,
} from './intake-processors.ts';
import type { IntakeSerdes } from './intake-records.ts';

export const INTAKE_TOPIC = 'purchaseIntake';

/** The child of the sale that outcomes of purchases through the intake go to. */
export const INTAKE_SINK = 'intake-outcomes';
/** The child of the orders' node that commands of orders go to. */
export const LINES_SINK = 'order-lines';

export interface IntakeOptions {
  readonly serdes: IntakeSerdes;
  /** How many the topic of the intake has. */
  readonly partitions: number;
  /** The node that carries orders out; undefined = there are none. */
  readonly ordersNode?: string | undefined;
}

export function intakeTopics(partitions: number, replicationFactor: number): readonly TopicSpec[] {
  const counts = { partitions, replicationFactor };
  return [
    { name: INTAKE_TOPIC, ...counts, configs: LOG_TIME },
    { name: `${INTAKE_TOPIC}.dlq`, ...counts, configs: DELETE },
  ];
}

const LINES_TOPIC = 'order-lines-repartition';
const OUTCOMES_TOPIC = 'intake-outcomes-repartition';
const EVENTS_TOPIC = 'intake-events-repartition';
const NODES = {
  commands: 'intake-commands',
  lines: 'intake-lines',
  outcomes: 'intake-outcomes-source',
  events: 'intake-events-source',
  intake: 'intake',
  orderLines: 'intake-order-lines',
  counter: 'intake-outcome-counter',
  keeper: 'intake-event-keeper',
  copier: 'intake-event-copier',
} as const;

export function defineIntake(
  topology: Topology,
  sale: TicketSerdes,
  { serdes, partitions, ordersNode }: IntakeOptions,
): Topology {
  const { commands, outcomes, events, intake, counter, keeper, copier } = NODES;
  const keySerde = stringSerde;
  topology
    .addRepartitionTopic({ name: OUTCOMES_TOPIC, partitions })
    .addRepartitionTopic({ name: EVENTS_TOPIC, partitions })
    .addSink({
      name: INTAKE_SINK,
      topic: OUTCOMES_TOPIC,
      keySerde,
      valueSerde: sale.purchase,
      parents: [SALE_NODE],
    })
    .addProcessor({
      name: copier,
      supplier: () => new EventCopier(partitions),
      parents: [EVENT_NODES.source],
      stores: [EVENTS_STORE],
    })
    .addSink({
      name: 'intake-event-copies',
      topic: EVENTS_TOPIC,
      keySerde,
      valueSerde: sale.event,
      partitioner: ({ key }) => addressOf(key).partition,
      parents: [copier],
    })
    .addSource({
      name: commands,
      topics: [INTAKE_TOPIC],
      keySerde,
      valueSerde: sale.command,
      nullKeys: false,
      nullValues: false,
    })
    .addSource({ name: outcomes, topics: [OUTCOMES_TOPIC], keySerde, valueSerde: sale.purchase })
    .addSource({ name: events, topics: [EVENTS_TOPIC], keySerde, valueSerde: sale.event })
    .copartitionSources(commands, outcomes, events, CUSTOMERS_SOURCE)
    .addProcessor({
      name: intake,
      supplier: () => new IntakeProcessor(partitions),
      parents: [commands],
      stores: [CATALOG_STORES.customers],
    })
    .addProcessor({ name: counter, supplier: () => new OutcomeCounter(), parents: [outcomes] })
    .addProcessor({ name: keeper, supplier: () => new EventKeeper(), parents: [events] })
    .addStateStore(logged(INTAKE_STORES.tickets, serdes.tickets), intake, counter)
    .addStateStore(logged(INTAKE_STORES.events, sale.event), intake, counter, keeper)
    .addSink({
      name: 'intake-purchases',
      topic: TOPICS.commands,
      keySerde,
      valueSerde: sale.command,
      parents: [intake],
    });
  return ordersNode === undefined ? topology : takeLines(topology, sale, partitions, ordersNode);
}

/** What orders ask of zones comes by a topic of its own: nobody else writes to it. */
function takeLines(
  topology: Topology,
  sale: TicketSerdes,
  partitions: number,
  ordersNode: string,
): Topology {
  const { commands, lines, orderLines } = NODES;
  const serdes = { keySerde: stringSerde, valueSerde: sale.command };
  return topology
    .addRepartitionTopic({ name: LINES_TOPIC, partitions })
    .addSink({ name: LINES_SINK, topic: LINES_TOPIC, ...serdes, parents: [ordersNode] })
    .addSource({ name: lines, topics: [LINES_TOPIC], ...serdes })
    .copartitionSources(commands, lines)
    .addProcessor({
      name: orderLines,
      supplier: () => new LineProcessor(),
      parents: [lines],
      stores: [CATALOG_STORES.customers, INTAKE_STORES.tickets, INTAKE_STORES.events],
    })
    .addSink({
      name: 'intake-lines-to-zones',
      topic: TOPICS.commands,
      ...serdes,
      parents: [orderLines],
    });
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
