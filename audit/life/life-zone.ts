/**
 * A zone that holds, is paid, has seats, limits, vouchers or a sale window, as the auditor follows it;
 * and its purchases. What follows from an outcome is carried over here, whatever has caused it.
 */
import type { CheckoutRecord, Price, PurchaseRecord, Terms } from '../records/sale-records.ts';
import { Seats } from './seats.ts';
import { StockTrail, type ToldStock } from './stock-trail.ts';

export interface VoucherState {
  percentOff: number;
  amountOffMinor: number;
  usesMax: number;
  uses: number;
}

export interface LifePurchase {
  record: PurchaseRecord;
  /** In which transaction it was announced so. */
  transaction: object | undefined;
  /** Of its last outcome. */
  place: string;
  /** Payments that had been followed when it was first heard of. */
  readonly paymentsBefore: number;
  /** Its hold ended in no command's name: a payment that failed may have been what found it so. */
  hasEndedByItself: boolean;
  isLogged: boolean;
}

const PLAIN: Terms = {
  checkout: 'immediate',
  holdMs: 0,
  latePayment: 'refund',
  customerMax: 0,
  opensAtMs: null,
  closesAtMs: null,
  fees: null,
  tiers: [],
  layout: null,
  intakeOnly: false,
};
const UNANNOUNCED_FIELDS = 6;
const HOLD_MS_DEFAULT = 600_000;

export const NEVER_HELD: CheckoutRecord = {
  heldUntilMs: 0,
  isExtended: false,
  orderId: null,
  voucher: null,
  feesMinor: 0,
  discountMinor: 0,
  paymentId: null,
  paidMinor: 0,
  refundRequestedMinor: 0,
  refundedMinor: 0,
  paymentOffset: -1,
};

export interface ZoneFacts extends ToldStock {
  readonly eventId: string;
  readonly zoneId: string;
  readonly sale: 'open' | 'closed' | 'paused';
  readonly quantityMax: number;
  readonly price: Price | null;
  readonly terms: Terms | null;
}

export class LifeZone {
  readonly eventId: string;
  readonly zoneId: string;
  readonly quantityMax: number;
  readonly price: Price | null;
  readonly vouchers = new Map<string, VoucherState>();
  readonly trail: StockTrail;
  readonly seats: Seats | undefined;
  terms: Terms | null;
  capacity: number;
  held: number;
  sold: number;
  revenueMinor: number;
  version: number;
  commandOffset: number;
  sale: 'open' | 'closed' | 'paused';
  isLogged = false;
  readonly #tickets = new Map<string, number>();

  constructor(facts: ZoneFacts) {
    this.eventId = facts.eventId;
    this.zoneId = facts.zoneId;
    this.quantityMax = facts.quantityMax;
    this.price = facts.price;
    this.terms = facts.terms;
    this.capacity = facts.capacity;
    this.held = facts.held;
    this.sold = facts.sold;
    this.revenueMinor = facts.revenueMinor;
    this.version = facts.version;
    this.commandOffset = facts.commandOffset;
    this.sale = facts.sale;
    const { layout } = this.termsNow;
    this.seats = layout === null ? undefined : new Seats(layout);
    this.trail = new StockTrail(facts);
  }

  get termsNow(): Terms {
    return this.terms ?? PLAIN;
  }

  get holdMs(): number {
    return this.termsNow.holdMs || HOLD_MS_DEFAULT;
  }

  get free(): number {
    return this.capacity - this.held - this.sold;
  }

  /** What a plain zone had changed and not announced: version, capacity, sold, time, offset, revenue each. */
  catchUp(unannounced: readonly number[]): void {
    for (let at = 0; at < unannounced.length; at += UNANNOUNCED_FIELDS) {
      const [, capacity, sold, , commandOffset, revenueMinor] = unannounced.slice(at);
      const change = {
        capacity: capacity! - this.capacity,
        held: 0,
        sold: sold! - this.sold,
        revenueMinor: revenueMinor! - this.revenueMinor,
      };
      this.capacity = capacity!;
      this.sold = sold!;
      this.revenueMinor = revenueMinor!;
      this.#count(change, commandOffset);
    }
  }

  ticketsOf(buyerId: string): number {
    return this.#tickets.get(buyerId) ?? 0;
  }

  /** A change that a command made to the zone itself. */
  altered(commandOffset: number, capacity = 0): void {
    this.capacity += capacity;
    this.#count({ capacity, held: 0, sold: 0, revenueMinor: 0 }, commandOffset);
  }

  /** A purchase went from one state to another; `commandOffset`: undefined = by a payment or by time. */
  moved(
    before: PurchaseRecord | undefined,
    after: PurchaseRecord,
    commandOffset: number | undefined,
    place: string,
  ): void {
    const [from, to] = [sharesOf(before), sharesOf(after)];
    const held = to.held - from.held;
    const sold = to.sold - from.sold;
    const taken = held + sold;
    if (held !== 0 || sold !== 0) {
      this.held += held;
      this.sold += sold;
      this.revenueMinor += to.revenueMinor - from.revenueMinor;
      const revenueMinor = to.revenueMinor - from.revenueMinor;
      this.#count({ capacity: 0, held, sold, revenueMinor }, commandOffset);
    }
    if (taken === 0) return;
    const { purchaseId, buyerId, seats, checkout } = after;
    this.#tickets.set(buyerId, this.ticketsOf(buyerId) + taken);
    if (taken > 0) this.seats?.take(seats, { purchaseId, place });
    else this.seats?.free(seats, purchaseId);
    const voucher = this.vouchers.get(checkout?.voucher ?? '');
    if (voucher !== undefined) voucher.uses += Math.sign(taken);
  }

  #count(change: Parameters<StockTrail['changed']>[0], commandOffset: number | undefined): void {
    this.version++;
    this.commandOffset = commandOffset ?? this.commandOffset;
    this.trail.changed(change, commandOffset);
  }
}

function sharesOf(purchase: PurchaseRecord | undefined) {
  const isSold = purchase?.state === 'confirmed';
  return {
    held: purchase?.state === 'held' ? purchase.quantity : 0,
    sold: isSold ? purchase.quantity : 0,
    revenueMinor: isSold ? (purchase.price?.amountMinor ?? 0) : 0,
  };
}
