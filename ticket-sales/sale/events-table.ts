/** The events that are defined, as a table. */
import { stringSerde } from '../../schemas/serdes.ts';
import type { KTable } from '../../topology/dsl/ktable.ts';
import type { StreamsBuilder } from '../../topology/streams-builder.ts';
import type { EventDefinition } from '../domain/event.ts';
import { type TicketSerdes, TOPICS } from '../records.ts';

export const EVENTS_STORE = 'events';
export const EVENT_NODES = {
  source: 'event-definitions-source',
  table: 'event-definitions',
} as const;

export function defineEvents(
  builder: StreamsBuilder,
  serdes: TicketSerdes,
): KTable<string, EventDefinition> {
  return builder.table(TOPICS.events, {
    name: EVENT_NODES.table,
    keySerde: stringSerde,
    valueSerde: serdes.event,
    store: EVENTS_STORE,
  });
}
