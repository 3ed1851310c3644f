/** The sale's own sub-topology in the driver, with log time in the test's hands. */
import { TopologyTestDriver } from '../../../runtime/topology-test-driver.ts';
import type { AvroSchema, SchemaRegistry } from '../../../schemas/schema-registry.ts';
import { stringSerde } from '../../../schemas/serdes.ts';
import type {
  CreateZoneCommand,
  PaymentUpdate,
  PurchaseCommand,
  PurchaseOptions,
  TicketCommand,
} from '../../../ticket-sales/domain/command.ts';
import type { Purchase } from '../../../ticket-sales/domain/purchase.ts';
import type { Voucher } from '../../../ticket-sales/domain/voucher.ts';
import type { Zone, ZoneTerms } from '../../../ticket-sales/domain/zone.ts';
import { PLAIN_TERMS } from '../../../ticket-sales/domain/zone-terms.ts';
import { type TicketSerdes, TOPICS, ticketSerdes } from '../../../ticket-sales/records.ts';
import { STORES } from '../../../ticket-sales/sale/sale-stores.ts';
import { sellTickets } from '../../../ticket-sales/sale/sell-tickets.ts';
import { Topology } from '../../../topology/topology.ts';
import { purchaseCommand } from '../domain/samples.ts';

export const ZONE = { eventId: 'gala', zoneId: 'floor' } as const;
export const KEY = 'gala/floor';
export const HOLD_MS = 60_000;
export const HOLD_TERMS: ZoneTerms = { ...PLAIN_TERMS, checkout: 'hold', holdMs: HOLD_MS };
export const NO_OPTIONS: PurchaseOptions = {
  seats: [],
  placement: 'any',
  voucher: null,
  orderId: null,
  viaIntake: false,
};
const START_MS = 1_700_000_000_000;

class MemoryRegistry implements SchemaRegistry {
  readonly #texts: string[] = [];

  async register(_subject: string, schema: AvroSchema): Promise<number> {
    const text = JSON.stringify(schema);
    if (!this.#texts.includes(text)) this.#texts.push(text);
    return this.#texts.indexOf(text) + 1;
  }

  async schemaById(id: number): Promise<AvroSchema> {
    return JSON.parse(this.#texts[id - 1]!) as AvroSchema;
  }
}

/** Ids that are as good as any: one per number. */
export function idOf(number: number): string {
  return `00000000-0000-8000-8000-${String(number).padStart(12, '0')}`;
}

export function createZone(properties: Partial<CreateZoneCommand> = {}): CreateZoneCommand {
  return {
    kind: 'createZone',
    ...ZONE,
    capacity: 10,
    quantityMax: 6,
    price: { amountMinor: 1_000, currency: 'EUR' },
    terms: HOLD_TERMS,
    blockedSeats: [],
    ...properties,
  };
}

export function payment(properties: Partial<PaymentUpdate> = {}): PaymentUpdate {
  return {
    kind: 'payment',
    ...ZONE,
    purchaseId: idOf(1),
    paymentId: 'pay-1',
    status: 'succeeded',
    amountMinor: 2_000,
    currency: 'EUR',
    refundId: null,
    detail: null,
    occurredAtMs: 0,
    ...properties,
  };
}

export class DrivenSale {
  readonly driver: TopologyTestDriver;
  readonly #serdes: TicketSerdes;
  /** Log time of the records to come. */
  nowMs = START_MS;

  private constructor(serdes: TicketSerdes) {
    this.#serdes = serdes;
    const topology = sellTickets(new Topology(), serdes, { commandPartitions: 1 });
    this.driver = new TopologyTestDriver(topology, { applicationId: 'sale' });
  }

  static async start(): Promise<DrivenSale> {
    const serdes = ticketSerdes(new MemoryRegistry());
    await serdes.command.prepare?.(TOPICS.commands, 'value');
    await serdes.payment.prepare?.(TOPICS.payments, 'value');
    return new DrivenSale(serdes);
  }

  async send(command: TicketCommand): Promise<void> {
    const { eventId, zoneId } = command;
    await this.driver
      .createInputTopic(TOPICS.commands, stringSerde, this.#serdes.command)
      .pipeInput(`${eventId}/${zoneId}`, command, this.nowMs);
  }

  /** Asks for tickets; the purchase as it is then. */
  async buy(number: number, properties: Partial<PurchaseCommand> = {}): Promise<Purchase> {
    const purchaseId = idOf(number);
    await this.send(purchaseCommand({ purchaseId, ...properties }));
    return this.purchase(number);
  }

  async pay(properties: Partial<PaymentUpdate> = {}): Promise<void> {
    await this.driver
      .createInputTopic(TOPICS.payments, stringSerde, this.#serdes.payment)
      .pipeInput(KEY, payment(properties), this.nowMs);
  }

  /** Nothing comes in for so long, in ticks as the engine has them. */
  async idle(durationMs: number): Promise<void> {
    for (let passed = 0; passed < durationMs; passed += 250) {
      await this.driver.advanceWallClockTime(250);
    }
    this.nowMs += durationMs;
  }

  purchase(number: number): Purchase {
    return this.#store<Purchase>(STORES.purchases).get(idOf(number))!;
  }

  get zone(): Zone {
    return this.#store<Zone>(STORES.zones).get(KEY)!;
  }

  voucher(code: string): Voucher | undefined {
    return this.#store<Voucher>(STORES.vouchers).get(`${KEY}/${code}`);
  }

  ticketsOf(buyerId: string): number | undefined {
    return this.#store<number>(STORES.buyers).get(`${KEY}/${buyerId}`);
  }

  async holds(): Promise<readonly string[]> {
    const keys: string[] = [];
    for await (const [key] of this.#store<string>(STORES.holds).range()) keys.push(key);
    return keys;
  }

  /** States that were announced since the last look, in order. */
  announced(): readonly string[] {
    return this.#read(TOPICS.purchaseStatus, this.#serdes.purchase).map(({ state }) => state);
  }

  paymentRequests() {
    return this.#read(TOPICS.paymentRequests, this.#serdes.paymentRequest);
  }

  refundRequests() {
    return this.#read(TOPICS.refundRequests, this.#serdes.refundRequest);
  }

  notifications() {
    return this.#read(TOPICS.notificationRequests, this.#serdes.notificationRequest);
  }

  #read<V>(topic: string, serde: Parameters<typeof this.driver.createOutputTopic<string, V>>[2]) {
    return this.driver
      .createOutputTopic(topic, stringSerde, serde)
      .readValuesToList()
      .flatMap((value) => (value === null ? [] : [{ ...value }]));
  }

  #store<V>(name: string) {
    return this.driver.getKeyValueStore<string, V>(name);
  }
}
