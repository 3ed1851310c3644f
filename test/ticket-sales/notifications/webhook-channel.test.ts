import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../base/clock.ts';
import { JobRefused, JobUncertain } from '../../../ticket-sales/jobs/job-worker.ts';
import { webhookChannel } from '../../../ticket-sales/notifications/webhook-channel.ts';
import { verify } from '../../../ticket-sales/signature.ts';
import { notification } from './samples.ts';

const SECRETS = ['the-new-secret-of-both', 'the-old-secret-of-both'];
const { signal } = new AbortController();

interface Hit {
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

let server: Server;
let hits: Hit[];
let answer: (response: ServerResponse) => void;
let url: string;

beforeEach(async () => {
  hits = [];
  answer = (response) => response.writeHead(204).end();
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      hits.push({ headers: request.headers, body: Buffer.concat(chunks) });
      answer(response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as { port: number }).port}/hook?token=t`;
});
afterEach(() => {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(resolve));
});

const channel = (timeoutMs = 2_000) =>
  webhookChannel({ url, secrets: SECRETS, attemptsMax: 3, timeoutMs, clock: systemClock });

describe('a webhook', () => {
  test('is a signed POST of the notification, known again by its id', async () => {
    await channel().deliver(notification, signal);
    const [{ headers, body }] = hits as [Hit];
    expect(headers['millrace-notification-id']).toBe(notification.notificationId);
    for (const secret of SECRETS) {
      expect(verify(String(headers['millrace-signature']), [secret], body, Date.now())).toBe(
        'good',
      );
    }
    expect(JSON.parse(body.toString())).toEqual({
      notificationId: notification.notificationId,
      type: 'purchase.confirmed',
      purchaseId: notification.purchaseId,
      eventId: 'gala',
      zoneId: 'floor',
      buyerId: 'ada',
      quantity: 2,
      seats: [],
      amount: { amountMinor: 2_050, currency: 'EUR' },
      occurredAt: new Date(notification.requestedAtMs).toISOString(),
    });
  });

  test.each([400, 404, 429, 500, 503])('that is answered %i is tried again', async (status) => {
    answer = (response) => response.writeHead(status).end('no');
    const error: unknown = await channel()
      .deliver(notification, signal)
      .catch((cause) => cause);
    expect(error).not.toBeInstanceOf(JobRefused);
    expect(error).not.toBeInstanceOf(JobUncertain);
    expect((error as Error).message).toBe(`the receiver answered ${status}`);
  });

  test('follows no redirect', async () => {
    answer = (response) => response.writeHead(307, { location: url }).end();
    await expect(channel().deliver(notification, signal)).rejects.toThrow('answered 307');
    expect(hits).toHaveLength(1);
  });

  test('waits for no answer for ever, and not beyond the stop', async () => {
    answer = () => {};
    await expect(channel(100).deliver(notification, signal)).rejects.toThrow();
    const stopping = new AbortController();
    const delivering = channel(60_000).deliver(notification, stopping.signal);
    stopping.abort();
    await expect(delivering).rejects.toThrow();
  });

  test('has a name that stays the same, differs by URL, and tells nothing of it', () => {
    const { name } = channel();
    expect(channel().name).toBe(name);
    expect(name).toMatch(/^webhook-[0-9a-f]{12}$/);
    const options = { secrets: SECRETS, attemptsMax: 3, timeoutMs: 1, clock: systemClock };
    expect(webhookChannel({ ...options, url: `${url}2` }).name).not.toBe(name);
  });
});
