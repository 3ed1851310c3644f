/** Orders over HTTP: the real API and the real saga; the zones say what the test says. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../../base/log.ts';
import { BatchBuilder } from '../../../kafka/records/batch-builder.ts';
import { toBytes } from '../../../schemas/serde.ts';
import { readConfig } from '../../../ticket-sales/app/config.ts';
import type { CommandSender } from '../../../ticket-sales/command-sender.ts';
import { createTicketApi, type TicketApi } from '../../../ticket-sales/http/ticket-api.ts';
import { decideCancelOrder, decideLine } from '../../../ticket-sales/orders/decide-order.ts';
import { decideOrderPayment } from '../../../ticket-sales/orders/decide-order-payment.ts';
import { decidePlaceOrder } from '../../../ticket-sales/orders/decide-place-order.ts';
import { type Order, orderIdFor } from '../../../ticket-sales/orders/order.ts';
import type { OrderCommand } from '../../../ticket-sales/orders/order-command.ts';
import type { OrderDecision } from '../../../ticket-sales/orders/order-decision.ts';
import { ORDER_STORES } from '../../../ticket-sales/orders/order-processor.ts';
import { ORDER_TOPICS, orderSerdes } from '../../../ticket-sales/orders/order-records.ts';
import { ticketSerdes } from '../../../ticket-sales/records.ts';
import { STORES } from '../../../ticket-sales/sale/sale-stores.ts';
import { FakeStreams } from '../../interactive-queries/fake-streams.ts';
import { at, outcome, payment } from './samples.ts';

const registry = { register: async () => 7, schemaById: async () => 'string' };
const orders = orderSerdes(registry);
const ORDER_ID = orderIdFor('ada', 'key-1');
const LINES = [
  { eventId: 'gala', zoneId: 'floor', quantity: 2 },
  { eventId: 'gala', zoneId: 'balcony', seats: ['A1', 'A2'] },
];

type LineState = 'held' | 'confirmed' | 'rejected';

let streams: FakeStreams;
let api: TicketApi;
let url: string;
let offset: number;
/** Thrown by the next send, once. */
let nextSendError: Error | undefined;

beforeEach(async () => {
  await orders.order.prepare?.(ORDER_TOPICS.orderStatus, 'value');
  offset = 0;
  nextSendError = undefined;
  streams = new FakeStreams();
  for (const name of [...Object.values(STORES), ...Object.values(ORDER_STORES)]) {
    streams.addStore(name);
  }
  api = createTicketApi({
    config: readConfig({ QUERY_TIMEOUT_MS: '300' }).config,
    streams,
    sender,
    serdes: ticketSerdes(registry),
    orders,
    log: silentLog,
    self: { host: '127.0.0.1', port: 1 },
    version: '1.2.3',
  });
  url = `http://127.0.0.1:${await api.app.listen('127.0.0.1', 0, 'HTTP_PORT')}`;
});

afterEach(() => api.app.close(0));

/** The log and the order's task in one: decided before the acknowledgement comes. */
const sender: CommandSender = {
  send: async ({ topic }, key, value) => {
    const error = nextSendError;
    nextSendError = undefined;
    if (error !== undefined) throw error;
    const command = value as OrderCommand;
    expect([topic, key]).toEqual([ORDER_TOPICS.orders, command.orderId]);
    carryOut(
      command.kind === 'placeOrder'
        ? decidePlaceOrder(order(key), command, at(1_000, offset))
        : decideCancelOrder(order(key), at(2_000, offset)),
    );
    streams.position(0, `${topic}-0`, ++offset);
    return { partition: 0, offset: offset - 1 };
  },
};

function order(orderId = ORDER_ID): Order | undefined {
  return streams.valueOf(ORDER_STORES.orders, 0, orderId) as Order | undefined;
}

/** As the task does it: into the store, and out as a committed record. */
function carryOut(decision: OrderDecision): void {
  if (!('order' in decision)) return;
  const { order: next } = decision;
  streams.put(ORDER_STORES.orders, 0, next.orderId, next);
  const builder = new BatchBuilder({ sizeBytesMax: 1_000_000 });
  builder.append(0, Buffer.from(next.orderId), toBytes(orders.order, next));
  const topic = ORDER_TOPICS.orderStatus;
  const { bytes: batch } = builder.finish(topic, 0, 'none');
  streams.commit({
    taskPartitions: [0],
    outputs: [{ topic, partition: 0, batch }],
    committedAtMs: 0,
  });
}

function zonesSay(...states: readonly LineState[]): void {
  for (const [number, state] of states.entries()) {
    const reason = state === 'rejected' ? 'seat_taken' : 'none';
    const seats = state === 'rejected' ? ['A2'] : [];
    const known = order()!;
    carryOut(decideLine(known, outcome(known, number, state, { reason, seats }), at(1_500)));
  }
}

async function ask(method: string, path: string, body?: unknown, headers: object = {}) {
  const answer = await fetch(url + path, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  const json = (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>;
  return { status: answer.status, headers: answer.headers, body: json };
}

const place = (headers: object = {}, body: object = {}) =>
  ask(
    'POST',
    '/v1/orders',
    { buyerId: 'ada', lines: LINES, ...body },
    { 'idempotency-key': 'key-1', ...headers },
  );

const WAIT = { prefer: 'wait=20' };

/** The zones answer once the order is there: before somebody waits for them, or after. */
async function placeAndThen(...states: LineState[]) {
  const answering = place(WAIT);
  while (order() === undefined) await new Promise((resolve) => setImmediate(resolve));
  zonesSay(...states);
  return answering;
}

describe('POST /v1/orders', () => {
  test('answers 202 with where to look as soon as the command is in the log', async () => {
    const { status, headers, body } = await place();
    expect(status).toBe(202);
    expect(headers.get('location')).toBe(`/v1/orders/${ORDER_ID}`);
    expect(headers.get('store-position')).toBe('ticketOrder-0:1');
    expect(body).toMatchObject({ orderId: ORDER_ID, state: 'requested', buyerId: 'ada' });
  });

  test('waits for the zones when it is asked to', async () => {
    const { status, headers, body } = await placeAndThen('held', 'held');
    expect(status).toBe(201);
    expect(headers.get('preference-applied')).toBe('wait');
    expect(body).toMatchObject({
      state: 'held',
      price: { amountMinor: 4_000, currency: 'EUR' },
      lines: [
        { zoneId: 'floor', state: 'held', quantity: 2 },
        { zoneId: 'balcony', state: 'held', seats: ['A1', 'A2'] },
      ],
    });
    expect(body['payBy']).toEqual(expect.any(String));
  });

  test('names the line and the seats that were lost', async () => {
    const { status, body } = await placeAndThen('held', 'rejected');
    expect(status).toBe(409);
    expect(body).toMatchObject({
      type: 'urn:millrace:problem:rejected',
      reason: 'seat_taken',
      decidingLine: 1,
      orderId: ORDER_ID,
    });
    const { body: shown } = await ask('GET', `/v1/orders/${ORDER_ID}`);
    expect(shown['lines']).toMatchObject([{}, { seats: ['A1', 'A2'], lostSeats: ['A2'] }]);
  });

  test('with the same key is the same order; with other lines it is 422', async () => {
    await place();
    zonesSay('held', 'held');
    expect(await place(WAIT)).toMatchObject({ status: 201, body: { state: 'held' } });
    const others = [
      { lines: [LINES[0]] },
      { lines: [{ ...LINES[0], quantity: 3 }, LINES[1]] },
      { lines: [{ ...LINES[0], voucher: 'EARLY' }, LINES[1]] },
      { lines: [LINES[0], { ...LINES[1], seats: ['A1', 'A3'] }] },
    ];
    for (const other of others) {
      const { status, body } = await place(WAIT, other);
      expect([status, body['reason']]).toEqual([422, 'duplicate_conflict']);
    }
  });

  test.each([
    ['no lines', { lines: [] }, '/lines'],
    ['a line of no size', { lines: [{ eventId: 'gala', zoneId: 'floor' }] }, '/lines/0'],
    ['a line of two sizes', { lines: [{ ...LINES[1], quantity: 2 }] }, '/lines/0'],
  ])('with %s is 422', async (_what, body, pointer) => {
    const answer = await place({}, body);
    expect(answer.status).toBe(422);
    expect(answer.body['errors']).toMatchObject([{ pointer }]);
    expect(order()).toBeUndefined();
  });

  test('without a key is 400; with a broker that does not answer, its outcome is unknown', async () => {
    const lines = { buyerId: 'ada', lines: LINES };
    expect((await ask('POST', '/v1/orders', lines)).status).toBe(400);
    nextSendError = Object.assign(new Error('no answer'), { code: 'KAFKA_AMBIGUOUS' });
    const { status, body } = await place();
    expect([status, body['type']]).toEqual([503, 'urn:millrace:problem:outcome-unknown']);
  });
});

describe('GET /v1/orders/{orderId}', () => {
  test('answers 404 for what is none', async () => {
    expect((await ask('GET', `/v1/orders/${ORDER_ID}`)).status).toBe(404);
    expect((await ask('GET', '/v1/orders/order-7')).status).toBe(404);
  });

  test('gives up waiting after the time, with the order as it is', async () => {
    await place();
    const waited = await ask('GET', `/v1/orders/${ORDER_ID}`, undefined, { prefer: 'wait=1' });
    expect([waited.status, waited.body['state']]).toEqual([200, 'requested']);
  });
});

describe('DELETE /v1/orders/{orderId}', () => {
  test('releases what is held, and says the same again', async () => {
    await place();
    zonesSay('held', 'held');
    for (let times = 0; times < 2; times++) {
      const { status, body } = await ask('DELETE', `/v1/orders/${ORDER_ID}`, undefined, WAIT);
      expect([status, body['state']]).toEqual([200, 'released']);
    }
    expect(offset).toBe(2);
  });

  test('cancels what is paid, with its refund', async () => {
    await place();
    zonesSay('held', 'held');
    carryOut(decideOrderPayment(order(), payment({ purchaseId: ORDER_ID }), at(1_600)));
    zonesSay('confirmed', 'confirmed');
    expect((await ask('GET', `/v1/orders/${ORDER_ID}`)).body['state']).toBe('confirmed');
    const { status, body } = await ask('DELETE', `/v1/orders/${ORDER_ID}`, undefined, WAIT);
    expect([status, body['state']]).toEqual([200, 'cancelled']);
    expect(body['refunds']).toMatchObject([{ amountMinor: 4_000, isDone: false }]);
  });

  test('cannot give back what was rejected', async () => {
    await place();
    zonesSay('rejected');
    const { status, body } = await ask('DELETE', `/v1/orders/${ORDER_ID}`);
    expect([status, body['type']]).toEqual([409, 'urn:millrace:problem:already-final']);
    expect((await ask('DELETE', '/v1/orders/order-7')).status).toBe(404);
  });
});
