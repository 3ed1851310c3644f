/**
 * Reads the sale's records, synchronously: a schema that was not seen yet is asked for by whoever catches
 * SchemaMissing.
 */
import { readFileSync } from 'node:fs';
import { isMillraceError } from '../../base/errors.ts';
import type { RecordCursor } from '../../kafka/records/types.ts';
import { avroSerde } from '../../schemas/avro-serde.ts';
import type { AvroSchema, SchemaRegistry } from '../../schemas/schema-registry.ts';
import { type Serde, UnknownSchemaError } from '../../schemas/serde.ts';
import type { FestivalPaymentRecord, FestivalPurchaseRecord } from './festival-records.ts';
import type { OrderCommandRecord, OrderRecord } from './order-records.ts';
import type {
  CommandFields,
  CommandKind,
  CommandRecord,
  PaymentRecord,
  PaymentRequestRecord,
  PurchaseRecord,
  RefundRecord,
  StockRecord,
  ZoneRecord,
} from './sale-records.ts';
import { unreadParts } from './unread-parts.ts';

/** "Await resolve() and decode again." */
export class SchemaMissing extends Error {
  readonly resolve: () => Promise<void>;
  constructor(schemaId: number, resolve: () => Promise<void>) {
    super(`schema ${schemaId} is not known yet`);
    this.resolve = resolve;
  }
}

const NAMESPACE = 'millrace.tickets.';

/** By registry: an id never changes its meaning, so what was parsed once serves every audit. */
const RECORDS = new WeakMap<SchemaRegistry, SaleRecords>();

export function saleRecords(registry: SchemaRegistry): SaleRecords {
  const known = RECORDS.get(registry);
  if (known !== undefined) return known;
  const records = new SaleRecords(registry);
  RECORDS.set(registry, records);
  return records;
}

export class SaleRecords {
  readonly #command: RecordReader<{ readonly command: Record<string, CommandFields> }>;
  readonly purchase: RecordReader<PurchaseRecord>;
  readonly stock: RecordReader<StockRecord>;
  readonly zone: RecordReader<ZoneRecord>;
  readonly payment: RecordReader<PaymentRecord>;
  readonly refund: RecordReader<RefundRecord>;
  readonly paymentRequest: RecordReader<PaymentRequestRecord>;
  readonly orderCommand: RecordReader<OrderCommandRecord>;
  readonly order: RecordReader<OrderRecord>;
  readonly festivalPurchase: RecordReader<FestivalPurchaseRecord>;
  readonly festivalPayment: RecordReader<FestivalPaymentRecord>;
  /** What schemas of this log can say and this auditor does not read, as `<schema>.<field>`. */
  readonly unread = new Set<string>();

  constructor(registry: SchemaRegistry) {
    const reader = <T>(file: string) => new RecordReader<T>(file, registry, this.unread);
    this.#command = reader('ticket-command');
    this.purchase = reader('purchase-status-updated');
    this.stock = reader('inventory-updated');
    this.zone = reader('zone');
    this.payment = reader('payment-status-updated');
    this.refund = reader('refund-requested');
    this.paymentRequest = reader('payment-requested');
    this.orderCommand = reader('ticket-order');
    this.order = reader('order-status-updated');
    this.festivalPurchase = reader('festival-purchase-requested');
    this.festivalPayment = reader('festival-payment-status-update');
  }

  /** undefined = not a command. Throws SchemaMissing. */
  command(record: RecordCursor): CommandRecord | undefined {
    const wrapped = this.#command.read(record)?.command;
    for (const branch in wrapped) {
      const kind = branch.slice(NAMESPACE.length) as CommandKind;
      return { kind, fields: wrapped[branch]! };
    }
    return undefined;
  }
}

export class RecordReader<T> {
  readonly #name: string;
  readonly #schema: AvroSchema;
  readonly #serde: Serde<T>;
  readonly #registry: SchemaRegistry;
  readonly #unread: Set<string>;
  /** Ids that the registry does not know. */
  readonly #unknown = new Set<number>();

  constructor(file: string, registry: SchemaRegistry, unread: Set<string>) {
    const url = new URL(`../../schemas/ticket-sales/${file}.avsc`, import.meta.url);
    const schema = JSON.parse(readFileSync(url, 'utf8')) as AvroSchema;
    this.#name = file;
    this.#schema = schema;
    this.#serde = avroSerde<T>({ schema, registry });
    this.#registry = registry;
    this.#unread = unread;
  }

  /** undefined = no value, or not a T. Throws SchemaMissing. */
  read({ buffer, valueStart, valueEnd }: RecordCursor): T | undefined {
    if (valueStart < 0) return undefined;
    try {
      return this.#serde.decode(buffer, valueStart, valueEnd);
    } catch (error) {
      if (!(error instanceof UnknownSchemaError)) return undefined;
      const { schemaId } = error;
      if (this.#unknown.has(schemaId)) return undefined;
      throw new SchemaMissing(schemaId, () => this.#resolve(schemaId));
    }
  }

  async #resolve(schemaId: number): Promise<void> {
    try {
      await this.#serde.resolve?.(schemaId);
      const written = await this.#registry.schemaById(schemaId);
      // Several kinds of records may be in one topic: another one is not a newer version of this one.
      if (nameOf(written) !== nameOf(this.#schema)) return;
      for (const part of unreadParts(written, this.#schema)) this.#unread.add(this.#name + part);
    } catch (error) {
      if (isMillraceError(error, 'SCHEMA_REGISTRY_UNAVAILABLE')) throw error;
      this.#unknown.add(schemaId);
    }
  }
}

function nameOf(schema: AvroSchema): string | undefined {
  const { name, namespace } = schema as { readonly name?: string; readonly namespace?: string };
  return name === undefined || name.includes('.') ? name : `${namespace ?? ''}.${name}`;
}

/** True when the key is this text, of ASCII: without making a string of it. */
export function hasKey({ buffer, keyStart, keyEnd }: RecordCursor, text: string): boolean {
  if (keyStart < 0 || keyEnd - keyStart !== text.length) return false;
  for (let index = 0; index < text.length; index++) {
    if (buffer[keyStart + index] !== text.charCodeAt(index)) return false;
  }
  return true;
}

export function keyOf({ buffer, keyStart, keyEnd }: RecordCursor): string | undefined {
  return keyStart < 0 ? undefined : buffer.toString('utf8', keyStart, keyEnd);
}
