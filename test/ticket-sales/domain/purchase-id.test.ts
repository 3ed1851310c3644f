import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { partitionForKey } from '../../../kafka/murmur2.ts';
import {
  isPurchaseId,
  partitionOfPurchase,
  purchaseIdFor,
} from '../../../ticket-sales/domain/purchase-id.ts';
import { zoneKey } from '../../../ticket-sales/domain/zone.ts';

const identity = { buyerId: 'ada', eventId: 'gala', zoneId: 'floor', idempotencyKey: 'k1' };
const text = fc.string({ minLength: 1, maxLength: 40, unit: 'binary' });

describe('a purchase id', () => {
  test('is a UUIDv8, the same for the same request, wherever it arrives', () => {
    const id = purchaseIdFor(identity);
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(purchaseIdFor({ ...identity })).toBe(id);
    expect(isPurchaseId(id)).toBe(true);
  });

  test.each(['buyerId', 'eventId', 'zoneId', 'idempotencyKey'] as const)(
    'differs with %s',
    (name) => {
      expect(purchaseIdFor({ ...identity, [name]: 'other' })).not.toBe(purchaseIdFor(identity));
    },
  );

  test('does not mix up where one part ends and the next begins', () => {
    const one = purchaseIdFor({ ...identity, buyerId: 'a', idempotencyKey: 'b","c' });
    const other = purchaseIdFor({ ...identity, buyerId: 'a', idempotencyKey: 'b', zoneId: 'c' });
    expect(one).not.toBe(other);
  });

  test('tells the partition where Java producers put its commands', () => {
    fc.assert(
      fc.property(
        text,
        text,
        text,
        fc.integer({ min: 1, max: 1_000 }),
        (eventId, zoneId, key, count) => {
          const id = purchaseIdFor({ buyerId: 'ada', eventId, zoneId, idempotencyKey: key });
          const routingKey = Buffer.from(zoneKey(eventId, zoneId));
          const expected = partitionForKey(routingKey, 0, routingKey.length, count);
          expect(partitionOfPurchase(id, count)).toBe(expected);
        },
      ),
    );
  });

  test('that somebody else made tells none', () => {
    for (const foreign of [crypto.randomUUID(), '018f2f5e-0000-7000-8000-000000000000']) {
      expect(isPurchaseId(foreign)).toBe(true);
      expect(partitionOfPurchase(foreign, 8)).toBeUndefined();
    }
  });

  test.each([
    ['', 'nothing'],
    ['11111111-2222-8333-8444-55555555555', 'one digit short'],
    ['11111111-2222-8333-8444-5555555555555', 'one digit long'],
    ['11111111222283338444555555555555', 'without hyphens'],
    ['AAAAAAAA-2222-8333-8444-555555555555', 'in capitals: another key'],
    ['{11111111-2222-8333-8444-555555555555}', 'in braces'],
    ['11111111-2222-8333-8444-55555555555g', 'not hexadecimal'],
    ['11111111-2222-8333-8444-555555555555\n', 'with a line end'],
  ])('%j is none: %s', (candidate) => {
    expect(isPurchaseId(candidate)).toBe(false);
  });
});
