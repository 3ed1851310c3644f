/** Something that a buyer should hear of. The same notificationId again is the same notification. */
import type { ZoneAddress } from './command.ts';
import type { PurchaseState } from './purchase.ts';

export type Occasion = Exclude<PurchaseState, 'requested'>;

export interface NotificationRequest extends ZoneAddress {
  /** `<purchaseId>:<what>` */
  readonly notificationId: string;
  readonly what: Occasion;
  /** Or the id of an order: then the zone is that of its first line, and the quantity that of all. */
  readonly purchaseId: string;
  readonly buyerId: string;
  readonly quantity: number;
  readonly seats: readonly string[];
  readonly amountMinor: number | null;
  readonly currency: string | null;
  readonly requestedAtMs: number;
}
