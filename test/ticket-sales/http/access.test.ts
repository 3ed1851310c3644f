/** Who may do what with AUTH=jwt: every route with every kind of token, on one and on two instances. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { STORES } from '../../../ticket-sales/sale/sale-stores.ts';
import type { OpenApiDocument } from '../../kit/check-openapi.ts';
import { makeKey, TokenIssuer, type TokenWishes } from '../../kit/token-issuer.ts';
import { purchaseWith } from '../domain/samples.ts';
import { type Answer, type FakeInstance, FakeSale, PARTITIONS, partitionOf } from './fake-sale.ts';

let issuer: TokenIssuer;
let sale: FakeSale;
/** Every token that was made, none of which may ever be said. */
let tokens: string[];

async function bearer(sub: string, roles: readonly string[], wishes: TokenWishes = {}) {
  const token = await issuer.token(sub, roles, wishes);
  tokens.push(token);
  return { authorization: `Bearer ${token}` };
}

const operator = () => bearer('olga', ['operator']);
const ada = () => bearer('ada', ['buyer']);

const order = { eventId: 'gala', zoneId: 'floor', buyerId: 'ada', quantity: 2 };
const zonePath = '/v1/events/gala/zones/floor';

async function buy(
  instance: FakeInstance,
  headers: Record<string, string>,
  body: object = {},
): Promise<Answer> {
  return instance.ask('POST', '/v1/purchases', {
    headers: { 'idempotency-key': 'k1', prefer: 'wait=5', ...headers },
    body: { ...order, ...body },
  });
}

async function openSale(instanceCount: number, env: Record<string, string> = {}): Promise<void> {
  sale = await FakeSale.start(instanceCount, { ...issuer.env(), ...env });
  const headers = await operator();
  const { one } = sale;
  const event = await one.ask('PUT', '/v1/events/gala', { headers, body: { name: 'The Gala' } });
  const zone = await one.ask('PUT', zonePath, { headers, body: { capacity: 10 } });
  expect([event.status, zone.status]).toEqual([201, 201]);
}

beforeEach(async () => {
  tokens = [];
  issuer = await TokenIssuer.start();
});

afterEach(async () => {
  const said = sale.said.join('\n');
  for (const token of tokens) expect(said).not.toContain(token.split('.')[2]);
  await sale.stop();
  issuer.stop();
});

const challenge = ({ headers }: Answer) => headers.get('www-authenticate');
const slugOf = ({ body }: Answer) => String(body['type']).replace('urn:millrace:problem:', '');

/** Every route that is not open, with the roles that it is for. */
const NOBODYS = '00000000-0000-8000-8000-000000000000';
const line = { eventId: 'gala', zoneId: 'floor', quantity: 1 };
type Row = readonly [string, string, readonly string[], object | undefined];
const ROUTES: readonly Row[] = [
  ['POST', '/v1/purchases', ['buyer', 'operator', 'admin'], { ...order, buyerId: 'sam' }],
  ['GET', `/v1/purchases/${NOBODYS}`, ['buyer', 'operator', 'admin'], undefined],
  ['DELETE', `/v1/purchases/${NOBODYS}`, ['buyer', 'operator', 'admin'], undefined],
  ['POST', `/v1/purchases/${NOBODYS}/extension`, ['buyer', 'operator', 'admin'], undefined],
  ['POST', '/v1/orders', ['buyer', 'operator', 'admin'], { buyerId: 'sam', lines: [line] }],
  ['GET', `/v1/orders/order-${NOBODYS}`, ['buyer', 'operator', 'admin'], undefined],
  ['DELETE', `/v1/orders/order-${NOBODYS}`, ['buyer', 'operator', 'admin'], undefined],
  ['PUT', '/v1/events/ball', ['operator', 'admin'], { name: 'The Ball' }],
  ['GET', '/v1/events', ['buyer', 'operator', 'admin'], undefined],
  ['GET', '/v1/events/gala', ['buyer', 'operator', 'admin'], undefined],
  ['GET', '/v1/events/gala/zones', ['buyer', 'operator', 'admin'], undefined],
  ['PUT', zonePath, ['operator', 'admin'], { capacity: 10 }],
  ['GET', zonePath, ['buyer', 'operator', 'admin'], undefined],
  ['POST', '/v1/events/gala/sale', ['operator', 'admin'], { state: 'open' }],
  ['POST', `${zonePath}/sale`, ['operator', 'admin'], { state: 'open' }],
  ['POST', `${zonePath}/capacity`, ['operator', 'admin'], { capacity: 10 }],
  ['PUT', `${zonePath}/vouchers/HALF`, ['operator', 'admin'], { percentOff: 50, usesMax: 1 }],
  ['GET', `${zonePath}/vouchers/HALF`, ['operator', 'admin'], undefined],
  ['GET', `${zonePath}/seats`, ['buyer', 'operator', 'admin'], undefined],
  ['GET', `${zonePath}/seats/best?quantity=1`, ['buyer', 'operator', 'admin'], undefined],
  ['POST', `${zonePath}/seats/block`, ['operator', 'admin'], { seats: ['A1'] }],
  ['POST', `${zonePath}/seats/unblock`, ['operator', 'admin'], { seats: ['A1'] }],
  ['GET', `${zonePath}/inventory`, ['buyer', 'operator', 'admin'], undefined],
  ['GET', '/v1/events/gala/sales', ['operator', 'admin'], undefined],
  ['GET', '/v1/events/gala/sales/timeline', ['operator', 'admin'], undefined],
  ['GET', '/v1/events/none/inventory/stream', ['buyer', 'operator', 'admin'], undefined],
  ['GET', `/v1/purchases/${NOBODYS}/stream`, ['buyer', 'operator', 'admin'], undefined],
  ['GET', '/v1/events/gala/inventory', ['buyer', 'operator', 'admin'], undefined],
  ['GET', '/v1/venues/hall/sales', ['operator', 'admin'], undefined],
  ['GET', '/v1/purchases', ['buyer', 'operator', 'admin'], undefined],
  ['PUT', '/v1/venues/hall', ['operator', 'admin'], { name: 'The Hall' }],
  ['GET', '/v1/venues/hall', ['buyer', 'operator', 'admin'], undefined],
  ['GET', '/v1/unknown-venues', ['operator', 'admin'], undefined],
  ['PUT', '/v1/customers/ada', ['operator', 'admin'], { name: 'Ada' }],
  ['GET', '/v1/customers/ada', ['buyer', 'operator', 'admin'], undefined],
  ['GET', '/v1/stores', ['admin'], undefined],
  ['GET', '/v1/stores/zones/keys/x', ['admin'], undefined],
  ['GET', '/v1/stores/zones/entries', ['admin'], undefined],
  ['GET', '/v1/stores/zones/count', ['admin'], undefined],
  ['GET', '/v1/metadata/instances', ['admin'], undefined],
  ['GET', '/v1/metadata/stores/zones/keys/x', ['admin'], undefined],
  ['GET', '/v1/metadata/tasks', ['admin'], undefined],
];

const OPEN = [
  '/livez',
  '/readyz',
  '/startupz',
  '/health/live',
  '/health/ready',
  '/health/started',
  '/metrics',
  '/docs',
  '/openapi.json',
];

async function document(): Promise<OpenApiDocument & { components: object }> {
  return (await sale.one.ask('GET', '/openapi.json')).body as never;
}

describe('every route', () => {
  beforeEach(() => openSale(1));

  test('is in the list of these tests, closed or open', async () => {
    const { paths } = await document();
    const closed = Object.entries(paths).flatMap(([path, operations]) =>
      Object.entries(operations)
        .filter(([, { security }]) => security?.length !== 0)
        .map(([method]) => `${method.toUpperCase()} ${path.replace(/\{\w+\}/g, '*')}`),
    );
    const asked = ROUTES.map(([method, path]) => {
      const pattern = Object.keys(paths).find((each) =>
        new RegExp(`^${each.replace(/\{\w+\}/g, '[^/]+')}$`).test(path.split('?')[0]!),
      );
      return `${method} ${pattern?.replace(/\{\w+\}/g, '*')}`;
    });
    expect(closed.sort()).toEqual(asked.sort());
    expect(Object.keys(paths).filter((path) => OPEN.includes(path))).toHaveLength(OPEN.length);
  });

  test.each(OPEN)('%s is open', async (path) => {
    const answer = await fetch(`http://127.0.0.1:${sale.one.port}${path}`);
    expect(answer.status).toBe(200);
  });

  test.each(ROUTES)('%s %s is 401 without a token that is good', async (method, path, _, body) => {
    const stranger = await makeKey('ES256', 'first');
    const pastS = Math.floor(Date.now() / 1_000) - 31;
    const roles = ['buyer', 'operator', 'admin'];
    const bad: readonly (readonly [string, Record<string, string>])[] = [
      ['', {}],
      ['', { authorization: 'Basic b2xnYTpvbGdh' }],
      ['it cannot be read', { authorization: 'Bearer x' }],
      ['its signature is wrong', await bearer('olga', roles, { key: stranger })],
      ['it has expired', await bearer('olga', roles, { claims: { exp: pastS } })],
      [
        'the claim aud is missing or wrong',
        await bearer('olga', roles, { claims: { aud: 'others' } }),
      ],
    ];
    const before = sale.sent.length;
    for (const [why, headers] of bad) {
      const answer = await sale.one.ask(method, path, {
        headers,
        ...(body === undefined ? {} : { body }),
      });
      expect([answer.status, slugOf(answer)]).toEqual([401, 'unauthenticated']);
      expect(challenge(answer)).toBe(
        why === ''
          ? 'Bearer realm="millrace"'
          : `Bearer realm="millrace", error="invalid_token", error_description="${why}"`,
      );
    }
    expect(sale.sent).toHaveLength(before);
  });

  test.each(ROUTES)('%s %s is for %j', async (method, path, allowed, body) => {
    for (const roles of [['buyer'], ['operator'], ['admin'], ['owner', 'BUYER'], []]) {
      const headers = { 'idempotency-key': 'k9', ...(await bearer('sam', roles)) };
      const answer = await sale.one.ask(method, path, {
        headers,
        ...(body === undefined ? {} : { body }),
      });
      if (roles.some((role) => allowed.includes(role))) {
        expect([401, 403]).not.toContain(answer.status);
        expect(answer.status).toBeLessThan(500);
      } else {
        expect([answer.status, slugOf(answer)]).toEqual([403, 'forbidden']);
        expect(challenge(answer)).toContain('error="insufficient_scope"');
      }
    }
  });

  test('says in the document what it needs and what refuses it', async () => {
    const openapi = await document();
    expect(openapi.components).toHaveProperty('securitySchemes.bearer.scheme', 'bearer');
    const { put } = openapi.paths['/v1/events/{eventId}']!;
    expect(put!.security).toEqual([{ bearer: ['operator'] }, { bearer: ['admin'] }]);
    expect(Object.keys(put!.responses)).toEqual(expect.arrayContaining(['401', '403']));
    expect(openapi.paths['/livez']!['get']!.security).toEqual([]);
    const page = await fetch(`http://127.0.0.1:${sale.one.port}/docs`);
    expect(await page.text()).toContain('Needs the role operator or admin');
  });
});

describe('without AUTH', () => {
  test('nothing asks for a token, and the document says nothing of one', async () => {
    sale = await FakeSale.start();
    expect((await sale.one.ask('GET', '/v1/stores')).status).toBe(200);
    expect(JSON.stringify(await document())).not.toContain('bearer');
  });
});

describe('a buyer', () => {
  beforeEach(() => openSale(1));

  test('buys for himself, sees it and gives it back', async () => {
    const bought = await buy(sale.one, await ada());
    expect([bought.status, bought.body['state']]).toEqual([201, 'confirmed']);
    const path = `/v1/purchases/${bought.body['purchaseId']}`;
    expect((await sale.one.ask('GET', path, { headers: await ada() })).status).toBe(200);
    const headers = { prefer: 'wait=5', ...(await ada()) };
    const cancelled = await sale.one.ask('DELETE', path, { headers });
    expect([cancelled.status, cancelled.body['state']]).toEqual([200, 'cancelled']);
  });

  test('does not buy for another: 403, and no command', async () => {
    const before = sale.sent.length;
    const answer = await buy(sale.one, await ada(), { buyerId: 'bob' });
    expect([answer.status, slugOf(answer)]).toEqual([403, 'forbidden']);
    expect(sale.sent).toHaveLength(before);
  });

  test('does not find what an operator sees: 404 as for what does not exist', async () => {
    const { body } = await buy(sale.one, await ada());
    const path = `/v1/purchases/${body['purchaseId']}`;
    const before = sale.sent.length;
    const bob = await bearer('bob', ['buyer']);
    for (const method of ['GET', 'DELETE']) {
      const foreign = await sale.one.ask(method, path, { headers: bob });
      const nobodys = `/v1/purchases/${NOBODYS}`;
      const missing = await sale.one.ask(method, nobodys, { headers: bob });
      expect([foreign.status, missing.status]).toEqual([404, 404]);
      expect({ ...foreign.body, instance: '' }).toEqual({ ...missing.body, instance: '' });
    }
    expect(sale.sent).toHaveLength(before);
    expect((await sale.one.ask('GET', path, { headers: await operator() })).status).toBe(200);
  });

  test('does not find what another has asked for and what is not decided yet', async () => {
    sale.isDeciding = false;
    const { status, body } = await buy(sale.one, { ...(await ada()), prefer: '' });
    expect(status).toBe(202);
    const path = `/v1/purchases/${body['purchaseId']}`;
    const bob = await bearer('bob', ['buyer']);
    expect((await sale.one.ask('GET', path, { headers: bob })).status).toBe(404);
    expect((await sale.one.ask('GET', path, { headers: await ada() })).status).toBe(200);
  });

  test('cannot have an answer about another from its ETag', async () => {
    const { body } = await buy(sale.one, await ada());
    const path = `/v1/purchases/${body['purchaseId']}`;
    const { headers } = await sale.one.ask('GET', path, { headers: await ada() });
    const bob = { 'if-none-match': headers.get('etag')!, ...(await bearer('bob', ['buyer'])) };
    expect((await sale.one.ask('GET', path, { headers: bob })).status).toBe(404);
  });
});

test('an operator buys for anybody', async () => {
  await openSale(1);
  expect((await buy(sale.one, await operator(), { buyerId: 'bob' })).status).toBe(201);
});

describe('two instances', () => {
  beforeEach(() => openSale(2));

  test('forward in the name of the caller: to himself, to no other', async () => {
    const far = sale.instanceOf('gala/floor', false);
    const bought = await buy(far, await ada());
    expect([bought.status, bought.body['state']]).toEqual([201, 'confirmed']);
    const path = `/v1/purchases/${bought.body['purchaseId']}`;
    const bob = await bearer('bob', ['buyer']);
    for (const instance of sale.instances) {
      expect((await instance.ask('GET', path, { headers: await ada() })).status).toBe(200);
      expect((await instance.ask('GET', path, { headers: bob })).status).toBe(404);
      expect((await instance.ask('DELETE', path, { headers: bob })).status).toBe(404);
    }
    const gathered = await far.ask('GET', '/v1/stores/zones/entries', {
      headers: await bearer('root', ['admin']),
    });
    expect((gathered.body['items'] as unknown[]).length).toBe(1);
  });

  test('find a foreign id at whoever has it, for its buyer only', async () => {
    const purchaseId = 'ffffffff-ffff-4fff-bfff-ffffffffffff';
    const partition = partitionOf('gala/floor');
    const owner = sale.instanceOf('gala/floor', true);
    owner.streams.put(
      STORES.purchases,
      partition,
      purchaseId,
      purchaseWith({ purchaseId, buyerId: 'ada' }),
    );
    for (const instance of sale.instances) {
      const path = `/v1/purchases/${purchaseId}`;
      expect((await instance.ask('GET', path, { headers: await ada() })).status).toBe(200);
      const bob = await bearer('bob', ['buyer']);
      expect((await instance.ask('GET', path, { headers: bob })).status).toBe(404);
    }
  });

  test('ask a peer for his token, too: the secret of peers stands for no one', async () => {
    const owner = sale.instanceOf('gala/floor', true);
    const all = Array.from({ length: PARTITIONS }, (_, partition) => partition);
    const partitions = all.filter((each) => !owner.streams.elsewhere.has(each)).join();
    const peer = {
      'millrace-hop': '1',
      'millrace-peer-token': 'a-shared-secret-of-peers',
      'millrace-partitions': partitions,
    };
    const path = '/v1/stores/zones/entries';
    expect((await owner.ask('GET', path, { headers: peer })).status).toBe(401);
    const buyer = { ...peer, ...(await ada()) };
    expect((await owner.ask('GET', path, { headers: buyer })).status).toBe(403);
    const admin = { ...peer, ...(await bearer('root', ['admin'])) };
    expect((await owner.ask('GET', path, { headers: admin })).status).toBe(200);
  });
});

test('an issuer that does not answer is 503 with when to come back, and nothing is open', async () => {
  await openSale(1);
  const other = await FakeSale.start(1, issuer.env());
  issuer.outage = { status: 500, body: 'down' };
  for (const headers of [await ada(), await ada()]) {
    const answer = await other.one.ask('GET', '/v1/events', { headers });
    expect([answer.status, slugOf(answer)]).toEqual([503, 'auth-unavailable']);
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
  }
  expect((await other.one.ask('GET', '/v1/events')).status).toBe(401);
  expect((await other.one.ask('GET', '/livez')).status).toBe(200);
  expect(other.said.join()).toContain('the key set cannot be had');
  const headers = await ada();
  expect((await sale.one.ask('GET', '/v1/events', { headers })).status).toBe(200);
  await other.stop();
});
