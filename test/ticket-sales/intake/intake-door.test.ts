/** Which way a purchase over HTTP goes: only the events that ask for it go through the intake. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../../base/clock.ts';
import { OwnerRouting } from '../../../interactive-queries/owner-routing.ts';
import type { Peers } from '../../../interactive-queries/peers.ts';
import { IntakeDoor } from '../../../ticket-sales/http/purchases/intake-door.ts';
import { INTAKE_TOPIC } from '../../../ticket-sales/intake/intake-topology.ts';
import { TOPICS } from '../../../ticket-sales/records.ts';
import { routeRequest } from '../../interactive-queries/route-request.ts';
import { FakeSale } from '../http/fake-sale.ts';

const ZONE_PATH = '/v1/events/gala/zones/floor';

let sale: FakeSale;

beforeEach(async () => {
  sale = await FakeSale.start(1, { TICKETS_INTAKE: 'on' });
});
afterEach(() => sale.stop());

/** Opens an event with a zone; resolves with the topics of the purchases of it. */
async function topicsOfPurchases(
  event: object,
  purchases: number,
  zone: object = {},
): Promise<string[]> {
  const { one } = sale;
  await one.ask('PUT', '/v1/events/gala', { body: { name: 'The Gala', ...event } });
  await one.ask('PUT', ZONE_PATH, { body: { capacity: 10, ...zone } });
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

test('a purchase of a zone for the intake only goes there, whatever its event asks for', async () => {
  expect(await topicsOfPurchases({}, 2, { intakeOnly: true })).toEqual([
    INTAKE_TOPIC,
    INTAKE_TOPIC,
  ]);
});

test('a zone of an event that asks for the intake is for the intake only, unless it says otherwise', async () => {
  const { one } = sale;
  await one.ask('PUT', '/v1/events/gala', { body: { name: 'The Gala', customerMax: 4 } });
  const put = (path: string, body: object) => one.ask('PUT', path, { body });
  const created = await put(ZONE_PATH, { capacity: 10 });
  expect([created.status, created.body['intakeOnly']]).toEqual([201, true]);
  expect((await put(ZONE_PATH, { capacity: 10 })).status).toBe(200);
  expect((await put(ZONE_PATH, { capacity: 10, intakeOnly: false })).status).toBe(409);
  const open = await put('/v1/events/gala/zones/open', { capacity: 10, intakeOnly: false });
  expect([open.status, open.body['intakeOnly']]).toEqual([201, undefined]);
  // What it does not say is not asked for: the zone stays as it is.
  expect((await put('/v1/events/gala/zones/open', { capacity: 10 })).status).toBe(200);
});

test('purchases that come together ask once which way they go', async () => {
  const { one } = sale;
  await one.ask('PUT', '/v1/events/gala', { body: { name: 'The Gala', customerMax: 4 } });
  const { streams } = one;
  const routing = new OwnerRouting({
    streams,
    peers: { isForwarded: () => false } as unknown as Peers,
    self: { host: '127.0.0.1', port: 1 },
    clock: systemClock,
    queryTimeoutMs: 1_000,
  });
  const commands = { topic: TOPICS.commands, serde: sale.serdes.command };
  const door = new IntakeDoor({ streams, routing, commands, clock: systemClock });
  const before = streams.opened;
  const first = await door.wants('nobody asks for it', routeRequest());
  const opensOfOne = streams.opened - before;
  const together = Array.from({ length: 20 }, () => door.wants('gala', routeRequest()));
  expect(await Promise.all(together)).toEqual(together.map(() => true));
  expect(first).toBe(false);
  // The events, and the zones of one that exists.
  expect(streams.opened - before - opensOfOne).toBe(2);
  expect(door.wants('gala', routeRequest())).toBe(true);
});
