/** What the topology says of events at venues that nobody defined. */
import { beforeEach, describe, expect, test } from 'vitest';
import { TopologyTestDriver } from '../../../runtime/topology-test-driver.ts';
import type { AvroSchema, SchemaRegistry } from '../../../schemas/schema-registry.ts';
import { stringSerde } from '../../../schemas/serdes.ts';
import { CATALOG_STORES } from '../../../ticket-sales/catalog/catalog-tables.ts';
import type { VenueMentions } from '../../../ticket-sales/domain/catalog.ts';
import { type TicketSerdes, TOPICS, ticketSerdes } from '../../../ticket-sales/records.ts';
import { ticketTopology } from '../../../ticket-sales/ticket-topology.ts';

const texts: string[] = [];
const registry: SchemaRegistry = {
  register: async (_subject, schema) => {
    const text = JSON.stringify(schema);
    if (!texts.includes(text)) texts.push(text);
    return texts.indexOf(text);
  },
  schemaById: async (id) => JSON.parse(texts[id]!) as AvroSchema,
};

let serdes: TicketSerdes;
let driver: TopologyTestDriver;

beforeEach(async () => {
  serdes = ticketSerdes(registry);
  await serdes.event.prepare?.(TOPICS.events, 'value');
  await serdes.venue.prepare?.(TOPICS.venues, 'value');
  driver = new TopologyTestDriver(ticketTopology(serdes, { commandPartitions: 1 }));
});

async function defineEvent(eventId: string, venueId: string | null): Promise<void> {
  const events = driver.createInputTopic(TOPICS.events, stringSerde, serdes.event);
  await events.pipeInput(eventId, {
    eventId,
    name: eventId,
    venueId,
    startsAtMs: null,
    customers: 'anyone',
    customerMax: 0,
  });
}

async function defineVenue(venueId: string): Promise<void> {
  const venues = driver.createInputTopic(TOPICS.venues, stringSerde, serdes.venue);
  await venues.pipeInput(venueId, { venueId, name: venueId, address: null });
}

/** What the topic says now, by venue: null = no longer unknown. */
function told(): Record<string, readonly string[] | null> {
  const topic = driver.createOutputTopic(TOPICS.unknownVenues, stringSerde, serdes.venueMentions);
  const records = topic.readKeyValuesToList();
  return Object.fromEntries(records.map(({ key, value }) => [key, value?.events ?? null]));
}

const isUnknown = (venueId: string) =>
  driver.getKeyValueStore<string, VenueMentions>(CATALOG_STORES.unknownVenues).get(venueId) !==
  undefined;

describe('an event by topic', () => {
  test('at a venue that nobody defined makes the venue known as unknown', async () => {
    await defineEvent('ball', 'attic');
    await defineEvent('feast', 'attic');
    expect(told()).toEqual({ attic: ['ball', 'feast'] });
    expect(isUnknown('attic')).toBe(true);
  });

  test('before its venue is set right by the venue', async () => {
    await defineEvent('ball', 'attic');
    await defineVenue('attic');
    expect(told()).toEqual({ attic: null });
    expect(isUnknown('attic')).toBe(false);
  });

  test('after its venue, or without one, is nothing to tell', async () => {
    await defineVenue('hall');
    await defineEvent('ball', 'hall');
    await defineEvent('walk', null);
    expect(told()).toEqual({});
  });

  test('that moves to a venue that is defined leaves nothing behind', async () => {
    await defineVenue('hall');
    await defineEvent('ball', 'attic');
    await defineEvent('ball', 'hall');
    expect(told()).toEqual({ attic: null });
    await defineEvent('ball', 'cellar');
    expect(told()).toEqual({ cellar: ['ball'] });
  });

  test('that is defined twice is told of once', async () => {
    await defineEvent('ball', 'attic');
    await defineEvent('ball', 'attic');
    expect(told()).toEqual({ attic: ['ball'] });
  });
});
