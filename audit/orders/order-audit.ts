/**
 * The audit of a sale's orders: its own topics first, partition by partition; then whatever else the
 * audit comes across that is about orders is shown to it; then the sums are drawn.
 */

import type { CommittedLog } from '../log/committed-log.ts';
import type { ReadingContext } from '../log/reading-context.ts';
import { isOrderId } from '../records/order-records.ts';
import type {
  CommandRecord,
  PaymentRecord,
  PaymentRequestRecord,
  PurchaseRecord,
  RefundRecord,
} from '../records/sale-records.ts';
import { OrderBook } from './order-book.ts';
import { OrderLines } from './order-lines.ts';
import { OrderMoney } from './order-money.ts';
import { type OrderPartition, OrderReader } from './read-orders.ts';

export class OrderAudit {
  readonly #book: OrderBook;
  readonly #lines: OrderLines;
  readonly #money: OrderMoney;
  readonly #hasHoles: boolean;
  /** Consumed by the application. */
  readonly inputs: readonly CommittedLog[];
  readonly recordCount: number;

  private constructor(
    { findings }: ReadingContext,
    book: OrderBook,
    partitions: readonly OrderReader[],
  ) {
    this.#book = book;
    this.#lines = new OrderLines(findings, book);
    this.#money = new OrderMoney(findings);
    this.#hasHoles = partitions.some(({ hasHoles }) => hasHoles);
    this.inputs = partitions.map(({ commands }) => commands);
    this.recordCount = partitions.reduce((sum, { recordCount }) => sum + recordCount, 0);
  }

  static async read(
    partitions: readonly OrderPartition[],
    context: ReadingContext,
  ): Promise<OrderAudit> {
    const book = new OrderBook(context.findings);
    const readers = partitions.map((partition) => new OrderReader(partition, book, context));
    for (const reader of readers) await reader.read();
    return new OrderAudit(context, book, readers);
  }

  get orderCount(): number {
    return this.#book.entries.size;
  }

  /** An order has asked for this purchase. */
  hasLine(purchaseId: string): boolean {
    return this.#lines.has(purchaseId);
  }

  /** A consumed command to a zone: the log's current record. */
  command({ kind, fields }: CommandRecord, log: CommittedLog): void {
    this.#lines.command(kind, fields, log);
  }

  /** An announced outcome of a purchase: the log's current record. */
  outcome(purchase: PurchaseRecord, log: CommittedLog): void {
    const { checkout } = purchase;
    if (checkout === null || checkout.orderId === null) return;
    this.#lines.outcome(purchase, checkout.orderId, log.placeOf(log.lastOffset));
  }

  /** False when it is none of an order. */
  payment(payment: PaymentRecord, place: string): boolean {
    if (!isOrderId(payment.purchaseId)) return false;
    this.#money.payment(payment, place);
    return true;
  }

  paymentRequested(request: PaymentRequestRecord, place: string): boolean {
    if (!isOrderId(request.purchaseId)) return false;
    this.#money.paymentRequested(request, place);
    return true;
  }

  refundRequested(refund: RefundRecord, place: string): boolean {
    if (!isOrderId(refund.purchaseId)) return false;
    this.#money.refundRequested(refund, place);
    return true;
  }

  /** All logs have been read. */
  end(isSettled: boolean): void {
    this.#book.end(this.#hasHoles, isSettled);
    this.#lines.end();
    this.#money.end(this.#book);
  }
}
