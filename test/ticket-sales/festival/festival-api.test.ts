/** Festival_Ticket_Sales_API over HTTP: a client made from its document, on one and on two instances. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readConfig } from '../../../ticket-sales/app/config.ts';
import { ticketIdOf } from '../../../ticket-sales/festival/festival.ts';
import { TOPICS } from '../../../ticket-sales/records.ts';
import { TokenIssuer } from '../../kit/token-issuer.ts';
import { FakeSale } from '../http/fake-sale.ts';
import { CONTRACT, type ContractAnswer, contractClient } from './contract-client.ts';

const ENV = { FESTIVAL_EVENT: 'fest' };
const USER = '0b9f1a34-5d3c-4f8e-8c11-9a2b3c4d5e6f';
const VIP = ticketIdOf('fest', 'vip');
const NORMAL = ticketIdOf('fest', 'normal');
const STRANGE = '7d8f3f0e-6a4e-4b6e-9b0a-2f6f7a1c3d52';

let sale: FakeSale;
let ask: ReturnType<typeof contractClient>;

async function openFestival(instanceCount = 1, env: Record<string, string> = {}): Promise<void> {
  sale = await FakeSale.start(instanceCount, { ...ENV, ...env });
  const put = (path: string, body: object) => sale.one.ask('PUT', path, { body });
  expect((await put('/v1/events/fest', { name: 'Festival' })).status).toBe(201);
  expect((await put('/v1/events/gala', { name: 'Gala' })).status).toBe(201);
  expect((await put('/v1/events/fest/zones/vip', { capacity: 3 })).status).toBe(201);
  expect((await put('/v1/events/gala/zones/vip', { capacity: 9 })).status).toBe(201);
  ask = contractClient(`http://127.0.0.1:${sale.one.port}/festival/v1`);
}

afterEach(() => sale.stop());

function purchase(changes: object = {}, ticketId = VIP): Promise<ContractAnswer> {
  const body = { userId: USER, quantity: 2, ticketType: 'vip', ...changes };
  return ask('purchaseTicket', { params: { ticketId }, body });
}

const statusOf = (purchaseId: string) => ask('purchaseStatus', { params: { purchaseId } });
const left = (ticketType: string) => ask('ticketInventory', { params: { ticketType } });

/** The answer is one that the contract knows, status and body. */
function expectContract(answer: ContractAnswer, status: number): Record<string, unknown> {
  expect([answer.status, answer.flaw]).toEqual([status, undefined]);
  return answer.body;
}

function expectProblem(answer: ContractAnswer, status: number): Record<string, unknown> {
  expect([answer.status, answer.mediaType]).toEqual([status, 'application/problem+json']);
  return answer.body;
}

describe('a client made from the contract', () => {
  beforeEach(() => openFestival());

  test('buys, follows statusUrl to COMPLETED, and sees fewer tickets left', async () => {
    sale.isDeciding = false;
    const { purchaseId, statusUrl } = expectContract(await purchase(), 202);
    const base = `http://127.0.0.1:${sale.one.port}/festival/v1`;
    expect(statusUrl).toBe(`${base}/purchases/${purchaseId}`);
    const pending = { purchaseId, status: 'PENDING', paymentStatus: 'PENDING' };
    expect(expectContract(await statusOf(String(purchaseId)), 200)).toEqual(pending);
    sale.decide();
    const followed = await fetch(String(statusUrl));
    expect(await followed.json()).toEqual({
      purchaseId,
      status: 'COMPLETED',
      paymentStatus: 'SUCCEEDED',
    });
    expect(expectContract(await left('vip'), 200)).toEqual({
      ticketType: 'vip',
      availableCount: 1,
    });
  });

  test('is told of a purchase that was rejected, with the reason', async () => {
    await purchase();
    const { purchaseId } = expectContract(await purchase(), 202);
    await expect
      .poll(async () => (await statusOf(String(purchaseId))).body)
      .toEqual({ purchaseId, status: 'FAILED', paymentStatus: 'sold_out' });
  });

  test('buys anew with each request, and once with the same Idempotency-Key', async () => {
    const request = {
      params: { ticketId: VIP },
      body: { userId: USER, quantity: 1, ticketType: 'vip' },
    };
    const first = await ask('purchaseTicket', request);
    const second = await ask('purchaseTicket', request);
    expect(first.body['purchaseId']).not.toBe(second.body['purchaseId']);
    const headers = { 'idempotency-key': 'mine' };
    const third = await ask('purchaseTicket', { ...request, headers });
    const fourth = await ask('purchaseTicket', { ...request, headers });
    expect(third.body['purchaseId']).toBe(fourth.body['purchaseId']);
  });

  test('may write UUIDs in capital letters', async () => {
    const { purchaseId } = expectContract(
      await purchase({ userId: USER.toUpperCase() }, VIP.toUpperCase()),
      202,
    );
    const status = await statusOf(String(purchaseId).toUpperCase());
    expect(expectContract(status, 200)['purchaseId']).toBe(purchaseId);
    expect(sale.sent.at(-1)?.value).toMatchObject({ buyerId: USER });
  });

  test.each([
    ['a type that is not the ticket’s', { ticketType: 'normal' }, VIP, '{ticketId}'],
    ['a ticket that nobody has', {}, STRANGE, '{ticketId}'],
    ['a ticket that is no UUID', {}, 'vip', '{ticketId}'],
    ['no user', { userId: undefined }, VIP, '/userId'],
    ['a user who is no UUID', { userId: 'ada' }, VIP, '/userId'],
    ['no tickets', { quantity: 0 }, VIP, '/quantity'],
    ['half a ticket', { quantity: 1.5 }, VIP, '/quantity'],
    ['more than a purchase may have', { quantity: 11 }, VIP, '/quantity'],
    ['a type of its own', { ticketType: 'backstage' }, VIP, '/ticketType'],
  ])('is told 400 for %s, and nothing is asked of the sale', async (_, changes, ticketId, at) => {
    const sent = sale.sent.length;
    const problem = expectProblem(await purchase(changes, ticketId), 400);
    expect((problem['errors'] as { pointer: string }[])[0]?.pointer).toBe(at);
    expect(sale.sent.length).toBe(sent);
  });

  test('is told 400 while the zone of the type does not exist', async () => {
    const problem = expectProblem(await purchase({ ticketType: 'normal' }, NORMAL), 400);
    expect(problem['detail']).toBe('the event has no such zone');
  });

  test('is told 404 for what there is not', async () => {
    expectProblem(await statusOf(STRANGE), 404);
    expectProblem(await statusOf('no-uuid'), 404);
    expectProblem(await left('normal'), 404);
    expectProblem(await left('.'.repeat(80)), 404);
  });

  test('does not see purchases of other events', async () => {
    const bought = await sale.one.ask('POST', '/v1/purchases', {
      headers: { 'idempotency-key': 'k', prefer: 'wait=5' },
      body: { eventId: 'gala', zoneId: 'vip', buyerId: USER, quantity: 1 },
    });
    expect(bought.status).toBe(201);
    expectProblem(await statusOf(String(bought.body['purchaseId'])), 404);
  });

  test('finds out the ids of the ticket types', async () => {
    const { body } = await sale.one.ask('GET', '/festival/v1/tickets');
    expect(body['items']).toEqual([
      { ticketType: 'normal', ticketId: NORMAL },
      { ticketType: 'vip', ticketId: VIP },
    ]);
  });
});

describe('a client that asks too often', () => {
  const askUntil429 = async () => {
    const request = {
      params: { ticketId: VIP },
      body: { userId: USER, quantity: 1, ticketType: 'vip' },
    };
    for (let asked = 1; ; asked++) {
      const answer = await ask('purchaseTicket', request);
      if (answer.status !== 202) return { answer, asked };
    }
  };

  test('is told 429, and when to come again; nothing is asked of the sale', async () => {
    await openFestival(1, { FESTIVAL_REQUESTS_PER_SECOND: '1' });
    const sent = sale.sent.length;
    const { answer, asked } = await askUntil429();
    expectProblem(answer, 429);
    expect(answer.headers.get('retry-after')).toBe('1');
    expect(sale.sent.length - sent).toBe(asked - 1);
    expect((await left('vip')).status).toBe(200);
  });

  test('is not limited where that is somebody else’s to do', async () => {
    await openFestival(1, { FESTIVAL_REQUESTS_PER_SECOND: '0' });
    const answers = await Promise.all(Array.from({ length: 10 }, () => purchase()));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
  });
});

describe('the read model that is loaded by hand', () => {
  beforeEach(() => openFestival());

  test('shows a status that the sale knows nothing of, and the sale’s own word where it does', async () => {
    const loaded = { purchaseId: STRANGE, status: 'CANCELLED', paymentStatus: 'by hand' };
    expect(expectContract(await ask('loadPurchaseStatus', { body: loaded }), 201)).toEqual(loaded);
    expect(expectContract(await statusOf(STRANGE), 200)).toEqual(loaded);
    const { purchaseId } = (await purchase()).body;
    const wrong = { purchaseId, status: 'FAILED' };
    expect(expectContract(await ask('loadPurchaseStatus', { body: wrong }), 201)).toEqual(wrong);
    await expect
      .poll(async () => (await statusOf(String(purchaseId))).body['status'])
      .toBe('COMPLETED');
  });

  test('shows an inventory of a type that has no zone, and changes no stock', async () => {
    const normal = { ticketType: 'normal', availableCount: 77 };
    expect(expectContract(await ask('loadTicketInventory', { body: normal }), 201)).toEqual(normal);
    expect(expectContract(await left('normal'), 200)).toEqual(normal);
    await ask('loadTicketInventory', { body: { ticketType: 'vip', availableCount: 99 } });
    expect((await left('vip')).body['availableCount']).toBe(3);
    expect(sale.sent.filter(({ topic }) => topic === TOPICS.commands)).toHaveLength(2);
  });

  test.each([
    ['loadPurchaseStatus', { purchaseId: STRANGE }, '/status'],
    ['loadPurchaseStatus', { purchaseId: STRANGE, status: 'SOLD' }, '/status'],
    ['loadPurchaseStatus', { purchaseId: 'x', status: 'FAILED' }, '/purchaseId'],
    ['loadTicketInventory', { ticketType: 'vip' }, '/availableCount'],
    ['loadTicketInventory', { ticketType: 'vip', availableCount: -1 }, '/availableCount'],
  ])('%s refuses %j with 400 at %s', async (operationId, body, at) => {
    const problem = expectProblem(await ask(operationId, { body }), 400);
    expect((problem['errors'] as { pointer: string }[])[0]?.pointer).toBe(at);
  });
});

describe('two instances', () => {
  beforeEach(() => openFestival(2));

  test('answer alike, whichever has the purchase, the stock or what was loaded', async () => {
    const loaded = { purchaseId: STRANGE, status: 'FAILED' };
    const { purchaseId } = (await purchase()).body;
    expect((await ask('loadPurchaseStatus', { body: loaded })).status).toBe(201);
    for (const { port } of sale.instances) {
      ask = contractClient(`http://127.0.0.1:${port}/festival/v1`);
      expect(expectContract(await statusOf(String(purchaseId)), 200)['status']).toBe('COMPLETED');
      expect(expectContract(await statusOf(STRANGE), 200)).toEqual(loaded);
      expect(expectContract(await left('vip'), 200)['availableCount']).toBe(1);
      expectProblem(await statusOf('11111111-2222-4333-8444-555555555555'), 404);
    }
  });

  test('know of a purchase that the other one accepted a moment ago', async () => {
    sale.isDeciding = false;
    const { purchaseId } = (await purchase()).body;
    const other = contractClient(`http://127.0.0.1:${sale.instances[1]!.port}/festival/v1`);
    setImmediate(() => sale.decide());
    const answer = await other('purchaseStatus', { params: { purchaseId: String(purchaseId) } });
    expect(answer.status).toBe(200);
  });
});

describe('with AUTH=jwt', () => {
  let issuer: TokenIssuer;

  beforeEach(async () => {
    issuer = await TokenIssuer.start();
    sale = await FakeSale.start(1, { ...ENV, ...issuer.env() });
    ask = contractClient(`http://127.0.0.1:${sale.one.port}/festival/v1`);
    const headers = await bearer('olga', 'operator');
    const put = (path: string, body: object) => sale.one.ask('PUT', path, { headers, body });
    await put('/v1/events/fest', { name: 'Festival' });
    expect((await put('/v1/events/fest/zones/vip', { capacity: 3 })).status).toBe(201);
  });

  afterEach(() => issuer.stop());

  async function bearer(subject: string, role: string): Promise<Record<string, string>> {
    return { authorization: `Bearer ${await issuer.token(subject, [role])}` };
  }

  test('a buyer buys for himself and sees his own purchase; nobody else does', async () => {
    const request = {
      params: { ticketId: VIP },
      body: { userId: USER, quantity: 1, ticketType: 'vip' },
    };
    expectProblem(await ask('purchaseTicket', request), 401);
    const other = await bearer('bob', 'buyer');
    expectProblem(await ask('purchaseTicket', { ...request, headers: other }), 403);
    const headers = await bearer(USER, 'buyer');
    const { purchaseId } = expectContract(
      await ask('purchaseTicket', { ...request, headers }),
      202,
    );
    const params = { purchaseId: String(purchaseId) };
    expectContract(await ask('purchaseStatus', { params, headers }), 200);
    expectProblem(await ask('purchaseStatus', { params, headers: other }), 404);
  });

  test('only operators load the read model', async () => {
    const body = { ticketType: 'vip', availableCount: 1 };
    const status = { purchaseId: STRANGE, status: 'FAILED' };
    const buyer = await bearer(USER, 'buyer');
    const operator = await bearer('olga', 'operator');
    expectProblem(await ask('loadTicketInventory', { body, headers: buyer }), 403);
    expectProblem(await ask('loadPurchaseStatus', { body: status, headers: buyer }), 403);
    expectContract(await ask('loadTicketInventory', { body, headers: operator }), 201);
    expectContract(await ask('loadPurchaseStatus', { body: status, headers: operator }), 201);
  });
});

describe('the base path and the URL of a status', () => {
  test('are as configured', async () => {
    await openFestival(1, {
      FESTIVAL_BASE_PATH: '/summer',
      FESTIVAL_PUBLIC_URL: 'https://fest.example/v1/',
    });
    ask = contractClient(`http://127.0.0.1:${sale.one.port}/summer`);
    const { purchaseId, statusUrl } = expectContract(await purchase(), 202);
    expect(statusUrl).toBe(`https://fest.example/v1/purchases/${purchaseId}`);
    expectContract(await statusOf(String(purchaseId)), 200);
  });

  test('cannot be /v1, which is ours, nor below it', () => {
    for (const FESTIVAL_BASE_PATH of ['/v1', '/v1/festival', 'festival', '/', '/fest/']) {
      expect(() => readConfig({ ...ENV, FESTIVAL_BASE_PATH })).toThrow(
        'FESTIVAL_BASE_PATH: must be a path like /festival/v1, and not /v1 or below it',
      );
    }
  });

  test('without FESTIVAL_EVENT there is no such API', async () => {
    await openFestival(1, { FESTIVAL_EVENT: '' });
    expect((await left('vip')).status).toBe(404);
    const { body } = await sale.one.ask('GET', '/openapi.json');
    expect(Object.keys(body['paths'] as object).join()).not.toContain('festival');
  });

  test('our own document describes every operation of the contract', async () => {
    await openFestival();
    const { body } = await sale.one.ask('GET', '/openapi.json');
    const ours = body['paths'] as Record<string, Record<string, { operationId: string }>>;
    for (const [path, methods] of Object.entries(CONTRACT.paths)) {
      for (const [method, { operationId }] of Object.entries(methods)) {
        expect(ours[`/festival/v1${path}`]?.[method]?.operationId).toBe(operationId);
      }
    }
  });
});
