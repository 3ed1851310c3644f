/**
 * Holds what is in the topics and in the stores to the invariants, after everything has drained. Reads
 * the topics only, the buyers' journal, and the disks of the instances; every sentence it returns is a
 * violation.
 */
import { partitionKey } from '../../kafka/ports.ts';
import { fromBytes, type Serde } from '../../schemas/serde.ts';
import type { Outcome, StoreContent } from '../../simulation/scenario.ts';
import type { ReadRecord } from '../../simulation/topic-reader.ts';
import type { EventSales } from '../../ticket-sales/domain/event.ts';
import { type InventoryUpdated, TOPICS } from '../../ticket-sales/records.ts';
import { type EventZone, REPORT_STORES } from '../../ticket-sales/reports/report-stores.ts';
import type { SalesBucket } from '../../ticket-sales/reports/sales-timeline.ts';
import { addRevenue, emptySales } from '../../ticket-sales/reports/sums.ts';
import { SEND_HEADER, type Send } from './buyers.ts';
import { DEAD_LETTERS, PURCHASES_CHANGELOG, serdes, ZONES_CHANGELOG } from './sale.ts';
import { SaleModel } from './sale-model.ts';
import { isSameData } from './same-data.ts';

const OFFSET_HEADER = '__streams.errors.offset';

export class Audit {
  readonly violations: string[] = [];
  readonly models: SaleModel[] = [];
  readonly #outcome: Outcome;
  /** By event: how many news of its zones' stock there are in the log. */
  readonly #announced = new Map<string, number>();

  constructor(outcome: Outcome) {
    this.#outcome = outcome;
  }

  async topics(journal: readonly Send[]): Promise<void> {
    const commands = await this.#read(TOPICS.commands);
    this.#commands(commands, journal);
    for (const records of commands) this.models.push(modelOf(records));
    const before = commands.map((records, partition) =>
      modelOf(this.#beforeReset(records, partition)),
    );
    const statuses = await this.#read(TOPICS.purchaseStatus);
    const deadLetters = await this.#read(DEAD_LETTERS);
    const inventory = await this.#read(TOPICS.inventory);
    const zones = await this.#read(ZONES_CHANGELOG);
    const purchases = await this.#read(PURCHASES_CHANGELOG);
    for (const [partition, model] of this.models.entries()) {
      const earlier = before[partition]!;
      const wantedStatuses = [...earlier.statuses, ...model.statuses];
      this.#statuses(partition, wantedStatuses, statuses[partition]!);
      const wantedLetters = [...earlier.deadLetters, ...model.deadLetters];
      this.#deadLetters(partition, wantedLetters, deadLetters[partition]!);
      this.#inventory(partition, model, inventory[partition]!);
      const place = `partition ${partition} of`;
      const zonesNow = lastValues(zones[partition]!, serdes.zone);
      const purchasesNow = lastValues(purchases[partition]!, serdes.purchase);
      this.#same(`${place} ${ZONES_CHANGELOG}`, zonesNow, model.zones);
      this.#same(`${place} ${PURCHASES_CHANGELOG}`, purchasesNow, model.purchases);
    }
  }

  /** What the last owners left on their disks is what the fold says. The instances have stopped. */
  async stores({ hasReports }: { readonly hasReports: boolean }): Promise<void> {
    const reports: Reports = { zones: new Map(), sales: new Map(), timeline: new Map() };
    for (const content of await this.#outcome.stores()) this.#store(content, reports);
    if (hasReports) this.#reports(reports);
  }

  #reports(reports: Reports): void {
    const sales = this.#salesByEvent();
    this.#same('the store event-sales', reports.sales, sales);
    this.#same(
      'the sums of the store sales-timeline',
      soldByEvent(reports.timeline),
      soldOf(sales),
    );
    const stock = this.models.flatMap((model) => [...stockOf(model)]);
    this.#same('the store event-zones', reports.zones, new Map(stock));
  }

  #store(content: StoreContent, reports: Reports): void {
    const { store, partition, instance } = content;
    const entries = content.entries as ReadonlyMap<string, unknown>;
    const model = this.models[partition]!;
    const place = `the store ${store} of partition ${partition} at ${instance}`;
    if (store === 'zones') this.#same(place, entries, model.zones);
    else if (store === 'purchases') this.#same(place, entries, model.purchases);
    else if (store === REPORT_STORES.sales) addAll(reports.sales, entries);
    else if (store === REPORT_STORES.timeline) addAll(reports.timeline, entries);
    else if (store === REPORT_STORES.zones) {
      for (const [key, value] of entries as ReadonlyMap<string, EventZone>) {
        const { eventVersion: _, ...stock } = value;
        reports.zones.set(key, stock);
      }
    }
  }

  /** Nobody defines events here, so that they have no venue. */
  #salesByEvent(): ReadonlyMap<string, EventSales> {
    const sums = new Map<string, EventSales>();
    for (const { zones } of this.models) {
      for (const { eventId, capacity, held, sold, revenueMinor, price } of zones.values()) {
        const sum = sums.get(eventId) ?? emptySales(eventId);
        const revenue =
          price === null ? [] : [{ amountMinor: revenueMinor, currency: price.currency }];
        sums.set(eventId, {
          eventId,
          zones: sum.zones + 1,
          capacity: sum.capacity + capacity,
          held: sum.held + held,
          sold: sum.sold + sold,
          venueId: null,
          version: this.#announced.get(eventId) ?? 0,
          revenue: addRevenue(sum.revenue, revenue, 1),
        });
      }
    }
    return sums;
  }

  /** What was decided once already, before the application was begun anew. */
  #beforeReset(records: readonly ReadRecord[], partition: number): readonly ReadRecord[] {
    const end = this.#outcome.reset?.get(partitionKey(TOPICS.commands, partition)) ?? 0;
    return records.filter(({ offset }) => offset < end);
  }

  #read(topic: string): Promise<readonly (readonly ReadRecord[])[]> {
    return this.#outcome.records(topic);
  }

  /** Acknowledged commands are there once, refused ones are not, unknown ones at most once. */
  #commands(commands: readonly (readonly ReadRecord[])[], journal: readonly Send[]): void {
    const times = journal.map(() => 0);
    for (const record of commands.flat()) {
      const header = record.headers.find(({ key }) => key === SEND_HEADER);
      times[Number(header?.value)]! += 1;
    }
    for (const [number, { outcome }] of journal.entries()) {
      const count = times[number]!;
      if (outcome === 'acknowledged' ? count === 1 : count <= 1) continue;
      this.violations.push(`command ${number} (${outcome}) is in the log ${count} times`);
    }
    if (commands.flat().length === 0) this.violations.push('the audit is not valid: no commands');
  }

  #statuses(partition: number, wanted: readonly unknown[], records: readonly ReadRecord[]): void {
    const found = records.map(({ value }) => fromBytes(serdes.purchase, value!));
    const count = Math.max(found.length, wanted.length);
    for (let index = 0; index < count; index++) {
      if (isSameData(found[index], wanted[index])) continue;
      const place = `${TOPICS.purchaseStatus}-${partition}, outcome ${index}`;
      this.violations.push(
        `${place}: ${text(found[index])} instead of ${text(wanted[index])} (${found.length}/${wanted.length})`,
      );
      return;
    }
  }

  #deadLetters(
    partition: number,
    wantedOffsets: readonly number[],
    records: readonly ReadRecord[],
  ): void {
    const offsets = records.map(({ headers }) =>
      Number(headers.find(({ key }) => key === OFFSET_HEADER)?.value),
    );
    if (isSameData(offsets, wantedOffsets)) return;
    const wanted = text(wantedOffsets);
    this.violations.push(`${DEAD_LETTERS}-${partition}: ${text(offsets)} instead of ${wanted}`);
  }

  #inventory(partition: number, model: SaleModel, records: readonly ReadRecord[]): void {
    const versions = new Map<string, number>();
    const last = new Map<string, InventoryUpdated>();
    for (const { key, value, offset } of records) {
      const stock = fromBytes(serdes.inventory, value!);
      const place = `${TOPICS.inventory}-${partition}@${offset}`;
      const { capacity, available, held, sold, version } = stock;
      if (available < 0 || held < 0 || sold < 0 || available + held + sold !== capacity) {
        this.violations.push(`${place}: impossible stock ${text(stock)}`);
      }
      // After a reset the same is told once more.
      if (this.#outcome.reset === undefined && version <= (versions.get(key) ?? 0)) {
        this.violations.push(`${place}: version ${version} after ${versions.get(key)}`);
      }
      versions.set(key, version);
      this.#announced.set(stock.eventId, (this.#announced.get(stock.eventId) ?? 0) + 1);
      last.set(key, stock);
    }
    this.#same(`partition ${partition} of ${TOPICS.inventory}`, last, stockOf(model));
  }

  #same(
    place: string,
    found: ReadonlyMap<string, unknown>,
    wanted: ReadonlyMap<string, unknown>,
  ): void {
    for (const key of new Set([...found.keys(), ...wanted.keys()])) {
      if (isSameData(found.get(key), wanted.get(key))) continue;
      const difference = `${text(found.get(key))} instead of ${text(wanted.get(key))}`;
      this.violations.push(`${place}: ${key} is ${difference}`);
      return;
    }
  }
}

/** What the partitions' stores have together. */
interface Reports {
  /** Without the version of the event. */
  readonly zones: Map<string, unknown>;
  readonly sales: Map<string, unknown>;
  readonly timeline: Map<string, unknown>;
}

function addAll(all: Map<string, unknown>, more: ReadonlyMap<string, unknown>): void {
  for (const [key, value] of more) all.set(key, value);
}

function soldByEvent(timeline: ReadonlyMap<string, unknown>): ReadonlyMap<string, unknown> {
  const sums = new Map<string, Pick<SalesBucket, 'sold' | 'revenue'>>();
  for (const { eventId, sold, revenue } of timeline.values() as Iterable<SalesBucket>) {
    const sum = sums.get(eventId) ?? { sold: 0, revenue: [] };
    const total = { sold: sum.sold + sold, revenue: addRevenue(sum.revenue, revenue, 1) };
    sums.set(eventId, total);
  }
  return new Map([...sums].filter(([, { sold, revenue }]) => sold !== 0 || revenue.length > 0));
}

function soldOf(sales: ReadonlyMap<string, EventSales>): ReadonlyMap<string, unknown> {
  const sold = [...sales].map(([key, { sold, revenue }]) => [key, { sold, revenue }] as const);
  return new Map(sold.filter(([, { sold, revenue }]) => sold !== 0 || revenue.length > 0));
}

function modelOf(records: readonly ReadRecord[]): SaleModel {
  const model = new SaleModel();
  for (const { offset, timestampMs, value } of records) {
    model.apply({ offset, timestampMs, command: fromBytes(serdes.command, value!) });
  }
  return model;
}

function stockOf(model: SaleModel): Map<string, unknown> {
  return new Map(
    [...model.zones].map(([key, zone]) => {
      const { quantityMax: _, sale: __, terms: ___, price, ...told } = zone;
      const available = zone.capacity - zone.held - zone.sold;
      return [key, { ...told, available, currency: price?.currency ?? null }];
    }),
  );
}

function lastValues<T>(records: readonly ReadRecord[], serde: Serde<T>): Map<string, T> {
  const last = new Map<string, T>();
  for (const { key, value } of records) {
    if (value === null) last.delete(key);
    else last.set(key, fromBytes(serde, value));
  }
  return last;
}

function text(value: unknown): string {
  return value === undefined ? 'nothing' : JSON.stringify(value);
}
