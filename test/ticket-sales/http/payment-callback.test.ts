/** POST /v1/payments/{purchaseId}: who is believed, and what gets into the log. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MillraceError } from '../../../base/errors.ts';
import type { PaymentUpdate } from '../../../ticket-sales/domain/command.ts';
import { TOPICS } from '../../../ticket-sales/records.ts';
import { sign } from '../../../ticket-sales/signature.ts';
import { TokenIssuer } from '../../kit/token-issuer.ts';
import { type Answer, FakeSale } from './fake-sale.ts';

const SECRET = 'a-secret-of-provider-and-sale';
const ENV = { PAYMENT_CALLBACK_SECRETS: `an-older-one-of-both-sides,${SECRET}` };
const paid = { paymentId: 'pay-1', status: 'succeeded', amountMinor: 2_000, currency: 'EUR' };
const foreignId = '6f9619ff-8b86-4011-b42d-00c04fc964ff';

let sale: FakeSale;

beforeEach(async () => {
  sale = await FakeSale.start(2, ENV);
});
afterEach(() => sale.stop());

async function tell(
  purchaseId: string,
  body: object,
  options: { readonly signature?: string | null; readonly instance?: number } = {},
): Promise<Answer> {
  const text = JSON.stringify(body);
  const { signature = sign([SECRET], text, Date.now()), instance = 0 } = options;
  const answer = await fetch(
    `http://127.0.0.1:${sale.instances[instance]!.port}/v1/payments/${purchaseId}`,
    {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(signature === null ? {} : { 'millrace-signature': signature }),
      },
      body: text,
    },
  );
  return {
    status: answer.status,
    headers: answer.headers,
    body: (await answer.json()) as Record<string, unknown>,
  };
}

/** A zone and a purchase in it; resolves with the purchase's id. */
async function buy(eventId: string): Promise<string> {
  await sale.one.ask('PUT', `/v1/events/${eventId}`, { body: { name: 'G' } });
  await sale.one.ask('PUT', `/v1/events/${eventId}/zones/floor`, { body: { capacity: 10 } });
  const { status, body } = await sale.one.ask('POST', '/v1/purchases', {
    headers: { 'idempotency-key': 'k1', prefer: 'wait=5' },
    body: { eventId, zoneId: 'floor', buyerId: 'ada', quantity: 2 },
  });
  expect([201, 202]).toContain(status);
  return String(body['purchaseId']);
}

const payments = () =>
  sale.sent.filter(({ topic }) => topic === TOPICS.payments).map(({ key, value }) => [key, value]);

describe('a callback', () => {
  test.each(['gala', 'ball', 'fair', 'race'])(
    'without a zone gets into the log of its purchase, wherever that is (%s)',
    async (eventId) => {
      const purchaseId = await buy(eventId);
      for (const instance of [0, 1]) {
        const answer = await tell(purchaseId, paid, { instance });
        expect([answer.status, answer.body]).toEqual([202, { purchaseId, paymentId: 'pay-1' }]);
      }
      const update = { ...paid, kind: 'payment', purchaseId, eventId, zoneId: 'floor' };
      expect(payments()).toEqual([
        [`${eventId}/floor`, expect.objectContaining(update)],
        [`${eventId}/floor`, expect.objectContaining(update)],
      ]);
    },
  );

  test('with a zone gets into the log even of a purchase that nobody knows: money is never turned away', async () => {
    const zone = { eventId: 'gala', zoneId: 'floor' };
    const occurredAt = '2026-11-21T12:00:00.250Z';
    const answer = await tell(foreignId, { ...paid, ...zone, detail: 'by card', occurredAt });
    expect(answer.status).toBe(202);
    const update: PaymentUpdate = {
      kind: 'payment',
      purchaseId: foreignId,
      ...zone,
      paymentId: 'pay-1',
      status: 'succeeded',
      amountMinor: 2_000,
      currency: 'EUR',
      refundId: null,
      detail: 'by card',
      occurredAtMs: Date.parse(occurredAt),
    };
    expect(payments()).toEqual([['gala/floor', update]]);
  });

  test('without a zone of an unknown purchase is 404, and of an id that is not ours 422', async () => {
    const purchaseId = await buy('gala');
    const unknown = `${purchaseId.slice(0, -1)}${purchaseId.endsWith('0') ? '1' : '0'}`;
    expect((await tell(unknown, paid)).status).toBe(404);
    const foreign = await tell(foreignId, paid);
    expect([foreign.status, foreign.body['errors']]).toEqual([
      422,
      [{ pointer: '/eventId', detail: 'is required: the id is not one of ours' }],
    ]);
    expect(payments()).toEqual([]);
  });

  test('is believed by an older secret as long as that is in the list', async () => {
    const purchaseId = await buy('gala');
    const text = JSON.stringify(paid);
    const older = sign(['an-older-one-of-both-sides'], text, Date.now());
    expect((await tell(purchaseId, paid, { signature: older })).status).toBe(202);
  });

  test.each([
    ['no signature', () => null, 'is missing'],
    ['what is no signature', () => 't=now', 'is malformed'],
    [
      'a secret that is not ours',
      () => sign(['somebody-elses'], JSON.stringify(paid), Date.now()),
      'is wrong',
    ],
    [
      'another body',
      () => sign([SECRET], JSON.stringify({ ...paid, amountMinor: 1 }), Date.now()),
      'is wrong',
    ],
    [
      'a time six minutes ago',
      () => sign([SECRET], JSON.stringify(paid), Date.now() - 360_000),
      'is too old',
    ],
  ])('with %s is 401, before anything is read', async (_, signature, why) => {
    const purchaseId = await buy('gala');
    const answer = await tell(purchaseId, paid, { signature: signature() });
    expect([answer.status, answer.body['detail']]).toEqual([401, `Millrace-Signature ${why}`]);
    expect(payments()).toEqual([]);
    // Not even that it is no JSON is told to strangers.
    const odd = await fetch(`http://127.0.0.1:${sale.one.port}/v1/payments/${purchaseId}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'millrace-signature': signature() ?? '' },
      body: '{',
    });
    expect(odd.status).toBe(401);
  });

  test.each([
    [{ status: 'refunded' }, '/refundId'],
    [{ eventId: 'gala' }, '/eventId'],
    [{ status: 'stolen' }, '/status'],
    [{ amountMinor: -1 }, '/amountMinor'],
    [{ amountMinor: 0.5 }, '/amountMinor'],
    [{ currency: 'euro' }, '/currency'],
    [{ paymentId: '' }, '/paymentId'],
    [{ occurredAt: '2026-02-30T00:00:00Z', eventId: 'gala', zoneId: 'floor' }, '/occurredAt'],
    [{ card: '4111' }, '/card'],
  ])('with %j is 422', async (change, pointer) => {
    const purchaseId = await buy('gala');
    const { status, body } = await tell(purchaseId, { ...paid, ...change });
    expect(status).toBe(422);
    expect((body['errors'] as { pointer: string }[]).map((error) => error.pointer)).toContain(
      pointer,
    );
    expect(payments()).toEqual([]);
  });

  test('that is not known to have got into the log is told so, to be sent again', async () => {
    const purchaseId = await buy('gala');
    sale.nextSendError = new MillraceError('KAFKA_AMBIGUOUS', 'no answer');
    const owner = sale.instances.indexOf(sale.instanceOf('gala/floor', true));
    const answer = await tell(purchaseId, paid, { instance: owner });
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1']);
  });

  test('never gets its secret, nor its signature, into the log of events', async () => {
    const purchaseId = await buy('gala');
    await tell(purchaseId, paid);
    await tell(purchaseId, paid, { signature: `t=1,v1=${'ab'.repeat(32)}` });
    expect(sale.said.join('\n')).not.toMatch(/secret-of-provider|older-one|abababab/);
  });
});

test('a provider needs no token where others do, at whichever instance he asks', async () => {
  const issuer = await TokenIssuer.start();
  await sale.stop();
  sale = await FakeSale.start(2, { ...ENV, ...issuer.env() });
  const headers = { authorization: `Bearer ${await issuer.token('olga', ['operator'])}` };
  const event = '/v1/events/gala';
  await sale.one.ask('PUT', event, { headers, body: { name: 'G' } });
  await sale.one.ask('PUT', `${event}/zones/floor`, { headers, body: { capacity: 10 } });
  const { body } = await sale.one.ask('POST', '/v1/purchases', {
    headers: { ...headers, 'idempotency-key': 'k1', prefer: 'wait=5' },
    body: { eventId: 'gala', zoneId: 'floor', buyerId: 'ada', quantity: 2 },
  });
  for (const instance of [0, 1]) {
    expect((await tell(String(body['purchaseId']), paid, { instance })).status).toBe(202);
  }
  expect(payments()).toHaveLength(2);
  issuer.stop();
});

test('nobody is believed where there is no secret', async () => {
  const closed = await FakeSale.start();
  const answer = await closed.one.ask('POST', `/v1/payments/${foreignId}`, {
    headers: {
      'millrace-signature': sign(['whatever-there-might-be'], JSON.stringify(paid), Date.now()),
    },
    body: paid,
  });
  expect([answer.status, answer.body['type']]).toEqual([
    503,
    'urn:millrace:problem:auth-unavailable',
  ]);
  await closed.stop();
});
