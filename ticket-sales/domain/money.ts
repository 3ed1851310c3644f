/** An amount in integer minor units of an ISO 4217 currency. */
export interface Money {
  readonly amountMinor: number;
  readonly currency: string;
}

export function times(price: Money, quantity: number): Money {
  return { amountMinor: price.amountMinor * quantity, currency: price.currency };
}
