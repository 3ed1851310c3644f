/**
 * I15 of purchases, orders apart: what was captured, what had to be given back, and what was asked for, over all partitions of the
 * topics of payments. Memory by number of payments and refunds.
 */
import type { Findings } from '../findings.ts';
import type {
  PaymentRecord,
  PaymentRequestRecord,
  PurchaseRecord,
  RefundRecord,
} from '../records/sale-records.ts';
import type { Owed } from './judging/predict-command.ts';
import { type Refunds, refundIdOf } from './judging/predict-payment.ts';

interface Asked extends RefundRecord {
  readonly place: string;
  isOwed: boolean;
}

interface Request extends PaymentRequestRecord {
  readonly place: string;
  isOwed: boolean;
}

export class Money {
  readonly #findings: Findings;
  readonly #asked = new Map<string, Asked>();
  readonly #requests = new Map<string, Request>();
  readonly #refunds = new Map<string, { isPaidBack: boolean; readonly owed: Owed }>();
  /** Captured less what must go back, by purchase, in any currency; payments count once. */
  readonly #kept = new Map<string, number>();
  readonly #captures = new Set<string>();
  #checks = 0;

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  get refunds(): Refunds {
    return this.#refunds;
  }

  refundRequested(refund: RefundRecord, place: string): void {
    this.#checks++;
    if (this.#asked.has(refund.refundId)) {
      this.#findings.violated('I15', place, `the refund ${refund.refundId} is asked for twice`);
    } else this.#asked.set(refund.refundId, { ...refund, place, isOwed: false });
  }

  paymentRequested(request: PaymentRequestRecord, place: string): void {
    this.#checks++;
    const { purchaseId } = request;
    if (this.#requests.has(purchaseId)) {
      this.#findings.violated('I15', place, `the payment of ${purchaseId} is asked for twice`);
    } else this.#requests.set(purchaseId, { ...request, place, isOwed: false });
  }

  askedFor(refundId: string): RefundRecord | undefined {
    return this.#asked.get(refundId);
  }

  /** A hold that is to be paid by itself: its payment must have been asked for. */
  held({ purchaseId, price, checkout }: PurchaseRecord, place: string): void {
    if (checkout === null || checkout.orderId !== null || price === null) return;
    const request = this.#requests.get(purchaseId);
    if (request !== undefined) request.isOwed = true;
    const isSame =
      request?.amountMinor === price.amountMinor &&
      request.currency === price.currency &&
      request.dueAtMs === checkout.heldUntilMs;
    if (isSame) return;
    const what = `the payment of ${purchaseId} ${request === undefined ? 'is never asked for' : 'is asked for in another amount, or time'}`;
    this.#findings.violated('I15', request?.place ?? place, what);
  }

  captured({ purchaseId, paymentId, amountMinor }: PaymentRecord): void {
    const name = refundIdOf(purchaseId, paymentId);
    if (this.#captures.has(name)) return;
    this.#captures.add(name);
    this.#keep(purchaseId, amountMinor);
  }

  owes({ purchaseId }: { readonly purchaseId: string }, owed: Owed): void {
    const refundId = refundIdOf(purchaseId, owed.paymentId);
    this.#refunds.set(refundId, { isPaidBack: false, owed });
    this.#keep(purchaseId, -owed.amountMinor);
  }

  paidBack(refundId: string | null): void {
    const refund = this.#refunds.get(refundId ?? '');
    if (refund !== undefined) refund.isPaidBack = true;
  }

  /** At the end a purchase has what it owes, and nothing else. */
  left({ purchaseId, checkout, state }: PurchaseRecord, priceMinor: number, place: string): void {
    this.#checks++;
    const keptMinor = this.#kept.get(purchaseId) ?? 0;
    const owedMinor = checkout?.paymentId == null ? 0 : priceMinor;
    if (keptMinor === owedMinor) return;
    const what = `${purchaseId} is ${state}, and of its payments ${keptMinor} is kept instead of ${owedMinor}`;
    this.#findings.violated('I15', place, what);
  }

  end(endOfLog: string): void {
    for (const [refundId, { owed }] of this.#refunds) {
      const asked = this.#asked.get(refundId);
      if (asked !== undefined) asked.isOwed = true;
      const isSame =
        asked?.amountMinor === owed.amountMinor &&
        asked.currency === owed.currency &&
        asked.reason === owed.reason;
      if (isSame) continue;
      const what = `the refund ${refundId} ${asked === undefined ? 'is never asked for' : 'is asked for with another amount or reason'}`;
      this.#findings.violated('I15', asked?.place ?? endOfLog, what);
    }
    for (const { isOwed, refundId, place } of this.#asked.values()) {
      if (!isOwed) this.#findings.violated('I15', place, `nobody is owed the refund ${refundId}`);
    }
    for (const { isOwed, purchaseId, place } of this.#requests.values()) {
      if (!isOwed) this.#findings.violated('I15', place, `${purchaseId} has nothing to pay`);
    }
    if (this.#checks > 0) this.#findings.checked('I15', this.#checks);
  }

  #keep(purchaseId: string, amountMinor: number): void {
    this.#kept.set(purchaseId, (this.#kept.get(purchaseId) ?? 0) + amountMinor);
  }
}
