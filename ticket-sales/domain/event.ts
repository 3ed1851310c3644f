/** What is known of an event: its definition, and the sums over its zones. */
import type { Money } from './money.ts';

export interface EventDefinition {
  readonly eventId: string;
  readonly name: string;
  readonly venueId: string | null;
  readonly startsAtMs: number | null;
  /** `registered`: only customers that are defined may buy. */
  readonly customers: 'anyone' | 'registered';
  /** Tickets of one buyer in all zones together; 0 = no limit. */
  readonly customerMax: number;
}

export interface EventSales {
  readonly eventId: string;
  readonly zones: number;
  readonly capacity: number;
  readonly held: number;
  readonly sold: number;
  /** As its definition says now; null = none, or not defined. */
  readonly venueId: string | null;
  /** Grows by one with every change of a zone that is contained. */
  readonly version: number;
  /** Prices of what is sold, fees included, by currency; none that is 0. */
  readonly revenue: readonly Money[];
}
