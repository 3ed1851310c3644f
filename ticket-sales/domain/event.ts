/** What is known of an event: its definition, and the sums over its zones. */
export interface EventDefinition {
  readonly eventId: string;
  readonly name: string;
  readonly venueId: string | null;
  readonly startsAtMs: number | null;
  /** `registered`: only customers that are defined may buy. */
  readonly customers: 'anyone' | 'registered';
}

export interface EventSales {
  readonly eventId: string;
  readonly zones: number;
  readonly capacity: number;
  readonly held: number;
  readonly sold: number;
}
