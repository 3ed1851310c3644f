/** The app's topics: their names, keys, schemas and serdes, in one place. */
import { readFileSync } from 'node:fs';
import { unreachable } from '../base/assert.ts';
import { avroSerde } from '../schemas/avro-serde.ts';
import type { AvroSchema, SchemaRegistry } from '../schemas/schema-registry.ts';
import type { Serde } from '../schemas/serde.ts';
import type { Customer, Venue, VenueMentions } from './domain/catalog.ts';
import type { PaymentUpdate, PurchaseCommand, TicketCommand } from './domain/command.ts';
import type { EventDefinition, EventSales } from './domain/event.ts';
import type { NotificationRequest } from './domain/notification.ts';
import type { PaymentRequest, Refund, RefundRequest } from './domain/payment.ts';
import type { Purchase } from './domain/purchase.ts';
import type { Voucher } from './domain/voucher.ts';
import { available, type Zone } from './domain/zone.ts';
import type { ReadModelEntry } from './festival/read-model.ts';
import type { EventZone } from './reports/report-stores.ts';
import type { SalesBucket } from './reports/sales-timeline.ts';
import { type SeatRecord, seatSerde } from './sale/seat-store.ts';

export const TOPICS = {
  commands: 'ticketPurchase',
  events: 'eventDefined',
  venues: 'venueDefined',
  customers: 'customerDefined',
  unknownVenues: 'unknownVenue',
  purchaseStatus: 'purchaseStatusUpdated',
  inventory: 'inventoryUpdated',
  payments: 'paymentStatusUpdate',
  paymentRequests: 'paymentRequested',
  refundRequests: 'refundRequested',
  notificationRequests: 'notificationRequested',
} as const;

export interface TopicOf<V> {
  readonly topic: string;
  readonly serde: Serde<V>;
}

/** The record of the inventory topic; `available` is told, not computed by every reader. */
export interface InventoryUpdated {
  readonly eventId: string;
  readonly zoneId: string;
  readonly capacity: number;
  readonly available: number;
  readonly held: number;
  readonly sold: number;
  readonly version: number;
  readonly updatedAtMs: number;
  readonly commandOffset: number;
  readonly revenueMinor: number;
  readonly currency: string | null;
}

export type Outcome = Pick<Purchase, 'state' | 'reason'>;

export interface TicketSerdes {
  readonly command: Serde<TicketCommand>;
  readonly purchase: Serde<Purchase>;
  /** Reads of a purchase only what is counted: a fraction of the time. */
  readonly outcome: Serde<Outcome>;
  readonly zone: Serde<Zone>;
  readonly voucher: Serde<Voucher>;
  readonly seats: Serde<SeatRecord>;
  readonly payment: Serde<PaymentUpdate>;
  readonly paymentRequest: Serde<PaymentRequest>;
  readonly refundRequest: Serde<RefundRequest>;
  readonly refund: Serde<Refund>;
  readonly notificationRequest: Serde<NotificationRequest>;
  readonly inventory: Serde<InventoryUpdated>;
  readonly event: Serde<EventDefinition>;
  readonly venue: Serde<Venue>;
  readonly customer: Serde<Customer>;
  readonly venueMentions: Serde<VenueMentions>;
  readonly festivalReadModel: Serde<ReadModelEntry>;
  readonly eventSales: Serde<EventSales>;
  readonly eventZone: Serde<EventZone>;
  readonly salesBucket: Serde<SalesBucket>;
}

export function ticketSerdes(registry: SchemaRegistry): TicketSerdes {
  const serde = <T>(file: string) => avroSerde<T>({ schema: loadSchema(file), registry });
  return {
    command: commandSerde(serde('ticket-command')),
    purchase: serde('purchase-status-updated'),
    outcome: avroSerde({
      schema: loadSchema('purchase-status-updated'),
      registry,
      only: ['state', 'reason'],
    }),
    zone: serde('zone'),
    voucher: serde('voucher'),
    seats: seatSerde(serde('seat-record')),
    payment: paymentSerde(serde('payment-status-updated')),
    paymentRequest: serde('payment-requested'),
    refundRequest: serde('refund-requested'),
    refund: serde('refund'),
    notificationRequest: serde('notification-requested'),
    inventory: serde('inventory-updated'),
    event: serde('event-defined'),
    venue: serde('venue-defined'),
    customer: serde('customer-defined'),
    venueMentions: serde('venue-mentions'),
    festivalReadModel: serde('festival-read-model'),
    eventSales: serde('event-sales'),
    eventZone: serde('event-zone'),
    salesBucket: serde('sales-bucket'),
  };
}

export function inventoryOf(zone: Zone): InventoryUpdated {
  const { eventId, zoneId, capacity, held, sold, version, updatedAtMs, commandOffset } = zone;
  const { revenueMinor, price } = zone;
  return {
    eventId,
    zoneId,
    capacity,
    available: available(zone),
    held,
    sold,
    version,
    updatedAtMs,
    commandOffset,
    revenueMinor,
    currency: price === null ? null : price.currency,
  };
}

/** One of schemas/ticket-sales. */
export function loadSchema(name: string): AvroSchema {
  const file = new URL(`../schemas/ticket-sales/${name}.avsc`, import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')) as AvroSchema;
}

const NAMESPACE = 'millrace.tickets';

/** Branch names of the command union <-> the kinds that decisions know. */
const BRANCHES = {
  purchase: `${NAMESPACE}.Purchase`,
  cancel: `${NAMESPACE}.CancelPurchase`,
  createZone: `${NAMESPACE}.CreateZone`,
  changeCapacity: `${NAMESPACE}.ChangeCapacity`,
  openSale: `${NAMESPACE}.OpenSale`,
  closeSale: `${NAMESPACE}.CloseSale`,
  extendHold: `${NAMESPACE}.ExtendHold`,
  confirmHold: `${NAMESPACE}.ConfirmHold`,
  pauseSale: `${NAMESPACE}.PauseSale`,
  setSaleWindow: `${NAMESPACE}.SetSaleWindow`,
  blockSeats: `${NAMESPACE}.BlockSeats`,
  unblockSeats: `${NAMESPACE}.UnblockSeats`,
  defineVoucher: `${NAMESPACE}.DefineVoucher`,
  rejectPurchase: `${NAMESPACE}.RejectPurchase`,
} as const satisfies Record<TicketCommand['kind'], string>;

const KINDS: ReadonlyMap<string, TicketCommand['kind']> = new Map(
  Object.entries(BRANCHES).map(([kind, branch]) => [branch, kind as TicketCommand['kind']]),
);

interface CommandRecord {
  /** One key: the branch's name. */
  readonly command: Readonly<Record<string, object>>;
}

/** Nearly all commands are purchases: field by field is several times faster than a spread. */
function purchaseCommand(record: Omit<PurchaseCommand, 'kind'>): PurchaseCommand {
  const { purchaseId, eventId, zoneId, buyerId, quantity, requestedAtMs, options } = record;
  return {
    kind: 'purchase',
    purchaseId,
    eventId,
    zoneId,
    buyerId,
    quantity,
    requestedAtMs,
    options,
  };
}

function commandSerde(record: Serde<CommandRecord>): Serde<TicketCommand> {
  return {
    prepare: async (topic, part) => record.prepare?.(topic, part),
    resolve: async (schemaId) => record.resolve?.(schemaId),
    decode: (bytes, start, end) => {
      const { command } = record.decode(bytes, start, end);
      const purchase = command[BRANCHES.purchase];
      if (purchase !== undefined) return purchaseCommand(purchase as PurchaseCommand);
      for (const branch in command) {
        return { kind: KINDS.get(branch), ...command[branch] } as unknown as TicketCommand;
      }
      return unreachable(command as never);
    },
    encode: (command, target, at) =>
      record.encode({ command: { [BRANCHES[command.kind]]: command } }, target, at),
  };
}

function paymentSerde(record: Serde<Omit<PaymentUpdate, 'kind'>>): Serde<PaymentUpdate> {
  return {
    prepare: async (topic, part) => record.prepare?.(topic, part),
    resolve: async (schemaId) => record.resolve?.(schemaId),
    decode: (bytes, start, end) => ({ kind: 'payment', ...record.decode(bytes, start, end) }),
    encode: (update, target, at) => record.encode(update, target, at),
  };
}
