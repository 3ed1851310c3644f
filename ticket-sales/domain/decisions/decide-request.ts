/**
 * Decides purchases of zones with terms, and those that ask for more than a number of tickets: limits,
 * sale window, seats, vouchers, price, and whether it is held or sold at once.
 */
import type { LogPlace, PurchaseCommand, PurchaseOptions } from '../command.ts';
import type { PaymentRequest } from '../payment.ts';
import { type Quote, quote } from '../price.ts';
import type { Checkout, Purchase, Reason } from '../purchase.ts';
import { requestDigest } from '../request-digest.ts';
import type { SeatMap } from '../seats/seat-map.ts';
import type { Voucher } from '../voucher.ts';
import { available, type Zone } from '../zone.ts';
import { holdMsOf, saleAt } from '../zone-terms.ts';
import { decided } from './consequences.ts';
import { decidedBefore, outcome, type PurchaseDecision } from './decide-purchase.ts';
import type { ZoneFacts } from './facts.ts';

export function decideRequest(
  zone: Zone | undefined,
  previous: Purchase | undefined,
  command: PurchaseCommand,
  place: LogPlace,
  facts: ZoneFacts,
): PurchaseDecision {
  if (previous !== undefined) return decidedBefore(previous, command);
  const cause = { nowMs: place.nowMs, commandOffset: place.offset };
  const digest = requestDigest(command.options);
  // Orders and the intake hear of what is refused, too.
  const { orderId, viaIntake } = command.options ?? NO_OPTIONS;
  const checkout =
    digest === null && !viaIntake
      ? null
      : { ...NO_CHECKOUT, orderId, requestDigest: digest, viaIntake };
  if (zone === undefined) {
    const reason = command.quantity < 1 ? 'invalid_command' : 'unknown_zone';
    const purchase = outcome(command, place, { state: 'rejected', reason, checkout });
    return { kind: 'decided', purchase };
  }
  const verdict = judge(zone, command, place.nowMs, facts);
  if (verdict.kind === 'rejected') {
    const { reason, seats } = verdict;
    const purchase = outcome(command, place, { state: 'rejected', reason, seats, checkout });
    return decided(zone, undefined, purchase, cause, facts);
  }
  const purchase = granted(zone, command, place, verdict, digest);
  const paymentRequest = paymentFor(purchase);
  return decided(zone, undefined, purchase, cause, facts, { paymentRequest });
}

export const NO_CHECKOUT: Checkout = {
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
  requestDigest: null,
  viaIntake: false,
};

type Verdict =
  | { readonly kind: 'rejected'; readonly reason: Reason; readonly seats: readonly string[] }
  | {
      readonly kind: 'granted';
      readonly seats: readonly string[];
      readonly voucher: Voucher | undefined;
    };

const NO_OPTIONS: PurchaseOptions = {
  seats: [],
  placement: 'any',
  voucher: null,
  orderId: null,
  viaIntake: false,
};

function judge(zone: Zone, command: PurchaseCommand, nowMs: number, facts: ZoneFacts): Verdict {
  const options = command.options ?? NO_OPTIONS;
  if (!isMeaningful(zone, command.quantity, options)) return rejected('invalid_command');
  if (zone.terms?.intakeOnly === true && !options.viaIntake) return rejected('invalid_command');
  const sale = saleAt(zone, nowMs);
  if (sale !== 'open') return rejected(sale === 'closed' ? 'sale_closed' : 'sale_not_open');
  if (command.quantity > zone.quantityMax) return rejected('quantity_over_limit');
  if (!isWithinCustomerMax(zone, command, facts)) return rejected('customer_limit');
  const voucher = options.voucher === null ? undefined : facts.voucher(options.voucher);
  if (options.voucher !== null && !isUsable(voucher)) return rejected('invalid_voucher');
  const layout = zone.terms?.layout ?? null;
  if (layout === null) {
    if (command.quantity > available(zone)) return rejected('sold_out');
    return { kind: 'granted', seats: [], voucher };
  }
  const verdict = judgeSeats(zone, facts.seatMap(layout), command.quantity, options);
  return verdict.kind === 'granted' ? { ...verdict, voucher } : verdict;
}

/** Seats only where they are numbered; each once, and as many as tickets. */
function isMeaningful(zone: Zone, quantity: number, { seats, placement }: PurchaseOptions) {
  if (quantity < 1) return false;
  if (seats.length === 0) return placement === 'any' || (zone.terms?.layout ?? null) !== null;
  const isNumbered = (zone.terms?.layout ?? null) !== null;
  return isNumbered && seats.length === quantity && new Set(seats).size === quantity;
}

export function isWithinCustomerMax(
  { terms }: Zone,
  { buyerId, quantity }: Pick<Purchase, 'buyerId' | 'quantity'>,
  facts: ZoneFacts,
): boolean {
  if (terms === null || terms.customerMax === 0) return true;
  return facts.ticketsOf(buyerId) + quantity <= terms.customerMax;
}

export function isUsable(voucher: Voucher | undefined): boolean {
  return voucher !== undefined && voucher.uses < voucher.usesMax;
}

function judgeSeats(
  zone: Zone,
  map: SeatMap,
  quantity: number,
  { seats, placement }: PurchaseOptions,
): Verdict {
  if (seats.length > 0) {
    if (map.unknown(seats).length > 0) return rejected('invalid_command');
    const lost = map.unavailable(seats);
    if (lost.length > 0) return rejected('seat_taken', lost);
    return { kind: 'granted', seats, voucher: undefined };
  }
  if (quantity > available(zone)) return rejected('sold_out');
  const chosen = map.choose(quantity, placement);
  if (chosen === undefined) return rejected(placement === 'adjacent' ? 'not_adjacent' : 'sold_out');
  return { kind: 'granted', seats: chosen, voucher: undefined };
}

function rejected(reason: Reason, seats: readonly string[] = []): Verdict {
  return { kind: 'rejected', reason, seats };
}

function granted(
  zone: Zone,
  command: PurchaseCommand,
  place: LogPlace,
  { seats, voucher }: Extract<Verdict, { kind: 'granted' }>,
  digest: string | null,
): Purchase {
  const { price, feesMinor, discountMinor }: Quote = quote(zone, command.quantity, voucher);
  const { orderId, viaIntake } = command.options ?? NO_OPTIONS;
  // Nobody would ever pay what costs nothing: it is sold at once, unless an order has to agree.
  const mustBePaid = zone.terms?.checkout === 'hold' && price !== null && price.amountMinor > 0;
  const isHeld = orderId !== null || mustBePaid;
  return outcome(command, place, {
    state: isHeld ? 'held' : 'confirmed',
    reason: 'none',
    price,
    seats,
    checkout: {
      ...NO_CHECKOUT,
      heldUntilMs: isHeld ? place.nowMs + holdMsOf(zone) : 0,
      orderId,
      voucher: voucher?.code ?? null,
      feesMinor,
      discountMinor,
      requestDigest: digest,
      viaIntake,
    },
  });
}

/** Of a hold that is paid by itself: an order asks for the payment of its lines. */
function paymentFor(purchase: Purchase): PaymentRequest | undefined {
  const { purchaseId, eventId, zoneId, buyerId, price, checkout, state } = purchase;
  if (state !== 'held' || price === null || checkout === null || checkout.orderId !== null) return;
  return {
    purchaseId,
    eventId,
    zoneId,
    buyerId,
    ...price,
    dueAtMs: checkout.heldUntilMs,
    requestedAtMs: purchase.requestedAtMs,
  };
}
