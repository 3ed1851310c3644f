/**
 * A sale through the real topology, written down as a broker would have it: each step's outputs in one
 * transaction, its inputs and what it writes to them as they come.
 */
import { TopologyTestDriver } from '../../runtime/topology-test-driver.ts';
import { toBytes } from '../../schemas/serde.ts';
import { bytesSerde } from '../../schemas/serdes.ts';
import type { PaymentUpdate, TicketCommand } from '../../ticket-sales/domain/command.ts';
import type { Purchase } from '../../ticket-sales/domain/purchase.ts';
import { type Zone, zoneKey } from '../../ticket-sales/domain/zone.ts';
import type { Order } from '../../ticket-sales/orders/order.ts';
import type { OrderCommand } from '../../ticket-sales/orders/order-command.ts';
import { ORDER_STORES } from '../../ticket-sales/orders/order-processor.ts';
import { orderSerdes } from '../../ticket-sales/orders/order-records.ts';
import { ticketSerdes } from '../../ticket-sales/records.ts';
import { STORES } from '../../ticket-sales/sale/sale-stores.ts';
import type { RecordHeaders } from '../../topology/processor.ts';
import type { Topology } from '../../topology/topology.ts';
import {
  APPLICATION_ID,
  type CraftedRecord,
  LOG_TIME,
  letterRecord,
  MemoryLog,
  orderRecord,
  purchaseRecord,
  registry,
  TOPICS,
  type TopicName,
  zoneRecord,
} from './crafted-log.ts';

export const serdes = ticketSerdes(registry);
export const orders = orderSerdes(registry);
for (const serde of [...Object.values(serdes), ...Object.values(orders)]) {
  await serde.prepare?.('any', 'value');
}

type Input = 'commands' | 'payments' | 'orders';
const LETTERS = {
  commands: 'letters',
  payments: 'paymentLetters',
  orders: 'orderLetters',
} as const;
const OUTPUTS = ['status', 'stock', 'orderStatus', 'paymentRequests', 'refunds'] as const;
/** Writes commands for orders: its transaction ends when the log does, so that offsets have no gaps. */
const SAGA = { producerId: 2, producerEpoch: 0 };
const TICK_MS = 1_000;

interface Timed extends CraftedRecord {
  readonly timestampMs: number;
}

interface Written extends Timed {
  readonly key: Buffer;
  readonly value: Buffer;
}

export class DrivenSale {
  readonly log = new MemoryLog();
  readonly driver: TopologyTestDriver;
  /** What the payment side was asked for and has not taken from here yet. */
  readonly asked = { paymentRequests: [] as Buffer[], refunds: [] as Buffer[] };
  /** Log time of what comes next. */
  nowMs = LOG_TIME;
  readonly #takesOrders: boolean;
  readonly #kept = new Map<string, string>();
  #epoch = 0;
  #hasSagas = false;

  constructor(topology: Topology, options: { readonly takesOrders?: boolean } = {}) {
    this.#takesOrders = options.takesOrders ?? false;
    this.driver = new TopologyTestDriver(topology, {
      applicationId: APPLICATION_ID,
      initialWallClockTimeMs: LOG_TIME,
    });
  }

  command(command: TicketCommand): Promise<void> {
    const key = zoneKey(command.eventId, command.zoneId);
    return this.pipe('commands', key, toBytes(serdes.command, command));
  }

  payment(update: PaymentUpdate): Promise<void> {
    const key = zoneKey(update.eventId, update.zoneId);
    return this.pipe('payments', key, toBytes(serdes.payment, update));
  }

  order(command: OrderCommand): Promise<void> {
    return this.pipe('orders', command.orderId, toBytes(orders.command, command));
  }

  /** Resolves when all that it causes is in the log, dead letters included. */
  async pipe(
    name: Input,
    key: string | null,
    value: Buffer,
    headers: readonly RecordHeaders[] = [],
  ): Promise<void> {
    const keyBytes = key === null ? null : Buffer.from(key);
    const original = { key: keyBytes, value };
    this.log.timeMs = this.nowMs;
    const offset = this.log.append(name, [original]);
    const input = this.driver.createInputTopic(TOPICS[name], bytesSerde, bytesSerde);
    const isRefused = await input.pipeInput(keyBytes, value, this.nowMs, headers).then(
      () => false,
      () => true,
    );
    const letter = letterRecord(original, offset, TOPICS[name]);
    this.#write(isRefused ? { [LETTERS[name]]: [{ ...letter, timestampMs: this.nowMs }] } : {});
  }

  /** Time goes by, for the log and for whoever waits. */
  async pass(durationMs: number): Promise<void> {
    for (let passedMs = 0; passedMs < durationMs; passedMs += TICK_MS) {
      this.nowMs += TICK_MS;
      await this.driver.advanceWallClockTime(TICK_MS);
      this.#write({});
    }
  }

  /** The log, when everything was consumed. */
  async finish(): Promise<MemoryLog> {
    await this.driver.close();
    if (this.#hasSagas) this.log.end('commands', SAGA, 'commit');
    this.log.committedOffset = this.log.endOf('commands');
    return this.log;
  }

  /** What a store has; undefined = no such store, or nothing in it. */
  stored<V>(store: string, key: string): V | undefined {
    return this.driver.getKeyValueStore<string, V>(store).get(key);
  }

  #write(more: Partial<Record<TopicName, readonly Timed[]>>): void {
    this.#writeInputs();
    const [status, stock, orderStatus, paymentRequests, refunds] = OUTPUTS.map((name) =>
      this.#read(name),
    ) as [Written[], Written[], Written[], Written[], Written[]];
    this.asked.paymentRequests.push(...paymentRequests.map(({ value }) => value));
    this.asked.refunds.push(...refunds.map(({ value }) => value));
    const zones = this.#changed(stock, STORES.zones, (zone: Zone) => zoneRecord(zone));
    const purchases = this.#changed(status, STORES.purchases, (purchase: Purchase) =>
      purchaseRecord(purchase),
    );
    const ordersKept = this.#takesOrders
      ? this.#changed(orderStatus, ORDER_STORES.orders, (order: Order) => orderRecord(order))
      : [];
    const written = Object.entries({
      ...{ status, stock: lastOfEach(stock), zones, purchases },
      ...{ orderStatus, ordersKept, paymentRequests, refunds, ...more },
    } satisfies Partial<Record<TopicName, readonly Timed[]>>).filter(([, all]) => all.length > 0);
    const producer = { producerId: 1, producerEpoch: this.#epoch++ };
    for (const [name, records] of written) {
      for (const record of records) {
        this.log.timeMs = record.timestampMs;
        this.log.append(name as TopicName, [record], producer);
      }
    }
    this.log.timeMs = this.nowMs;
    for (const [name] of written) this.log.end(name as TopicName, producer, 'commit');
  }

  /** What goes round: its offsets are those that the driver gave. */
  #writeInputs(): void {
    for (const record of this.#read('commands')) {
      this.log.timeMs = record.timestampMs;
      this.log.append('commands', [record], SAGA);
      this.#hasSagas = true;
    }
    for (const record of this.#read('payments')) {
      this.log.timeMs = record.timestampMs;
      this.log.append('payments', [record]);
    }
  }

  #read(name: TopicName): Written[] {
    const output = this.driver.createOutputTopic(TOPICS[name], bytesSerde, bytesSerde);
    return output.readRecordsToList() as unknown as Written[];
  }

  /** A changelog's records of one transaction: of each key that has changed, what it has become. */
  #changed<V>(
    announced: readonly Written[],
    store: string,
    asRecord: (value: V) => CraftedRecord,
  ): Timed[] {
    const keys = new Set(announced.map(({ key }) => key.toString()));
    return [...keys].flatMap((key) => {
      const value = this.stored<V>(store, key);
      const text = JSON.stringify(value);
      if (value === undefined || this.#kept.get(`${store}/${key}`) === text) return [];
      this.#kept.set(`${store}/${key}`, text);
      return [{ ...asRecord(value), timestampMs: this.nowMs }];
    });
  }
}

/** The stock of a zone is announced once per transaction. */
function lastOfEach(records: readonly Written[]): Written[] {
  return [...new Map(records.map((record) => [record.key.toString(), record])).values()];
}
