/** The commands of the `ticketPurchase` topic, as the decisions see them. */
import type { Money } from './money.ts';
import type { Reason } from './purchase.ts';
import type { ZoneTerms } from './zone.ts';

export interface ZoneAddress {
  readonly eventId: string;
  readonly zoneId: string;
}

export interface PurchaseCommand extends ZoneAddress {
  readonly kind: 'purchase';
  readonly purchaseId: string;
  readonly buyerId: string;
  readonly quantity: number;
  /** The buyer's side's clock: information only, nothing is decided by it. */
  readonly requestedAtMs: number;
  /** null = so many tickets, whichever they are. */
  readonly options: PurchaseOptions | null;
}

/** What a purchase may ask for beyond a number of tickets. */
export interface PurchaseOptions {
  /** Named seats, all or nothing: their number is the quantity. Empty = none is named. */
  readonly seats: readonly string[];
  /** Of numbered seats that are not named. */
  readonly placement: 'any' | 'adjacent' | 'adjacent_or_split';
  readonly voucher: string | null;
  /** The order it is a line of: held, whatever the zone does, until the order confirms or gives it up. */
  readonly orderId: string | null;
  /** It came through the intake, which counts what the buyer has of the event and hears of it. */
  readonly viaIntake: boolean;
}

/** Gives the tickets back: a hold is released, a confirmed purchase is cancelled and refunded. */
export interface CancelCommand extends ZoneAddress {
  readonly kind: 'cancel';
  readonly purchaseId: string;
}

/** Lets a hold begin anew, once. */
export interface ExtendHoldCommand extends ZoneAddress {
  readonly kind: 'extendHold';
  readonly purchaseId: string;
}

/** Confirms a line of an order that is paid as a whole. */
export interface ConfirmHoldCommand extends ZoneAddress {
  readonly kind: 'confirmHold';
  readonly purchaseId: string;
  readonly orderId: string;
}

/** A purchase that was refused before it reached its zone: the zone keeps the outcome. */
export interface RejectPurchaseCommand extends ZoneAddress {
  readonly kind: 'rejectPurchase';
  readonly purchaseId: string;
  readonly buyerId: string;
  readonly quantity: number;
  readonly requestedAtMs: number;
  readonly reason: Reason;
  /** Of what it asked for beyond a number of tickets; null = nothing. */
  readonly requestDigest: string | null;
  /** The order it is a line of, which hears of it. */
  readonly orderId: string | null;
}

/** What the payment side says of a payment: not a command, but decided like one, in the same order. */
export interface PaymentUpdate extends ZoneAddress {
  readonly kind: 'payment';
  readonly purchaseId: string;
  /** The same payment again is the same record. */
  readonly paymentId: string;
  readonly status: 'succeeded' | 'failed' | 'refunded';
  readonly amountMinor: number;
  readonly currency: string;
  /** Of a refund: which one. */
  readonly refundId: string | null;
  readonly detail: string | null;
  /** The provider's clock: information only. */
  readonly occurredAtMs: number;
}

/** What changes one purchase. */
export type PurchaseChange =
  | PurchaseCommand
  | CancelCommand
  | ExtendHoldCommand
  | ConfirmHoldCommand
  | RejectPurchaseCommand;

export interface CreateZoneCommand extends ZoneAddress {
  readonly kind: 'createZone';
  readonly capacity: number;
  readonly quantityMax: number;
  readonly price: Money | null;
  /** null = sells for good at a fixed price, without limits but quantityMax. */
  readonly terms: ZoneTerms | null;
  /** Of a zone with numbered seats: those that are not for sale. */
  readonly blockedSeats: readonly string[];
}

export interface ChangeCapacityCommand extends ZoneAddress {
  readonly kind: 'changeCapacity';
  readonly capacity: number;
}

export interface SetSaleCommand extends ZoneAddress {
  readonly kind: 'openSale' | 'closeSale' | 'pauseSale';
}

/** In log time; null = no bound. */
export interface SetSaleWindowCommand extends ZoneAddress {
  readonly kind: 'setSaleWindow';
  readonly opensAtMs: number | null;
  readonly closesAtMs: number | null;
}

/** All or nothing. */
export interface BlockSeatsCommand extends ZoneAddress {
  readonly kind: 'blockSeats' | 'unblockSeats';
  readonly seats: readonly string[];
}

/** Creates or changes a voucher of this zone. Uses that were made stay counted. */
export interface DefineVoucherCommand extends ZoneAddress {
  readonly kind: 'defineVoucher';
  readonly code: string;
  /** Of the tickets' price, 0 to 100. */
  readonly percentOff: number;
  readonly amountOffMinor: number;
  /** Purchases. */
  readonly usesMax: number;
}

/** What operators ask of a zone. */
export type ZoneCommand =
  | CreateZoneCommand
  | ChangeCapacityCommand
  | SetSaleCommand
  | SetSaleWindowCommand
  | BlockSeatsCommand
  | DefineVoucherCommand;

export type TicketCommand = PurchaseChange | ZoneCommand;

/** Where in the log a command stands: the only time and order a decision knows (invariant 7). */
export interface LogPlace {
  /** Append time of the command's record. */
  readonly nowMs: number;
  /** In the command partition. What follows from a payment or from time has the one from before. */
  readonly offset: number;
}
