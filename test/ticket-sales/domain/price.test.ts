import { expect, test } from 'vitest';
import { AMOUNT_MINOR_MAX } from '../../../ticket-sales/domain/money.ts';
import { quote } from '../../../ticket-sales/domain/price.ts';
import { QUANTITY_MAX } from '../../../ticket-sales/domain/zone.ts';
import { PLAIN_TERMS } from '../../../ticket-sales/domain/zone-terms.ts';
import { zoneWith } from './samples.ts';

const price = { amountMinor: 999, currency: 'EUR' };
const voucher = (percentOff: number, amountOffMinor: number) => ({
  eventId: 'gala',
  zoneId: 'floor',
  code: 'HALF',
  percentOff,
  amountOffMinor,
  uses: 0,
  usesMax: 1,
});

test.each([
  ['nothing off', undefined, 2_997, 0],
  ['a percentage, rounded down', voucher(33, 0), 2_008, 989],
  ['an amount', voucher(0, 100), 2_897, 100],
  ['the percentage first, then the amount', voucher(50, 100), 1_399, 1_598],
  ['everything', voucher(100, 0), 0, 2_997],
  ['never more than there is to pay', voucher(50, 5_000), 0, 2_997],
])('three tickets cost what they cost: %s', (_, taken, amountMinor, discountMinor) => {
  expect(quote(zoneWith({ price }), 3, taken)).toEqual({
    price: { amountMinor, currency: 'EUR' },
    feesMinor: 0,
    discountMinor,
  });
});

test('fees are not discounted', () => {
  const fees = { perTicketMinor: 10, perPurchaseMinor: 5 };
  const zone = zoneWith({ price, terms: { ...PLAIN_TERMS, fees } });
  expect(quote(zone, 3, voucher(100, 0))).toMatchObject({
    price: { amountMinor: 35 },
    feesMinor: 35,
    discountMinor: 2_997,
  });
});

test.each([
  [0, 999],
  [332, 999],
  [333, 1_500],
  [998, 1_500],
  [999, 2_000],
])('with %i of 999 taken a ticket costs %i', (taken, amountMinor) => {
  const tiers = [
    { fromSoldPermille: 333, amountMinor: 1_500 },
    { fromSoldPermille: 1_000, amountMinor: 2_000 },
  ];
  const terms = { ...PLAIN_TERMS, tiers };
  const zone = zoneWith({ price, capacity: 999, held: taken, terms });
  expect(quote(zone, 1, undefined).price).toEqual({ amountMinor, currency: 'EUR' });
});

test('a zone without a price has nothing to take off', () => {
  expect(quote(zoneWith(), 3, voucher(50, 0))).toEqual({
    price: null,
    feesMinor: 0,
    discountMinor: 0,
  });
});

test('the dearest purchase is an exact number', () => {
  const dear = { amountMinor: AMOUNT_MINOR_MAX, currency: 'EUR' };
  const fees = { perTicketMinor: AMOUNT_MINOR_MAX, perPurchaseMinor: AMOUNT_MINOR_MAX };
  const zone = zoneWith({ price: dear, terms: { ...PLAIN_TERMS, fees } });
  expect(quote(zone, QUANTITY_MAX, undefined).price?.amountMinor).toBe(
    AMOUNT_MINOR_MAX * (2 * QUANTITY_MAX + 1),
  );
});
