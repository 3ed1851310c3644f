/**
 * Logs for the auditor, made in memory: real batches and markers, as a broker would keep them, and a
 * sale that is right until a test plants something. Takes the schemas only; the outcomes are written
 * out by hand here, so that app, auditor and this share no decision.
 */
import { readFileSync } from 'node:fs';
import { type AuditReport, audit } from '../../audit/audit.ts';
import type { Rule, Violation } from '../../audit/findings.ts';
import type { JournalLine } from '../../audit/journal.ts';
import type { LogSample, LogSource, RawBatches } from '../../audit/log/log-source.ts';
import type { OrderRecord } from '../../audit/records/order-records.ts';
import type {
  PaymentRecord,
  PaymentRequestRecord,
  PurchaseRecord,
  RefundRecord,
  StockRecord,
  ZoneRecord,
} from '../../audit/records/sale-records.ts';
import { BatchBuilder, stampOffsets, stampProducer } from '../../kafka/records/batch-builder.ts';
import { buildControlBatch } from '../../kafka/records/control-batch.ts';
import { forEachBatch, lastOffset } from '../../kafka/records/record-batch.ts';
import type { FetchedBatch, RecordHeader } from '../../kafka/records/types.ts';
import { avroSerde } from '../../schemas/avro-serde.ts';
import type { AvroSchema, SchemaRegistry } from '../../schemas/schema-registry.ts';
import { type Serde, toBytes } from '../../schemas/serde.ts';

export const APPLICATION_ID = 'sale';
export const LOG_TIME = 1_700_000_000_000;
export const TOPICS = {
  commands: 'ticketPurchase',
  status: 'purchaseStatusUpdated',
  stock: 'inventoryUpdated',
  letters: 'ticketPurchase.dlq',
  zones: 'sale-zones-changelog',
  purchases: 'sale-purchases-changelog',
  payments: 'paymentStatusUpdate',
  paymentLetters: 'paymentStatusUpdate.dlq',
  paymentRequests: 'paymentRequested',
  refunds: 'refundRequested',
  orders: 'ticketOrder',
  orderLetters: 'ticketOrder.dlq',
  orderStatus: 'orderStatusUpdated',
  ordersKept: 'sale-orders-changelog',
  waiting: 'sale-festival-early-payments-changelog',
} as const;
export type TopicName = keyof typeof TOPICS;
/** By the application; of the commands, a test may say how far. */
const CONSUMED: ReadonlySet<string> = new Set([TOPICS.stock, TOPICS.payments, TOPICS.orders]);

/** One id per schema text. */
export class MemoryRegistry implements SchemaRegistry {
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

export const registry = new MemoryRegistry();

const readSchema = (file: string) =>
  JSON.parse(
    readFileSync(new URL(`../../schemas/ticket-sales/${file}.avsc`, import.meta.url), 'utf8'),
  ) as AvroSchema;

async function preparedSerde<T>(file: string): Promise<Serde<T>> {
  const serde = avroSerde<T>({ schema: readSchema(file), registry });
  await serde.prepare?.(file, 'value');
  return serde;
}

const serdes = {
  command: await preparedSerde<{ command: Record<string, object> }>('ticket-command'),
  purchase: await preparedSerde<PurchaseRecord>('purchase-status-updated'),
  stock: await preparedSerde<StockRecord>('inventory-updated'),
  zone: await preparedSerde<ZoneRecord>('zone'),
  payment: await preparedSerde<PaymentRecord>('payment-status-updated'),
  paymentRequest: await preparedSerde<PaymentRequestRecord>('payment-requested'),
  refund: await preparedSerde<RefundRecord>('refund-requested'),
  orderCommand: await preparedSerde<{ command: Record<string, object> }>('ticket-order'),
  order: await preparedSerde<OrderRecord>('order-status-updated'),
};

export interface CraftedRecord {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: readonly RecordHeader[];
}

export const commandRecord = (key: string, branch: string, fields: object): CraftedRecord => ({
  key: Buffer.from(key),
  value: toBytes(serdes.command, { command: { [`millrace.tickets.${branch}`]: fields } }),
});
export const purchaseRecord = (purchase: PurchaseRecord): CraftedRecord => ({
  key: Buffer.from(purchase.purchaseId),
  value: toBytes(serdes.purchase, purchase),
});
export const stockRecord = (stock: StockRecord): CraftedRecord => ({
  key: Buffer.from(`${stock.eventId}/${stock.zoneId}`),
  value: toBytes(serdes.stock, stock),
});
export const zoneRecord = (zone: ZoneRecord): CraftedRecord => ({
  key: Buffer.from(`${zone.eventId}/${zone.zoneId}`),
  value: toBytes(serdes.zone, zone),
});
const inZone = <T extends { readonly eventId: string; readonly zoneId: string }>(
  serde: Serde<T>,
  record: T,
): CraftedRecord => ({
  key: Buffer.from(`${record.eventId}/${record.zoneId}`),
  value: toBytes(serde, record),
});
export const paymentRecord = (payment: PaymentRecord) => {
  const record = { ...payment, detail: null, occurredAtMs: 1 };
  return inZone(serdes.payment as Serde<typeof record>, record);
};
type InZone = { readonly eventId: string; readonly zoneId: string };
export const paymentRequestRecord = (request: PaymentRequestRecord & InZone) =>
  inZone(serdes.paymentRequest as Serde<typeof request>, { ...request, ...ASKED });
export const refundRecord = (refund: RefundRecord & InZone) =>
  inZone(serdes.refund as Serde<typeof refund>, { ...refund, ...ASKED });
/** What the auditor does not look at. */
const ASKED = { buyerId: 'buyer', requestedAtMs: 1 };
export const orderCommandRecord = (
  branch: 'PlaceOrder' | 'CancelOrder',
  fields: { readonly orderId: string },
): CraftedRecord => ({
  key: Buffer.from(fields.orderId),
  value: toBytes(serdes.orderCommand, { command: { [`millrace.tickets.${branch}`]: fields } }),
});
export const orderRecord = (order: OrderRecord): CraftedRecord => ({
  key: Buffer.from(order.orderId),
  value: toBytes(serdes.order, order),
});
export const letterRecord = (
  original: CraftedRecord,
  offset: number,
  topic: string = TOPICS.commands,
): CraftedRecord => ({
  ...original,
  headers: Object.entries({ topic, partition: '0', offset: String(offset) }).map(
    ([name, value]) => ({ key: `__streams.errors.${name}`, value: Buffer.from(value) }),
  ),
});

export interface Producer {
  readonly producerId: number;
  readonly producerEpoch: number;
}

/** Partition 0 of each topic of a sale. */
export class MemoryLog implements LogSource {
  memberCount = 0;
  /** Append time from now on. */
  timeMs = LOG_TIME;
  committedOffset: number | undefined;
  /** Told at the second look, when it differs. */
  committedLater: number | undefined;
  /** Told to readers, by topic; absent = nothing is told. */
  readonly hidden = new Map<TopicName, { producerId: number; firstOffset: number }[]>();
  readonly #bytes = new Map<string, Buffer[]>();
  readonly #ends = new Map<string, number>();
  readonly #unstable = new Map<string, number>();
  #samples = 0;
  readonly #transactions: 1 | 2;

  constructor(transactions: 1 | 2 = 2) {
    this.#transactions = transactions;
  }

  endOf(topic: TopicName): number {
    return this.#ends.get(TOPICS[topic]) ?? 0;
  }

  /** One batch. Returns its base offset. */
  append(topic: TopicName, records: readonly CraftedRecord[], producer?: Producer): number {
    if (records.length === 0) return this.endOf(topic);
    const builder = new BatchBuilder({ sizeBytesMax: 64 * 1024 * 1024 });
    for (const { key, value, headers } of records) builder.append(LOG_TIME, key, value, headers);
    const { bytes } = builder.finish(TOPICS[topic], 0, 'none');
    const { producerId, producerEpoch } = producer ?? { producerId: -1, producerEpoch: -1 };
    const transactional = producer !== undefined;
    stampProducer(bytes, { producerId, producerEpoch, baseSequence: 0, transactional });
    return this.#append(topic, bytes, records.length, this.timeMs);
  }

  /** Under transactions V2 the marker carries the next epoch. */
  end(topic: TopicName, { producerId, producerEpoch }: Producer, kind: 'commit' | 'abort'): number {
    const epoch = this.#transactions === 1 ? producerEpoch : producerEpoch + 1;
    const fields = { producerId, producerEpoch: epoch, kind, coordinatorEpoch: 0 };
    return this.#append(topic, buildControlBatch({ ...fields, timestampMs: this.timeMs }), 1);
  }

  /** A transaction of this topic is open from here on. */
  leaveOpen(topic: TopicName, fromOffset: number): void {
    this.#unstable.set(TOPICS[topic], fromOffset);
  }

  async topics(): Promise<ReadonlyMap<string, number>> {
    return new Map(Object.values(TOPICS).map((topic) => [topic, 1]));
  }

  async sample(): Promise<LogSample> {
    const isSecond = this.#samples++ > 0;
    const committed = isSecond
      ? (this.committedLater ?? this.committedOffset)
      : this.committedOffset;
    const bounds = Object.values(TOPICS).map((topic) => {
      const endOffset = this.#ends.get(topic) ?? 0;
      const stableOffset = this.#unstable.get(topic) ?? endOffset;
      const committedOffset =
        topic === TOPICS.commands
          ? committed
          : CONSUMED.has(topic) && endOffset > 0
            ? endOffset
            : undefined;
      return [`${topic}-0`, { startOffset: 0, endOffset, stableOffset, committedOffset }] as const;
    });
    return { memberCount: this.memberCount, bounds: new Map(bounds) };
  }

  async *read(topic: string): AsyncGenerator<RawBatches> {
    const name = (Object.keys(TOPICS) as TopicName[]).find((key) => TOPICS[key] === topic)!;
    for (const buffer of this.#bytes.get(topic) ?? []) {
      const batches: FetchedBatch[] = [];
      forEachBatch(buffer, (header) => {
        batches.push({ buffer, header });
      });
      yield { batches, aborted: this.hidden.get(name) };
    }
  }

  #append(topic: TopicName, bytes: Buffer, count: number, logAppendTimeMs?: number): number {
    const name = TOPICS[topic];
    const baseOffset = this.#ends.get(name) ?? 0;
    stampOffsets(bytes, {
      baseOffset,
      leaderEpoch: 0,
      ...(logAppendTimeMs === undefined ? {} : { logAppendTimeMs }),
    });
    this.#ends.set(name, baseOffset + count);
    const bytesOf = this.#bytes.get(name);
    if (bytesOf === undefined) this.#bytes.set(name, [bytes]);
    else bytesOf.push(bytes);
    forEachBatch(bytes, (header) => {
      if (lastOffset(header) !== baseOffset + count - 1)
        throw new Error('a crafted batch is wrong');
    });
    return baseOffset;
  }
}

export interface AuditingOptions {
  readonly journal?: readonly JournalLine[];
  readonly isSettled?: boolean;
  readonly allowMembers?: boolean;
}

export function auditLog(log: LogSource, options: AuditingOptions = {}): Promise<AuditReport> {
  return audit(log, { applicationId: APPLICATION_ID, registry, ...options });
}

/** All that were told, as `rule place`. */
export function violations({ rules }: AuditReport): string[] {
  return [...rules.values()]
    .flatMap((result): readonly Violation[] => (result.kind === 'violated' ? result.first : []))
    .map(({ rule, place }) => `${rule} ${place}`);
}

export function ruleOf(report: AuditReport, rule: Rule): string | undefined {
  return report.rules.get(rule)?.kind;
}
