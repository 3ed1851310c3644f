/** Orders of events that count what their buyers have: the sale, the orders and the intake together. */
import { beforeEach, describe, expect, test } from 'vitest';
import { TopologyTestDriver } from '../../../runtime/topology-test-driver.ts';
import type { AvroSchema, SchemaRegistry } from '../../../schemas/schema-registry.ts';
import { stringSerde } from '../../../schemas/serdes.ts';
import type { PaymentUpdate, TicketCommand } from '../../../ticket-sales/domain/command.ts';
import type { EventDefinition } from '../../../ticket-sales/domain/event.ts';
import type { PaymentRequest } from '../../../ticket-sales/domain/payment.ts';
import type { Purchase } from '../../../ticket-sales/domain/purchase.ts';
import { type Zone, zoneKey } from '../../../ticket-sales/domain/zone.ts';
import type { CustomerTickets } from '../../../ticket-sales/intake/admission.ts';
import { INTAKE_STORES } from '../../../ticket-sales/intake/intake-processors.ts';
import { intakeSerdes } from '../../../ticket-sales/intake/intake-records.ts';
import { INTAKE_TOPIC } from '../../../ticket-sales/intake/intake-topology.ts';
import {
  type Order,
  type OrderLineRequest,
  orderIdFor,
} from '../../../ticket-sales/orders/order.ts';
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
import { purchaseCommand } from '../domain/samples.ts';
import { createZone, HOLD_MS, idOf } from '../sale/driven-sale.ts';
import { lineOf, placeOrder } from './samples.ts';

const START_MS = 1_700_000_000_000;

let serdes: TicketSerdes;
let orders: OrderSerdes;
let driver: TopologyTestDriver;

beforeEach(async () => {
  const registry = fakeRegistry();
  serdes = ticketSerdes(registry);
  orders = orderSerdes(registry);
  for (const [topic, serde] of [
    [TOPICS.commands, serdes.command],
    [TOPICS.events, serdes.event],
    [TOPICS.payments, serdes.payment],
    [TOPICS.customers, serdes.customer],
    [ORDER_TOPICS.orders, orders.command],
  ] as const) {
    await serde.prepare?.(topic, 'value');
  }
  const topology = ticketTopology(serdes, {
    commandPartitions: 1,
    orders: { serdes: orders, partitions: 1 },
    intake: { serdes: intakeSerdes(registry), partitions: 1 },
  });
  driver = new TopologyTestDriver(topology, {
    applicationId: 'sale',
    initialWallClockTimeMs: START_MS,
  });
  await define({ customerMax: 3 });
  for (const zoneId of ['floor', 'balcony']) await sell(createZone({ zoneId, capacity: 20 }));
});

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

async function define(properties: Partial<EventDefinition>): Promise<void> {
  const event: EventDefinition = {
    ...{ eventId: 'gala', name: 'Gala', venueId: null, startsAtMs: null },
    ...{ customers: 'anyone', customerMax: 0 },
    ...properties,
  };
  const events = driver.createInputTopic(TOPICS.events, stringSerde, serdes.event);
  await events.pipeInput(event.eventId, event, START_MS);
}

async function sell(command: TicketCommand): Promise<void> {
  const topic = driver.createInputTopic(TOPICS.commands, stringSerde, serdes.command);
  await topic.pipeInput(zoneKey(command.eventId, command.zoneId), command, START_MS);
}

async function ask(command: OrderCommand): Promise<void> {
  const topic = driver.createInputTopic(ORDER_TOPICS.orders, stringSerde, orders.command);
  await topic.pipeInput(command.orderId, command, START_MS);
}

/** An order of ada's; as it is then. */
async function order(number: number, lines: readonly OrderLineRequest[]): Promise<Order> {
  const orderId = orderIdFor('ada', `key-${number}`);
  await ask(placeOrder({ orderId, lines }));
  return orderOf(number);
}

function orderOf(number: number): Order {
  const orderId = orderIdFor('ada', `key-${number}`);
  return driver.getKeyValueStore<string, Order>(ORDER_STORES.orders).get(orderId)!;
}

/** By the intake; `<state> <reason>` of the purchase then. */
async function buy(number: number, quantity: number): Promise<string> {
  const topic = driver.createInputTopic(INTAKE_TOPIC, stringSerde, serdes.command);
  await topic.pipeInput('ada', purchaseCommand({ purchaseId: idOf(number), quantity }), START_MS);
  const found = driver.getKeyValueStore<string, Purchase>(STORES.purchases).get(idOf(number));
  return `${found?.state} ${found?.reason}`;
}

async function pay(update: Partial<PaymentUpdate> = {}): Promise<void> {
  const requests = driver
    .createOutputTopic(TOPICS.paymentRequests, stringSerde, serdes.paymentRequest)
    .readKeyValuesToList();
  const { key, value } = requests.at(-1)!;
  const { purchaseId, eventId, zoneId, amountMinor, currency } = value as PaymentRequest;
  const payments = driver.createInputTopic(TOPICS.payments, stringSerde, serdes.payment);
  const paid: PaymentUpdate = {
    ...{ kind: 'payment', purchaseId, eventId, zoneId, amountMinor, currency },
    ...{ paymentId: 'pay-1', status: 'succeeded', refundId: null, detail: null, occurredAtMs: 0 },
    ...update,
  };
  await payments.pipeInput(key!, paid, START_MS);
}

function counted(): readonly number[] {
  const store = driver.getKeyValueStore<string, CustomerTickets>(INTAKE_STORES.tickets);
  return store.get('ada/gala')?.purchases.map(({ quantity }) => quantity) ?? [];
}

function stock(): readonly string[] {
  const zones = driver.getKeyValueStore<string, Zone>(STORES.zones);
  return ['floor', 'balcony'].map((zoneId) => {
    const zone = zones.get(`gala/${zoneId}`);
    return `${zone?.held} held, ${zone?.sold} sold`;
  });
}

const EMPTY = ['0 held, 0 sold', '0 held, 0 sold'];
const one = (zoneId: string) => lineOf(zoneId, { quantity: 1 });

describe('an order of an event with a limit per customer', () => {
  test('counts line by line, together with what is bought alone', async () => {
    expect(await order(1, [one('floor'), one('balcony')])).toMatchObject({ state: 'held' });
    expect(counted()).toEqual([1, 1]);
    expect(await buy(1, 2)).toBe('rejected customer_limit');
    expect(await buy(2, 1)).toBe('held none');
    expect(await order(2, [one('floor')])).toMatchObject({
      state: 'rejected',
      reason: 'customer_limit',
      decidingLine: 0,
    });
    expect(stock()).toEqual(['2 held, 0 sold', '1 held, 0 sold']);
  });

  test('that is over it alone is rejected as a whole, and counts nothing', async () => {
    expect(await order(1, [lineOf('floor'), lineOf('balcony')])).toMatchObject({
      state: 'rejected',
      reason: 'customer_limit',
      decidingLine: 1,
      lines: [{ state: 'released' }, { state: 'rejected' }],
    });
    expect([counted(), stock()]).toEqual([[], EMPTY]);
    expect(await buy(1, 3)).toBe('held none');
  });

  test('is the same order when it is placed again, and counts once', async () => {
    await order(1, [one('floor'), one('balcony')]);
    await order(1, [one('floor'), one('balcony')]);
    await order(1, [lineOf('floor')]);
    expect([counted(), orderOf(1).state]).toEqual([[1, 1], 'held']);
  });

  test('that is given back before it is paid leaves room again', async () => {
    const { orderId } = await order(1, [lineOf('floor'), one('balcony')]);
    await ask({ kind: 'cancelOrder', orderId });
    expect([orderOf(1).state, counted(), stock()]).toEqual(['released', [], EMPTY]);
    expect(await order(2, [lineOf('floor'), one('balcony')])).toMatchObject({ state: 'held' });
  });

  test('that nobody pays leaves room again', async () => {
    await order(1, [lineOf('floor'), one('balcony')]);
    for (let passed = 0; passed < HOLD_MS; passed += 1_000) {
      await driver.advanceWallClockTime(1_000);
    }
    expect([orderOf(1).state, counted(), stock()]).toEqual(['expired', [], EMPTY]);
  });

  test('is paid and confirmed as ever, counts on, and leaves room when it is cancelled', async () => {
    const { orderId } = await order(1, [lineOf('floor'), one('balcony')]);
    await pay();
    expect(orderOf(1).state).toBe('confirmed');
    expect([counted(), stock()]).toEqual([
      [2, 1],
      ['0 held, 2 sold', '0 held, 1 sold'],
    ]);
    expect(await buy(1, 1)).toBe('rejected customer_limit');
    await ask({ kind: 'cancelOrder', orderId });
    expect([orderOf(1).state, counted(), stock()]).toEqual(['cancelled', [], EMPTY]);
  });

  test('asks zones for nothing that has not passed the intake, cancellations behind purchases', async () => {
    const { orderId } = await order(1, [one('floor'), one('balcony')]);
    await ask({ kind: 'cancelOrder', orderId });
    const lines = driver
      .createOutputTopic('sale-order-lines-repartition', stringSerde, serdes.command)
      .readKeyValuesToList();
    const said = lines.map(({ key, value }) => `${key}: ${value?.kind} ${value?.zoneId}`);
    expect(said).toEqual([
      'ada: purchase floor',
      'ada: purchase balcony',
      'ada: cancel floor',
      'ada: cancel balcony',
    ]);
  });
});

describe('an order', () => {
  test('of somebody who is not registered, where he must be, is rejected', async () => {
    await define({ customers: 'registered' });
    const wanted = [one('floor')];
    expect(await order(1, wanted)).toMatchObject({
      state: 'rejected',
      reason: 'unknown_customer',
      lines: [{ state: 'rejected' }],
    });
    const customers = driver.createInputTopic(TOPICS.customers, stringSerde, serdes.customer);
    await customers.pipeInput('ada', { customerId: 'ada', name: 'Ada', email: null }, START_MS);
    expect(await order(1, wanted)).toMatchObject({ state: 'rejected' });
    expect(await order(2, wanted)).toMatchObject({ state: 'held' });
  });

  test('of an event that nobody defined is rejected', async () => {
    const wanted = [{ ...one('floor'), eventId: 'other' }];
    expect(await order(1, wanted)).toMatchObject({ state: 'rejected', reason: 'unknown_event' });
  });

  test('of an event that counts nothing is held whatever the buyer has', async () => {
    await define({});
    expect(await order(1, [lineOf('floor'), lineOf('balcony')])).toMatchObject({ state: 'held' });
    expect(await order(2, [lineOf('floor'), lineOf('balcony')])).toMatchObject({ state: 'held' });
    expect(counted()).toEqual([]);
  });
});
