/** Which way a purchase over HTTP goes: only the events that ask for it go through the intake. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { INTAKE_TOPIC } from '../../../ticket-sales/intake/intake-topology.ts';
import { TOPICS } from '../../../ticket-sales/records.ts';
import { FakeSale } from '../http/fake-sale.ts';

let sale: FakeSale;

beforeEach(async () => {
  sale = await FakeSale.start(1, { TICKETS_INTAKE: 'on' });
});
afterEach(() => sale.stop());

/** Opens an event with a zone; resolves with the topics of the purchases of it. */
async function topicsOfPurchases(event: object, purchases: number): Promise<string[]> {
  const { one } = sale;
  await one.ask('PUT', '/v1/events/gala', { body: { name: 'The Gala', ...event } });
  await one.ask('PUT', '/v1/events/gala/zones/floor', { body: { capacity: 10 } });
  const before = sale.sent.length;
  for (let index = 0; index < purchases; index++) {
    await one.ask('POST', '/v1/purchases', {
      headers: { 'idempotency-key': `k${index}` },
      body: { eventId: 'gala', zoneId: 'floor', buyerId: 'ada', quantity: 1 },
    });
  }
  return sale.sent.slice(before).map(({ topic }) => topic);
}

test('a purchase of an event for anyone goes straight to its zone', async () => {
  expect(await topicsOfPurchases({}, 2)).toEqual([TOPICS.commands, TOPICS.commands]);
});

test.each([
  ['limits what one buyer has', { customerMax: 4 }],
  ['is for registered customers', { customers: 'registered' }],
])('a purchase of an event that %s goes through the intake', async (_what, event) => {
  expect(await topicsOfPurchases(event, 2)).toEqual([INTAKE_TOPIC, INTAKE_TOPIC]);
});
