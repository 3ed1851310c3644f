/**
 * The records of the festival's other programs, namespace `com.festival.tickets`: what they write to
 * our topics, and what they read of ours. Told from our own by the name of their schema.
 */
import { avroSerde } from '../../schemas/avro-serde.ts';
import { withForeign } from '../../schemas/foreign-records.ts';
import type { SchemaRegistry } from '../../schemas/schema-registry.ts';
import type { Serde } from '../../schemas/serde.ts';
import type { PaymentUpdate, TicketCommand } from '../domain/command.ts';
import { loadSchema, type TicketSerdes } from '../records.ts';

const NAMESPACE = 'com.festival.tickets';

interface PurchaseRequested {
  readonly purchaseId: string;
  readonly userId: string;
  readonly ticketType: string;
  readonly quantity: number;
  /** The producer's clock: information only. Some write seconds here. */
  readonly timestamp: number;
}

interface PaymentStatusUpdate {
  readonly purchaseId: string;
  readonly timestamp: number;
  readonly status: string;
}

export interface InventoryUpdated {
  readonly ticketType: string;
  readonly availableCount: number;
  readonly timestamp: number;
}

export interface FestivalPurchase extends PurchaseRequested {
  readonly kind: 'festivalPurchase';
}

export interface FestivalPayment extends PaymentStatusUpdate {
  readonly kind: 'festivalPayment';
}

export interface FestivalSerdes {
  /** What comes in `ticketPurchase`. */
  readonly command: Serde<TicketCommand | FestivalPurchase>;
  /** What comes in `paymentStatusUpdate`. */
  readonly payment: Serde<PaymentUpdate | FestivalPayment>;
  /** The same record on its way to another partition. */
  readonly passedOn: Serde<FestivalPayment>;
  readonly inventory: Serde<InventoryUpdated>;
}

export function festivalSerdes(registry: SchemaRegistry, own: TicketSerdes): FestivalSerdes {
  const purchase = avroSerde<PurchaseRequested>({
    schema: loadSchema('festival-purchase-requested'),
    registry,
  });
  const payment = avroSerde<PaymentStatusUpdate>({
    schema: loadSchema('festival-payment-status-update'),
    registry,
    // Two kinds of records in one topic: each has a subject of its own.
    subject: (topic) => `${topic}-${NAMESPACE}.PaymentStatusUpdate`,
  });
  const passedOn = ofKind('festivalPayment', payment);
  return {
    command: withForeign(
      own.command,
      { fullName: `${NAMESPACE}.PurchaseRequested`, serde: ofKind('festivalPurchase', purchase) },
      registry,
    ),
    payment: withForeign(
      own.payment,
      { fullName: `${NAMESPACE}.PaymentStatusUpdate`, serde: passedOn },
      registry,
    ),
    passedOn,
    inventory: avroSerde({ schema: loadSchema('festival-inventory-updated'), registry }),
  };
}

function ofKind<K extends string, T extends object>(
  kind: K,
  record: Serde<T>,
): Serde<T & { readonly kind: K }> {
  return {
    prepare: async (topic, part) => record.prepare?.(topic, part),
    resolve: async (schemaId) => record.resolve?.(schemaId),
    decode: (bytes, start, end) => ({ kind, ...record.decode(bytes, start, end) }),
    encode: (value, target, at) => record.encode(value, target, at),
  };
}
