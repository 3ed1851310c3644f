/** Who and what the sale is about beside events: venues and customers. */

export interface Venue {
  readonly venueId: string;
  readonly name: string;
  readonly address: string | null;
}

/** Somebody who is registered to buy: `customerId` is the `buyerId` of purchases. */
export interface Customer {
  readonly customerId: string;
  readonly name: string;
  readonly email: string | null;
}
