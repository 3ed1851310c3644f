/** The intake with the real sale behind it: who may buy, how much, and what is given back. */
import { beforeEach, describe, expect, test } from 'vitest';
import { TopologyTestDriver } from '../../../runtime/topology-test-driver.ts';
import type { AvroSchema, SchemaRegistry } from '../../../schemas/schema-registry.ts';
import { stringSerde } from '../../../schemas/serdes.ts';
import type { PaymentUpdate, TicketCommand } from '../../../ticket-sales/domain/command.ts';
import { decidedBefore } from '../../../ticket-sales/domain/decisions/decide-purchase.ts';
import type { EventDefinition } from '../../../ticket-sales/domain/event.ts';
import type { Purchase } from '../../../ticket-sales/domain/purchase.ts';
import { requestDigest } from '../../../ticket-sales/domain/request-digest.ts';
import { zoneKey } from '../../../ticket-sales/domain/zone.ts';
import type { CustomerTickets } from '../../../ticket-sales/intake/admission.ts';
import { INTAKE_STORES } from '../../../ticket-sales/intake/intake-processors.ts';
import { intakeSerdes } from '../../../ticket-sales/intake/intake-records.ts';
import { INTAKE_TOPIC } from '../../../ticket-sales/intake/intake-topology.ts';
import { type TicketSerdes, TOPICS, ticketSerdes } from '../../../ticket-sales/records.ts';
import { STORES } from '../../../ticket-sales/sale/sale-stores.ts';
import { ticketTopology } from '../../../ticket-sales/ticket-topology.ts';
import { purchaseCommand } from '../domain/samples.ts';
import { createZone, HOLD_TERMS, idOf, NO_OPTIONS } from '../sale/driven-sale.ts';

const START_MS = 1_700_000_000_000;

let serdes: TicketSerdes;
let driver: TopologyTestDriver;
let nowMs: number;

beforeEach(async () => {
  nowMs = START_MS;
  await startDriver();
  await define({ customerMax: 3 });
  for (const zoneId of ['floor', 'balcony']) await sell(createZone({ zoneId, capacity: 4 }));
});

async function startDriver(partitions = 1): Promise<void> {
  const registry = fakeRegistry();
  serdes = ticketSerdes(registry);
  await serdes.command.prepare?.(TOPICS.commands, 'value');
  await serdes.event.prepare?.(TOPICS.events, 'value');
  await serdes.payment.prepare?.(TOPICS.payments, 'value');
  await serdes.customer.prepare?.(TOPICS.customers, 'value');
  const intake = { serdes: intakeSerdes(registry), partitions };
  const topology = ticketTopology(serdes, { commandPartitions: 1, intake });
  driver = new TopologyTestDriver(topology, {
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

async function define(properties: Partial<EventDefinition>): Promise<void> {
  const events = driver.createInputTopic(TOPICS.events, stringSerde, serdes.event);
  const event: EventDefinition = {
    ...{ eventId: 'gala', name: 'Gala', venueId: null, startsAtMs: null },
    ...{ customers: 'anyone', customerMax: 0 },
    ...properties,
  };
  await events.pipeInput(event.eventId, event, nowMs);
}

async function sell(command: TicketCommand): Promise<void> {
  const topic = driver.createInputTopic(TOPICS.commands, stringSerde, serdes.command);
  await topic.pipeInput(zoneKey(command.eventId, command.zoneId), command, nowMs);
}

async function ask(command: TicketCommand, key: string): Promise<void> {
  const topic = driver.createInputTopic(INTAKE_TOPIC, stringSerde, serdes.command);
  await topic.pipeInput(key, command, nowMs);
}

/** Asks by the intake; `<state> <reason>` of the purchase then. */
async function buy(
  number: number,
  quantity: number,
  properties: { readonly zoneId?: string; readonly buyerId?: string } = {},
): Promise<string> {
  const command = purchaseCommand({ purchaseId: idOf(number), quantity, ...properties });
  await ask(command, command.buyerId);
  return stateOf(number);
}

function stateOf(number: number): string {
  const found = driver.getKeyValueStore<string, Purchase>(STORES.purchases).get(idOf(number));
  return `${found?.state} ${found?.reason}`;
}

function countedOf(buyerId = 'ada'): readonly number[] {
  const store = driver.getKeyValueStore<string, CustomerTickets>(INTAKE_STORES.tickets);
  return store.get(`${buyerId}/gala`)?.purchases.map(({ quantity }) => quantity) ?? [];
}

async function tell(status: PaymentUpdate['status'], number: number, quantity: number) {
  const payments = driver.createInputTopic(TOPICS.payments, stringSerde, serdes.payment);
  await payments.pipeInput(
    'gala/floor',
    {
      kind: 'payment',
      ...{ purchaseId: idOf(number), eventId: 'gala', zoneId: 'floor', paymentId: `pay-${number}` },
      ...{ status, amountMinor: 1_000 * quantity, currency: 'EUR', refundId: null },
      ...{ detail: null, occurredAtMs: 0 },
    },
    nowMs,
  );
}

describe('an event with a limit per customer', () => {
  test('sells up to it over all zones, and says who is over it', async () => {
    expect(await buy(1, 2)).toBe('held none');
    expect(await buy(2, 2, { zoneId: 'balcony' })).toBe('rejected customer_limit');
    expect(await buy(3, 1, { zoneId: 'balcony' })).toBe('held none');
    expect(await buy(4, 1)).toBe('rejected customer_limit');
    expect(await buy(5, 2, { buyerId: 'bob' })).toBe('held none');
    expect(countedOf()).toEqual([2, 1]);
  });

  test('counts a purchase once, however often it is asked for', async () => {
    for (let times = 0; times < 3; times++) expect(await buy(1, 2)).toBe('held none');
    expect(countedOf()).toEqual([2]);
  });

  test('gives back what the zone refused, what was released, and what expired', async () => {
    expect(await buy(1, 3, { buyerId: 'bob' })).toBe('held none');
    expect(await buy(2, 2)).toBe('rejected sold_out');
    expect(countedOf()).toEqual([]);
    expect(await buy(3, 3, { zoneId: 'balcony' })).toBe('held none');
    await sell({ kind: 'cancel', purchaseId: idOf(3), eventId: 'gala', zoneId: 'balcony' });
    expect(countedOf()).toEqual([]);
    expect(await buy(4, 1)).toBe('held none');
    await driver.advanceWallClockTime(250);
    await driver.advanceWallClockTime(HOLD_TERMS.holdMs + 2_000);
    expect(stateOf(4)).toBe('expired none');
    expect(countedOf()).toEqual([]);
  });

  test('keeps counting what is paid, and gives it back when it is cancelled', async () => {
    await buy(1, 3);
    await tell('succeeded', 1, 3);
    expect(stateOf(1)).toBe('confirmed none');
    expect(await buy(2, 1)).toBe('rejected customer_limit');
    await sell({ kind: 'cancel', purchaseId: idOf(1), eventId: 'gala', zoneId: 'floor' });
    expect(countedOf()).toEqual([]);
    expect(await buy(3, 3)).toBe('held none');
  });

  test('answers one that was refused with the same again, though there would be room now', async () => {
    await buy(1, 3);
    expect(await buy(2, 1)).toBe('rejected customer_limit');
    await sell({ kind: 'cancel', purchaseId: idOf(1), eventId: 'gala', zoneId: 'floor' });
    expect(await buy(2, 1)).toBe('rejected customer_limit');
    expect(countedOf()).toEqual([]);
  });

  test('remembers what else was asked for by one that it refused: asking for less is another request', async () => {
    const options = { ...NO_OPTIONS, voucher: 'HALF' };
    const command = purchaseCommand({ purchaseId: idOf(1), quantity: 4, options });
    await ask(command, 'ada');
    expect(stateOf(1)).toBe('rejected customer_limit');
    const found = driver.getKeyValueStore<string, Purchase>(STORES.purchases).get(idOf(1))!;
    expect(found.checkout?.requestDigest).toBe(requestDigest(options));
    expect(decidedBefore(found, command).kind).toBe('repeated');
    expect(decidedBefore(found, { ...command, options: null }).kind).toBe('conflict');
  });

  test('counts again what a late payment has taken again', async () => {
    const terms = { ...HOLD_TERMS, latePayment: 'retake' } as const;
    await sell(createZone({ zoneId: 'gallery', terms }));
    await buy(1, 3, { zoneId: 'gallery' });
    nowMs += HOLD_TERMS.holdMs;
    await sell({ kind: 'cancel', purchaseId: idOf(1), eventId: 'gala', zoneId: 'gallery' });
    expect(stateOf(1)).toBe('expired none');
    expect(countedOf()).toEqual([]);
    const payments = driver.createInputTopic(TOPICS.payments, stringSerde, serdes.payment);
    await payments.pipeInput(
      'gala/gallery',
      {
        kind: 'payment',
        ...{ purchaseId: idOf(1), eventId: 'gala', zoneId: 'gallery', paymentId: 'pay-1' },
        ...{ status: 'succeeded', amountMinor: 3_000, currency: 'EUR', refundId: null },
        ...{ detail: null, occurredAtMs: 0 },
      },
      nowMs,
    );
    expect(stateOf(1)).toBe('confirmed none');
    expect(countedOf()).toEqual([3]);
  });
});

test('a producer that writes to the zone itself gets nothing of a zone for the intake only', async () => {
  const terms = { ...HOLD_TERMS, intakeOnly: true };
  await sell(createZone({ zoneId: 'gallery', terms }));
  await sell(purchaseCommand({ purchaseId: idOf(1), zoneId: 'gallery' }));
  expect(stateOf(1)).toBe('rejected invalid_command');
  expect(await buy(2, 3, { zoneId: 'gallery' })).toBe('held none');
  expect(await buy(3, 1, { zoneId: 'gallery' })).toBe('rejected customer_limit');
});

describe('an event for registered customers', () => {
  beforeEach(() => define({ customers: 'registered' }));

  test('sells to those that are defined, and to nobody else', async () => {
    expect(await buy(1, 1)).toBe('rejected unknown_customer');
    const customers = driver.createInputTopic(TOPICS.customers, stringSerde, serdes.customer);
    await customers.pipeInput('ada', { customerId: 'ada', name: 'Ada', email: null }, nowMs);
    expect(await buy(2, 4)).toBe('held none');
    expect(countedOf()).toEqual([]);
  });
});

describe('what is known of events', () => {
  test('an event that nobody defined sells nothing', async () => {
    const command = purchaseCommand({ purchaseId: idOf(1), eventId: 'other' });
    await ask(command, 'ada');
    expect(stateOf(1)).toBe('rejected unknown_event');
  });

  test('every partition has every event, and loses those that are deleted', async () => {
    await startDriver(3);
    const copies = () =>
      driver.createOutputTopic('sale-intake-events-repartition', stringSerde, serdes.event);
    // The driver has one partition: the copies of the others cannot be placed.
    await expect(define({ customerMax: 3 })).rejects.toThrow('chose partition 1');
    expect(
      copies()
        .readKeyValuesToList()
        .map(({ key }) => key),
    ).toEqual(['0/gala']);
  });

  test('is copied anew after a start: events may be older than the intake', async () => {
    const topic = 'sale-intake-events-repartition';
    const copies = driver.createOutputTopic(topic, stringSerde, serdes.event);
    expect(copies.readKeyValuesToList()).toHaveLength(1);
    for (let step = 0; step < 3; step++) await driver.advanceWallClockTime(100);
    expect(copies.readKeyValuesToList().map(({ key }) => key)).toEqual(['0/gala']);
  });

  test('an event that was deleted is unknown from then on', async () => {
    const events = driver.createInputTopic(TOPICS.events, stringSerde, serdes.event);
    await events.pipeInput('gala', null, nowMs);
    expect(await buy(1, 1)).toBe('rejected unknown_event');
  });
});

describe('what does not belong into the intake', () => {
  test.each([
    ['another key than the buyer', purchaseCommand(), 'bob', 'the key is not the buyerId'],
    ['a zone of no name', purchaseCommand({ zoneId: '' }), 'ada', 'are 1 to 64 of'],
    ['an id that is none', purchaseCommand({ purchaseId: 'mine' }), 'ada', 'not a UUID'],
    ['a command of an operator', createZone(), 'ada', 'createZone is not for the intake'],
  ])('%s is a dead letter', async (_what, command, key, why) => {
    await expect(ask(command, key)).rejects.toThrow(why);
    expect(countedOf()).toEqual([]);
  });

  test('a line of an order is a dead letter: its order sends it', async () => {
    const options = {
      ...({ seats: [], placement: 'any', voucher: null } as const),
      ...{ orderId: 'order-7', viaIntake: false },
    };
    await expect(ask(purchaseCommand({ options }), 'ada')).rejects.toThrow('sent by its order');
  });
});
