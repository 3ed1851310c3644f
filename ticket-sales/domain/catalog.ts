/** Who and what the sale is about beside events: venues and customers. */

export interface Venue {
  readonly venueId: string;
  readonly name: string;
  readonly address: string | null;
}

/** The events that name a venue. */
export interface VenueMentions {
  readonly venueId: string;
  readonly events: readonly string[];
}

/** Somebody who is registered to buy: `customerId` is the `buyerId` of purchases. */
export interface Customer {
  readonly customerId: string;
  readonly name: string;
  readonly email: string | null;
}
