/**
 * Payments and notifications as they are run: inside of `npm start`, and as processes of their own
 * that are killed in the middle. What was paid, refunded and mailed is counted by those outside: the
 * bank and the mail server.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../../base/clock.ts';
import { silentLog } from '../../../base/log.ts';
import { systemRandom } from '../../../base/random.ts';
import { createKafkaClient } from '../../../kafka/kafka-client.ts';
import { purchaseIdFor } from '../../../ticket-sales/domain/purchase-id.ts';
import { planPayment } from '../../../ticket-sales/payments/simulated-provider.ts';
import { freePort } from '../../kit/apache-kafka.ts';
import { type Bank, startBank } from '../../kit/bank.ts';
import { type SaleProcess, saleProcess } from '../../kit/sale-process.ts';
import { type ServiceProcess, serviceProcess } from '../../kit/service-process.ts';
import { type SmtpServer, smtpServer } from '../../kit/smtp-server.ts';

/** Longer than a payment takes on a busy machine. */
const HOLD_MS = 6_000;
const SETTINGS = { seed: 7, delayMs: 100, declined: 30, late: 30, doubled: 30, lost: 20 };
const price = { amountMinor: 1_000, currency: 'EUR' };

type View = Record<string, unknown> & { readonly purchaseId: string; readonly state: string };

async function ask(
  url: string,
  method: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ readonly status: number; readonly body: View }> {
  for (;;) {
    const answer = await fetch(url, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const view = (await answer.json()) as View;
    if (answer.status !== 503) return { status: answer.status, body: view };
    await sleep(200);
  }
}

/** A sale with one event and one zone, whose tickets are held. */
class Sale {
  readonly process: SaleProcess;
  readonly zone: { readonly eventId: string; readonly zoneId: string };

  constructor(process: SaleProcess, zoneId: string) {
    this.process = process;
    this.zone = { eventId: 'gala', zoneId };
  }

  async define(changes: object): Promise<void> {
    const event = `${this.process.httpUrl}/v1/events/gala`;
    expect((await ask(event, 'PUT', { name: 'The Gala' })).status).toBeLessThan(300);
    const zone = { capacity: 1_000, checkout: 'hold', price, notify: true, ...changes };
    const answer = await ask(`${event}/zones/${this.zone.zoneId}`, 'PUT', zone);
    expect(answer.status).toBe(201);
  }

  async hold(buyerId: string): Promise<string> {
    const request = { ...this.zone, buyerId, quantity: 2 };
    const headers = { 'idempotency-key': 'k', prefer: 'wait=20' };
    const { body } = await ask(`${this.process.httpUrl}/v1/purchases`, 'POST', request, headers);
    expect(body).toMatchObject({ state: 'held' });
    return body.purchaseId;
  }

  async purchase(purchaseId: string): Promise<View> {
    return (await ask(`${this.process.httpUrl}/v1/purchases/${purchaseId}`, 'GET')).body;
  }

  /** Resolves when all of them are as wanted; a test that never gets there ends by its time. */
  async until(purchaseIds: readonly string[], isReached: (view: View) => boolean): Promise<void> {
    for (const purchaseId of purchaseIds) {
      while (!isReached(await this.purchase(purchaseId))) await sleep(100);
    }
  }
}

const inState =
  (...states: string[]) =>
  ({ state }: View) =>
    states.includes(state);

const buyers = (count: number, name = 'buyer') =>
  Array.from({ length: count }, (_, number) => `${name}-${number}`);

describe('in one process', () => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-services-'));
  const mails = join(directory, 'mails.ndjson');
  let sale: Sale;

  beforeAll(async () => {
    const process = await saleProcess({
      directory,
      env: {
        PAYMENT_SIM_SEED: '7',
        PAYMENT_SIM_DELAY_MS: '100',
        PAYMENT_SIM_DECLINED_PERCENT: '30',
        PAYMENT_SIM_LATE_PERCENT: '30',
        PAYMENT_SIM_DOUBLED_PERCENT: '30',
        PAYMENT_SIM_LOST_PERCENT: '20',
        NOTIFICATIONS: 'file',
        NOTIFICATION_FILE: mails,
      },
    });
    process.start();
    await process.ready();
    sale = new Sale(process, 'floor');
    await sale.define({ holdMs: 60_000 });
    // The service sleeps until it is asked for the first time: holds of a minute outlive that.
    const first = buyers(40, 'first').find((buyerId) => planOf(sale, buyerId).kind === 'succeeded');
    await sale.until([await sale.hold(first!)], inState('confirmed'));
  }, 180_000);

  afterAll(async () => {
    await sale.process.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  });

  test('every hold ends as its payment did: confirmed, failed, expired, or expired and refunded', async () => {
    const short = new Sale(sale.process, 'short');
    await short.define({ holdMs: HOLD_MS });
    const seen = new Set<string>();
    const ends: [purchaseId: string, expected: object][] = [];
    for (const buyerId of buyers(40)) {
      const { kind, purchaseId, paymentId, times } = planOf(short, buyerId);
      if (seen.has(`${kind} ${times}`)) continue;
      seen.add(`${kind} ${times}`);
      expect(await short.hold(buyerId)).toBe(purchaseId);
      ends.push([purchaseId, expectedEnd(kind, paymentId)]);
    }
    expect(seen.size).toBeGreaterThanOrEqual(7);
    for (const [purchaseId, expected] of ends) {
      await expect
        .poll(() => short.purchase(purchaseId), { timeout: 60_000, interval: 200 })
        .toMatchObject(expected);
    }
  }, 120_000);

  test('what became of their jobs is told beside the sale’s own metrics', async () => {
    const metrics = await (await fetch(`${sale.process.httpUrl}/metrics`)).text();
    expect(metrics).toMatch(
      /^tickets_jobs_delivered_total\{service="payments",way="payment"\} [1-9]/m,
    );
    expect(metrics).toMatch(/^tickets_jobs_requested_total\{service="notifications",/m);
  });

  test('each buyer hears of each change once', async () => {
    const purchaseId = await sale.hold('ada');
    await sale.until([purchaseId], inState('confirmed', 'payment_failed', 'held'));
    const told = () =>
      readFileSync(mails, 'utf8')
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as { readonly messageId: string; readonly to: string });
    await expect
      .poll(() => told().filter(({ to }) => to === 'ada@example.org').length, { timeout: 30_000 })
      .toBeGreaterThan(0);
    const ids = told().map(({ messageId }) => messageId);
    expect(ids.length).toBeGreaterThan(5);
    expect(new Set(ids).size).toBe(ids.length);
  }, 60_000);
});

/** What the simulated provider is going to do, as it has said itself. */
function planOf({ zone }: Sale, buyerId: string) {
  const purchaseId = purchaseIdFor({ ...zone, buyerId, idempotencyKey: 'k' });
  const address = { purchaseId, buyerId, ...zone, requestedAtMs: 0, dueAtMs: 1e6 };
  const { paymentId, status, toldAtMs } = planPayment(SETTINGS, { ...address, ...price });
  const [first] = toldAtMs;
  const late = first !== undefined && first >= 1e6 ? 'late ' : '';
  return {
    purchaseId,
    paymentId,
    times: toldAtMs.length,
    kind: first === undefined ? 'lost' : `${late}${status}`,
  };
}

function expectedEnd(kind: string, paymentId: string): object {
  switch (kind) {
    case 'succeeded':
      return { state: 'confirmed', payment: { paymentId, paidMinor: 2_000 } };
    case 'failed':
      return { state: 'payment_failed' };
    case 'late succeeded':
      return { state: 'expired', payment: { paidMinor: 2_000, refundedMinor: 2_000 } };
    default:
      return { state: 'expired' };
  }
}

describe('in processes of their own', () => {
  const SECRET = 'a-secret-of-bank-and-sale';
  const directory = mkdtempSync(join(tmpdir(), 'millrace-services-'));
  let sale: Sale;
  let bank: Bank;
  let post: SmtpServer;
  let payments: ServiceProcess;
  let notifications: ServiceProcess;
  let probesPort: number;

  beforeAll(async () => {
    const process = await saleProcess({
      directory,
      env: { PAYMENTS: 'off', NOTIFICATIONS: 'off', PAYMENT_CALLBACK_SECRETS: SECRET },
    });
    process.start();
    await process.ready();
    bank = await startBank({ saleUrl: process.httpUrl, secret: SECRET, delayMs: 300 });
    post = await smtpServer();
    const kafka = { KAFKA_BROKERS: process.brokers, SCHEMA_REGISTRY_URL: process.registryUrl };
    probesPort = await freePort();
    payments = serviceProcess('payments', directory, {
      ...kafka,
      SERVICE_HTTP_PORT: String(probesPort),
      PAYMENTS: 'http',
      PAYMENT_PROVIDER_URL: bank.url,
      PAYMENT_PROVIDER_SECRET: SECRET,
      PAYMENT_CALLBACK_SECRETS: SECRET,
    });
    notifications = serviceProcess('notifications', directory, {
      ...kafka,
      NOTIFICATIONS: 'smtp',
      SMTP_URL: post.url,
      // Of a machine that is busy with other tests; after six times as long a mail is in doubt.
      NOTIFICATION_TIMEOUT_MS: '4000',
    });
    sale = new Sale(process, 'floor');
    await sale.define({ holdMs: 600_000 });
  }, 180_000);

  afterAll(async () => {
    await Promise.all([payments.kill('SIGKILL'), notifications.kill('SIGKILL')]);
    await sale.process.kill('SIGKILL');
    await Promise.all([bank.close(), post.close()]);
    rmSync(directory, { recursive: true, force: true });
  });

  let paid: string[] = [];

  test('a payment service that is killed in the middle loses and doubles no payment', async () => {
    await payments.start();
    const hold = (names: readonly string[]) => Promise.all(names.map((buyer) => sale.hold(buyer)));
    const early = hold(buyers(40));
    while (bank.payments.size < 20) await sleep(5);
    await payments.kill('SIGKILL');
    paid = [...(await early), ...(await hold(buyers(20, 'late-buyer')))];
    await payments.start();
    await sale.until(paid, inState('confirmed'));
    expect([...bank.payments.keys()].sort()).toEqual([...paid].sort());
    for (const purchaseId of paid) {
      const { paymentId } = bank.payments.get(purchaseId)!;
      const payment = { paymentId, paidMinor: 2_000, refundRequestedMinor: 0, refundedMinor: 0 };
      expect(await sale.purchase(purchaseId)).toMatchObject({ payment });
    }
    expect([bank.refunds.size, bank.unsigned()]).toEqual([0, 0]);
  }, 120_000);

  test('a service tells probes that it runs, and Prometheus what became of its jobs', async () => {
    const probe = async (name: string) => {
      const answer = await fetch(`http://127.0.0.1:${probesPort}/${name}`);
      return { status: answer.status, text: await answer.text() };
    };
    // It works before it listens: nobody is to ask it for work.
    await expect
      .poll(() => probe('readyz').catch(() => undefined), { timeout: 10_000 })
      .toMatchObject({ status: 200 });
    expect((await probe('livez')).status).toBe(200);
    // Those before the kill were told by the process that is gone, the twenty after it by this one; a
    // buyer may hear of a payment before the service has written down that it was asked for.
    const told = async () => (await probe('metrics')).text;
    await expect
      .poll(told, { timeout: 10_000 })
      .toMatch(/^tickets_jobs_delivered_total\{service="payments",way="payment"\} [2-6]\d$/m);
    await expect
      .poll(told, { timeout: 10_000 })
      .toMatch(/^tickets_in_flight_jobs\{service="payments",way="payment"\} 0$/m);
    expect((await probe('v1/events')).status).toBe(404);
  });

  test('nor any refund', async () => {
    const cancelling = Promise.all(
      paid.map((purchaseId) => ask(`${sale.process.httpUrl}/v1/purchases/${purchaseId}`, 'DELETE')),
    );
    while (bank.refunds.size < 20) await sleep(5);
    await payments.kill('SIGKILL');
    await cancelling;
    await payments.start();
    await sale.until(paid, inState('refunded'));
    const refunded = [...bank.refunds.values()];
    expect(refunded.map(({ purchaseId }) => purchaseId).sort()).toEqual([...paid].sort());
    expect(refunded.reduce((sum, { amountMinor }) => sum + amountMinor, 0)).toBe(60 * 2_000);
  }, 120_000);

  test('mails arrive once, over an orderly restart in the middle', async () => {
    await notifications.start();
    await post.received(30);
    await notifications.kill('SIGTERM');
    await notifications.start();
    // Held, confirmed, cancelled and refunded, of 60 purchases.
    await post.received(240);
    expect(idsOf(post)).toHaveLength(240);
    expect(new Set(idsOf(post)).size).toBe(240);
  }, 120_000);

  test('killed in the middle no mail goes out twice, and those in doubt are put aside', async () => {
    const before = post.mails.length;
    const purchaseIds = await Promise.all(buyers(60, 'late').map((buyer) => sale.hold(buyer)));
    await sale.until(purchaseIds, inState('confirmed'));
    await post.received(before + 40);
    await notifications.kill('SIGKILL');
    await notifications.start();
    await expect
      .poll(async () => post.mails.length - before + (await deadLetters(sale.process)), {
        timeout: 120_000,
        interval: 200,
      })
      .toBeGreaterThanOrEqual(120);
    const ids = idsOf(post);
    expect(new Set(ids).size).toBe(ids.length);
  }, 180_000);
});

function idsOf({ mails }: SmtpServer): string[] {
  return mails.map(({ text }) => /^Message-ID: <(.*)>/m.exec(text)?.[1] ?? '');
}

async function deadLetters({ brokers }: SaleProcess): Promise<number> {
  const [host, port] = brokers.split(':') as [string, string];
  const kafka = createKafkaClient({
    connection: { kind: 'tcp', brokers: [{ host, port: Number(port) }], clientId: 'test' },
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  });
  const topic = 'notificationRequested.dlq';
  const count = (await kafka.partitionCount(topic)) ?? 0;
  const partitions = Array.from({ length: count }, (_, partition) => ({ topic, partition }));
  const ends = await kafka.admin.listOffsets(partitions, 'latest', 'read_committed');
  await kafka.close();
  return [...ends.values()].reduce((sum, { offset }) => sum + offset, 0);
}
