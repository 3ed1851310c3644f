import { describe, expect, test } from 'vitest';
import type { PurchaseCommand } from '../../../ticket-sales/domain/command.ts';
import { decide } from '../../../ticket-sales/domain/decisions/decide.ts';
import { decideChange } from '../../../ticket-sales/domain/decisions/decide-change.ts';
import {
  decidePurchase,
  type PurchaseDecision,
} from '../../../ticket-sales/domain/decisions/decide-purchase.ts';
import type { Purchase } from '../../../ticket-sales/domain/purchase.ts';
import { PLAIN_TERMS } from '../../../ticket-sales/domain/zone-terms.ts';
import {
  cancelCommand,
  NO_FACTS,
  PLACE,
  purchaseCommand,
  purchaseWith,
  zoneWith,
} from './samples.ts';

function decidedPurchase(decision: PurchaseDecision): Purchase {
  if (decision.kind !== 'decided') throw new Error(`it is ${decision.kind}`);
  return decision.purchase;
}

describe('a purchase', () => {
  test('is confirmed, and takes its tickets, at the time and place of the log', () => {
    const price = { amountMinor: 4_900, currency: 'EUR' };
    const decision = decidePurchase(
      zoneWith({ sold: 10, price }),
      undefined,
      purchaseCommand(),
      PLACE,
    );
    expect(decision).toEqual({
      kind: 'decided',
      purchase: purchaseWith({
        requestedAtMs: PLACE.nowMs,
        decidedAtMs: PLACE.nowMs,
        commandOffset: PLACE.offset,
        price: { amountMinor: 9_800, currency: 'EUR' },
      }),
      zone: zoneWith({
        sold: 12,
        revenueMinor: 9_800,
        price,
        version: 2,
        updatedAtMs: PLACE.nowMs,
        commandOffset: PLACE.offset,
      }),
    });
  });

  test('may take the very last tickets', () => {
    const decision = decidePurchase(zoneWith({ sold: 98 }), undefined, purchaseCommand(), PLACE);
    expect(decision).toMatchObject({ purchase: { state: 'confirmed' }, zone: { sold: 100 } });
  });

  test.each([
    ['more than is left', zoneWith({ sold: 99 }), {}, 'sold_out'],
    ['more than is left beside what is held', zoneWith({ held: 60, sold: 39 }), {}, 'sold_out'],
    ['of a zone without capacity', zoneWith({ capacity: 0 }), {}, 'sold_out'],
    ['of an unknown zone', undefined, {}, 'unknown_zone'],
    ['when the sale is closed', zoneWith({ sale: 'closed' }), {}, 'sale_closed'],
    ['while the sale is paused', zoneWith({ sale: 'paused' }), {}, 'sale_not_open'],
    ['over the limit of a purchase', zoneWith(), { quantity: 11 }, 'quantity_over_limit'],
    [
      'over limit and stock: the limit is told',
      zoneWith({ sold: 100 }),
      { quantity: 11 },
      'quantity_over_limit',
    ],
    ['of nothing', zoneWith(), { quantity: 0 }, 'invalid_command'],
    ['of less than nothing', zoneWith(), { quantity: -5 }, 'invalid_command'],
  ] as const)('%s is rejected: %j', (_, zone, properties, reason) => {
    const decision = decidePurchase(zone, undefined, purchaseCommand(properties), PLACE);
    expect(decision).toMatchObject({
      kind: 'decided',
      purchase: { state: 'rejected', reason, price: null, commandOffset: PLACE.offset },
    });
    expect(decision).not.toHaveProperty('zone');
  });

  test.each(['confirmed', 'rejected', 'cancelled'] as const)(
    'that was %s is answered with itself when it comes again, whatever the zone is by now',
    (state) => {
      const previous = purchaseWith({ state });
      for (const zone of [zoneWith({ sold: 100 }), zoneWith({ sale: 'closed' }), undefined]) {
        const decision = decidePurchase(zone, previous, purchaseCommand(), PLACE);
        expect(decision).toEqual({ kind: 'repeated', purchase: previous });
      }
    },
  );

  test.each([{ quantity: 3 }, { buyerId: 'bob' }, { zoneId: 'balcony' }, { eventId: 'ball' }])(
    'under an id that another request has is a conflict: %j',
    (properties) => {
      const previous = purchaseWith();
      const decision = decidePurchase(zoneWith(), previous, purchaseCommand(properties), PLACE);
      expect(decision).toEqual({ kind: 'conflict', purchase: previous });
    },
  );

  test.each([
    { seats: ['A1', 'A2'] },
    { placement: 'adjacent' },
    { placement: 'adjacent_or_split' },
    { voucher: 'HALF' },
    { orderId: 'order-7' },
  ] as const)('that was refused is another request, and a conflict, with %j', (different) => {
    const plain = { seats: [], placement: 'any', voucher: null, orderId: null } as const;
    const options = { ...plain, viaIntake: false };
    const zone = zoneWith({ sale: 'closed', terms: PLAIN_TERMS });
    const wanted = purchaseCommand({ options: { ...options, ...different } });
    const decisionOn = (previous: Purchase | undefined, command: PurchaseCommand) =>
      decide(zone, previous, command, PLACE, NO_FACTS);
    const refusedPlain = decidedPurchase(decisionOn(undefined, purchaseCommand()));
    expect(refusedPlain.state).toBe('rejected');
    expect(decisionOn(refusedPlain, wanted)).toEqual({ kind: 'conflict', purchase: refusedPlain });
    // What asks for nothing more is the same request, whichever way it is written.
    expect(decisionOn(refusedPlain, purchaseCommand({ options })).kind).toBe('repeated');
    const refused = decidedPurchase(decisionOn(undefined, wanted));
    expect(decisionOn(refused, wanted).kind).toBe('repeated');
    expect(decisionOn(refused, purchaseCommand()).kind).toBe('conflict');
  });

  test('a clock at the buyer makes no other request of it', () => {
    const again = purchaseCommand({ requestedAtMs: 99 });
    expect(decidePurchase(zoneWith(), purchaseWith(), again, PLACE).kind).toBe('repeated');
  });
});

describe('a cancellation', () => {
  test('gives the tickets back, at the time and place of the log', () => {
    const decision = decideChange(
      zoneWith({ sold: 10 }),
      purchaseWith(),
      cancelCommand(),
      PLACE,
      NO_FACTS,
    );
    expect(decision).toMatchObject({
      kind: 'decided',
      purchase: purchaseWith({
        state: 'cancelled',
        decidedAtMs: PLACE.nowMs,
        commandOffset: PLACE.offset,
      }),
      zone: zoneWith({
        sold: 8,
        version: 2,
        updatedAtMs: PLACE.nowMs,
        commandOffset: PLACE.offset,
      }),
    });
  });

  test.each(['cancelled', 'rejected'] as const)(
    'of a purchase that is %s changes nothing',
    (state) => {
      const previous = purchaseWith({ state });
      const decision = decideChange(
        zoneWith({ sold: 10 }),
        previous,
        cancelCommand(),
        PLACE,
        NO_FACTS,
      );
      expect(decision).toEqual({ kind: 'repeated', purchase: previous });
    },
  );

  test.each([
    ['an unknown purchase', zoneWith(), undefined],
    ['a purchase of another zone', zoneWith({ sold: 10 }), purchaseWith({ zoneId: 'balcony' })],
    ['a purchase of another event', zoneWith({ sold: 10 }), purchaseWith({ eventId: 'ball' })],
  ])('of %s is refused: no purchase and no stock may look changed by it', (_, zone, previous) => {
    expect(decideChange(zone, previous, cancelCommand(), PLACE, NO_FACTS)).toEqual({
      kind: 'refused',
      why: 'the zone has no such purchase',
    });
  });

  test('of what was refused since there was no zone says that again', () => {
    const previous = purchaseWith({ state: 'rejected', reason: 'unknown_zone' });
    const decision = decideChange(undefined, previous, cancelCommand(), PLACE, NO_FACTS);
    expect(decision).toEqual({ kind: 'repeated', purchase: previous });
  });

  test('that would give back more than was sold crashes rather than make stock from nothing', () => {
    expect(() =>
      decideChange(zoneWith({ sold: 1 }), purchaseWith(), cancelCommand(), PLACE, NO_FACTS),
    ).toThrow('assertion failed: zone gala/floor');
  });
});
