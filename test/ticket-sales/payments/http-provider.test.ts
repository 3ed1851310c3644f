import { createServer, type IncomingMessage, type Server } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../base/clock.ts';
import { httpProvider } from '../../../ticket-sales/payments/http-provider.ts';
import { PaymentRefused } from '../../../ticket-sales/payments/payment-provider.ts';
import { verify } from '../../../ticket-sales/signature.ts';

const SECRET = 'a-secret-of-provider-and-sale';
const { signal } = new AbortController();
const zone = { eventId: 'gala', zoneId: 'floor' };
const money = { amountMinor: 2_000, currency: 'EUR' };
const payment = {
  purchaseId: 'p1',
  ...zone,
  buyerId: 'ada',
  ...money,
  dueAtMs: 1_790_000_600_000,
  requestedAtMs: 1_790_000_000_000,
};
const refund = {
  purchaseId: 'p1',
  ...zone,
  refundId: 'r1',
  paymentId: 'pay-1',
  ...money,
  reason: 'cancelled',
  requestedAtMs: 1_790_000_000_000,
} as const;

let server: Server;
let status: number;
let asked: { readonly request: IncomingMessage; readonly body: Buffer }[];
let url: string;

beforeEach(async () => {
  asked = [];
  status = 202;
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      asked.push({ request, body: Buffer.concat(chunks) });
      response.writeHead(status).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as { port: number }).port}/pay/`;
});
afterEach(() => {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(resolve));
});

const provider = () => httpProvider({ url, secret: SECRET, timeoutMs: 2_000, clock: systemClock });

describe('a provider asked by HTTP', () => {
  test('gets payments and refunds with their ids as idempotency keys, signed', async () => {
    await provider().requestPayment(payment, signal);
    await provider().refund(refund, signal);
    expect(asked.map(({ request }) => [request.url, request.headers['idempotency-key']])).toEqual([
      ['/pay/payments', 'p1'],
      ['/pay/refunds', 'r1'],
    ]);
    for (const { request, body } of asked) {
      const header = String(request.headers['millrace-signature']);
      expect(verify(header, [SECRET], body, Date.now())).toBe('good');
    }
    expect(asked.map(({ body }) => JSON.parse(body.toString()))).toEqual([
      { purchaseId: 'p1', ...zone, buyerId: 'ada', ...money, dueAt: '2026-09-21T14:23:20.000Z' },
      {
        purchaseId: 'p1',
        ...zone,
        refundId: 'r1',
        paymentId: 'pay-1',
        ...money,
        reason: 'cancelled',
      },
    ]);
  });

  test.each([400, 402, 410, 422])('that says %i has refused', async (said) => {
    status = said;
    await expect(provider().refund(refund, signal)).rejects.toBeInstanceOf(PaymentRefused);
  });

  test.each([302, 401, 404, 409, 429, 500, 503])('that says %i is asked again', async (said) => {
    status = said;
    const error: unknown = await provider()
      .requestPayment(payment, signal)
      .catch((cause) => cause);
    expect(error).toBeInstanceOf(Error);
    expect(error).not.toBeInstanceOf(PaymentRefused);
  });
});
