/** Numbered seats over HTTP, on a log in memory: the map, suggestions, blocking, and buying by name. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { zoneKey } from '../../../ticket-sales/domain/zone.ts';
import { TOPICS } from '../../../ticket-sales/records.ts';
import { STORES } from '../../../ticket-sales/sale/sale-stores.ts';
import { type Answer, type FakeInstance, FakeSale, partitionOf } from './fake-sale.ts';

const KEY = zoneKey('gala', 'hall');
const PATH = '/v1/events/gala/zones/hall';
const LAYOUT = { rows: 3, columns: 6 };

let sale: FakeSale;
afterEach(() => sale.stop());

/** What was sent is decided by now. */
const decided = () => new Promise((resolve) => setImmediate(resolve));

async function openHall(blockedSeats: readonly string[] = []): Promise<void> {
  const { one } = sale;
  await one.ask('PUT', '/v1/events/gala', { body: { name: 'The Gala' } });
  await one.ask('PUT', '/v1/events/gala/zones/floor', { body: { capacity: 10 } });
  await sale.sender.send({ topic: TOPICS.commands, serde: sale.serdes.command }, KEY, {
    kind: 'createZone',
    eventId: 'gala',
    zoneId: 'hall',
    capacity: LAYOUT.rows * LAYOUT.columns - blockedSeats.length,
    quantityMax: 10,
    price: null,
    terms: {
      checkout: 'immediate',
      holdMs: 0,
      latePayment: 'refund',
      customerMax: 0,
      opensAtMs: null,
      closesAtMs: null,
      fees: null,
      tiers: [],
      layout: LAYOUT,
      notify: false,
      intakeOnly: false,
    },
    blockedSeats,
  });
  await decided();
}

/** By topic: as any producer would. */
async function order(seats: readonly string[], buyerId = 'ada'): Promise<void> {
  await sale.sender.send({ topic: TOPICS.commands, serde: sale.serdes.command }, KEY, {
    kind: 'purchase',
    purchaseId: crypto.randomUUID(),
    eventId: 'gala',
    zoneId: 'hall',
    buyerId,
    quantity: seats.length,
    requestedAtMs: 1,
    options: { seats, placement: 'any', voucher: null, orderId: null, viaIntake: false },
  });
}

async function take(seats: readonly string[]): Promise<void> {
  await order(seats);
  await decided();
}

const lines = ({ body }: Answer) =>
  (body['rows'] as { row: string; seats: string }[]).map(({ row, seats }) => `${row} ${seats}`);

async function bitmapOf(instance: FakeInstance, headers: Record<string, string> = {}) {
  const answer = await fetch(`http://127.0.0.1:${instance.port}${PATH}/seats`, {
    headers: { accept: 'application/octet-stream', ...headers },
  });
  return { answer, bytes: Buffer.from(await answer.arrayBuffer()) };
}

describe('one instance', () => {
  beforeEach(async () => {
    sale = await FakeSale.start();
    await openHall(['C1', 'C6']);
  });

  describe('GET …/seats', () => {
    test('draws every row: free, held or sold, blocked', async () => {
      await take(['A2', 'A3']);
      const answer = await sale.one.ask('GET', `${PATH}/seats`);
      expect(answer.status).toBe(200);
      expect(lines(answer)).toEqual(['A .XX...', 'B ......', 'C #....#']);
      expect(answer.body).toMatchObject({ eventId: 'gala', zoneId: 'hall', layout: LAYOUT });
    });

    test('is tagged with the version of the zone, and not sent again to who has it', async () => {
      const first = await sale.one.ask('GET', `${PATH}/seats`);
      const zone = await sale.one.ask('GET', PATH);
      expect(first.headers.get('etag')).toBe(`"${zone.body['version']}"`);
      expect(first.headers.get('store-position')).toMatch(/^ticketPurchase-\d:\d+$/);
      const headers = { 'if-none-match': first.headers.get('etag')! };
      expect((await sale.one.ask('GET', `${PATH}/seats`, { headers })).status).toBe(304);
      await take(['A1']);
      expect((await sale.one.ask('GET', `${PATH}/seats`, { headers })).status).toBe(200);
    });

    test('is two bits per seat for who accepts bytes', async () => {
      await take(['A2', 'A3']);
      const { answer, bytes } = await bitmapOf(sale.one);
      expect(answer.headers.get('content-type')).toBe('application/octet-stream');
      expect(answer.headers.get('vary')).toContain('Accept');
      expect(bytes.readUInt32BE(0)).toBe(3);
      expect(bytes.readUInt32BE(4)).toBe(6);
      const states = Array.from(
        { length: 18 },
        (_, seat) => (bytes[16 + (seat >> 2)]! >> (2 * (seat & 3))) & 3,
      );
      expect(states).toEqual([0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2]);
      expect(bytes).toHaveLength(16 + 5);
      const json = await sale.one.ask('GET', `${PATH}/seats`);
      expect(bytes.readBigUInt64BE(8)).toBe(BigInt(json.body['version'] as number));
      expect(answer.headers.get('etag')).not.toBe(json.headers.get('etag'));
      const again = await bitmapOf(sale.one, { 'if-none-match': answer.headers.get('etag')! });
      expect(again.answer.status).toBe(304);
    });

    test.each([
      ['application/json, application/octet-stream;q=0.5', 'application/json'],
      ['application/octet-stream;q=0', 'application/json'],
      ['*/*', 'application/json'],
      ['text/html, application/xhtml+xml, */*;q=0.8', 'application/json'],
      ['text/plain', 'text/plain'],
      ['text/plain;q=0.5, application/octet-stream;q=0.6', 'application/octet-stream'],
      ['application/json;q=0.2, Application/Octet-Stream', 'application/octet-stream'],
    ])('of %j chooses %s', async (accept, type) => {
      const { answer } = await bitmapOf(sale.one, { accept });
      expect(answer.headers.get('content-type')).toContain(type);
    });

    test('is a page of plain text for who accepts text', async () => {
      await take(['A2', 'A3']);
      const headers = { accept: 'text/plain' };
      const answer = await fetch(`http://127.0.0.1:${sale.one.port}${PATH}/seats`, { headers });
      expect(await answer.text()).toBe(
        'gala/hall, version 2\n14 free (.), 0 held and 2 sold (X), 2 blocked (#)\nA .XX...\nB ......\nC #....#\n',
      );
    });

    test('belongs to one version of the zone, though somebody buys while it is read', async () => {
      const { streams } = sale.one;
      const openLocal = streams.openLocal.bind(streams);
      const bought: string[][] = [['A1'], ['A2']];
      streams.openLocal = async (storeName, partition) => {
        const opened = await openLocal(storeName, partition);
        if (storeName !== STORES.seats || opened.kind !== 'available') return opened;
        const range: typeof opened.store.range = (options) => {
          const seats = bought.shift();
          if (seats !== undefined) {
            void order(seats);
            sale.decide();
          }
          return opened.store.range(options);
        };
        return { ...opened, store: { ...opened.store, range } };
      };
      const answer = await sale.one.ask('GET', `${PATH}/seats`);
      expect(lines(answer)[0]).toBe('A XX....');
      expect(answer.body['version']).toBe(3);
      expect(answer.headers.get('etag')).toBe('"3"');
    });

    test('is 404 for an unknown zone, and for one whose seats have no numbers', async () => {
      expect((await sale.one.ask('GET', '/v1/events/gala/zones/nowhere/seats')).status).toBe(404);
      const { status, body } = await sale.one.ask('GET', '/v1/events/gala/zones/floor/seats');
      expect([status, body['detail']]).toEqual([404, 'the seats of this zone have no numbers']);
    });
  });

  describe('GET …/seats/best', () => {
    const best = (query: string) => sale.one.ask('GET', `${PATH}/seats/best?${query}`);

    test('says which seats a purchase would get, and takes none', async () => {
      await take(['A1', 'A2', 'A3', 'A4', 'A5', 'A6']);
      expect((await best('quantity=2')).body['seats']).toEqual(['C2', 'C3']);
      expect((await best('quantity=2')).body['seats']).toEqual(['C2', 'C3']);
      expect((await best('quantity=7')).body['seats']).toEqual([]);
      const split = await best('quantity=7&placement=adjacent_or_split');
      expect(split.body['seats']).toHaveLength(7);
    });

    test('names none where a purchase may not have so many', async () => {
      const query = 'placement=any&quantity';
      expect((await best(`${query}=10`)).body['seats']).toHaveLength(10);
      expect((await best(`${query}=11`)).body['seats']).toEqual([]);
      const eleven = ['A', 'B'].flatMap((row) => [1, 2, 3, 4, 5, 6].map((seat) => `${row}${seat}`));
      expect((await best(`near=${eleven.slice(0, 11)}`)).body['seats']).toEqual([]);
    });

    test('names seats near others', async () => {
      expect((await best('near=C3,C4')).body['seats']).toEqual(['C3', 'C4']);
      await take(['C3', 'C4']);
      expect((await best('near=C3,C4')).body['seats']).toEqual(['B3', 'B4']);
    });

    test.each([
      '',
      'quantity=0',
      'quantity=1001',
      'quantity=2&near=A1',
      'near=D1',
      'near=A7',
      'near=a1',
      'near=',
      'quantity=2&placement=mine',
    ])('is 400 for %j', async (query) => {
      expect((await best(query)).status).toBe(400);
    });
  });

  describe('POST …/seats/block and /unblock', () => {
    const post = (what: 'block' | 'unblock', seats: unknown) =>
      sale.one.ask('POST', `${PATH}/seats/${what}`, { body: { seats } });

    test('take seats off sale and put them back, and the capacity follows', async () => {
      const { status, body } = await post('block', ['A1', 'B1']);
      expect([status, body['seats'], body['state']]).toEqual([200, ['A1', 'B1'], 'blocked']);
      expect(lines(await sale.one.ask('GET', `${PATH}/seats`))).toEqual([
        'A #.....',
        'B #.....',
        'C #....#',
      ]);
      expect((await sale.one.ask('GET', PATH)).body['capacity']).toBe(14);
      expect((await post('unblock', ['A1', 'C6'])).status).toBe(200);
      expect(lines(await sale.one.ask('GET', `${PATH}/seats`))).toEqual([
        'A ......',
        'B #.....',
        'C #.....',
      ]);
      expect((await sale.one.ask('GET', PATH)).body['capacity']).toBe(16);
    });

    test('say the same again, and send nothing when it is so already', async () => {
      const first = await post('block', ['A1']);
      const sent = sale.sent.length;
      expect((await post('block', ['A1'])).body).toEqual(first.body);
      expect((await post('unblock', ['A2'])).status).toBe(200);
      expect(sale.sent).toHaveLength(sent);
      expect((await post('block', ['A1', 'A2'])).status).toBe(200);
    });

    test('are all or nothing: 409 names the seats in the way', async () => {
      await take(['A2']);
      const before = await sale.one.ask('GET', `${PATH}/seats`);
      for (const what of ['block', 'unblock'] as const) {
        const { status, body } = await post(what, ['C1', 'A1', 'A2']);
        expect([status, body['seats']]).toEqual([409, ['A2']]);
      }
      expect((await sale.one.ask('GET', `${PATH}/seats`)).body).toEqual(before.body);
    });

    test('are 409 when somebody was faster, and then none is blocked', async () => {
      sale.isDeciding = false;
      await order(['A1']);
      const blocking = post('block', ['A1', 'A2']);
      await expect.poll(() => sale.sent.at(-1)?.value).toMatchObject({ kind: 'blockSeats' });
      sale.decide();
      const { status, body } = await blocking;
      expect([status, body['seats']]).toEqual([409, ['A1', 'A2']]);
      expect(lines(await sale.one.ask('GET', `${PATH}/seats`))[0]).toBe('A X.....');
    });

    test.each([
      [['\uff211']],
      [['\u0410' + '1']],
      [['a1']],
      [['A01']],
      [['A1', 'A1']],
      [[]],
      ['A1'],
      [[1]],
      [['D1']],
      [['A7']],
    ])('are 422 for %j', async (seats) => {
      const sent = sale.sent.length;
      expect((await post('block', seats)).status).toBe(422);
      expect((await post('unblock', seats)).status).toBe(422);
      expect(sale.sent).toHaveLength(sent);
    });

    test('are 404 where seats have no numbers', async () => {
      const floor = '/v1/events/gala/zones/floor/seats/block';
      expect((await sale.one.ask('POST', floor, { body: { seats: ['A1'] } })).status).toBe(404);
    });
  });
});

describe('POST /v1/purchases with seats', () => {
  beforeEach(async () => {
    sale = await FakeSale.start(2, { PEER_ALLOW: '127.0.0.1' });
    await openHall();
  });

  let purchases = 0;
  const buy = (instance: FakeInstance, seats: unknown, zoneId = 'hall') =>
    instance.ask('POST', '/v1/purchases', {
      headers: { 'idempotency-key': `k${purchases++}`, prefer: 'wait=5' },
      body: { eventId: 'gala', zoneId, buyerId: 'ada', seats },
    });

  test('offers as many seats as were asked for, near them, wherever the zone is owned', async () => {
    await take(['B3']);
    for (const isOwner of [true, false]) {
      const { status, body } = await buy(sale.instanceOf(KEY, isOwner), ['B3', 'B4']);
      expect(status).toBe(409);
      expect(body).toMatchObject({ reason: 'seat_taken', lostSeats: ['B3'] });
      expect(body['alternatives']).toEqual(['B4', 'B5']);
    }
  });

  test('offers nothing where nothing is left', async () => {
    await take(['A1', 'A2', 'A3', 'A4', 'A5', 'A6']);
    await take(['B1', 'B2', 'B3', 'B4', 'B5', 'B6']);
    await take(['C1', 'C2', 'C3', 'C4', 'C5', 'C6']);
    const { status, body } = await buy(sale.one, ['B3', 'B4']);
    expect([status, body['lostSeats'], body['alternatives']]).toEqual([409, ['B3', 'B4'], []]);
  });

  test.each([[['\uff211']], [['a1']], [['A1', 'A1']], [[]], [['D1']], [['A7']]])(
    'is 422 for %j',
    async (seats) => {
      expect((await buy(sale.one, seats)).status).toBe(422);
    },
  );

  test('is 422 where seats have no numbers', async () => {
    expect((await buy(sale.one, ['A1'], 'floor')).status).toBe(422);
  });
});

describe('two instances', () => {
  beforeEach(async () => {
    sale = await FakeSale.start(2, { PEER_ALLOW: '127.0.0.1' });
    await openHall();
  });

  test('tell the same of seats, whichever is asked', async () => {
    await take(['A1']);
    const [owner, other] = [sale.instanceOf(KEY, true), sale.instanceOf(KEY, false)];
    const [here, there] = [
      await owner.ask('GET', `${PATH}/seats`),
      await other.ask('GET', `${PATH}/seats`),
    ];
    expect(there.body).toEqual(here.body);
    expect(there.headers.get('etag')).toBe(here.headers.get('etag'));
    expect(there.headers.get('vary')).toContain('Accept');
    const [bits, forwarded] = [await bitmapOf(owner), await bitmapOf(other)];
    expect(forwarded.bytes).toEqual(bits.bytes);
    expect((await other.ask('GET', `${PATH}/seats/best?near=A1`)).body['seats']).toEqual(['A2']);
    const body = { seats: ['A2'] };
    expect((await other.ask('POST', `${PATH}/seats/block`, { body })).status).toBe(200);
    expect(lines(await owner.ask('GET', `${PATH}/seats`))[0]).toBe('A X#....');
  });

  test('a standby that may answer draws what it has, without a tag: no version holds for both stores', async () => {
    await take(['A1']);
    const [owner, other] = [sale.instanceOf(KEY, true), sale.instanceOf(KEY, false)];
    const partition = partitionOf(KEY);
    for (const store of [STORES.zones, STORES.seats]) {
      for (const key of [KEY, `${KEY}/00001`]) {
        const value = owner.streams.valueOf(store, partition, key);
        if (value !== undefined) other.streams.put(store, partition, key, value);
      }
    }
    other.streams.followed.set(partition, 3);
    const answer = await other.ask('GET', `${PATH}/seats?consistency=any`);
    expect([answer.headers.get('served-role'), answer.headers.get('etag')]).toEqual([
      'standby',
      null,
    ]);
    expect(lines(answer)[0]).toBe('A X.....');
    expect((await other.ask('GET', `${PATH}/seats`)).headers.get('served-role')).toBe('active');
  });
});
