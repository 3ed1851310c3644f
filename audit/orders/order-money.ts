/**
 * I15 and I24 of orders: one payment is asked for per order; whatever was captured has paid for it or has
 * one refund; what is kept is the price of the lines that are sold. Memory by number of payments and
 * refunds of orders.
 */
import type { Findings } from '../findings.ts';
import { isGone, type OrderRecord } from '../records/order-records.ts';
import type { PaymentRecord, PaymentRequestRecord, RefundRecord } from '../records/sale-records.ts';
import type { OrderBook, OrderEntry } from './order-book.ts';

interface Asked {
  readonly refund: RefundRecord;
  readonly place: string;
  times: number;
  isOwed: boolean;
}

/** Money that the payment side says it has captured for an order, told so many times. */
interface Capture {
  readonly payment: PaymentRecord;
  readonly place: string;
  times: number;
}

interface Request {
  readonly request: PaymentRequestRecord;
  readonly place: string;
}

/** More payments of one order than so many refunds are dead letters of the sale's own topic. */
const REFUNDS_MAX = 64;

export class OrderMoney {
  readonly #findings: Findings;
  readonly #requests = new Map<string, Request>();
  readonly #asked = new Map<string, Asked>();
  /** By order and payment. */
  readonly #captures = new Map<string, Map<string, Capture>>();
  readonly #paidBack = new Set<string>();
  #checks = 0;

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  paymentRequested(request: PaymentRequestRecord, place: string): void {
    const { purchaseId } = request;
    this.#checks++;
    if (!this.#requests.has(purchaseId)) this.#requests.set(purchaseId, { request, place });
    else this.#told(place, `the payment of ${purchaseId} is asked for twice`);
  }

  refundRequested(refund: RefundRecord, place: string): void {
    const asked = this.#asked.get(refund.refundId);
    this.#checks++;
    if (asked === undefined) {
      this.#asked.set(refund.refundId, { refund, place, times: 1, isOwed: false });
      return;
    }
    asked.times++;
    const isSame = isSameRefund(asked.refund, refund) && asked.refund.reason === refund.reason;
    // Nobody's money is asked back each time that it is told of: the same refund.
    if (isSame && refund.reason === 'unknown_purchase') return;
    this.#told(place, `the refund ${refund.refundId} is asked for twice`);
  }

  /** Not a dead letter. */
  payment(payment: PaymentRecord, place: string): void {
    const { purchaseId, paymentId, status, refundId } = payment;
    if (status === 'refunded') this.#paidBack.add(refundId ?? '');
    if (status !== 'succeeded') return;
    const captures = this.#captures.get(purchaseId) ?? new Map<string, Capture>();
    this.#captures.set(purchaseId, captures);
    const known = captures.get(paymentId);
    if (known === undefined) captures.set(paymentId, { payment, place, times: 1 });
    else known.times++;
  }

  /** The log is drained. */
  end({ entries }: OrderBook): void {
    for (const [orderId, entry] of entries) {
      const what = this.#flawOf(orderId, entry);
      if (what !== undefined) this.#told(entry.announcedAt, `${orderId} ${what}`);
    }
    for (const [orderId, captures] of this.#captures) {
      const order = entries.get(orderId)?.order;
      for (const capture of captures.values()) this.#captured(orderId, order, capture);
    }
    for (const { refund, place, isOwed } of this.#asked.values()) {
      if (!isOwed) this.#told(place, `nobody is owed the refund ${refund.refundId}`);
    }
    for (const [orderId, { place }] of this.#requests) {
      const isOwed = owesPayment(entries.get(orderId)?.order);
      if (!isOwed) this.#told(place, `${orderId} has nothing to pay`);
    }
    if (this.#checks > 0) this.#findings.checked('I15', this.#checks);
  }

  #flawOf(orderId: string, { order, dueAtMs }: OrderEntry): string | undefined {
    if (order === undefined) return undefined;
    this.#checks++;
    if (owesPayment(order)) {
      const flaw = flawOfRequest(this.#requests.get(orderId)?.request, order, dueAtMs);
      if (flaw !== undefined) return flaw;
    }
    return this.#flawOfRefunds(orderId, order) ?? this.#flawOfSums(orderId, order);
  }

  /** What the order says that it gives back is what was asked for. */
  #flawOfRefunds(orderId: string, { refunds, price }: OrderRecord): string | undefined {
    const captures = this.#captures.get(orderId);
    for (const { refundId, paymentId, amountMinor, isDone } of refunds) {
      const asked = this.#asked.get(refundId);
      const currency = captures?.get(paymentId)?.payment.currency ?? price?.currency ?? '';
      const owed = { purchaseId: orderId, refundId, paymentId, amountMinor, currency };
      if (asked === undefined) return `owes the refund ${refundId}, which is never asked for`;
      asked.isOwed = true;
      if (!isSameRefund(asked.refund, owed)) return `owes another refund than ${refundId}`;
      if (isDone && !this.#paidBack.has(refundId)) {
        return `has its refund ${refundId} back, and nobody said so`;
      }
    }
    return undefined;
  }

  /** To the minor unit: what was captured is what it counts, and what is kept is what is sold. */
  #flawOfSums(orderId: string, order: OrderRecord): string | undefined {
    const { paymentId, paidMinor, price, refunds, lines, state } = order;
    const captures = this.#captures.get(orderId);
    const paying = paymentId === null ? undefined : captures?.get(paymentId)?.payment;
    if (paymentId !== null) {
      const isExact =
        paying?.amountMinor === price?.amountMinor && paying?.currency === price?.currency;
      if (!isExact) return `is paid by ${paymentId}, which is no payment of its price`;
    }
    const counted = [...(captures?.values() ?? [])].filter(({ payment }) =>
      isCounted(order, payment.paymentId),
    );
    const capturedMinor = counted.reduce((sum, { payment }) => sum + payment.amountMinor, 0);
    if (capturedMinor !== paidMinor) {
      return `counts ${paidMinor} as paid, and ${capturedMinor} was captured`;
    }
    let keptMinor = paying?.amountMinor ?? 0;
    for (const refund of refunds) {
      if (refund.paymentId === paymentId) keptMinor -= refund.amountMinor;
    }
    const sold = isGone(state) || paymentId === null ? [] : lines;
    const owedMinor = sold.reduce(
      (sum, line) => sum + (isGone(line.state) ? 0 : (line.price?.amountMinor ?? 0)),
      0,
    );
    if (keptMinor === owedMinor) return undefined;
    return `is ${state}, and of its payments ${keptMinor} is kept instead of ${owedMinor}`;
  }

  /** Every payment has paid for its order, or goes back whole, once. */
  #captured(orderId: string, order: OrderRecord | undefined, { payment, place, times }: Capture) {
    const { paymentId, amountMinor } = payment;
    this.#checks++;
    if (order?.paymentId === paymentId || amountMinor === 0) return;
    const refundId = `${orderId}:${paymentId}`;
    const asked = this.#asked.get(refundId);
    if (asked === undefined) {
      const isTooMany = (order?.refunds.length ?? 0) >= REFUNDS_MAX;
      if (!isTooMany) this.#told(place, `${paymentId} pays for nothing, and is never given back`);
      return;
    }
    asked.isOwed = true;
    if (!isSameRefund(asked.refund, { ...payment, refundId })) {
      this.#told(asked.place, `${refundId} gives back another amount than was captured`);
    } else if (asked.refund.reason === 'unknown_purchase' && asked.times > times) {
      this.#told(asked.place, `${refundId} is asked for more often than it was told of`);
    }
  }

  #told(place: string, what: string): void {
    this.#findings.violated('I15', place, what);
  }
}

/** It was held as a whole, and costs something. */
function owesPayment(order: OrderRecord | undefined): order is OrderRecord {
  return (order?.price?.amountMinor ?? 0) > 0;
}

/** Not one that came before the order did, or of which it could not even keep a refund. */
function isCounted({ paymentId: paying, refunds }: OrderRecord, paymentId: string): boolean {
  return paying === paymentId || refunds.some((refund) => refund.paymentId === paymentId);
}

function flawOfRequest(
  request: PaymentRequestRecord | undefined,
  { price }: OrderRecord,
  dueAtMs: number,
): string | undefined {
  if (request === undefined) return 'is never asked to be paid';
  const isSame =
    request.amountMinor === price?.amountMinor &&
    request.currency === price.currency &&
    (dueAtMs === 0 || request.dueAtMs === dueAtMs);
  return isSame ? undefined : 'is asked to be paid in another amount, or time';
}

type Back = Pick<
  RefundRecord,
  'purchaseId' | 'refundId' | 'paymentId' | 'amountMinor' | 'currency'
>;

function isSameRefund(one: Back, other: Back): boolean {
  return (
    one.purchaseId === other.purchaseId &&
    one.refundId === other.refundId &&
    one.paymentId === other.paymentId &&
    one.amountMinor === other.amountMinor &&
    one.currency === other.currency
  );
}
