/** What is known of the life zones of one partition, as far as its logs have been followed. */
import type { PaymentRecord } from '../records/sale-records.ts';
import type { LifePurchase, LifeZone } from './life-zone.ts';

export class LifeState {
  readonly zones = new Map<string, LifeZone>();
  readonly purchases = new Map<string, LifePurchase>();
  /** Payments that have been followed. */
  paymentCount = 0;
  #timeMs = 0;

  /** The latest log time of what has been followed. */
  get timeMs(): number {
    return this.#timeMs;
  }

  followed(timeMs: number): void {
    this.#timeMs = Math.max(this.#timeMs, timeMs);
  }

  /** The purchase that a payment is for: one of another zone is not meant. */
  paidBy({ purchaseId, eventId, zoneId }: PaymentRecord): LifePurchase | undefined {
    const purchase = this.purchases.get(purchaseId);
    const isHere = purchase?.record.eventId === eventId && purchase.record.zoneId === zoneId;
    return isHere ? purchase : undefined;
  }
}

export function keyOf(place: { readonly eventId: string; readonly zoneId: string }): string {
  return `${place.eventId}/${place.zoneId}`;
}
