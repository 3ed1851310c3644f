/**
 * A zone that sells for good at one price, and begins to do more in the middle: from then on it is
 * followed by its outcomes. What was wrong before is still found, once, and at its place.
 */
import { expect, test } from 'vitest';
import { NEVER_HELD } from '../../audit/life/life-zone.ts';
import { auditLog, commandRecord, purchaseRecord, violations } from './crafted-log.ts';
import { buy, idOf, logOf, outcome, type SmallSale, smallSale, ZONE_KEY } from './small-sale.ts';

const ZONE = { eventId: 'gala', zoneId: 'floor' };
const BALCONY = { eventId: 'gala', zoneId: 'balcony' };

/** The small sale; then 7 D has a voucher that is none · 8 A's purchase is asked for in another zone. */
function turningSale(): SmallSale {
  const sale = smallSale();
  const options = { seats: [], placement: 'any', voucher: 'none', orderId: null };
  const buyer = { buyerId: 'buyer-4', quantity: 1, requestedAtMs: 1 };
  const again = { buyerId: 'buyer-1', quantity: 2, requestedAtMs: 1 };
  sale.commands.push(
    commandRecord(ZONE_KEY, 'Purchase', { purchaseId: idOf(4), ...ZONE, ...buyer, options }),
    commandRecord('gala/balcony', 'Purchase', { purchaseId: idOf(1), ...BALCONY, ...again }),
  );
  const refused = { state: 'rejected', reason: 'invalid_voucher', checkout: NEVER_HELD };
  const decided = purchaseRecord(outcome(4, 7, refused));
  sale.status.push(decided, purchaseRecord(outcome(1, 1, { quantity: 2 })));
  sale.purchases.push(decided);
  return sale;
}

const audited = async (sale: SmallSale) => violations(await auditLog(logOf(sale)));

test('a zone that turns in the middle raises nothing', async () => {
  expect(await audited(turningSale())).toEqual([]);
});

const PLANTED: readonly [what: string, found: string, plant: (sale: SmallSale) => void][] = [
  [
    'an outcome that is missing long before it turns',
    'I7 ticketPurchase-0@2',
    (sale) => {
      sale.status.splice(1, 1);
    },
  ],
  [
    'an outcome that is missing right before it turns',
    'I7 ticketPurchase-0@6',
    (sale) => {
      sale.status.splice(4, 1);
    },
  ],
  [
    'a purchase that another zone decides a second time',
    // An outcome without a cause, and a cause without an outcome.
    'I7 purchaseStatusUpdated-0@7, I7 ticketPurchase-0@8',
    (sale) => {
      const refused = { ...BALCONY, quantity: 2, state: 'rejected', reason: 'unknown_zone' };
      sale.status[6] = purchaseRecord(outcome(1, 8, refused));
    },
  ],
  [
    'a command after the turn that has no outcome',
    'I7 ticketPurchase-0@9',
    (sale) => {
      sale.commands.push(buy(5));
    },
  ],
];

test.each(PLANTED)('%s is reported, and nothing else is', async (_, found, plant) => {
  const sale = turningSale();
  plant(sale);
  expect((await audited(sale)).join(', ')).toBe(found);
});
