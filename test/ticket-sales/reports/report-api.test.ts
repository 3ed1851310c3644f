/** What is asked of the reports over HTTP, on one instance and on two. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { EventSales } from '../../../ticket-sales/domain/event.ts';
import type { Purchase } from '../../../ticket-sales/domain/purchase.ts';
import { TOPICS } from '../../../ticket-sales/records.ts';
import { BUYER_STORE, buyerPrefix, placeOf } from '../../../ticket-sales/reports/buyer-index.ts';
import { REPORT_STORES } from '../../../ticket-sales/reports/report-stores.ts';
import { bucketKey } from '../../../ticket-sales/reports/sales-timeline.ts';
import { emptySales } from '../../../ticket-sales/reports/sums.ts';
import { TokenIssuer } from '../../kit/token-issuer.ts';
import { purchaseWith } from '../domain/samples.ts';
import { type Answer, FakeSale, PARTITIONS, partitionOf } from '../http/fake-sale.ts';

const START_MS = Date.UTC(2026, 4, 1, 18, 30);
const MINUTE_MS = 60_000;
/** Of forwards: nothing here is to be late. */
const PATIENT = { QUERY_TIMEOUT_MS: '30000' };
let sale: FakeSale;

beforeEach(async () => {
  sale = await FakeSale.start(2, PATIENT);
});

afterEach(() => sale.stop());

/** To whoever owns the partition. */
function put(store: string, partition: number, key: string, value: unknown): void {
  const owner = sale.instances.find(({ streams }) => !streams.elsewhere.has(partition))!;
  owner.streams.put(store, partition, key, value);
  owner.streams.position(partition, `reports-${partition}`, 7);
}

function sell(eventId: string, sums: Partial<EventSales>): void {
  const sales = { ...emptySales(eventId), zones: 1, ...sums };
  put(REPORT_STORES.sales, partitionOf(eventId), eventId, sales);
  const { venueId } = sales;
  if (venueId === null) return;
  put(REPORT_STORES.venues, partitionOf(eventId), `${venueId}/${eventId}`, eventId);
}

function define(eventId: string, venueId: string | null = null): void {
  const event = { eventId, name: eventId, venueId, startsAtMs: null, customers: 'anyone' };
  put(REPORT_STORES.events, partitionOf(eventId), eventId, event);
  if (venueId !== null) sell(eventId, { venueId });
}

/** The same from each instance: one of them has it, or part of it. */
async function get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
  const answers = await Promise.all(
    sale.instances.map((instance) => instance.ask('GET', path, { headers })),
  );
  const [first, second] = answers as [Answer, Answer];
  expect([second.status, second.body]).toEqual([first.status, first.body]);
  expect(second.headers.get('store-position')?.split(',').sort()).toEqual(
    first.headers.get('store-position')?.split(',').sort(),
  );
  return first;
}

const eur = (amountMinor: number) => ({ amountMinor, currency: 'EUR' });
const ids = ({ body }: Answer, name: string) =>
  (body['items'] as Record<string, unknown>[]).map((item) => item[name]);

async function pages(path: string, name: string): Promise<unknown[][]> {
  const found: unknown[][] = [];
  let next: string | undefined = path;
  while (next !== undefined) {
    const answer: Answer = await get(next);
    expect(answer.status).toBe(200);
    found.push(ids(answer, name));
    const link = answer.headers.get('link');
    next = link === null ? undefined : /^<(.+)>; rel="next"$/.exec(link)![1];
    const { nextCursor } = answer.body;
    expect(nextCursor === undefined).toBe(next === undefined);
    if (next !== undefined) expect(next).toContain(`cursor=${nextCursor}`);
  }
  return found;
}

describe('sums', () => {
  test('of an event have its revenue, a tag, and say how fresh they are', async () => {
    sell('gala', { capacity: 9, held: 1, sold: 3, revenue: [eur(300)], version: 4 });
    const answer = await get('/v1/events/gala/sales');
    expect([answer.status, answer.body]).toEqual([
      200,
      {
        eventId: 'gala',
        zones: 1,
        capacity: 9,
        held: 1,
        sold: 3,
        revenue: [eur(300)],
      },
    ]);
    expect(answer.headers.get('store-position')).toBe(`reports-${partitionOf('gala')}:7`);
    const again = { 'if-none-match': answer.headers.get('etag')! };
    expect((await get('/v1/events/gala/sales', again)).status).toBe(304);
    expect((await get('/v1/events/ball/sales')).status).toBe(404);
  });

  test('of a venue are put together from its events, wherever they are', async () => {
    const isHere = (eventId: string) => partitionOf(eventId) % 2 === partitionOf('gala') % 2;
    const other = ['ball', 'fete', 'show', 'play', 'game'].find((eventId) => !isHere(eventId))!;
    const chf = { amountMinor: 50, currency: 'CHF' };
    sell('gala', { venueId: 'hall', capacity: 9, sold: 3, revenue: [chf, eur(300)] });
    sell(other, { venueId: 'hall', capacity: 5, held: 2, zones: 2, revenue: [eur(20)] });
    sell('fair', { venueId: 'hall-2', capacity: 100, sold: 100, revenue: [eur(9)] });
    const answer = await get('/v1/venues/hall/sales');
    expect([answer.status, answer.body]).toEqual([
      200,
      {
        venueId: 'hall',
        events: 2,
        zones: 3,
        capacity: 14,
        held: 2,
        sold: 3,
        revenue: [chf, eur(320)],
      },
    ]);
    const positions = answer.headers.get('store-position')!.split(',');
    expect(positions).toContain(`reports-${partitionOf('gala')}:7`);
    expect(positions).toContain(`reports-${partitionOf(other)}:7`);
    expect((await get('/v1/venues/none/sales')).status).toBe(404);
  });

  test('of a venue leave out an event that has moved since it was looked up', async () => {
    sell('gala', { venueId: 'hall', sold: 3 });
    sell('ball', { venueId: 'hall', sold: 4 });
    put(REPORT_STORES.sales, partitionOf('ball'), 'ball', {
      ...emptySales('ball'),
      venueId: 'dome',
      sold: 4,
    });
    expect((await get('/v1/venues/hall/sales')).body).toMatchObject({ events: 1, sold: 3 });
  });
});

describe('sales over time', () => {
  const at = (minutes: number) => new Date(START_MS + minutes * MINUTE_MS).toISOString();
  const timeline = (query: string) => get(`/v1/events/gala/sales/timeline${query}`);

  beforeEach(() => {
    for (const [minutes, sold] of [
      [0, 2],
      [1, 1],
      [7, -1],
      [61, 5],
    ] as const) {
      const startMs = START_MS + minutes * MINUTE_MS;
      const bucket = { eventId: 'gala', startMs, sold, revenue: [eur(100 * sold)] };
      put(REPORT_STORES.timeline, partitionOf('gala'), bucketKey('gala', startMs), bucket);
    }
  });

  const items = ({ body }: Answer) =>
    (body['items'] as { start: string; sold: number }[]).map(({ start, sold }) => [start, sold]);

  test('are told by the minute, and in wider stretches', async () => {
    const fine = await timeline('');
    expect([fine.status, fine.body['bucket']]).toEqual([200, '1m']);
    expect(items(fine)).toEqual([
      [at(0), 2],
      [at(1), 1],
      [at(7), -1],
      [at(61), 5],
    ]);
    expect((await timeline('?bucket=5m')).body['items']).toEqual([
      { start: at(0), sold: 3, revenue: [eur(300)] },
      { start: at(5), sold: -1, revenue: [eur(-100)] },
      { start: at(60), sold: 5, revenue: [eur(500)] },
    ]);
    expect(items(await timeline('?bucket=1h'))).toEqual([
      [at(-30), 2],
      [at(30), 5],
    ]);
  });

  test('begin with the stretch in which `from` lies, and end before `to`', async () => {
    const between = (from: string, to: string, more = '') =>
      timeline(`?from=${encodeURIComponent(from)}&to=${encodeURIComponent(to)}${more}`);
    expect(items(await between(at(1.5), at(61)))).toEqual([
      [at(1), 1],
      [at(7), -1],
    ]);
    expect(items(await between(at(8), at(62), '&bucket=5m'))).toEqual([
      [at(5), -1],
      [at(60), 5],
    ]);
    expect(items(await between('2026-05-01T21:31:00+02:00', at(90)))).toEqual([[at(61), 5]]);
  });

  test.each([
    ['from=2026-02-30T10:00:00Z', '?from'],
    ['to=yesterday', '?to'],
    ['bucket=2m', '?bucket'],
    ['bucket=1m&bucket=5m', '?bucket'],
  ])('with %s are 400', async (query, pointer) => {
    const answer = await timeline(`?${query}`);
    expect(answer.status).toBe(400);
    expect((answer.body['errors'] as object[])[0]).toMatchObject({ pointer });
  });

  test('are not told in stretches narrower than those that are kept', async () => {
    await sale.stop();
    sale = await FakeSale.start(2, { ...PATIENT, TICKETS_SALES_BUCKET_MS: '300000' });
    expect((await timeline('?bucket=1m')).status).toBe(400);
    expect((await timeline('')).body['bucket']).toBe('5m');
  });
});

describe('an event', () => {
  const stock = (zoneId: string, sold: number, eventVersion: number) => {
    const counts = { capacity: 9, available: 9 - sold, held: 0, sold, version: sold };
    const zone = { eventId: 'gala', zoneId, ...counts };
    put(REPORT_STORES.zones, partitionOf('gala'), `gala/${zoneId}`, { ...zone, eventVersion });
    return zone;
  };

  test('shows its zones as they stand, says how fresh they are, and has another tag when one changes', async () => {
    define('gala');
    const floor = stock('floor', 2, 4);
    const vip = stock('vip', 0, 1);
    const partition = partitionOf('gala');
    const position = `${TOPICS.events}-${partition}`;
    for (const { streams } of sale.instances) streams.position(partition, position, 3);
    const answer = await get('/v1/events/gala');
    expect([answer.status, answer.body]).toEqual([
      200,
      { eventId: 'gala', name: 'gala', zones: [floor, vip] },
    ]);
    expect(answer.headers.get('store-position')).toBe(`${position}:3`);
    const again = { 'if-none-match': answer.headers.get('etag')! };
    expect((await get('/v1/events/gala', again)).status).toBe(304);
    stock('vip', 3, 5);
    const changed = await get('/v1/events/gala', again);
    expect(changed.body['zones']).toMatchObject([{ sold: 2 }, { sold: 3 }]);
  });

  test('with very many zones shows the first of them, and says that there are more', async () => {
    define('gala');
    for (let zone = 0; zone <= 1_000; zone++) stock(`zone-${String(zone).padStart(4, '0')}`, 0, 1);
    const { body } = await get('/v1/events/gala');
    expect(body['hasMoreZones']).toBe(true);
    const shown = body['zones'] as { zoneId: string }[];
    expect([shown.length, shown.at(-1)?.zoneId]).toEqual([1_000, 'zone-0999']);
    const all = (await get('/v1/events/gala/inventory')).body['zones'] as unknown[];
    expect(all).toHaveLength(1_001);
  });

  test('defined again is the same, whatever its zones have sold meanwhile', async () => {
    define('gala');
    stock('floor', 2, 4);
    const [one] = sale.instances;
    const again = await one!.ask('PUT', '/v1/events/gala', { body: { name: 'gala' } });
    expect([again.status, again.body]).toEqual([200, { eventId: 'gala', name: 'gala' }]);
  });
});

describe('the list of events', () => {
  const all = Array.from({ length: 23 }, (_, number) => `event-${String(number).padStart(2, '0')}`);

  test('comes in pages, by id, each once', async () => {
    for (const eventId of all) define(eventId);
    expect(await pages('/v1/events?limit=10', 'eventId')).toEqual([
      all.slice(0, 10),
      all.slice(10, 20),
      all.slice(20),
    ]);
    expect(await pages('/v1/events?limit=23', 'eventId')).toEqual([all]);
    expect(await pages('/v1/events', 'eventId')).toEqual([all]);
  });

  test('of a venue has its own only, in pages as well', async () => {
    for (const [number, eventId] of all.entries()) define(eventId, number % 2 === 0 ? 'a' : 'a-b');
    const even = all.filter((_, number) => number % 2 === 0);
    expect(await pages('/v1/events?venueId=a&limit=5', 'eventId')).toEqual([
      even.slice(0, 5),
      even.slice(5, 10),
      even.slice(10),
    ]);
    expect(await pages('/v1/events?venueId=none', 'eventId')).toEqual([[]]);
  });

  test.each(['cursor=YQ%3D', 'cursor=A', 'limit=0', 'limit=x', 'cursor='])(
    'with %s is 400',
    async (query) => {
      expect((await get(`/v1/events?${query}`)).status).toBe(400);
    },
  );
});

describe('the stock of an event', () => {
  test('is that of all its zones, with the version of the event as its tag', async () => {
    const counts = { capacity: 5, available: 3, held: 0, sold: 2 };
    const told = { eventId: 'gala', zoneId: 'a', ...counts, version: 4 };
    const more = { updatedAtMs: 0, commandOffset: 0, revenueMinor: 0, currency: null };
    const zone = { ...told, ...more, eventVersion: 9 };
    put(REPORT_STORES.zones, partitionOf('gala'), 'gala/a', zone);
    put(REPORT_STORES.zones, partitionOf('gala'), 'gala/b', {
      ...zone,
      zoneId: 'b',
      eventVersion: 11,
    });
    const answer = await get('/v1/events/gala/inventory');
    expect([answer.status, answer.headers.get('etag'), answer.body]).toEqual([
      200,
      '"11"',
      { eventId: 'gala', version: 11, zones: [told, { ...told, zoneId: 'b' }] },
    ]);
    expect((await get('/v1/events/ball/inventory')).status).toBe(404);
    define('ball');
    const empty = await get('/v1/events/ball/inventory');
    expect(empty.body).toEqual({ eventId: 'ball', version: 0, zones: [] });
  });
});

describe('the purchases of a buyer', () => {
  let issuer: TokenIssuer;

  function buy(number: number, buyerId: string): Purchase {
    const purchaseId = `${String(number).padStart(8, '0')}-2222-8333-8444-555555555555`;
    const purchase = purchaseWith({ purchaseId, buyerId, requestedAtMs: START_MS + (number >> 1) });
    const key = buyerPrefix(buyerId) + placeOf(purchase.requestedAtMs, purchaseId);
    put(BUYER_STORE, number % PARTITIONS, key, purchase);
    return purchase;
  }

  afterEach(() => issuer?.stop());

  test('come newest first, in pages, gathered from all partitions', async () => {
    const own = Array.from({ length: 30 }, (_, number) => buy(number, 'ada'));
    buy(31, 'ada-2');
    const newestFirst = own
      .toSorted(
        (a, b) => b.requestedAtMs - a.requestedAtMs || (a.purchaseId < b.purchaseId ? -1 : 1),
      )
      .map(({ purchaseId }) => purchaseId);
    const found = await pages('/v1/purchases?buyerId=ada&limit=12', 'purchaseId');
    expect(found.map(({ length }) => length)).toEqual([12, 12, 6]);
    expect(found.flat()).toEqual(newestFirst);
    expect((await get('/v1/purchases?buyerId=nobody')).body).toEqual({ items: [] });
  });

  test('that are bought between two pages neither repeat nor hide others', async () => {
    const own = [4, 2].map((number) => buy(number, 'ada').purchaseId);
    const first = await get('/v1/purchases?buyerId=ada&limit=1');
    buy(8, 'ada');
    const cursor = first.body['nextCursor'];
    const second = await get(`/v1/purchases?buyerId=ada&limit=1&cursor=${cursor}`);
    expect([...ids(first, 'purchaseId'), ...ids(second, 'purchaseId')]).toEqual(own);
    expect(second.body['nextCursor']).toBeUndefined();
  });

  test('need a buyer where nobody says who asks', async () => {
    expect((await get('/v1/purchases')).status).toBe(400);
  });

  test('are for himself and for operators', async () => {
    issuer = await TokenIssuer.start();
    await sale.stop();
    sale = await FakeSale.start(2, { ...PATIENT, ...issuer.env() });
    const { purchaseId } = buy(1, 'ada');
    const bearer = async (sub: string, role: string) => ({
      authorization: `Bearer ${await issuer.token(sub, [role])}`,
    });
    const [ada, bob] = [await bearer('ada', 'buyer'), await bearer('bob', 'buyer')];
    const olga = await bearer('olga', 'operator');
    for (const [headers, query] of [
      [ada, ''],
      [ada, '?buyerId=ada'],
      [olga, '?buyerId=ada'],
    ] as const) {
      const answer = await get(`/v1/purchases${query}`, headers);
      expect([answer.status, ids(answer, 'purchaseId')]).toEqual([200, [purchaseId]]);
    }
    expect((await get('/v1/purchases?buyerId=ada', bob)).status).toBe(403);
    expect((await get('/v1/purchases', bob)).body).toEqual({ items: [] });
    expect((await get('/v1/purchases', olga)).status).toBe(400);
  });

  test('cannot be asked for where they are not indexed', async () => {
    await sale.stop();
    sale = await FakeSale.start(2, { ...PATIENT, TICKETS_BUYER_QUERIES: 'off' });
    const answer = await get('/v1/purchases?buyerId=ada');
    expect([answer.status, answer.body['type']]).toEqual([
      501,
      'urn:millrace:problem:not-queryable',
    ]);
  });
});
