/** Orders with the real sale around them: what goes round between zones, payments and time. */
import { beforeEach, describe, expect, test } from 'vitest';
import { TopologyTestDriver } from '../../../runtime/topology-test-driver.ts';
import type { AvroSchema, SchemaRegistry } from '../../../schemas/schema-registry.ts';
import { stringSerde } from '../../../schemas/serdes.ts';
import type { PaymentUpdate, TicketCommand } from '../../../ticket-sales/domain/command.ts';
import type { NotificationRequest } from '../../../ticket-sales/domain/notification.ts';
import type { PaymentRequest, RefundRequest } from '../../../ticket-sales/domain/payment.ts';
import type { Purchase } from '../../../ticket-sales/domain/purchase.ts';
import { type Zone, zoneKey } from '../../../ticket-sales/domain/zone.ts';
import { type Order, orderIdFor } from '../../../ticket-sales/orders/order.ts';
import type { OrderCommand } from '../../../ticket-sales/orders/order-command.ts';
import { ORDER_STORES } from '../../../ticket-sales/orders/order-processor.ts';
import {
  ORDER_TOPICS,
  type OrderSerdes,
  orderSerdes,
} from '../../../ticket-sales/orders/order-records.ts';
import { type TicketSerdes, TOPICS, ticketSerdes } from '../../../ticket-sales/records.ts';
import { STORES } from '../../../ticket-sales/sale/sale-stores.ts';
import { ticketTopology } from '../../../ticket-sales/ticket-topology.ts';
import { createZone, HOLD_TERMS } from '../sale/driven-sale.ts';
import { lineOf, ORDER_ID, placeOrder } from './samples.ts';

const START_MS = 1_700_000_000_000;
const HOLD_MS = 60_000;

let serdes: TicketSerdes;
let orders: OrderSerdes;
let driver: TopologyTestDriver;
let nowMs: number;

beforeEach(async () => {
  nowMs = START_MS;
  await startDriver(1);
  for (const [zoneId, capacity, holdMs] of [
    ['floor', 10, 10 * HOLD_MS],
    ['balcony', 3, HOLD_MS],
  ] as const) {
    await sell({
      kind: 'createZone',
      eventId: 'gala',
      zoneId,
      capacity,
      quantityMax: 10,
      price: { amountMinor: 1_000, currency: 'EUR' },
      terms: {
        checkout: 'hold',
        holdMs,
        latePayment: 'refund',
        customerMax: 0,
        opensAtMs: null,
        closesAtMs: null,
        fees: null,
        tiers: [],
        layout: null,
        notify: false,
        intakeOnly: false,
      },
      blockedSeats: [],
    });
  }
});

async function startDriver(partitions: number): Promise<void> {
  const registry = fakeRegistry();
  serdes = ticketSerdes(registry);
  orders = orderSerdes(registry);
  await serdes.command.prepare?.(TOPICS.commands, 'value');
  await serdes.payment.prepare?.(TOPICS.payments, 'value');
  await orders.command.prepare?.(ORDER_TOPICS.orders, 'value');
  const options = { commandPartitions: partitions, orders: { serdes: orders, partitions } };
  driver = new TopologyTestDriver(ticketTopology(serdes, options), {
    applicationId: 'sale',
    initialWallClockTimeMs: START_MS,
  });
}

/** One id per schema. */
function fakeRegistry(): SchemaRegistry {
  const texts: string[] = [];
  return {
    register: async (_subject, schema) => {
      const text = JSON.stringify(schema);
      if (!texts.includes(text)) texts.push(text);
      return texts.indexOf(text) + 1;
    },
    schemaById: async (id) => JSON.parse(texts[id - 1]!) as AvroSchema,
  };
}

async function sell(command: TicketCommand): Promise<void> {
  const topic = driver.createInputTopic(TOPICS.commands, stringSerde, serdes.command);
  await topic.pipeInput(zoneKey(command.eventId, command.zoneId), command, nowMs);
}

async function ask(command: OrderCommand, key = command.orderId): Promise<void> {
  const topic = driver.createInputTopic(ORDER_TOPICS.orders, stringSerde, orders.command);
  await topic.pipeInput(key, command, nowMs);
}

async function tell(update: PaymentUpdate): Promise<void> {
  const topic = driver.createInputTopic(TOPICS.payments, stringSerde, serdes.payment);
  await topic.pipeInput(zoneKey(update.eventId, update.zoneId), update, nowMs);
}

/** As a payment service that knows nothing of orders answers: what it was asked, under the same key. */
function paymentOf(request: PaymentRequest, properties: Partial<PaymentUpdate> = {}) {
  const { purchaseId, eventId, zoneId, amountMinor, currency } = request;
  return {
    kind: 'payment',
    purchaseId,
    eventId,
    zoneId,
    paymentId: 'pay-1',
    status: 'succeeded',
    amountMinor,
    currency,
    refundId: null,
    detail: null,
    occurredAtMs: 0,
    ...properties,
  } as const;
}

function read<V>(topic: string, serde: Parameters<TopologyTestDriver['createOutputTopic']>[2]) {
  return driver.createOutputTopic(topic, stringSerde, serde).readKeyValuesToList() as readonly {
    readonly key: string;
    readonly value: V;
  }[];
}

const statusesOf = () => read<Order>(ORDER_TOPICS.orderStatus, orders.order);
const paymentRequests = () => read<PaymentRequest>(TOPICS.paymentRequests, serdes.paymentRequest);
const refundRequests = () => read<RefundRequest>(TOPICS.refundRequests, serdes.refundRequest);

const order = (orderId = ORDER_ID) =>
  driver.getKeyValueStore<string, Order>(ORDER_STORES.orders).get(orderId);

function stock(zoneId: string): string {
  const zone = driver.getKeyValueStore<string, Zone>(STORES.zones).get(`gala/${zoneId}`);
  return `${zone?.held} held, ${zone?.sold} sold`;
}

function lineStates(): readonly (string | undefined)[] {
  const purchases = driver.getKeyValueStore<string, Purchase>(STORES.purchases);
  return order()?.lines.map(({ purchaseId }) => purchases.get(purchaseId)?.state) ?? [];
}

/** The wall clock, in steps: each schedule fires once per step. */
async function pass(durationMs: number): Promise<void> {
  for (let passed = 0; passed < durationMs; passed += 1_000)
    await driver.advanceWallClockTime(1_000);
}

async function waitDeadlinesAreEmpty(): Promise<void> {
  const store = driver.getKeyValueStore<string, string>(ORDER_STORES.deadlines);
  const left: string[] = [];
  for await (const [, orderId] of store.range()) left.push(orderId);
  expect(left).toEqual([]);
}

describe('an order that every zone can serve', () => {
  test('is held, asks for one payment, and is sold when that comes', async () => {
    await ask(placeOrder());
    expect(statusesOf().map(({ key, value }) => [key, value.state])).toEqual([
      [ORDER_ID, 'requested'],
      [ORDER_ID, 'requested'],
      [ORDER_ID, 'held'],
    ]);
    expect([stock('floor'), stock('balcony')]).toEqual(['2 held, 0 sold', '2 held, 0 sold']);
    const [request, ...others] = paymentRequests();
    expect(others).toEqual([]);
    expect(request).toMatchObject({
      key: 'gala/floor',
      value: { purchaseId: ORDER_ID, amountMinor: 4_000, dueAtMs: START_MS + HOLD_MS - 6_000 },
    });
    nowMs += 10_000;
    await tell(paymentOf(request!.value));
    expect(order()).toMatchObject({ state: 'confirmed', paymentId: 'pay-1', paidMinor: 4_000 });
    expect(lineStates()).toEqual(['confirmed', 'confirmed']);
    expect([stock('floor'), stock('balcony')]).toEqual(['0 held, 2 sold', '0 held, 2 sold']);
    expect(refundRequests()).toEqual([]);
    await waitDeadlinesAreEmpty();
  });

  test('is the same order when it is placed again, and stays what it is', async () => {
    await ask(placeOrder());
    const before = order();
    await ask(placeOrder());
    await ask(placeOrder({ lines: [lineOf('floor')] }));
    expect(order()).toEqual(before);
    expect(stock('floor')).toBe('2 held, 0 sold');
    expect(paymentRequests()).toHaveLength(1);
    expect(
      statusesOf()
        .slice(-2)
        .map(({ value }) => value.state),
    ).toEqual(['held', 'held']);
  });

  test('expires when nobody pays, before its holds would, and gives everything back', async () => {
    await ask(placeOrder());
    // The first tick only learns what time it is in the log.
    await pass(HOLD_MS - 6_000);
    expect(order()?.state).toBe('held');
    await pass(1_000);
    expect(order()?.state).toBe('expired');
    expect(lineStates()).toEqual(['released', 'released']);
    expect([stock('floor'), stock('balcony')]).toEqual(['0 held, 0 sold', '0 held, 0 sold']);
    await waitDeadlinesAreEmpty();
    const [request] = paymentRequests();
    await tell(paymentOf(request!.value));
    expect(refundRequests()).toMatchObject([
      { key: 'gala/floor', value: { purchaseId: ORDER_ID, reason: 'late_payment' } },
    ]);
    expect(order()?.state).toBe('expired');
  });

  test('ends with a payment that failed', async () => {
    await ask(placeOrder());
    await tell(paymentOf(paymentRequests()[0]!.value, { status: 'failed' }));
    expect(order()?.state).toBe('payment_failed');
    expect(lineStates()).toEqual(['released', 'released']);
  });

  test('is cancelled and refunded when the buyer gives it back', async () => {
    await ask(placeOrder());
    const request = paymentRequests()[0]!.value;
    await tell(paymentOf(request));
    await ask({ kind: 'cancelOrder', orderId: ORDER_ID });
    expect(order()?.state).toBe('cancelled');
    expect(lineStates()).toEqual(['cancelled', 'cancelled']);
    expect([stock('floor'), stock('balcony')]).toEqual(['0 held, 0 sold', '0 held, 0 sold']);
    const [refund, ...others] = refundRequests();
    expect(others).toEqual([]);
    expect(refund?.value).toMatchObject({ amountMinor: 4_000, reason: 'cancelled' });
    const { refundId } = refund!.value;
    await tell(paymentOf(request, { status: 'refunded', refundId }));
    expect(order()?.state).toBe('refunded');
  });

  test('is lost as a whole to a hold that was gone before it was confirmed', async () => {
    await ask(placeOrder());
    const request = paymentRequests()[0]!.value;
    // Nobody has looked at the deadline yet; in the log, the balcony's hold has ended.
    nowMs += HOLD_MS;
    await tell(paymentOf(request));
    expect(order()).toMatchObject({ state: 'cancelled', decidingLine: 1 });
    expect(lineStates()).toEqual(['cancelled', 'expired']);
    expect([stock('floor'), stock('balcony')]).toEqual(['0 held, 0 sold', '0 held, 0 sold']);
    expect(refundRequests()).toMatchObject([
      { value: { amountMinor: 4_000, reason: 'order_failed' } },
    ]);
  });
});

describe('an order that a zone cannot serve', () => {
  test('is rejected for that reason, and the other zones have their tickets back', async () => {
    await ask(placeOrder({ lines: [lineOf('floor'), lineOf('balcony', { quantity: 4 })] }));
    expect(order()).toMatchObject({ state: 'rejected', reason: 'sold_out', decidingLine: 1 });
    expect(lineStates()).toEqual(['released', 'rejected']);
    expect(stock('floor')).toBe('0 held, 0 sold');
    expect(paymentRequests()).toEqual([]);
    await waitDeadlinesAreEmpty();
  });

  test('is rejected when there is no such zone', async () => {
    await ask(placeOrder({ lines: [lineOf('floor'), lineOf('cellar')] }));
    expect(order()).toMatchObject({ state: 'rejected', reason: 'unknown_zone' });
    expect(lineStates()).toEqual(['released', 'rejected']);
  });

  test('is rejected when no zone is there, and nothing is given back where nothing can be', async () => {
    await ask(placeOrder({ lines: [lineOf('cellar'), lineOf('attic')] }));
    expect(lineStates()).toEqual(['rejected', 'rejected']);
    expect(order()?.lines.map(({ state }) => state)).toEqual(['rejected', 'rejected']);
  });
});

describe('the buyer of an order', () => {
  const lines = [lineOf('floor'), lineOf('stalls')];
  const notifications = () =>
    read<NotificationRequest>(TOPICS.notificationRequests, serdes.notificationRequest).map(
      ({ value }) => value,
    );

  beforeEach(() => sell(createZone({ zoneId: 'stalls', terms: { ...HOLD_TERMS, notify: true } })));

  test('hears of it as a whole, of each state once, where one of its zones asks for that', async () => {
    await ask(placeOrder({ lines }));
    const [held, ...others] = notifications();
    expect(others).toEqual([]);
    expect(held).toEqual({
      ...{ notificationId: `${ORDER_ID}:held`, what: 'held', purchaseId: ORDER_ID },
      ...{ eventId: 'gala', zoneId: 'floor', buyerId: 'ada', quantity: 4, seats: [] },
      ...{ amountMinor: 4_000, currency: 'EUR', requestedAtMs: START_MS },
    });
    await ask(placeOrder({ lines }));
    const request = paymentRequests()[0]!.value;
    for (let time = 0; time < 2; time++) await tell(paymentOf(request));
    await ask({ kind: 'cancelOrder', orderId: ORDER_ID });
    const { refundId } = refundRequests()[0]!.value;
    for (let time = 0; time < 2; time++) {
      await tell(paymentOf(request, { status: 'refunded', refundId }));
    }
    expect(notifications().map(({ notificationId }) => notificationId)).toEqual(
      ['confirmed', 'cancelled', 'refunded'].map((what) => `${ORDER_ID}:${what}`),
    );
  });

  test('hears that it was not to be had, and that it has expired', async () => {
    await ask(placeOrder({ lines: [lineOf('floor'), lineOf('stalls', { quantity: 7 })] }));
    expect(order()?.reason).toBe('quantity_over_limit');
    expect(notifications()).toMatchObject([{ what: 'rejected', purchaseId: ORDER_ID }]);
    const orderId = orderIdFor('ada', 'key-2');
    await ask(placeOrder({ orderId, lines }));
    await pass(HOLD_MS + 2_000);
    expect(notifications()).toMatchObject([
      { what: 'held', purchaseId: orderId },
      { what: 'expired', purchaseId: orderId },
    ]);
  });

  test('hears of a line that is given back alone', async () => {
    await ask(placeOrder({ lines }));
    await tell(paymentOf(paymentRequests()[0]!.value));
    notifications();
    const { purchaseId, eventId, zoneId } = order()!.lines[0]!;
    for (let time = 0; time < 2; time++) {
      await sell({ kind: 'cancel', purchaseId, eventId, zoneId });
    }
    expect(notifications()).toMatchObject([
      { notificationId: `${purchaseId}:cancelled`, zoneId, quantity: 2, amountMinor: 2_000 },
    ]);
  });

  test('hears nothing where no zone asks for it', async () => {
    await ask(placeOrder());
    await tell(paymentOf(paymentRequests()[0]!.value));
    expect([order()?.state, notifications()]).toEqual(['confirmed', []]);
  });
});

describe('what is not an order', () => {
  test('a purchase that names an order that nobody placed does not keep its tickets', async () => {
    const purchaseId = '11111111-2222-8333-8444-555555555555';
    await sell({
      kind: 'purchase',
      ...{ purchaseId, eventId: 'gala', zoneId: 'floor', buyerId: 'eve', quantity: 2 },
      requestedAtMs: 0,
      options: {
        ...{ seats: [], placement: 'any', voucher: null },
        ...{ orderId: ORDER_ID, viaIntake: false },
      },
    });
    expect(stock('floor')).toBe('0 held, 0 sold');
  });

  test('a payment for an order that nobody placed goes back', async () => {
    const address = { purchaseId: ORDER_ID, eventId: 'gala', zoneId: 'floor', buyerId: 'ada' };
    const money = { amountMinor: 700, currency: 'EUR' };
    await tell(paymentOf({ ...address, ...money, dueAtMs: 0, requestedAtMs: 0 }));
    expect(refundRequests()).toMatchObject([
      { value: { purchaseId: ORDER_ID, amountMinor: 700, reason: 'unknown_purchase' } },
    ]);
  });

  test('a payment of an order that can be none belongs to the dead letters', async () => {
    await ask(placeOrder());
    const [request] = paymentRequests();
    for (const [flaw, properties] of [
      ['the amount must be', { amountMinor: -5 }],
      ['the currency must be', { currency: 'euro' }],
      ['paymentId is', { paymentId: 'two words' }],
    ] as const) {
      await expect(tell(paymentOf(request!.value, properties))).rejects.toThrow(flaw);
    }
    expect(order()).toMatchObject({ state: 'held', paidMinor: 0 });
    expect(refundRequests()).toEqual([]);
  });

  test('a command whose key or id is none belongs to the dead letters', async () => {
    await expect(ask(placeOrder(), 'another-key')).rejects.toThrow('the key is not the orderId');
    await expect(ask(placeOrder({ orderId: 'mine' }))).rejects.toThrow('orderId is not order-');
    await expect(ask({ kind: 'cancelOrder', orderId: ORDER_ID })).rejects.toThrow(
      'there is no such order',
    );
    expect(statusesOf()).toEqual([]);
  });

  test('an order in a partition that is not its own would never hear of its lines', async () => {
    await startDriver(64);
    await expect(ask(placeOrder())).rejects.toThrow('the key belongs to partition');
  });
});
