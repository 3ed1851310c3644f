/**
 * Decides what the payment side says. Log order decides every race; whatever comes too early, too
 * late or twice has an outcome, and is never a dead letter.
 *
 * M1. Every payment that succeeded either pays for a purchase or is refunded as a whole, once.
 * M2. A payment and a refund count once, however often they are told.
 */
import { unreachable } from '../../../base/assert.ts';
import type { PaymentUpdate } from '../command.ts';
import { AMOUNT_PAID_MAX, isCurrency } from '../money.ts';
import { type Refund, type RefundReason, refundIdFor } from '../payment.ts';
import type { Checkout, Purchase } from '../purchase.ts';
import { available, type Zone } from '../zone.ts';
import { type Cause, decided } from './consequences.ts';
import { decideExpiry, expired, isDue, newRefund, withRefund } from './decide-change.ts';
import { isOfZone, type PurchaseDecision } from './decide-purchase.ts';
import { isUsable, isWithinCustomerMax, NO_CHECKOUT } from './decide-request.ts';
import type { ZoneFacts } from './facts.ts';

/** Where in the log of payments it stands. */
export interface PaymentPlace {
  readonly nowMs: number;
  readonly offset: number;
}

const PAYMENT_ID = /^[\x21-\x7e]{1,200}$/;
const NOBODY: PurchaseDecision = { kind: 'unclaimed' };

export function decidePayment(
  zone: Zone | undefined,
  found: Purchase | undefined,
  update: PaymentUpdate,
  place: PaymentPlace,
  facts: ZoneFacts,
): PurchaseDecision {
  const flaw = flawOfPayment(update);
  if (flaw !== undefined) return { kind: 'refused', why: flaw };
  const payee = payeeOf(zone, found, update);
  switch (update.status) {
    case 'succeeded':
      return payee === undefined
        ? refundToNobody(update, place, facts)
        : paid(payee, update, place, facts);
    case 'failed':
      return payee === undefined ? NOBODY : failed(payee, update, place, facts);
    case 'refunded':
      return refunded(payee, update, place, facts);
    default:
      return unreachable(update.status);
  }
}

/** What a payment is for. */
interface Payee {
  readonly zone: Zone;
  readonly purchase: Purchase;
}

/** Where there is no zone, nothing was ever to be paid: the money is nobody's, and goes back. */
function payeeOf(
  zone: Zone | undefined,
  purchase: Purchase | undefined,
  update: PaymentUpdate,
): Payee | undefined {
  if (zone === undefined || purchase === undefined) return undefined;
  return isOfZone(purchase, update) ? { zone, purchase } : undefined;
}

/** What is wrong with it, whoever it is for; undefined = nothing. */
export function flawOfPayment({ purchaseId, paymentId, amountMinor, currency }: PaymentUpdate) {
  if (!PAYMENT_ID.test(paymentId)) return 'paymentId is 1 to 200 visible ASCII characters';
  if (!PAYMENT_ID.test(purchaseId)) return 'purchaseId is 1 to 200 visible ASCII characters';
  const isAmount = Number.isSafeInteger(amountMinor) && amountMinor >= 0;
  if (!isAmount || amountMinor > AMOUNT_PAID_MAX) {
    return `the amount must be 0 to ${AMOUNT_PAID_MAX} minor units`;
  }
  return isCurrency(currency) ? undefined : 'the currency must be like EUR';
}

// ── Money that came ────────────────────────────────────────────────────────────────────────────

function refundToNobody(
  update: PaymentUpdate,
  { nowMs }: PaymentPlace,
  facts: ZoneFacts,
): PurchaseDecision {
  const { purchaseId, paymentId, amountMinor } = update;
  const isKnown = facts.refund(refundIdFor(purchaseId, paymentId)) !== undefined;
  if (isKnown || amountMinor === 0) return NOBODY;
  const refund = newRefund(update, update, 'unknown_purchase', nowMs);
  return { kind: 'unclaimed', consequences: { refund } };
}

function paid(
  { zone, purchase }: Payee,
  update: PaymentUpdate,
  place: PaymentPlace,
  facts: ZoneFacts,
): PurchaseDecision {
  const { purchaseId, checkout } = purchase;
  const isKnown =
    checkout?.paymentId === update.paymentId ||
    facts.refund(refundIdFor(purchaseId, update.paymentId)) !== undefined;
  if (isKnown) return { kind: 'repeated', purchase };
  const cause: Cause = { nowMs: place.nowMs, commandOffset: undefined };
  const now = isDue(purchase, place.nowMs) ? expired(purchase, cause) : purchase;
  const reason = reasonToRefund(zone, purchase, now, update, facts);
  const counted = { ...now, checkout: counting(now, update, place) };
  if (reason === undefined) {
    const { paymentId } = update;
    const confirmed: Purchase = {
      ...counted,
      state: 'confirmed',
      decidedAtMs: place.nowMs,
      checkout: { ...counted.checkout, paymentId },
    };
    return decided(zone, purchase, confirmed, cause, facts);
  }
  if (update.amountMinor === 0) return decided(zone, purchase, counted, cause, facts);
  const refund = newRefund(purchase, update, reason, place.nowMs);
  const refunding = { ...counted, checkout: withRefund(counted.checkout, paidFor(now, update)) };
  return decided(zone, purchase, refunding, cause, facts, { refund });
}

/** What the payment counts in the purchase's currency. */
function paidFor({ price }: Purchase, { amountMinor, currency }: PaymentUpdate): number {
  return price?.currency === currency ? amountMinor : 0;
}

function counting(
  purchase: Purchase,
  update: PaymentUpdate,
  { offset: paymentOffset }: PaymentPlace,
): Checkout {
  const checkout = purchase.checkout ?? NO_CHECKOUT;
  const paidMinor = checkout.paidMinor + paidFor(purchase, update);
  return { ...checkout, paidMinor, paymentOffset };
}

/**
 * undefined = the payment pays for it. `before` is the purchase as it is stored, `now` as log time
 * has made it.
 */
function reasonToRefund(
  zone: Zone,
  before: Purchase,
  now: Purchase,
  update: PaymentUpdate,
  facts: ZoneFacts,
): RefundReason | undefined {
  switch (now.state) {
    case 'held':
      return isExact(now, update) ? undefined : 'amount_mismatch';
    case 'confirmed':
      return 'double_payment';
    case 'expired':
      return isExact(now, update) && canRetake(zone, before, facts) ? undefined : 'late_payment';
    default:
      return 'late_payment';
  }
}

/** A line of an order owes nothing by itself: the order is paid as a whole. */
function isExact({ price, checkout }: Purchase, { amountMinor, currency }: PaymentUpdate): boolean {
  if (price === null || checkout === null || checkout.orderId !== null) return false;
  return price.amountMinor === amountMinor && price.currency === currency;
}

/** Whether it can have again what it had: all of it, the very seats, within every limit. */
function canRetake(zone: Zone, before: Purchase, facts: ZoneFacts): boolean {
  if (zone.terms?.latePayment !== 'retake') return false;
  // Nobody has come by yet to take them from it.
  if (before.state === 'held') return true;
  const { quantity, seats, checkout } = before;
  if (quantity > available(zone) || !isWithinCustomerMax(zone, before, facts)) return false;
  const code = checkout?.voucher ?? null;
  if (code !== null && !isUsable(facts.voucher(code))) return false;
  const { layout } = zone.terms;
  return layout === null || facts.seatMap(layout).unavailable(seats).length === 0;
}

// ── Money that did not come ────────────────────────────────────────────────────────────────────

function failed(
  { zone, purchase }: Payee,
  update: PaymentUpdate,
  place: PaymentPlace,
  facts: ZoneFacts,
): PurchaseDecision {
  const { checkout } = purchase;
  if (purchase.state !== 'held' || checkout === null || checkout.orderId !== null) {
    return { kind: 'repeated', purchase };
  }
  const cause: Cause = { nowMs: place.nowMs, commandOffset: undefined };
  if (isDue(purchase, place.nowMs)) return decideExpiry(zone, purchase, cause, facts);
  // The failure of one that was given back already says nothing of what is still to be paid.
  if (facts.refund(refundIdFor(purchase.purchaseId, update.paymentId)) !== undefined) {
    return { kind: 'repeated', purchase };
  }
  const free: Purchase = {
    ...purchase,
    state: 'payment_failed',
    decidedAtMs: place.nowMs,
    checkout: { ...checkout, paymentOffset: place.offset },
  };
  return decided(zone, purchase, free, cause, facts);
}

// ── Money that went back ───────────────────────────────────────────────────────────────────────

function refunded(
  payee: Payee | undefined,
  update: PaymentUpdate,
  place: PaymentPlace,
  facts: ZoneFacts,
): PurchaseDecision {
  const refund = update.refundId === null ? undefined : facts.refund(update.refundId);
  if (refund === undefined || !isOf(refund, update)) {
    return { kind: 'refused', why: 'the sale has not asked for such a refund' };
  }
  if (refund.refundedAtMs !== null) {
    return payee === undefined ? NOBODY : { kind: 'repeated', purchase: payee.purchase };
  }
  const settled = { ...refund, refundedAtMs: place.nowMs };
  if (payee === undefined) return { kind: 'unclaimed', consequences: { refund: settled } };
  const { zone, purchase } = payee;
  const checkout = purchase.checkout ?? NO_CHECKOUT;
  // What came before the purchase did was never counted for it.
  const isCounted = refund.reason !== 'unknown_purchase';
  const refundedMinor = checkout.refundedMinor + (isCounted ? paidFor(purchase, update) : 0);
  const isAll = purchase.state === 'cancelled' && refundedMinor === checkout.paidMinor;
  const next: Purchase = {
    ...purchase,
    ...(isAll ? { state: 'refunded', decidedAtMs: place.nowMs } : {}),
    checkout: { ...checkout, refundedMinor, paymentOffset: place.offset },
  };
  const cause: Cause = { nowMs: place.nowMs, commandOffset: undefined };
  return decided(zone, purchase, next, cause, facts, { refund: settled });
}

function isOf(refund: Refund, update: PaymentUpdate): boolean {
  return (
    refund.purchaseId === update.purchaseId &&
    refund.eventId === update.eventId &&
    refund.zoneId === update.zoneId &&
    refund.amountMinor === update.amountMinor &&
    refund.currency === update.currency
  );
}
