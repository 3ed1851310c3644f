/** An amount in integer minor units of an ISO 4217 currency. */
export interface Money {
  readonly amountMinor: number;
  readonly currency: string;
}

/** Times QUANTITY_MAX it is still an exact number. */
export const AMOUNT_MINOR_MAX = 1_000_000_000;
/** The dearest purchase: QUANTITY_MAX tickets and fees. */
export const AMOUNT_PAID_MAX = 10_000_000_000_000;
export const CURRENCY_PATTERN = '^[A-Z]{3}$';
const currencyPattern = new RegExp(CURRENCY_PATTERN);

export function isMoney({ amountMinor, currency }: Money): boolean {
  const isAmount = Number.isInteger(amountMinor) && amountMinor >= 0;
  return isAmount && amountMinor <= AMOUNT_MINOR_MAX && isCurrency(currency);
}

export function isCurrency(text: string): boolean {
  return currencyPattern.test(text);
}

export function times(price: Money, quantity: number): Money {
  return { amountMinor: price.amountMinor * quantity, currency: price.currency };
}
