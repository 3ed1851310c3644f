/**
 * What the payment side said in one partition, in log order, until it is followed: what has an outcome,
 * what has none, and what may have none.
 */
import type { Findings } from '../../findings.ts';
import type { PaymentRecord } from '../../records/sale-records.ts';
import {
  type PaymentPrediction,
  predictPayment,
  type Refunds,
  refundIdOf,
} from '../judging/predict-payment.ts';
import type { LifeState } from '../life-state.ts';
import type { Money } from '../money.ts';
import type { LetterState } from './command-queue.ts';

interface Queued {
  readonly purchaseId: string;
  readonly offset: number;
  readonly timeMs: number;
  readonly letter: LetterState;
  readonly place: string;
}

interface OwnPayment extends Queued {
  readonly kind: 'own';
  readonly payment: PaymentRecord;
}

/** It names neither zone nor amount: it is what its purchase costs, where that is found. */
interface FestivalPayment extends Queued {
  readonly kind: 'festival';
  readonly status: 'succeeded' | 'failed';
  readonly hop: Hop;
}

export type QueuedPayment = OwnPayment | FestivalPayment;

/** The same payment at the same stage of its way through the zones that may have its purchase. */
export interface Hop {
  /** Of the first record of it. */
  place: string;
  readonly purchaseId: string;
  /** Records of it, dead letters apart. */
  records: number;
  /** Of these, so many were followed without an outcome. */
  unsettled: number;
  /** Records of the next stage: they must be as many. */
  copies: number;
}

/** One of the queue, and how many end with it. */
export interface Candidate {
  readonly queued: QueuedPayment;
  readonly count: number;
}

export class PaymentQueue {
  readonly #findings: Findings;
  readonly #money: Money;
  readonly #state: LifeState;
  readonly #payments: readonly QueuedPayment[];
  #head = 0;

  constructor(
    payments: readonly QueuedPayment[],
    findings: Findings,
    money: Money,
    state: LifeState,
  ) {
    this.#payments = payments;
    this.#findings = findings;
    this.#money = money;
    this.#state = state;
  }

  get first(): QueuedPayment | undefined {
    return this.#payments[this.#head];
  }

  /** Those of this purchase that may be next. */
  ofPurchase(purchaseId: string): readonly Candidate[] {
    const found: Candidate[] = [];
    for (let at = this.#head; at < this.#payments.length; at++) {
      const queued = this.#payments[at]!;
      const isNobodys = this.#isNobodys(queued);
      if (!isNobodys && queued.purchaseId === purchaseId) {
        found.push({ queued, count: at + 1 - this.#head });
      }
      if (!isNobodys && !this.#isOptional(queued)) break;
    }
    return found;
  }

  /** The first one that must have an outcome. */
  firstDue(): Candidate | undefined {
    for (let at = this.#head; at < this.#payments.length; at++) {
      const queued = this.#payments[at]!;
      if (this.#isNobodys(queued) || this.#isOptional(queued)) continue;
      return { queued, count: at + 1 - this.#head };
    }
    return undefined;
  }

  predict(queued: QueuedPayment): PaymentPrediction {
    const payment = this.#meant(queued);
    if (payment === undefined) return { kind: 'none' };
    const { offset, timeMs } = queued;
    const zone = this.#state.zones.get(`${payment.eventId}/${payment.zoneId}`);
    const known = this.#state.purchases.get(payment.purchaseId)?.record;
    const refunds = this.#refundsBy(queued);
    return predictPayment(zone, known, { payment, offset, timeMs }, refunds);
  }

  /** As they are when those before it have been followed. */
  #refundsBy(queued: QueuedPayment): Refunds {
    const { refunds } = this.#money;
    if (!isPaidBack(queued)) return refunds;
    const { refundId } = queued.payment;
    const refund = refunds.get(refundId ?? '');
    for (let at = this.#head; this.#payments[at] !== queued && refund !== undefined; at++) {
      const before = this.#payments[at]!;
      if (!isPaidBack(before) || before.payment.refundId !== refundId) continue;
      return new Map([[refundId!, { ...refund, isPaidBack: true }]]);
    }
    return refunds;
  }

  /** The last of so many has its outcome; those before it have none. */
  take(count: number): void {
    for (let passed = 1; passed < count; passed++) this.#drop(false);
    const queued = this.first;
    const payment = queued && this.#meant(queued);
    this.#drop(true);
    if (payment?.status === 'succeeded') this.#money.captured(payment);
    if (payment?.status === 'refunded') this.#money.paidBack(payment.refundId);
  }

  /** The last of so many only told again what was known: it has its outcome, and moves no money. */
  takeRepeated(count: number): void {
    for (let passed = 1; passed < count; passed++) this.#drop(false);
    this.#drop(true);
  }

  /** Follows what has no outcome, up to the next one that may have one. */
  settle(): void {
    while (this.first !== undefined && this.#isNobodys(this.first)) this.#drop(false);
  }

  /** What is left has no outcome. Of the festival's their way tells whether that is right. */
  end(): void {
    for (; this.first !== undefined; this.#drop(false)) {
      const { kind, place, purchaseId } = this.first;
      if (kind === 'festival' || this.#isNobodys(this.first)) continue;
      if (this.#isOptional(this.first)) continue;
      this.#findings.violated('I7', place, `the payment for ${purchaseId} has no outcome`);
    }
  }

  #drop(isSettled: boolean): void {
    const queued = this.first;
    if (queued === undefined) return;
    if (!isSettled && (this.#isNobodys(queued) || isPaidBack(queued))) this.#passNobodys(queued);
    const isOpen = queued.kind === 'festival' && queued.letter === 'none' && !isSettled;
    if (isOpen) queued.hop.unsettled++;
    this.#head++;
    this.#state.paymentCount++;
    this.#state.followed(queued.timeMs);
  }

  /** Has no outcome. Where it could have one, dead letters, refunds and copies of it say. */
  #isNobodys(queued: QueuedPayment): boolean {
    if (queued.letter !== 'none') return true;
    if (queued.kind === 'festival') return queued.hop.copies >= queued.hop.records;
    const { payment } = queued;
    if (payment.status !== 'succeeded' || !this.#isOfUnknown(payment)) return false;
    const { purchaseId, paymentId } = payment;
    return (
      this.#state.paidBy(payment) === undefined ||
      !this.#money.refunds.has(refundIdOf(purchaseId, paymentId))
    );
  }

  /** When it was decided, nobody knew its purchase. */
  #isOfUnknown({ purchaseId, paymentId }: PaymentRecord): boolean {
    return this.#money.askedFor(refundIdOf(purchaseId, paymentId))?.reason === 'unknown_purchase';
  }

  /** Money comes and goes, and nobody is told. */
  #passNobodys(queued: QueuedPayment): void {
    const { letter, place } = queued;
    if (letter === 'different') {
      this.#findings.violated('I21', place, 'its dead letter has not its bytes');
    }
    if (letter !== 'none' || queued.kind === 'festival') return;
    const { payment } = queued;
    const { purchaseId, paymentId, amountMinor, currency } = payment;
    if (payment.status === 'refunded') this.#money.paidBack(payment.refundId);
    if (payment.status !== 'succeeded') return;
    this.#money.captured(payment);
    if (this.#money.refunds.has(refundIdOf(purchaseId, paymentId))) return;
    this.#money.owes(payment, { paymentId, amountMinor, currency, reason: 'unknown_purchase' });
  }

  /** It may have been decided before its purchase was known, or have been what found the hold over. */
  #isOptional(queued: QueuedPayment): boolean {
    if (queued.kind === 'festival' && queued.hop.copies > 0) return true;
    const payment = this.#meant(queued);
    if (payment === undefined) return false;
    const { status, amountMinor } = payment;
    const purchase = this.#state.paidBy(payment);
    const isFirstSince = purchase?.paymentsBefore === this.#state.paymentCount;
    if (status === 'refunded') {
      return this.#isOfUnknown(payment) && (purchase === undefined || isFirstSince);
    }
    if (status !== 'failed' && !(status === 'succeeded' && amountMinor === 0)) return false;
    if (purchase === undefined || purchase.hasEndedByItself) return true;
    return queued.kind === 'own' && isFirstSince;
  }

  /** undefined = the festival's, and of no purchase that is to be paid here, by now. */
  #meant(queued: QueuedPayment): PaymentRecord | undefined {
    if (queued.kind === 'own') return queued.payment;
    const { purchaseId, status } = queued;
    const known = this.#state.purchases.get(purchaseId)?.record;
    if (known === undefined || known.price === null) return undefined;
    const { eventId, zoneId, price, checkout } = known;
    if (checkout === null || checkout.heldUntilMs === 0) return undefined;
    const paymentId = `festival:${purchaseId}`;
    return { purchaseId, eventId, zoneId, paymentId, status, ...price, refundId: null };
  }
}

/** Money that is back is back, whether or not its purchase was known by then. */
function isPaidBack(queued: QueuedPayment): queued is OwnPayment {
  return queued.kind === 'own' && queued.letter === 'none' && queued.payment.status === 'refunded';
}
