/**
 * Events that name a venue which nobody defined. Over HTTP none comes into being; by topic one may,
 * and be right: its venue's definition may still be on its way. So the event stands as it is, and the
 * venue is told of for as long as it is unknown: in a topic, and to operators who ask.
 */
import { stringSerde } from '../../schemas/serdes.ts';
import type { KTable } from '../../topology/dsl/ktable.ts';
import type { Venue, VenueMentions } from '../domain/catalog.ts';
import type { EventDefinition } from '../domain/event.ts';
import { type TicketSerdes, TOPICS } from '../records.ts';
import { CATALOG_STORES } from './catalog-tables.ts';

/** The last node: it knows what is unknown. */
export const VENUE_WATCH = 'unknown-venues';

export function watchVenues(
  events: KTable<string, EventDefinition>,
  venues: KTable<string, Venue>,
  { venueMentions: valueSerde }: TicketSerdes,
): void {
  const keySerde = stringSerde;
  const unknown = events
    .filter((_, { venueId }) => venueId !== null, { name: 'events-with-a-venue' })
    .groupBy((eventId, { venueId }) => [venueId ?? '', eventId] as const, {
      name: 'events-by-venue',
      keySerde,
      valueSerde: stringSerde,
    })
    .aggregate<VenueMentions>(
      () => ({ venueId: '', events: [] }),
      (venueId, eventId, { events: others }) => ({ venueId, events: [...others, eventId] }),
      (venueId, eventId, { events: all }) => ({
        venueId,
        events: all.filter((each) => each !== eventId),
      }),
      { name: 'mention-venues', store: 'venue-mentions', valueSerde },
    )
    .leftJoin(venues, (mentions, venue) => (venue === null ? mentions : NOTHING_UNKNOWN), {
      name: 'look-up-venues',
    })
    .filter((_, { events: naming }) => naming.length > 0, {
      name: VENUE_WATCH,
      store: CATALOG_STORES.unknownVenues,
      valueSerde,
    });
  unknown
    .toStream({ name: 'unknown-venue-changes' })
    .to(TOPICS.unknownVenues, { name: 'unknown-venue', keySerde, valueSerde });
}

const NOTHING_UNKNOWN: VenueMentions = { venueId: '', events: [] };
