/**
 * What the festival adds to the dataflow, while an event is the festival:
 *
 *   ticketPurchase, paymentStatusUpdate -> door -> tickets     theirs: -> the zone's partition
 *   tickets -> inventory -> festivalInventoryUpdated
 *   festivalReadModel -> festival-read-model                   a table, one partition
 */
import type { TopicSpec } from '../../kafka/ports.ts';
import { stringSerde } from '../../schemas/serdes.ts';
import type { Topology } from '../../topology/topology.ts';
import { type TicketSerdes, TOPICS } from '../records.ts';
import { STORES } from '../sale/sale-stores.ts';
import { earlyPaymentsStore } from './early-payments.ts';
import { DOOR_SINKS, FestivalDoor } from './festival-door.ts';
import type { FestivalSerdes } from './festival-records.ts';
import { FestivalStock } from './festival-stock.ts';
import { READ_MODEL_PARTITIONS, READ_MODEL_TOPIC } from './read-model.ts';

/** As it is posted to stream threads. */
export interface FestivalOptions {
  readonly eventId: string;
  /** How long a payment waits for its purchase, ms of log time; 0 = not at all. */
  readonly paymentWaitMs: number;
  readonly inventoryTopic: string;
}

export interface Festival {
  readonly options: FestivalOptions;
  readonly serdes: FestivalSerdes;
}

export const FESTIVAL_DOOR = 'festival-door';

/** Between the sources and the sale. */
export function addFestivalDoor(
  topology: Topology,
  { options: { eventId, paymentWaitMs } }: Festival,
  sources: readonly string[],
  sale: string,
): void {
  topology
    .addProcessor({
      name: FESTIVAL_DOOR,
      supplier: () => new FestivalDoor({ eventId, paymentWaitMs, sale }),
      parents: sources,
    })
    .addStateStore(earlyPaymentsStore, FESTIVAL_DOOR);
}

/** What follows the door and the sale; `stock`: the node that forwards what zones announce. */
export function addFestivalSinks(
  topology: Topology,
  own: TicketSerdes,
  { serdes, options }: Festival,
  stock: string,
): void {
  const { eventId, inventoryTopic } = options;
  const keySerde = stringSerde;
  topology
    .connectProcessorAndStateStores(FESTIVAL_DOOR, STORES.purchases)
    .addSink({
      name: DOOR_SINKS.commands,
      topic: TOPICS.commands,
      keySerde,
      valueSerde: own.command,
      parents: [FESTIVAL_DOOR],
    })
    .addSink({
      name: DOOR_SINKS.payments,
      topic: TOPICS.payments,
      keySerde,
      valueSerde: serdes.passedOn,
      parents: [FESTIVAL_DOOR],
    })
    .addProcessor({
      name: 'festival-stock',
      supplier: () => new FestivalStock(eventId),
      parents: [stock],
    })
    .addSink({
      name: 'festival-inventory',
      topic: inventoryTopic,
      keySerde,
      valueSerde: serdes.inventory,
      parents: ['festival-stock'],
    });
}

/** To be created beside the sale's own. */
export function festivalTopics(
  { inventoryTopic }: FestivalOptions,
  partitions: number,
  replicationFactor: number,
): TopicSpec[] {
  const configs = { 'cleanup.policy': 'compact' };
  return [
    { name: inventoryTopic, partitions, replicationFactor, configs },
    { name: READ_MODEL_TOPIC, partitions: READ_MODEL_PARTITIONS, replicationFactor, configs },
  ];
}
