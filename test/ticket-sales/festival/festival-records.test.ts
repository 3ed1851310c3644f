/** The festival's producers and consumers: bytes as they write them, under any key, through the whole dataflow. */
import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import { TopologyTestDriver } from '../../../runtime/topology-test-driver.ts';
import type { AvroSchema, SchemaRegistry } from '../../../schemas/schema-registry.ts';
import { bytesSerde, stringSerde } from '../../../schemas/serdes.ts';
import type { TicketCommand } from '../../../ticket-sales/domain/command.ts';
import type { Purchase } from '../../../ticket-sales/domain/purchase.ts';
import { purchaseIdFor } from '../../../ticket-sales/domain/purchase-id.ts';
import type { Zone } from '../../../ticket-sales/domain/zone.ts';
import {
  EARLY_PAYMENTS,
  type EarlyPayment,
} from '../../../ticket-sales/festival/early-payments.ts';
import { festivalSerdes } from '../../../ticket-sales/festival/festival-records.ts';
import { type TicketSerdes, TOPICS, ticketSerdes } from '../../../ticket-sales/records.ts';
import { STORES } from '../../../ticket-sales/sale/sale-stores.ts';
import { ticketTopology } from '../../../ticket-sales/ticket-topology.ts';
import type { RecordHeaders } from '../../../topology/processor.ts';
import { purchaseCommand } from '../domain/samples.ts';
import { createZone, HOLD } from './festival-zones.ts';

interface Sample {
  readonly value: { readonly purchaseId: string };
  readonly hex: string;
}
const vectors = JSON.parse(
  readFileSync(new URL('../../vectors/festival-avro.json', import.meta.url), 'utf8'),
) as {
  readonly schemas: Readonly<Record<string, AvroSchema>>;
  readonly purchases: readonly Sample[];
  readonly payments: readonly Sample[];
  readonly inventories: readonly { readonly hex: string }[];
};
const [vip, inCapitals, withoutUuid] = vectors.purchases as [Sample, Sample, Sample];
const [succeeded, failed, oddStatus] = vectors.payments as [Sample, Sample, Sample];

const LOG_TIME = 1_700_000_000_000;
/** How long a payment waits for its purchase. */
const WAIT_MS = 60_000;
const INVENTORY_TOPIC = 'festivalInventoryUpdated';

class FakeRegistry implements SchemaRegistry {
  readonly texts: string[] = [];
  readonly subjects = new Map<string, number>();

  async register(subject: string, schema: AvroSchema): Promise<number> {
    const text = JSON.stringify(schema);
    if (!this.texts.includes(text)) this.texts.push(text);
    const id = this.texts.indexOf(text) + 1;
    this.subjects.set(subject, id);
    return id;
  }

  async schemaById(id: number): Promise<AvroSchema> {
    return JSON.parse(this.texts[id - 1]!) as AvroSchema;
  }
}

let registry: FakeRegistry;
let serdes: TicketSerdes;
let driver: TopologyTestDriver;

beforeEach(async () => {
  registry = new FakeRegistry();
  serdes = ticketSerdes(registry);
  await serdes.command.prepare?.(TOPICS.commands, 'value');
  const options = { eventId: 'fest', inventoryTopic: INVENTORY_TOPIC, paymentWaitMs: WAIT_MS };
  const festival = { options, serdes: festivalSerdes(registry, serdes) };
  driver = new TopologyTestDriver(ticketTopology(serdes, { commandPartitions: 1, festival }), {
    applicationId: 'sale',
    initialWallClockTimeMs: LOG_TIME,
  });
});

async function send(command: TicketCommand): Promise<void> {
  const commands = driver.createInputTopic(TOPICS.commands, stringSerde, serdes.command);
  await commands.pipeInput(`${command.eventId}/${command.zoneId}`, command, LOG_TIME);
}

/** As the festival's producer writes it: its own schema, its own idea of a key. */
async function sendTheirs(
  topic: string,
  record: 'PurchaseRequested' | 'PaymentStatusUpdate',
  hex: string,
  key: string | null = null,
  headers: readonly RecordHeaders[] = [],
): Promise<void> {
  const id = await registry.register(`${topic}-${record}`, vectors.schemas[record]!);
  const header = Buffer.alloc(5);
  header.writeInt32BE(id, 1);
  const input = driver.createInputTopic(topic, bytesSerde, bytesSerde);
  const value = Buffer.concat([header, Buffer.from(hex, 'hex')]);
  await input.pipeInput(key === null ? null : Buffer.from(key), value, LOG_TIME, headers);
}

const buy = ({ hex }: Sample, key?: string | null) =>
  sendTheirs(TOPICS.commands, 'PurchaseRequested', hex, key);
const pay = ({ hex }: Sample, key?: string | null, headers?: readonly RecordHeaders[]) =>
  sendTheirs(TOPICS.payments, 'PaymentStatusUpdate', hex, key, headers);

/** The keys under which payments were passed on since the last look. */
function askedZones(): (string | null)[] {
  const asked = driver.createOutputTopic(TOPICS.payments, stringSerde, bytesSerde);
  return asked.readKeyValuesToList().map(({ key }) => key);
}

/** Payments that wait for their purchases. */
async function waiting(): Promise<EarlyPayment[]> {
  const found: EarlyPayment[] = [];
  const store = driver.getKeyValueStore<string, EarlyPayment>(EARLY_PAYMENTS);
  for await (const [, early] of store.range()) found.push(early);
  return found;
}

async function pass(durationMs: number): Promise<void> {
  for (let passed = 0; passed < durationMs; passed += 500) await driver.advanceWallClockTime(500);
}

const purchaseOf = ({ value }: Sample) =>
  driver.getKeyValueStore<string, Purchase>(STORES.purchases).get(value.purchaseId.toLowerCase());

describe('PurchaseRequested in ticketPurchase', () => {
  beforeEach(async () => {
    await send(createZone('vip'));
    await send(createZone('normal'));
  });

  test.each([null, 'vip', 'whatever', 'fest/vip', 'fest/normal'])(
    'under the key %s buys from the zone that is its ticket type, with its id',
    async (key) => {
      await buy(vip, key);
      expect(purchaseOf(vip)).toMatchObject({
        purchaseId: vip.value.purchaseId,
        eventId: 'fest',
        zoneId: 'vip',
        buyerId: '0b9f1a34-5d3c-4f8e-8c11-9a2b3c4d5e6f',
        quantity: 2,
        state: 'confirmed',
      });
    },
  );

  test('takes one hop: our own command under the key of the zone', async () => {
    await buy(vip, 'anything');
    const hops = driver
      .createOutputTopic(TOPICS.commands, stringSerde, serdes.command)
      .readKeyValuesToList();
    expect(hops.map(({ key, value }) => [key, value?.kind])).toEqual([['fest/vip', 'purchase']]);
  });

  test('twice is one purchase', async () => {
    await buy(vip, 'a');
    await buy(vip, 'b');
    const zones = driver.getKeyValueStore<string, Zone>(STORES.zones);
    expect(zones.get('fest/vip')).toMatchObject({ sold: 2 });
  });

  test('in capital letters is the same UUID', async () => {
    await buy(inCapitals);
    expect(purchaseOf(inCapitals)).toMatchObject({ zoneId: 'normal', state: 'confirmed' });
  });

  test('beyond what is left is rejected like any other', async () => {
    await send(purchaseCommand({ eventId: 'fest', zoneId: 'vip', quantity: 4 }));
    await buy(vip);
    expect(purchaseOf(vip)).toMatchObject({ state: 'rejected', reason: 'sold_out' });
  });

  test('with an id that is no UUID is a dead letter', async () => {
    await expect(buy(withoutUuid)).rejects.toThrow('purchaseId is not a UUID');
    const noUser = vip.hex.replace(Buffer.from('0b9f1a34-').toString('hex'), '7a'.repeat(9));
    await expect(buy({ ...vip, hex: noUser })).rejects.toThrow('userId is not a UUID');
  });

  test('leaves our own commands as they are: without a key they are dead letters', async () => {
    await buy(vip);
    const commands = driver.createInputTopic(TOPICS.commands, bytesSerde, serdes.command);
    await expect(
      commands.pipeInput(null, purchaseCommand({ eventId: 'fest', zoneId: 'vip' }), LOG_TIME),
    ).rejects.toThrow('the record has no key');
    await send(purchaseCommand({ eventId: 'fest', zoneId: 'normal' }));
    const zones = driver.getKeyValueStore<string, Zone>(STORES.zones);
    expect(zones.get('fest/normal')).toMatchObject({ sold: 2 });
  });
});

describe('PaymentStatusUpdate in paymentStatusUpdate', () => {
  beforeEach(async () => {
    await send(createZone('vip', { terms: HOLD }));
    await send(createZone('normal'));
  });

  test.each([null, 'anything', 'fest/normal'])(
    'SUCCEEDED under the key %s pays the price of a held purchase',
    async (key) => {
      await buy(vip);
      expect(purchaseOf(vip)).toMatchObject({ state: 'held' });
      await pay(succeeded, key);
      expect(purchaseOf(vip)).toMatchObject({
        state: 'confirmed',
        price: { amountMinor: 8_000, currency: 'EUR' },
        checkout: { paidMinor: 8_000 },
      });
    },
  );

  test('twice is one payment: nothing is to be given back', async () => {
    await buy(vip);
    await pay(succeeded, 'a');
    await pay(succeeded, 'b');
    expect(purchaseOf(vip)).toMatchObject({ checkout: { paidMinor: 8_000 } });
    const refunds = driver.createOutputTopic(
      TOPICS.refundRequests,
      stringSerde,
      serdes.refundRequest,
    );
    expect(refunds.readValuesToList()).toEqual([]);
  });

  test('failed, in any case of letters, gives the tickets back', async () => {
    await buy(vip);
    await pay(failed);
    expect(purchaseOf(vip)).toMatchObject({ state: 'payment_failed' });
    const zones = driver.getKeyValueStore<string, Zone>(STORES.zones);
    expect(zones.get('fest/vip')).toMatchObject({ held: 0, sold: 0 });
  });

  test('with another word for its status is a dead letter', async () => {
    await buy(vip);
    await expect(pay(oddStatus)).rejects.toThrow('SUCCEEDED or FAILED');
    expect(purchaseOf(vip)).toMatchObject({ state: 'held' });
  });

  test('of a purchase that no zone of the festival has waits, having asked them all', async () => {
    await pay(succeeded);
    expect(askedZones()).toEqual(['fest/normal', 'fest/vip']);
    expect(await waiting()).toHaveLength(1);
  });

  test('that overtook its purchase counts when the purchase is there', async () => {
    await pay(succeeded);
    await buy(vip);
    expect(purchaseOf(vip)).toMatchObject({ state: 'held' });
    await pass(2_000);
    expect(purchaseOf(vip)).toMatchObject({ state: 'confirmed', checkout: { paidMinor: 8_000 } });
    expect(await waiting()).toEqual([]);
  });

  test('is sent round again after ever longer pauses, and keeps the headers of its producer', async () => {
    const trace = [{ key: 'traceparent', value: Buffer.from('00-abc') }];
    await pay(succeeded, null, trace);
    askedZones();
    await pass(7_500);
    expect(askedZones()).toEqual(Array(3).fill(['fest/normal', 'fest/vip']).flat());
    const [{ headers = [] } = {}] = await waiting();
    expect(headers).toEqual([{ key: 'traceparent', base64: trace[0]!.value.toString('base64') }]);
  });

  test('whose purchase never comes is a dead letter after the time, and is kept no longer', async () => {
    await pay(succeeded);
    await pass(30_000);
    await expect(pass(60_000)).rejects.toThrow('the festival has no such purchase');
    expect(await waiting()).toEqual([]);
  });

  test('of an id that our API made asks only the zone that it tells', async () => {
    const purchaseId = purchaseIdFor({
      buyerId: 'ada',
      eventId: 'fest',
      zoneId: 'vip',
      idempotencyKey: 'k',
    });
    const hex = succeeded.hex.replace(
      Buffer.from(succeeded.value.purchaseId).toString('hex'),
      Buffer.from(purchaseId).toString('hex'),
    );
    await pay({ value: { purchaseId }, hex });
    expect(askedZones()).toEqual(['fest/vip']);
  });

  test('of a purchase that was sold at once is a dead letter: it was not to be paid', async () => {
    await buy(inCapitals);
    expect(inCapitals.value.purchaseId.toLowerCase()).toBe(succeeded.value.purchaseId);
    await expect(pay(succeeded)).rejects.toThrow('the purchase was not to be paid');
  });

  test('is registered under a subject of its own where it is passed on', () => {
    const subject = 'paymentStatusUpdate-com.festival.tickets.PaymentStatusUpdate';
    expect([...registry.subjects.keys()]).toContain(subject);
  });
});

describe('InventoryUpdated for the festival', () => {
  test('tells what is left of its zones, byte for byte as its schema says, and of no other event', async () => {
    await send(createZone('vip', { capacity: 3 }));
    await send(createZone('floor', { eventId: 'gala' }));
    const output = driver.createOutputTopic(INVENTORY_TOPIC, stringSerde, bytesSerde);
    const records = output.readKeyValuesToList();
    expect(records.map(({ key }) => key)).toEqual(['vip']);
    const value = records[0]!.value!;
    expect(value.subarray(5).toString('hex')).toBe(vectors.inventories[0]!.hex);
    expect(await registry.schemaById(value.readInt32BE(1))).toMatchObject({
      name: 'InventoryUpdated',
      namespace: 'com.festival.tickets',
    });
  });
});
