/** The whole dataflow, record by record: what comes out for what comes in, bad records included. */
import { beforeEach, describe, expect, test } from 'vitest';
import { murmur2 } from '../../../kafka/murmur2.ts';
import { TopologyTestDriver } from '../../../runtime/topology-test-driver.ts';
import { avroSerde } from '../../../schemas/avro-serde.ts';
import type { AvroSchema, SchemaRegistry } from '../../../schemas/schema-registry.ts';
import { toBytes } from '../../../schemas/serde.ts';
import { bytesSerde, stringSerde } from '../../../schemas/serdes.ts';
import type { TicketCommand } from '../../../ticket-sales/domain/command.ts';
import type { EventSales } from '../../../ticket-sales/domain/event.ts';
import type { Purchase } from '../../../ticket-sales/domain/purchase.ts';
import type { Zone } from '../../../ticket-sales/domain/zone.ts';
import {
  type InventoryUpdated,
  type TicketSerdes,
  TOPICS,
  ticketSerdes,
} from '../../../ticket-sales/records.ts';
import { REPORT_STORES } from '../../../ticket-sales/reports/report-stores.ts';
import { STORES } from '../../../ticket-sales/sale/sale-stores.ts';
import { ticketTopology } from '../../../ticket-sales/ticket-topology.ts';
import { cancelCommand, purchaseCommand } from '../domain/samples.ts';

const KEY = 'gala/floor';
const LOG_TIME = 1_700_000_000_000;

/** One id per schema; what another producer registered can be added. */
class FakeRegistry implements SchemaRegistry {
  readonly texts: string[] = [];

  async register(_subject: string, schema: AvroSchema): Promise<number> {
    const text = JSON.stringify(schema);
    if (!this.texts.includes(text)) this.texts.push(text);
    return this.texts.indexOf(text) + 1;
  }

  async schemaById(id: number): Promise<AvroSchema> {
    return JSON.parse(this.texts[id - 1]!) as AvroSchema;
  }
}

const registry = new FakeRegistry();
let serdes: TicketSerdes;
let driver: TopologyTestDriver;

beforeEach(() => startDriver(1));

async function startDriver(commandPartitions: number): Promise<void> {
  serdes = ticketSerdes(registry);
  await serdes.command.prepare?.(TOPICS.commands, 'value');
  driver = new TopologyTestDriver(ticketTopology(serdes, { commandPartitions }), {
    applicationId: 'sale',
  });
}

async function send(command: TicketCommand, key = KEY): Promise<void> {
  const commands = driver.createInputTopic(TOPICS.commands, stringSerde, serdes.command);
  await commands.pipeInput(key, command, LOG_TIME);
}

async function sendBytes(key: string | null, value: Buffer | null): Promise<void> {
  const commands = driver.createInputTopic(TOPICS.commands, bytesSerde, bytesSerde);
  await commands.pipeInput(key === null ? null : Buffer.from(key), value, LOG_TIME);
}

function statuses(): readonly { key: string | null; value: Purchase | null }[] {
  const topic = driver.createOutputTopic(TOPICS.purchaseStatus, stringSerde, serdes.purchase);
  return topic
    .readKeyValuesToList()
    .map(({ key, value }) => ({ key, value: value && { ...value } }));
}

function inventories(): readonly (InventoryUpdated | null)[] {
  return driver
    .createOutputTopic(TOPICS.inventory, stringSerde, serdes.inventory)
    .readValuesToList()
    .map((value) => value && { ...value });
}

const zones = () => driver.getKeyValueStore<string, Zone>(STORES.zones);
const purchases = () => driver.getKeyValueStore<string, Purchase>(STORES.purchases);

const createFloor = {
  kind: 'createZone',
  eventId: 'gala',
  zoneId: 'floor',
  capacity: 3,
  quantityMax: 10,
  price: null,
  terms: null,
  blockedSeats: [],
} as const;

const UPPER_CASE = 'AAAAAAAA-2222-8333-8444-555555555555';

function closeSale(zoneId: string): TicketCommand {
  return { kind: 'closeSale', eventId: 'gala', zoneId };
}

/** What must not leave a trace: no state, no outcome. */
async function expectRefused(sending: Promise<void>, why: string | RegExp): Promise<void> {
  const before = { zone: zones().get(KEY), purchases: await purchases().approximateEntryCount() };
  await expect(sending).rejects.toThrow(why);
  expect(statuses()).toEqual([]);
  expect(inventories()).toEqual([]);
  expect(zones().get(KEY)).toEqual(before.zone);
  expect(await purchases().approximateEntryCount()).toBe(before.purchases);
}

describe('the sale', () => {
  beforeEach(async () => {
    await send(createFloor);
    expect(inventories()).toHaveLength(1);
  });

  test('a purchase is announced by its id, and the stock of its zone by the zone', async () => {
    const command = purchaseCommand();
    await send(command);
    expect(statuses()).toEqual([
      {
        key: command.purchaseId,
        value: {
          purchaseId: command.purchaseId,
          eventId: 'gala',
          zoneId: 'floor',
          buyerId: 'ada',
          quantity: 2,
          state: 'confirmed',
          reason: 'none',
          requestedAtMs: LOG_TIME,
          decidedAtMs: LOG_TIME,
          commandOffset: 1,
          price: null,
          seats: [],
          checkout: null,
        },
      },
    ]);
    expect(inventories()).toEqual([
      {
        eventId: 'gala',
        zoneId: 'floor',
        capacity: 3,
        available: 1,
        held: 0,
        sold: 2,
        version: 2,
        updatedAtMs: LOG_TIME,
        commandOffset: 1,
        revenueMinor: 0,
        currency: null,
      },
    ]);
  });

  test('the same command again has the same answer and no effect (T11)', async () => {
    await send(purchaseCommand());
    const first = statuses();
    inventories();
    await send(purchaseCommand());
    expect(statuses()).toEqual(first);
    expect(inventories()).toEqual([]);
    expect(zones().get(KEY)?.sold).toBe(2);
  });

  test('another request under the same id leaves the first as it is, and says it again', async () => {
    await send(purchaseCommand());
    const first = statuses();
    await send(purchaseCommand({ quantity: 1 }));
    expect(statuses()).toEqual(first);
    expect(zones().get(KEY)?.sold).toBe(2);
  });

  test('what does not fit any more is rejected, without news of the stock', async () => {
    await send(purchaseCommand());
    inventories();
    await send(purchaseCommand({ purchaseId: '22222222-2222-8333-8444-555555555555' }));
    expect(statuses().at(-1)?.value).toMatchObject({ state: 'rejected', reason: 'sold_out' });
    expect(inventories()).toEqual([]);
  });

  test('a cancellation gives the tickets back to the next buyer', async () => {
    await send(purchaseCommand());
    await send(cancelCommand());
    await send(
      purchaseCommand({ purchaseId: '22222222-2222-8333-8444-555555555555', quantity: 3 }),
    );
    expect(statuses().map(({ value }) => value?.state)).toEqual([
      'confirmed',
      'cancelled',
      'confirmed',
    ]);
    expect(inventories().map((stock) => stock?.available)).toEqual([1, 3, 0]);
  });

  test('a purchase in a zone that does not exist is rejected, and so remembered (T25)', async () => {
    const command = purchaseCommand({ zoneId: 'roof' });
    await send(command, 'gala/roof');
    await send({ ...createFloor, zoneId: 'roof' }, 'gala/roof');
    await send(command, 'gala/roof');
    expect(statuses().map(({ value }) => value?.reason)).toEqual(['unknown_zone', 'unknown_zone']);
  });

  test('the sums of an event follow its zones', async () => {
    await send({ ...createFloor, zoneId: 'balcony', capacity: 5 }, 'gala/balcony');
    await send(purchaseCommand());
    const sums = driver.getKeyValueStore<string, EventSales>(REPORT_STORES.sales);
    expect({ ...sums.get('gala') }).toEqual({
      eventId: 'gala',
      zones: 2,
      capacity: 8,
      held: 0,
      sold: 2,
      venueId: null,
      version: 3,
      revenue: [],
    });
    await send(cancelCommand());
    expect(sums.get('gala')?.sold).toBe(0);
  });
});

describe('a command that cannot be used', () => {
  beforeEach(async () => {
    await send(createFloor);
    inventories();
  });

  test('without a key (T1)', () =>
    expectRefused(sendBytes(null, toBytes(serdes.command, purchaseCommand())), /key/));

  test('without a value (T2)', () => expectRefused(sendBytes(KEY, null), /value/));

  test('with an empty value (T3)', () =>
    expectRefused(sendBytes(KEY, Buffer.alloc(0)), 'wire format'));

  test.each([
    ['random bytes', 'deadbeef00112233'],
    ['JSON', Buffer.from('{"quantity":2}').toString('hex')],
  ])('with %s (T4)', (_, hex) =>
    expectRefused(sendBytes(KEY, Buffer.from(hex, 'hex')), 'wire format'),
  );

  test('cut short, at any byte (T4)', async () => {
    const bytes = toBytes(serdes.command, purchaseCommand());
    for (let length = 5; length < bytes.length; length++) {
      await expectRefused(sendBytes(KEY, bytes.subarray(0, length)), 'not a millrace.tickets');
    }
  });

  test('of a schema that cannot be read as a command (T8)', async () => {
    const id = await registry.register('x', { type: 'record', name: 'Other', fields: [] });
    await expectRefused(sendBytes(KEY, Buffer.from([0, 0, 0, 0, id])), 'cannot be read as ours');
  });

  test('of a kind that does not exist (T9)', async () => {
    const bytes = Buffer.from(toBytes(serdes.command, purchaseCommand()));
    bytes[5] = 0x7e;
    await expectRefused(sendBytes(KEY, bytes), 'invalid union index');
  });

  test('with a key that is not the zone in the value (T10)', () =>
    expectRefused(send(purchaseCommand(), 'gala/balcony'), 'the key is not'));

  test('in a name that is not UTF-8 (T26)', async () => {
    const bytes = Buffer.from(toBytes(serdes.command, purchaseCommand()));
    bytes[bytes.indexOf('ada')] = 0xc0;
    await expectRefused(sendBytes(KEY, bytes), 'not UTF-8');
  });

  test.each([
    ['a negative capacity', 'capacity must', { ...createFloor, zoneId: 'roof', capacity: -1 }],
    ['another definition of its zone', 'other properties', { ...createFloor, capacity: 4 }],
    ['a zone to change that is not there', 'unknown_zone', closeSale('roof')],
    ['a zone name that no path can have', 'eventId and', { ...createFloor, zoneId: 'a/b' }],
    ['a zone to buy that no path can have', 'eventId and', purchaseCommand({ zoneId: 'ro of' })],
    ['an id that is no UUID', 'purchaseId', purchaseCommand({ purchaseId: 'mine' })],
    ['a UUID in capitals', 'purchaseId', purchaseCommand({ purchaseId: UPPER_CASE })],
    ['a buyer without a name', 'buyerId', purchaseCommand({ buyerId: '' })],
    ['a buyer with a space', 'buyerId', purchaseCommand({ buyerId: 'a b' })],
    ['nothing to cancel', 'no such purchase', cancelCommand()],
  ] as [string, string, TicketCommand][])('with %s (T16)', (_, why, command) =>
    expectRefused(send(command, `${command.eventId}/${command.zoneId}`), why),
  );

  test('a capacity of 2^63 is no int (T16)', async () => {
    const bytes = toBytes(serdes.command, createFloor);
    // kind, "gala", "floor", then the capacity as one byte.
    const at = 5 + 1 + 5 + 6;
    const huge = Buffer.from('feffffffffffffffff01', 'hex');
    const value = Buffer.concat([bytes.subarray(0, at), huge, bytes.subarray(at + 1)]);
    await expectRefused(sendBytes(KEY, value), 'beyond 32 bits');
  });

  test('a cancellation of a purchase in another zone of the same partition', async () => {
    await send({ ...createFloor, zoneId: 'balcony' }, 'gala/balcony');
    await send(purchaseCommand());
    statuses();
    inventories();
    await expectRefused(
      send(cancelCommand({ zoneId: 'balcony' }), 'gala/balcony'),
      'no such purchase',
    );
    expect(zones().get('gala/balcony')).toMatchObject({ sold: 0, capacity: 3 });
  });
});

describe('in a partition that is not its own (T10)', () => {
  /** The driver's only task has partition 0: find zones that belong there, and elsewhere. */
  const COUNT = 8;
  const zoneIn = (wanted: boolean) => {
    for (let number = 0; ; number++) {
      const key = Buffer.from(`gala/z${number}`);
      const partition = (murmur2(key, 0, key.length) & 0x7fffffff) % COUNT;
      if ((partition === 0) === wanted) return `z${number}`;
    }
  };
  const [here, elsewhere] = [zoneIn(true), zoneIn(false)];

  beforeEach(() => startDriver(COUNT));

  test('a zone is not created', async () => {
    await expect(send({ ...createFloor, zoneId: elsewhere }, `gala/${elsewhere}`)).rejects.toThrow(
      'the key belongs to partition',
    );
    expect(zones().get(`gala/${elsewhere}`)).toBeUndefined();
  });

  test('a purchase is not refused as unknown: its own partition may know the zone', async () => {
    const command = purchaseCommand({ zoneId: elsewhere });
    await expectRefused(send(command, `gala/${elsewhere}`), 'the key belongs to partition');
  });

  test('a zone that belongs here is created and sold as ever', async () => {
    await send({ ...createFloor, zoneId: here }, `gala/${here}`);
    await send(purchaseCommand({ zoneId: here }), `gala/${here}`);
    expect(statuses().map(({ value }) => value?.state)).toEqual(['confirmed']);
  });
});

describe('other writers', () => {
  const TICKET_COMMAND = 0;

  test('an older schema without a field that has a default is understood (T6)', async () => {
    const older = JSON.parse(registry.texts[TICKET_COMMAND]!) as AvroSchema;
    const create = branchOf(older, 'CreateZone');
    create.fields = create.fields.filter(({ name }) => name !== 'quantityMax' && name !== 'price');
    await sendBytes(
      KEY,
      await writtenWith(older, { CreateZone: { eventId: 'gala', zoneId: 'floor', capacity: 3 } }),
    );
    expect(zones().get(KEY)).toMatchObject({
      capacity: 3,
      quantityMax: 10,
      price: null,
      terms: null,
    });
  });

  test('a newer schema with an optional field and a kind of its own is understood (T7)', async () => {
    await send(createFloor);
    const newer = JSON.parse(registry.texts[TICKET_COMMAND]!) as AvroSchema;
    const purchase = branchOf(newer, 'Purchase');
    purchase.fields.push({ name: 'voucher', type: ['null', 'string'], default: null });
    branchesOf(newer).push({ type: 'record', name: 'Transfer', fields: [] } as never);
    const { kind: _, ...fields } = purchaseCommand();
    await sendBytes(KEY, await writtenWith(newer, { Purchase: { ...fields, voucher: 'SUMMER' } }));
    expect(statuses().map(({ value }) => value?.state)).toEqual(['confirmed']);
    inventories();
    await expectRefused(sendBytes(KEY, await writtenWith(newer, { Transfer: {} })), 'Transfer');
  });

  interface Branch {
    name: string;
    fields: { name: string; type: unknown; default?: unknown }[];
  }

  function branchesOf(schema: AvroSchema): Branch[] {
    return (schema as unknown as { fields: [{ type: Branch[] }] }).fields[0].type;
  }

  function branchOf(schema: AvroSchema, name: string): Branch {
    return branchesOf(schema).find((branch) => branch.name === name)!;
  }

  async function writtenWith(schema: AvroSchema, branch: Record<string, object>): Promise<Buffer> {
    const serde = avroSerde<object>({ schema, registry });
    await serde.prepare?.(TOPICS.commands, 'value');
    const command = Object.fromEntries(
      Object.entries(branch).map(([name, fields]) => [`millrace.tickets.${name}`, fields]),
    );
    return toBytes(serde, { command });
  }
});
