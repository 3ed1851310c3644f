/** What must come of what the payment side says: this auditor's own reading of the published rules. */
import type { PaymentRecord, PurchaseRecord } from '../../records/sale-records.ts';
import { type LifeZone, NEVER_HELD } from '../life-zone.ts';
import {
  ended,
  isDue,
  isUsable,
  isWithinLimit,
  type Owed,
  type Prediction,
} from './predict-command.ts';

export interface LifePayment {
  readonly offset: number;
  readonly timeMs: number;
  readonly payment: PaymentRecord;
}

export type PaymentPrediction =
  | Prediction
  /** Nobody's, or a line's of an order: no outcome; money may have to go back all the same. */
  | { readonly kind: 'none'; readonly refund?: Owed };

/** By refundId: those that were asked for, and whether they were paid back. */
export type Refunds = ReadonlyMap<string, { readonly isPaidBack: boolean; readonly owed: Owed }>;

const ID = /^[\x21-\x7e]{1,200}$/;
const CURRENCY = /^[A-Z]{3}$/;

export function refundIdOf(purchaseId: string, paymentId: string): string {
  return `${purchaseId}:${paymentId}`;
}

export function predictPayment(
  zone: LifeZone | undefined,
  known: PurchaseRecord | undefined,
  { payment, offset, timeMs }: LifePayment,
  refunds: Refunds,
): PaymentPrediction {
  const { purchaseId, paymentId, currency, amountMinor, status } = payment;
  const isSound = ID.test(paymentId) && ID.test(purchaseId) && CURRENCY.test(currency);
  if (!isSound || amountMinor < 0) return { kind: 'dead-letter', why: 'it cannot be used' };
  const isHere = known?.eventId === payment.eventId && known.zoneId === payment.zoneId;
  const purchase = isHere && zone !== undefined ? known : undefined;
  const refund = refunds.get(refundIdOf(purchaseId, paymentId));
  if (status === 'refunded') return paidBack(purchase, { payment, offset, timeMs }, refunds);
  if (purchase === undefined || zone === undefined) {
    const isOwed = status === 'succeeded' && refund === undefined && amountMinor > 0;
    return isOwed ? { kind: 'none', refund: owed(payment, 'unknown_purchase') } : { kind: 'none' };
  }
  const context = { zone, payment, offset, timeMs, isRefunded: refund !== undefined };
  return status === 'succeeded' ? captured(purchase, context) : notPaid(purchase, context);
}

interface Context extends LifePayment {
  readonly zone: LifeZone;
  readonly isRefunded: boolean;
}

function outcome(purchase: PurchaseRecord, isRepeat: boolean, refund?: Owed): Prediction {
  return { kind: 'outcome', purchase, isRepeat, ...(refund === undefined ? {} : { refund }) };
}

function owed({ paymentId, amountMinor, currency }: PaymentRecord, reason: string): Owed {
  return { paymentId, amountMinor, currency, reason };
}

function captured(purchase: PurchaseRecord, context: Context): Prediction {
  const { zone, payment, offset, timeMs, isRefunded } = context;
  const { paymentId, amountMinor, currency } = payment;
  const isKnown = purchase.checkout?.paymentId === paymentId || isRefunded;
  if (isKnown) return outcome(purchase, true);
  const now = isDue(purchase, timeMs) ? ended(purchase) : purchase;
  const before = now.checkout ?? NEVER_HELD;
  const countedMinor = now.price?.currency === currency ? amountMinor : 0;
  const paidMinor = before.paidMinor + countedMinor;
  const checkout = { ...before, paidMinor, paymentOffset: offset };
  const isExact =
    now.price?.currency === currency &&
    now.price.amountMinor === amountMinor &&
    now.checkout !== null &&
    now.checkout.orderId === null;
  const reason = whyBack(zone, purchase, now, isExact);
  if (reason === undefined) {
    const paid = { ...now, decidedAtMs: timeMs, checkout: { ...checkout, paymentId } };
    return outcome({ ...paid, state: 'confirmed' }, false);
  }
  if (amountMinor === 0) return outcome({ ...now, checkout }, false);
  const refundRequestedMinor = before.refundRequestedMinor + countedMinor;
  const giving = { ...now, checkout: { ...checkout, refundRequestedMinor } };
  return outcome(giving, false, owed(payment, reason));
}

function whyBack(
  zone: LifeZone,
  before: PurchaseRecord,
  now: PurchaseRecord,
  isExact: boolean,
): string | undefined {
  if (now.state === 'held') return isExact ? undefined : 'amount_mismatch';
  if (now.state === 'confirmed') return 'double_payment';
  const isRetaken = now.state === 'expired' && isExact && mayRetake(zone, before);
  return isRetaken ? undefined : 'late_payment';
}

function mayRetake(zone: LifeZone, before: PurchaseRecord): boolean {
  if (zone.termsNow.latePayment !== 'retake') return false;
  if (before.state === 'held') return true;
  const { quantity, buyerId, seats, checkout } = before;
  const code = checkout?.voucher ?? null;
  return (
    quantity <= zone.free &&
    isWithinLimit(zone, buyerId, quantity) &&
    (code === null || isUsable(zone.vouchers.get(code))) &&
    seats.every((seat) => zone.seats?.isFree(seat) !== false)
  );
}

function notPaid(purchase: PurchaseRecord, { offset, timeMs, isRefunded }: Context): Prediction {
  const { state, checkout } = purchase;
  if (state !== 'held' || checkout === null || checkout.orderId !== null) {
    return outcome(purchase, true);
  }
  if (isDue(purchase, timeMs)) return outcome(ended(purchase), false);
  if (isRefunded) return outcome(purchase, true);
  const paid = { ...checkout, paymentOffset: offset };
  return outcome(
    { ...purchase, state: 'payment_failed', decidedAtMs: timeMs, checkout: paid },
    false,
  );
}

function paidBack(
  purchase: PurchaseRecord | undefined,
  { payment, offset, timeMs }: LifePayment,
  refunds: Refunds,
): PaymentPrediction {
  const { refundId, amountMinor, currency, purchaseId } = payment;
  const refund = refunds.get(refundId ?? '');
  const isAsked =
    refund?.owed.amountMinor === amountMinor &&
    refund.owed.currency === currency &&
    refundId === refundIdOf(purchaseId, refund.owed.paymentId);
  if (!isAsked) return { kind: 'dead-letter', why: 'no such refund was asked for' };
  if (purchase === undefined) return { kind: 'none' };
  if (refund.isPaidBack) return outcome(purchase, true);
  const before = purchase.checkout ?? NEVER_HELD;
  // What came before the purchase did was never counted for it.
  const isCounted =
    purchase.price?.currency === currency && refund.owed.reason !== 'unknown_purchase';
  const refundedMinor = before.refundedMinor + (isCounted ? amountMinor : 0);
  const isAll = purchase.state === 'cancelled' && refundedMinor === before.paidMinor;
  const checkout = { ...before, refundedMinor, paymentOffset: offset };
  const done = isAll ? { state: 'refunded', decidedAtMs: timeMs } : {};
  return outcome({ ...purchase, ...done, checkout }, false);
}
