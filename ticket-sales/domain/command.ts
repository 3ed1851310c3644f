/** The commands of the `ticketPurchase` topic, as the decisions see them. */
import type { Money } from './money.ts';

interface ZoneAddress {
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
}

export interface CancelCommand extends ZoneAddress {
  readonly kind: 'cancel';
  readonly purchaseId: string;
}

export interface CreateZoneCommand extends ZoneAddress {
  readonly kind: 'createZone';
  readonly capacity: number;
  readonly quantityMax: number;
  readonly price: Money | null;
}

export interface ChangeCapacityCommand extends ZoneAddress {
  readonly kind: 'changeCapacity';
  readonly capacity: number;
}

export interface SetSaleCommand extends ZoneAddress {
  readonly kind: 'openSale' | 'closeSale';
}

export type ZoneCommand = CreateZoneCommand | ChangeCapacityCommand | SetSaleCommand;

export type TicketCommand = PurchaseCommand | CancelCommand | ZoneCommand;

/** Where in the log a command stands: the only time and order a decision knows (invariant 7). */
export interface LogPlace {
  /** Append time of the command's record. */
  readonly nowMs: number;
  readonly offset: number;
}
