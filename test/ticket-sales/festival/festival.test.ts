/** The festival's words for what the sale knows, and the ids that anybody can work out. */
import { describe, expect, test } from 'vitest';
import { PURCHASE_STATES } from '../../../ticket-sales/domain/purchase.ts';
import { purchaseIdFor } from '../../../ticket-sales/domain/purchase-id.ts';
import {
  festivalStatus,
  purchaseIdPrefix,
  ticketIdOf,
} from '../../../ticket-sales/festival/festival.ts';

describe('the id of a ticket type', () => {
  /** python3: uuid.uuid5(uuid.NAMESPACE_URL, 'urn:millrace:zone:fest/vip') */
  test.each([
    ['fest', 'vip', '650b437a-35ed-550e-9bdc-b4b083146190'],
    ['fest', 'normal', '93d89bab-bb8e-5bf2-bdc3-51ce263550aa'],
  ])('%s/%s is the UUIDv5 that other programs compute', (eventId, zoneId, uuid) => {
    expect(ticketIdOf(eventId, zoneId)).toBe(uuid);
  });
});

test('each state has one status of the four', () => {
  const statuses = PURCHASE_STATES.map((state) => [
    state,
    festivalStatus('p', state, 'none').status,
  ]);
  expect(Object.fromEntries(statuses)).toEqual({
    requested: 'PENDING',
    held: 'PENDING',
    confirmed: 'COMPLETED',
    rejected: 'FAILED',
    expired: 'FAILED',
    payment_failed: 'FAILED',
    released: 'FAILED',
    cancelled: 'CANCELLED',
    refunded: 'CANCELLED',
  });
});

test('a purchase that was rejected tells why in the place of its payment', () => {
  expect(festivalStatus('p', 'rejected', 'sold_out')).toEqual({
    purchaseId: 'p',
    status: 'FAILED',
    paymentStatus: 'sold_out',
  });
});

test('our own purchase ids begin with what their zone says', () => {
  const id = purchaseIdFor({ buyerId: 'b', eventId: 'fest', zoneId: 'vip', idempotencyKey: 'k' });
  expect(id.startsWith(purchaseIdPrefix('fest', 'vip'))).toBe(true);
});
