/**
 * What follows when a purchase goes from one state to another: stock, revenue, seats, voucher, the
 * buyer's count, the index of holds and the notification. Pure, and the same for every cause, so that
 * they can never disagree: a purchase has tickets while it is held or confirmed, and only then.
 */

import type { NotificationRequest, Occasion } from '../notification.ts';
import type { PaymentRequest, Refund } from '../payment.ts';
import type { Purchase } from '../purchase.ts';
import type { SeatChange } from '../seats/seat-map.ts';
import type { Voucher } from '../voucher.ts';
import { changed, type Zone } from '../zone.ts';
import type { ZoneFacts } from './facts.ts';

/** What is to be done beyond storing and announcing the purchase. What is undefined stays as it is. */
export interface Consequences {
  /** Hold index: the log time at which the hold ended until now, and ends from now on. */
  readonly heldUntilBeforeMs?: number | undefined;
  readonly heldUntilMs?: number | undefined;
  readonly seats?: SeatChange | undefined;
  /** As it is now. */
  readonly voucher?: Voucher | undefined;
  /** What this buyer has in this zone now. */
  readonly ticketsOfBuyer?: number | undefined;
  /** Kept; one that is new (not refunded yet) is asked for, too. */
  readonly refund?: Refund | undefined;
  readonly paymentRequest?: PaymentRequest | undefined;
  readonly notification?: NotificationRequest | undefined;
}

/** What led to it. */
export interface Cause {
  /** Log time. */
  readonly nowMs: number;
  /** Of a command; undefined = a payment or time, which leave the last command's. */
  readonly commandOffset: number | undefined;
}

export interface Decided {
  readonly kind: 'decided';
  readonly purchase: Purchase;
  /** There when the stock changed. */
  readonly zone?: Zone | undefined;
  readonly consequences?: Consequences | undefined;
}

/** `money`: what is asked of the payment side besides. */
export function decided(
  zone: Zone,
  previous: Purchase | undefined,
  purchase: Purchase,
  cause: Cause,
  facts: ZoneFacts,
  money: Pick<Consequences, 'refund' | 'paymentRequest'> = {},
): Decided {
  const taken = ticketsOf(purchase) - ticketsOf(previous);
  return {
    kind: 'decided',
    purchase,
    zone: zoneAfter(zone, previous, purchase, cause),
    consequences: {
      ...money,
      heldUntilBeforeMs: holdOf(previous),
      heldUntilMs: holdOf(purchase),
      seats: seatChange(zone, purchase, taken),
      voucher: voucherAfter(purchase, taken, facts),
      ticketsOfBuyer:
        taken === 0 || zone.terms === null || zone.terms.customerMax === 0
          ? undefined
          : facts.ticketsOf(purchase.buyerId) + taken,
      notification: notificationOf(zone, previous, purchase, cause),
    },
  };
}

/** Those that nobody else can have because of it. */
function ticketsOf(purchase: Purchase | undefined): number {
  return heldBy(purchase) + soldBy(purchase);
}

function heldBy(purchase: Purchase | undefined): number {
  return purchase?.state === 'held' ? purchase.quantity : 0;
}

function soldBy(purchase: Purchase | undefined): number {
  return purchase?.state === 'confirmed' ? purchase.quantity : 0;
}

function revenueOf(purchase: Purchase | undefined): number {
  return purchase?.state === 'confirmed' ? (purchase.price?.amountMinor ?? 0) : 0;
}

function holdOf(purchase: Purchase | undefined): number | undefined {
  return purchase?.state === 'held' ? purchase.checkout?.heldUntilMs : undefined;
}

function zoneAfter(
  zone: Zone,
  previous: Purchase | undefined,
  purchase: Purchase,
  { nowMs, commandOffset }: Cause,
): Zone | undefined {
  const held = heldBy(purchase) - heldBy(previous);
  const sold = soldBy(purchase) - soldBy(previous);
  if (held === 0 && sold === 0) return undefined;
  return changed(
    zone,
    { nowMs, offset: commandOffset ?? zone.commandOffset },
    {
      held: zone.held + held,
      sold: zone.sold + sold,
      revenueMinor: zone.revenueMinor + revenueOf(purchase) - revenueOf(previous),
    },
  );
}

function seatChange({ terms }: Zone, { seats }: Purchase, taken: number): SeatChange | undefined {
  if (terms === null || terms.layout === null || taken === 0) return undefined;
  return { kind: taken > 0 ? 'take' : 'free', seats };
}

/** Its use goes with the tickets: given back when they are. */
function voucherAfter(
  { checkout }: Purchase,
  taken: number,
  facts: ZoneFacts,
): Voucher | undefined {
  const code = checkout?.voucher ?? null;
  if (code === null || taken === 0) return undefined;
  const voucher = facts.voucher(code);
  return voucher && { ...voucher, uses: voucher.uses + Math.sign(taken) };
}

function notificationOf(
  { terms }: Zone,
  previous: Purchase | undefined,
  purchase: Purchase,
  { nowMs }: Cause,
): NotificationRequest | undefined {
  const { purchaseId, eventId, zoneId, buyerId, quantity, seats, price, state } = purchase;
  if (terms === null || !terms.notify || state === previous?.state) return undefined;
  // Of an order the buyer hears as a whole.
  if ((purchase.checkout?.orderId ?? null) !== null) return undefined;
  return {
    notificationId: `${purchaseId}:${state}`,
    what: state as Occasion,
    purchaseId,
    eventId,
    zoneId,
    buyerId,
    quantity,
    seats,
    amountMinor: price?.amountMinor ?? null,
    currency: price?.currency ?? null,
    requestedAtMs: nowMs,
  };
}
