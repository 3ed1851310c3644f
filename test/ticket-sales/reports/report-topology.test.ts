/** The reports, record by record: whatever zones announce, the sums are those of the zones as they stand. */
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { TopologyTestDriver } from '../../../runtime/topology-test-driver.ts';
import { stringSerde } from '../../../schemas/serdes.ts';
import type { EventSales } from '../../../ticket-sales/domain/event.ts';
import type { Money } from '../../../ticket-sales/domain/money.ts';
import {
  type InventoryUpdated,
  type TicketSerdes,
  TOPICS,
  ticketSerdes,
} from '../../../ticket-sales/records.ts';
import { BUYER_STORE, defineBuyerIndex } from '../../../ticket-sales/reports/buyer-index.ts';
import { DEFAULT_REPORTS, defineReports } from '../../../ticket-sales/reports/define-reports.ts';
import { type EventZone, REPORT_STORES } from '../../../ticket-sales/reports/report-stores.ts';
import type { SalesBucket } from '../../../ticket-sales/reports/sales-timeline.ts';
import { defineEvents } from '../../../ticket-sales/sale/events-table.ts';
import { StreamsBuilder } from '../../../topology/streams-builder.ts';
import { purchaseWith } from '../domain/samples.ts';

const MINUTE_MS = 60_000;
const START_MS = 1_700_000_040_000;
const STOCK = 'stock';

let serdes: TicketSerdes;
let driver: TopologyTestDriver;

beforeEach(startDriver);

async function startDriver(): Promise<void> {
  const texts: string[] = [];
  serdes = ticketSerdes({
    register: async (_subject, schema) => {
      const text = JSON.stringify(schema);
      if (!texts.includes(text)) texts.push(text);
      return texts.indexOf(text) + 1;
    },
    schemaById: async (id) => JSON.parse(texts[id - 1]!),
  });
  for (const serde of [serdes.inventory, serdes.event, serdes.purchase]) {
    await serde.prepare?.('any', 'value');
  }
  const builder = new StreamsBuilder();
  defineEvents(builder, serdes);
  const valueSerde = serdes.inventory;
  const topology = builder
    .build()
    .addSource({ name: STOCK, topics: [STOCK], keySerde: stringSerde, valueSerde });
  defineReports(topology, serdes, DEFAULT_REPORTS, STOCK);
  defineBuyerIndex(topology, serdes.purchase);
  driver = new TopologyTestDriver(topology, { applicationId: 'reports' });
}

async function announce(stock: Partial<InventoryUpdated>): Promise<void> {
  const all: InventoryUpdated = {
    eventId: 'gala',
    zoneId: 'floor',
    capacity: 10,
    available: 10,
    held: 0,
    sold: 0,
    version: 1,
    updatedAtMs: START_MS,
    commandOffset: 0,
    revenueMinor: 0,
    currency: null,
    ...stock,
  };
  const input = driver.createInputTopic(STOCK, stringSerde, serdes.inventory);
  await input.pipeInput(`${all.eventId}/${all.zoneId}`, all, all.updatedAtMs);
}

/** null = the event is gone. */
async function define(eventId: string, event: { venueId: string | null } | null): Promise<void> {
  const input = driver.createInputTopic(TOPICS.events, stringSerde, serdes.event);
  const rest = {
    eventId,
    name: eventId,
    startsAtMs: null,
    customers: 'anyone',
    customerMax: 0,
  } as const;
  await input.pipeInput(
    eventId,
    event === null ? (null as never) : { ...rest, ...event },
    START_MS,
  );
}

/** Decoded records have a class of their own. */
const plain = <T>(value: T): T => (value === undefined ? value : JSON.parse(JSON.stringify(value)));

const sales = (eventId = 'gala') =>
  plain(driver.getKeyValueStore<string, EventSales>(REPORT_STORES.sales).get(eventId));

async function entries<V>(store: string): Promise<[string, V][]> {
  const found: [string, V][] = [];
  for await (const [key, value] of driver.getKeyValueStore<string, V>(store).range()) {
    found.push([key, plain(value)]);
  }
  return found;
}

const eur = (amountMinor: number): Money => ({ amountMinor, currency: 'EUR' });

describe('the sums of an event', () => {
  test('are those of its zones, with the revenue of each currency', async () => {
    await announce({ sold: 2, currency: 'EUR', revenueMinor: 5_000 });
    const stand = { zoneId: 'stand', capacity: 5, sold: 1, held: 2 };
    await announce({ ...stand, currency: 'CHF', revenueMinor: 700 });
    await announce({ zoneId: 'free', capacity: 3, sold: 3 });
    expect(sales()).toEqual({
      eventId: 'gala',
      venueId: null,
      zones: 3,
      capacity: 18,
      held: 2,
      sold: 6,
      version: 3,
      revenue: [{ amountMinor: 700, currency: 'CHF' }, eur(5_000)],
    });
  });

  test('go down with what is cancelled, and name no currency that nothing is left of', async () => {
    await announce({ sold: 2, currency: 'EUR', revenueMinor: 5_000 });
    await announce({ version: 2, sold: 0, currency: 'EUR', revenueMinor: 0 });
    expect(sales()).toMatchObject({ zones: 1, sold: 0, version: 2, revenue: [] });
  });

  test('count news of a stock once, and old news not at all', async () => {
    await announce({ version: 3, sold: 3, currency: 'EUR', revenueMinor: 300 });
    const before = sales();
    await announce({ version: 3, sold: 3, currency: 'EUR', revenueMinor: 300 });
    await announce({ version: 2, sold: 1, currency: 'EUR', revenueMinor: 100 });
    expect(sales()).toEqual(before);
  });

  test('go along when the event moves, and stay when it is at no venue or gone', async () => {
    await announce({ sold: 2, currency: 'EUR', revenueMinor: 5_000 });
    const before = sales();
    const venues = async () => (await entries<string>(REPORT_STORES.venues)).map(([key]) => key);
    expect(await venues()).toEqual([]);
    await define('gala', { venueId: 'hall' });
    expect([await venues(), sales()]).toEqual([['hall/gala'], { ...before, venueId: 'hall' }]);
    await define('gala', { venueId: 'dome' });
    expect([await venues(), sales()?.venueId]).toEqual([['dome/gala'], 'dome']);
    await define('gala', { venueId: null });
    expect([await venues(), sales()]).toEqual([[], before]);
    await define('gala', { venueId: 'hall' });
    await define('gala', null);
    expect([await venues(), sales()]).toEqual([[], before]);
  });
});

describe('sales over time', () => {
  const timeline = async () =>
    (await entries<SalesBucket>(REPORT_STORES.timeline)).map(
      ([, { startMs, sold, revenue }]) =>
        [(startMs - START_MS) / MINUTE_MS, sold, revenue] as const,
    );

  test('put each change into the minute in which it happened, cancellations too', async () => {
    const at = (minutes: number) => START_MS + minutes * MINUTE_MS;
    const priced = (sold: number) => ({ sold, currency: 'EUR', revenueMinor: 100 * sold });
    await announce({ updatedAtMs: at(0.1), version: 2, ...priced(2) });
    await announce({ updatedAtMs: at(0.9), version: 3, ...priced(3) });
    await announce({ updatedAtMs: at(2), version: 4, held: 1, ...priced(3) });
    await announce({ updatedAtMs: at(5), version: 5, ...priced(1) });
    expect(await timeline()).toEqual([
      [0, 3, [eur(300)]],
      [5, -2, [eur(-200)]],
    ]);
  });

  test('are forgotten after their time, and only then', async () => {
    const { timelineMs } = DEFAULT_REPORTS;
    await announce({ version: 2, sold: 2 });
    await announce({ updatedAtMs: START_MS + timelineMs, version: 3, sold: 3 });
    expect(await timeline()).toHaveLength(2);
    await announce({ updatedAtMs: START_MS + timelineMs + 1, version: 4, sold: 4 });
    expect(await timeline()).toHaveLength(1);
    expect(sales()?.sold).toBe(4);
  });
});

describe('whatever zones announce', () => {
  const news = fc.record({
    eventId: fc.constantFrom('gala', 'ball'),
    zoneId: fc.constantFrom('a', 'b', 'c'),
    sold: fc.nat(9),
    held: fc.nat(9),
    capacity: fc.integer({ min: 18, max: 30 }),
    ticketMinor: fc.nat(500),
    currency: fc.constantFrom('EUR', 'CHF', null),
    minutes: fc.nat(5),
    venueId: fc.constantFrom('hall', 'dome', null),
  });

  /** The zones as they stand after all of it. */
  async function tell(all: readonly (typeof news extends fc.Arbitrary<infer T> ? T : never)[]) {
    const zones = new Map<string, InventoryUpdated>();
    for (const { ticketMinor, minutes, venueId, ...stock } of all) {
      const key = `${stock.eventId}/${stock.zoneId}`;
      const version = (zones.get(key)?.version ?? 0) + 1;
      zones.set(key, {
        ...stock,
        available: stock.capacity - stock.held - stock.sold,
        version,
        updatedAtMs: START_MS + minutes * MINUTE_MS,
        commandOffset: version,
        revenueMinor: stock.currency === null ? 0 : ticketMinor * stock.sold,
      });
      await announce(zones.get(key)!);
      await define(stock.eventId, { venueId });
    }
    return zones;
  }

  function revenueOf(zones: readonly InventoryUpdated[]): Money[] {
    return ['CHF', 'EUR']
      .map((currency) => ({
        amountMinor: zones.reduce(
          (sum, zone) => sum + (zone.currency === currency ? zone.revenueMinor : 0),
          0,
        ),
        currency,
      }))
      .filter(({ amountMinor }) => amountMinor !== 0);
  }

  const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);

  test('zones, sums and sales over time agree', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(news, { maxLength: 25 }), async (all) => {
        await startDriver();
        const zones = await tell(all);
        const stored = await entries<EventZone>(REPORT_STORES.zones);
        expect(new Map(stored.map(([key, { eventVersion: _, ...stock }]) => [key, stock]))).toEqual(
          zones,
        );
        const timeline = await entries<SalesBucket>(REPORT_STORES.timeline);
        for (const eventId of new Set(all.map((each) => each.eventId))) {
          const own = [...zones.values()].filter((zone) => zone.eventId === eventId);
          const sold = total(own.map((zone) => zone.sold));
          const revenue = revenueOf(own);
          const version = all.filter((each) => each.eventId === eventId).length;
          expect(sales(eventId)).toMatchObject({ zones: own.length, sold, version, revenue });
          expect(sales(eventId)?.held).toBe(total(own.map((zone) => zone.held)));
          expect(sales(eventId)?.capacity).toBe(total(own.map((zone) => zone.capacity)));
          const buckets = timeline
            .map(([, bucket]) => bucket)
            .filter((bucket) => bucket.eventId === eventId);
          expect(total(buckets.map((bucket) => bucket.sold))).toBe(sold);
          for (const { currency, amountMinor } of revenue) {
            const told = buckets
              .flatMap((bucket) => bucket.revenue)
              .filter((money) => money.currency === currency);
            expect(total(told.map((money) => money.amountMinor))).toBe(amountMinor);
          }
        }
      }),
      { numRuns: 40 },
    );
  }, 60_000);
});

describe('the index of buyers', () => {
  test('has the newest purchase of each buyer first, as it stands', async () => {
    const input = driver.createInputTopic(TOPICS.purchaseStatus, stringSerde, serdes.purchase);
    const [first, second, third] = ['1', '2', '3'].map(
      (digit) => `${digit}1111111-2222-8333-8444-555555555555`,
    ) as [string, string, string];
    const decided = [
      { purchaseId: first, buyerId: 'ada', requestedAtMs: START_MS },
      { purchaseId: second, buyerId: 'ada', requestedAtMs: START_MS + 5 },
      { purchaseId: third, buyerId: 'adam', requestedAtMs: START_MS + 9 },
      { purchaseId: first, buyerId: 'ada', requestedAtMs: START_MS, state: 'cancelled' },
    ] as const;
    for (const each of decided) {
      await input.pipeInput(each.purchaseId, purchaseWith(each), START_MS);
    }
    const index = await entries<{ purchaseId: string; state: string }>(BUYER_STORE);
    expect(
      index.map(([key, { purchaseId, state }]) => [key.split('/')[0], purchaseId, state]),
    ).toEqual([
      ['ada', second, 'confirmed'],
      ['ada', first, 'cancelled'],
      ['adam', third, 'confirmed'],
    ]);
  });
});
