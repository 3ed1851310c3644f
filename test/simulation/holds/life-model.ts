/**
 * What must be true of purchases that are held and paid, in one partition: outcome by outcome in the
 * order in which they were announced, and money at the end. It predicts nothing: when a hold ends is
 * the engine's choice, within bounds. Shares no decision with the app.
 */
import { isDeepStrictEqual } from 'node:util';
import { fromBytes } from '../../../schemas/serde.ts';
import type { ReadRecord } from '../../../simulation/topic-reader.ts';
import type { CreateZoneCommand, PaymentUpdate } from '../../../ticket-sales/domain/command.ts';
import type { RefundRequest } from '../../../ticket-sales/domain/payment.ts';
import type { Purchase, PurchaseState } from '../../../ticket-sales/domain/purchase.ts';
import { zoneKey } from '../../../ticket-sales/domain/zone.ts';
import { serdes } from '../sale.ts';

export interface LoggedPayment {
  readonly offset: number;
  readonly timestampMs: number;
  readonly update: PaymentUpdate;
}

export function paymentOf({ offset, timestampMs, value }: ReadRecord): LoggedPayment {
  return { offset, timestampMs, update: fromBytes(serdes.payment, value!) };
}

export interface Sums {
  held: number;
  sold: number;
  revenueMinor: number;
}

const LEGAL: Readonly<Record<PurchaseState, readonly PurchaseState[]>> = {
  requested: ['held', 'confirmed', 'rejected'],
  held: ['confirmed', 'expired', 'released', 'payment_failed'],
  expired: ['confirmed'],
  confirmed: ['cancelled'],
  cancelled: ['refunded'],
  rejected: [],
  released: [],
  payment_failed: [],
  refunded: [],
};
/** What stays as it was when the tickets were taken. */
const FIXED = ['eventId', 'zoneId', 'buyerId', 'quantity', 'price', 'seats', 'reason'] as const;

export class LifeModel {
  readonly violations: string[] = [];
  /** By id, as they were announced last. */
  readonly purchases = new Map<string, Purchase>();
  readonly sums = new Map<string, Sums>();
  readonly #zones: ReadonlyMap<string, CreateZoneCommand>;
  /** Who has a seat: by zone and seat. */
  readonly #owners = new Map<string, string>();
  readonly #payments: ReadonlyMap<number, LoggedPayment>;

  constructor(zones: readonly CreateZoneCommand[], payments: readonly LoggedPayment[]) {
    this.#zones = new Map(zones.map((zone) => [keyOf(zone), zone]));
    this.#payments = new Map(payments.map((payment) => [payment.offset, payment]));
  }

  announced(purchase: Purchase): void {
    const { purchaseId, state } = purchase;
    const before = this.purchases.get(purchaseId);
    this.purchases.set(purchaseId, purchase);
    const from = before?.state ?? 'requested';
    const isMoney = from === state;
    if (!isMoney && !LEGAL[from].includes(state)) this.#tell(purchase, `is ${state} after ${from}`);
    for (const field of before === undefined ? [] : FIXED) {
      if (isDeepStrictEqual(before?.[field], purchase[field])) continue;
      this.#tell(purchase, `has another ${field} than before`);
    }
    if (isMoney) return;
    this.#move(before, -1);
    this.#move(purchase, 1);
    this.#seats(purchase);
    this.#time(before, purchase);
  }

  /** Captured less what was asked back is the price of what is confirmed by a payment, and else nothing. */
  money(refunds: readonly RefundRequest[]): void {
    const captured = new Map<string, number>();
    const seen = new Set<string>();
    for (const { update } of this.#payments.values()) {
      const { status, purchaseId, paymentId, amountMinor } = update;
      const name = `${purchaseId}:${paymentId}`;
      if (status !== 'succeeded' || seen.has(name)) continue;
      seen.add(name);
      captured.set(purchaseId, (captured.get(purchaseId) ?? 0) + amountMinor);
    }
    const asked = new Set<string>();
    for (const { refundId, purchaseId, amountMinor } of refunds) {
      if (asked.has(refundId)) this.violations.push(`the refund ${refundId} is asked for twice`);
      asked.add(refundId);
      captured.set(purchaseId, (captured.get(purchaseId) ?? 0) - amountMinor);
    }
    for (const [purchaseId, leftMinor] of captured) {
      const purchase = this.purchases.get(purchaseId);
      const isPaid = purchase?.state === 'confirmed' && purchase.checkout?.paymentId != null;
      const owedMinor = isPaid ? (purchase.price?.amountMinor ?? 0) : 0;
      if (leftMinor === owedMinor) continue;
      const what = `of ${purchaseId}, ${purchase?.state}, ${leftMinor} is kept and ${owedMinor} is owed`;
      this.violations.push(what);
    }
  }

  /** Log time has moved on beyond the end of every hold. */
  end(): void {
    for (const purchase of this.purchases.values()) {
      if (purchase.state === 'held') this.#tell(purchase, 'is held for ever');
    }
  }

  #move(purchase: Purchase | undefined, sign: 1 | -1): void {
    if (purchase === undefined) return;
    const key = keyOf(purchase);
    const sums = this.sums.get(key) ?? { held: 0, sold: 0, revenueMinor: 0 };
    this.sums.set(key, sums);
    if (purchase.state === 'held') sums.held += sign * purchase.quantity;
    if (purchase.state !== 'confirmed') return;
    sums.sold += sign * purchase.quantity;
    sums.revenueMinor += sign * (purchase.price?.amountMinor ?? 0);
  }

  #seats(purchase: Purchase): void {
    const key = keyOf(purchase);
    const { held, sold } = this.sums.get(key)!;
    const capacity = this.#zones.get(key)?.capacity ?? 0;
    if (held + sold > capacity) this.#tell(purchase, `makes ${held + sold} of ${capacity} taken`);
    const isLive = hasTickets(purchase);
    if (isLive && this.#zones.get(key)?.terms?.layout != null) {
      if (purchase.seats.length !== purchase.quantity) this.#tell(purchase, 'has not its seats');
    }
    for (const seat of purchase.state === 'rejected' ? [] : purchase.seats) {
      const name = `${key}/${seat}`;
      const owner = this.#owners.get(name);
      if (isLive && owner !== undefined && owner !== purchase.purchaseId) {
        this.#tell(purchase, `has ${seat}, which ${owner} has`);
      }
      if (isLive) this.#owners.set(name, purchase.purchaseId);
      else if (owner === purchase.purchaseId) this.#owners.delete(name);
    }
  }

  #time(before: Purchase | undefined, purchase: Purchase): void {
    const { state, checkout, decidedAtMs } = purchase;
    const untilMs = before?.checkout?.heldUntilMs ?? 0;
    if (state === 'expired' && decidedAtMs !== untilMs)
      this.#tell(purchase, 'ends at another time');
    if (state !== 'confirmed' || before === undefined) return;
    if (checkout?.orderId != null) {
      // Its order has it confirmed, and is judged by itself.
      if (decidedAtMs >= untilMs) this.#tell(purchase, 'is confirmed after its hold has ended');
      return;
    }
    const payment = this.#payments.get(checkout?.paymentOffset ?? -1);
    const isPaid =
      payment !== undefined &&
      payment.update.purchaseId === purchase.purchaseId &&
      payment.update.status === 'succeeded' &&
      payment.update.amountMinor === purchase.price?.amountMinor;
    if (!isPaid) this.#tell(purchase, 'is confirmed without its payment');
    const isLate = before.state === 'expired' || (payment?.timestampMs ?? 0) >= untilMs;
    const mayBeLate = this.#zones.get(keyOf(purchase))?.terms?.latePayment === 'retake';
    if (isLate && !mayBeLate) this.#tell(purchase, 'is confirmed after its hold has ended');
  }

  #tell({ purchaseId }: Purchase, what: string): void {
    this.violations.push(`${purchaseId} ${what}`);
  }
}

function hasTickets({ state }: Purchase): boolean {
  return state === 'held' || state === 'confirmed';
}

function keyOf({ eventId, zoneId }: { readonly eventId: string; readonly zoneId: string }): string {
  return zoneKey(eventId, zoneId);
}
