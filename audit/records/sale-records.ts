/** The sale's records as the auditor reads them: own types over the published schemas, nothing of the app. */

export interface Price {
  readonly amountMinor: number;
  readonly currency: string;
}

export interface PurchaseRecord {
  readonly purchaseId: string;
  readonly eventId: string;
  readonly zoneId: string;
  readonly buyerId: string;
  readonly quantity: number;
  readonly state: string;
  readonly reason: string;
  readonly requestedAtMs: number;
  readonly decidedAtMs: number;
  readonly commandOffset: number;
  readonly price: Price | null;
  readonly seats: readonly string[];
  readonly checkout: CheckoutRecord | null;
}

/** How it is held and paid; null where it never was. */
export interface CheckoutRecord {
  readonly heldUntilMs: number;
  readonly isExtended: boolean;
  readonly orderId: string | null;
  readonly voucher: string | null;
  readonly feesMinor: number;
  readonly discountMinor: number;
  readonly paymentId: string | null;
  readonly paidMinor: number;
  readonly refundRequestedMinor: number;
  readonly refundedMinor: number;
  readonly paymentOffset: number;
}

export interface StockRecord {
  readonly eventId: string;
  readonly zoneId: string;
  readonly capacity: number;
  readonly available: number;
  readonly held: number;
  readonly sold: number;
  readonly version: number;
  readonly updatedAtMs: number;
  readonly commandOffset: number;
  /** Prices of what is sold. */
  readonly revenueMinor: number;
}

export interface ZoneRecord extends Omit<StockRecord, 'available'> {
  readonly sale: string;
  readonly quantityMax: number;
  readonly price: Price | null;
  readonly terms: Terms | null;
}

/** How a zone sells when it does more than sell for good at one price. */
export interface Terms {
  readonly checkout: 'immediate' | 'hold';
  readonly holdMs: number;
  readonly latePayment: 'refund' | 'retake';
  readonly customerMax: number;
  readonly opensAtMs: number | null;
  readonly closesAtMs: number | null;
  readonly fees: { readonly perTicketMinor: number; readonly perPurchaseMinor: number } | null;
  readonly tiers: readonly {
    readonly fromSoldPermille: number;
    readonly amountMinor: number;
  }[];
  readonly layout: { readonly rows: number; readonly columns: number } | null;
  readonly intakeOnly: boolean;
}

export interface PurchaseOptions {
  readonly seats: readonly string[];
  readonly placement: 'any' | 'adjacent' | 'adjacent_or_split';
  readonly voucher: string | null;
  readonly orderId: string | null;
  /** Asked for in the intake's topic, and let through. */
  readonly viaIntake?: boolean;
}

export interface PaymentRecord {
  readonly purchaseId: string;
  readonly eventId: string;
  readonly zoneId: string;
  readonly paymentId: string;
  readonly status: 'succeeded' | 'failed' | 'refunded';
  readonly amountMinor: number;
  readonly currency: string;
  readonly refundId: string | null;
}

export interface RefundRecord {
  readonly purchaseId: string;
  readonly refundId: string;
  readonly paymentId: string;
  readonly amountMinor: number;
  readonly currency: string;
  readonly reason: string;
}

export interface PaymentRequestRecord {
  readonly purchaseId: string;
  readonly amountMinor: number;
  readonly currency: string;
  readonly dueAtMs: number;
}

/** All fields that some command has; `kind` is the branch's name without its namespace. */
export interface CommandFields {
  readonly eventId: string;
  readonly zoneId: string;
  readonly purchaseId: string;
  readonly buyerId: string;
  readonly quantity: number;
  readonly capacity: number;
  readonly quantityMax: number;
  readonly price: Price | null;
  readonly terms: Terms | null;
  readonly blockedSeats: readonly string[];
  readonly options: PurchaseOptions | null;
  readonly orderId: string | null;
  readonly reason: string;
  readonly seats: readonly string[];
  readonly opensAtMs: number | null;
  readonly closesAtMs: number | null;
  readonly code: string;
  readonly percentOff: number;
  readonly amountOffMinor: number;
  readonly usesMax: number;
}

export type CommandKind =
  | 'Purchase'
  | 'CancelPurchase'
  | 'ExtendHold'
  | 'ConfirmHold'
  | 'RejectPurchase'
  | 'CreateZone'
  | 'ChangeCapacity'
  | 'OpenSale'
  | 'CloseSale'
  | 'PauseSale'
  | 'SetSaleWindow'
  | 'BlockSeats'
  | 'UnblockSeats'
  | 'DefineVoucher';

export interface CommandRecord {
  readonly kind: CommandKind;
  readonly fields: CommandFields;
}

export function samePrice(left: Price | null, right: Price | null): boolean {
  return left?.amountMinor === right?.amountMinor && left?.currency === right?.currency;
}
