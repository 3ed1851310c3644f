/** Carries out what a decision asks for beyond storing and announcing the purchase (domain/consequences.ts). */
import { assert } from '../../base/assert.ts';
import type { Consequences } from '../domain/decisions/consequences.ts';
import type { NotificationRequest } from '../domain/notification.ts';
import type { PaymentRequest, RefundRequest } from '../domain/payment.ts';
import type { Purchase } from '../domain/purchase.ts';
import type { SeatChange } from '../domain/seats/seat-map.ts';
import type { Zone } from '../domain/zone.ts';
import { holdKey, keyWithin, type SaleStores } from './sale-stores.ts';

export interface ConsequenceSinks {
  held(heldUntilMs: number, purchaseId: string): void;
  requestPayment(zoneKey: string, request: PaymentRequest): void;
  requestRefund(zoneKey: string, request: RefundRequest): void;
  requestNotification(zoneKey: string, request: NotificationRequest): void;
}

export class ConsequenceWriter {
  readonly #stores: SaleStores;
  readonly #sinks: ConsequenceSinks;

  constructor(stores: SaleStores, sinks: ConsequenceSinks) {
    this.#stores = stores;
    this.#sinks = sinks;
  }

  /** `purchase` and `zone`: as they are now; a change of seats or of a count comes with a zone. */
  write(
    zoneKey: string,
    consequences: Consequences,
    purchase: Purchase | undefined,
    zone: Zone | undefined,
  ): void {
    const { seats, voucher, ticketsOfBuyer, paymentRequest, notification } = consequences;
    if (purchase !== undefined) this.#moveHold(purchase.purchaseId, consequences);
    if (seats !== undefined) this.changeSeats(zoneKey, zone, seats);
    if (voucher !== undefined) this.#stores.vouchers.put(keyWithin(zoneKey, voucher.code), voucher);
    if (ticketsOfBuyer !== undefined && purchase !== undefined) {
      this.#count(keyWithin(zoneKey, purchase.buyerId), ticketsOfBuyer);
    }
    this.#keepRefund(zoneKey, consequences);
    if (paymentRequest !== undefined) this.#sinks.requestPayment(zoneKey, paymentRequest);
    if (notification !== undefined) this.#sinks.requestNotification(zoneKey, notification);
  }

  changeSeats(zoneKey: string, zone: Zone | undefined, change: SeatChange): void {
    const layout = zone?.terms?.layout ?? null;
    assert(layout !== null, `seats of ${zoneKey} change, which has none`);
    this.#stores.seats.apply(zoneKey, layout, change);
  }

  #moveHold(purchaseId: string, { heldUntilBeforeMs, heldUntilMs }: Consequences): void {
    if (heldUntilBeforeMs === heldUntilMs) return;
    const { holds } = this.#stores;
    if (heldUntilBeforeMs !== undefined) holds.delete(holdKey(heldUntilBeforeMs, purchaseId));
    if (heldUntilMs === undefined) return;
    holds.put(holdKey(heldUntilMs, purchaseId), '');
    this.#sinks.held(heldUntilMs, purchaseId);
  }

  #count(key: string, tickets: number): void {
    if (tickets === 0) this.#stores.buyers.delete(key);
    else this.#stores.buyers.put(key, tickets);
  }

  #keepRefund(zoneKey: string, { refund }: Consequences): void {
    if (refund === undefined) return;
    const { refundedAtMs, ...request } = refund;
    this.#stores.refunds.put(refund.refundId, refund);
    if (refundedAtMs === null) this.#sinks.requestRefund(zoneKey, request);
  }
}
