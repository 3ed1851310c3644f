/** What must come of a command in a life zone: this auditor's own reading of the published rules. */
import type {
  CheckoutRecord,
  CommandFields,
  CommandKind,
  Price,
  PurchaseRecord,
} from '../../records/sale-records.ts';
import { type LifeZone, NEVER_HELD, type VoucherState } from '../life-zone.ts';
import { areSideBySide } from '../seats.ts';

export interface Place {
  readonly offset: number;
  readonly timeMs: number;
}

/** A refund that must be asked for. */
export interface Owed {
  readonly paymentId: string;
  readonly amountMinor: number;
  readonly currency: string;
  readonly reason: string;
}

export type Prediction =
  | {
      readonly kind: 'outcome';
      readonly purchase: PurchaseRecord;
      readonly isRepeat: boolean;
      readonly refund?: Owed;
    }
  | { readonly kind: 'dead-letter'; readonly why: string };

export type PurchaseKind = Extract<
  CommandKind,
  'Purchase' | 'CancelPurchase' | 'ExtendHold' | 'ConfirmHold' | 'RejectPurchase'
>;

/** Orders and the intake are answered by more than the fields that are compared here. */
const ANYTHING = {
  seats: [],
  placement: 'any',
  voucher: null,
  orderId: null,
  viaIntake: false,
} as const;

/** `announced`: the seats that were chosen are the sale's choice, and taken from there. */
export function predictCommand(
  zone: LifeZone | undefined,
  known: PurchaseRecord | undefined,
  { kind, fields }: { readonly kind: PurchaseKind; readonly fields: CommandFields },
  place: Place,
  announced: PurchaseRecord | undefined,
): Prediction {
  switch (kind) {
    case 'Purchase':
      if (known !== undefined) return repeat(known);
      return predictPurchase(zone, fields, place, announced);
    case 'RejectPurchase':
      if (known !== undefined) return repeat(known);
      return first(fields, place, {
        state: 'rejected',
        reason: fields.reason,
        checkout: { ...NEVER_HELD, orderId: fields.orderId },
      });
    default:
      return predictChange(zone, known, kind, fields, place);
  }
}

export function isDue({ state, checkout }: PurchaseRecord, timeMs: number): boolean {
  return state === 'held' && checkout !== null && timeMs >= checkout.heldUntilMs;
}

/** A hold that has ended, whoever noticed. */
export function ended(purchase: PurchaseRecord, commandOffset?: number): PurchaseRecord {
  return {
    ...purchase,
    state: 'expired',
    decidedAtMs: purchase.checkout?.heldUntilMs ?? 0,
    commandOffset: commandOffset ?? purchase.commandOffset,
  };
}

function repeat(purchase: PurchaseRecord): Prediction {
  return { kind: 'outcome', purchase, isRepeat: true };
}

function first(
  { purchaseId, eventId, zoneId, buyerId, quantity }: CommandFields,
  { offset, timeMs }: Place,
  result: Pick<PurchaseRecord, 'state' | 'reason'> & Partial<PurchaseRecord>,
): Prediction {
  const purchase: PurchaseRecord = {
    purchaseId,
    eventId,
    zoneId,
    buyerId,
    quantity,
    requestedAtMs: timeMs,
    decidedAtMs: timeMs,
    commandOffset: offset,
    price: null,
    seats: [],
    checkout: null,
    ...result,
  };
  return { kind: 'outcome', purchase, isRepeat: false };
}

function predictPurchase(
  zone: LifeZone | undefined,
  fields: CommandFields,
  place: Place,
  announced: PurchaseRecord | undefined,
): Prediction {
  const { quantity, options } = fields;
  const reason = whyNot(zone, fields, place.timeMs);
  if (zone === undefined || reason !== 'none') {
    const seats = reason === 'seat_taken' ? takenOf(zone, fields) : [];
    const checkout = options === null ? null : { ...NEVER_HELD, orderId: options.orderId };
    return first(fields, place, { state: 'rejected', reason, seats, checkout });
  }
  const { orderId, voucher, seats: named } = options ?? ANYTHING;
  const plain = zone.terms === null && options === null;
  const { price, feesMinor, discountMinor } = priceOf(zone, quantity, voucher);
  const isPaidLater = zone.termsNow.checkout === 'hold' && (price?.amountMinor ?? 0) > 0;
  const isHeld = orderId !== null || isPaidLater;
  const chosen = zone.seats === undefined ? [] : (announced?.seats ?? []);
  const checkout: CheckoutRecord = {
    ...NEVER_HELD,
    heldUntilMs: isHeld ? place.timeMs + zone.holdMs : 0,
    orderId,
    voucher,
    feesMinor,
    discountMinor,
  };
  return first(fields, place, {
    state: isHeld ? 'held' : 'confirmed',
    reason: 'none',
    price,
    seats: named.length > 0 ? named : chosen,
    checkout: plain ? null : checkout,
  });
}

function whyNot(zone: LifeZone | undefined, fields: CommandFields, timeMs: number): string {
  const { quantity, buyerId, options } = fields;
  const { seats, placement, voucher, viaIntake } = options ?? ANYTHING;
  if (quantity < 1) return 'invalid_command';
  if (zone === undefined) return 'unknown_zone';
  const isNumbered = zone.seats !== undefined;
  if (seats.length > 0) {
    const isSound = isNumbered && seats.length === quantity && new Set(seats).size === quantity;
    if (!isSound) return 'invalid_command';
  } else if (placement !== 'any' && !isNumbered) return 'invalid_command';
  if (zone.termsNow.intakeOnly && !viaIntake) return 'invalid_command';
  const sale = saleAt(zone, timeMs);
  if (sale !== 'none') return sale;
  if (quantity > zone.quantityMax) return 'quantity_over_limit';
  if (!isWithinLimit(zone, buyerId, quantity)) return 'customer_limit';
  if (voucher !== null && !isUsable(zone.vouchers.get(voucher))) return 'invalid_voucher';
  if (zone.seats !== undefined && seats.length > 0) {
    if (seats.some((seat) => !zone.seats?.exists(seat))) return 'invalid_command';
    return takenOf(zone, fields).length > 0 ? 'seat_taken' : 'none';
  }
  if (quantity > zone.free) return 'sold_out';
  if (placement !== 'adjacent' || zone.seats === undefined) return 'none';
  return zone.seats.hasRun(quantity) ? 'none' : 'not_adjacent';
}

function takenOf(zone: LifeZone | undefined, { options }: CommandFields): readonly string[] {
  return (options?.seats ?? []).filter((seat) => zone?.seats?.isFree(seat) === false);
}

function saleAt({ sale, termsNow }: LifeZone, timeMs: number): string {
  const { opensAtMs, closesAtMs } = termsNow;
  if (sale === 'closed' || (closesAtMs !== null && timeMs >= closesAtMs)) return 'sale_closed';
  if (sale === 'paused' || (opensAtMs !== null && timeMs < opensAtMs)) return 'sale_not_open';
  return 'none';
}

export function isWithinLimit(zone: LifeZone, buyerId: string, quantity: number): boolean {
  const { customerMax } = zone.termsNow;
  return customerMax === 0 || zone.ticketsOf(buyerId) + quantity <= customerMax;
}

export function isUsable(voucher: VoucherState | undefined): boolean {
  return voucher !== undefined && voucher.uses < voucher.usesMax;
}

function priceOf(
  zone: LifeZone,
  quantity: number,
  code: string | null,
): { price: Price | null; feesMinor: number; discountMinor: number } {
  const { price } = zone;
  if (price === null) return { price: null, feesMinor: 0, discountMinor: 0 };
  const { fees, tiers } = zone.termsNow;
  let ticketMinor = price.amountMinor;
  for (const { fromSoldPermille, amountMinor } of tiers) {
    const isReached = (zone.held + zone.sold) * 1_000 >= fromSoldPermille * zone.capacity;
    if (isReached) ticketMinor = amountMinor;
  }
  const ticketsMinor = ticketMinor * quantity;
  const voucher = code === null ? undefined : zone.vouchers.get(code);
  const wantedMinor =
    voucher === undefined
      ? 0
      : Math.floor((ticketsMinor * voucher.percentOff) / 100) + voucher.amountOffMinor;
  const discountMinor = Math.min(ticketsMinor, wantedMinor);
  const feesMinor = fees === null ? 0 : fees.perTicketMinor * quantity + fees.perPurchaseMinor;
  const amountMinor = ticketsMinor - discountMinor + feesMinor;
  return { price: { amountMinor, currency: price.currency }, feesMinor, discountMinor };
}

function predictChange(
  zone: LifeZone | undefined,
  known: PurchaseRecord | undefined,
  kind: 'CancelPurchase' | 'ExtendHold' | 'ConfirmHold',
  { eventId, zoneId, orderId }: CommandFields,
  { offset, timeMs }: Place,
): Prediction {
  const isHere = known?.eventId === eventId && known.zoneId === zoneId;
  if (known === undefined || !isHere) return { kind: 'dead-letter', why: 'no such purchase' };
  if (zone === undefined) return repeat(known);
  const becomes = (change: Partial<PurchaseRecord>, refund?: Owed): Prediction => ({
    kind: 'outcome',
    purchase: { ...known, decidedAtMs: timeMs, commandOffset: offset, ...change },
    isRepeat: false,
    ...(refund === undefined ? {} : { refund }),
  });
  if (isDue(known, timeMs)) {
    return { kind: 'outcome', purchase: ended(known, offset), isRepeat: false };
  }
  const { checkout, state } = known;
  if (kind === 'CancelPurchase') {
    if (state === 'held') return becomes({ state: 'released' });
    if (state !== 'confirmed') return repeat(known);
    const owedMinor = (checkout?.paidMinor ?? 0) - (checkout?.refundRequestedMinor ?? 0);
    if (checkout === null || checkout.paymentId === null || owedMinor === 0) {
      return becomes({ state: 'cancelled' });
    }
    const asked = checkout.refundRequestedMinor + owedMinor;
    return becomes(
      { state: 'cancelled', checkout: { ...checkout, refundRequestedMinor: asked } },
      {
        paymentId: checkout.paymentId,
        amountMinor: owedMinor,
        currency: known.price?.currency ?? '',
        reason: 'cancelled',
      },
    );
  }
  if (state !== 'held' || checkout === null) return repeat(known);
  if (kind === 'ConfirmHold') {
    return checkout.orderId === orderId ? becomes({ state: 'confirmed' }) : repeat(known);
  }
  if (checkout.isExtended) return repeat(known);
  const heldUntilMs = timeMs + zone.holdMs;
  return becomes({ checkout: { ...checkout, isExtended: true, heldUntilMs } });
}

/** What is wrong with the seats that were given out; undefined = nothing. */
export function flawOfSeats(
  zone: LifeZone,
  { seats, quantity }: PurchaseRecord,
  placement: string,
): { readonly isTaken: boolean; readonly what: string } | undefined {
  if (zone.seats === undefined) return undefined;
  for (const seat of seats) {
    const owner = zone.seats.ownerOf(seat);
    if (owner !== undefined) {
      return { isTaken: true, what: `${seat} is ${owner.purchaseId}'s, by ${owner.place}` };
    }
    if (!zone.seats.exists(seat) || zone.seats.isBlocked(seat)) {
      return { isTaken: false, what: `${seat} is not for sale` };
    }
  }
  if (new Set(seats).size !== quantity) return { isTaken: false, what: 'other seats than tickets' };
  if (placement !== 'adjacent' || areSideBySide(seats)) return undefined;
  return { isTaken: false, what: `${seats.join(', ')} are not side by side` };
}
