/** What an order is told: by buyers (the topic of orders), and by the sale (its progress). */
import type { PaymentUpdate } from '../domain/command.ts';
import type { Purchase } from '../domain/purchase.ts';
import type { OrderLineRequest } from './order.ts';

export interface PlaceOrderCommand {
  readonly kind: 'placeOrder';
  readonly orderId: string;
  readonly buyerId: string;
  /** The buyer's side's clock: information only. */
  readonly requestedAtMs: number;
  readonly lines: readonly OrderLineRequest[];
}

/** Gives everything back: before the payment it is released, after it cancelled and refunded. */
export interface CancelOrderCommand {
  readonly kind: 'cancelOrder';
  readonly orderId: string;
}

export type OrderCommand = PlaceOrderCommand | CancelOrderCommand;

/** What the sale hears first and an order must know: written by the sale's own tasks only. */
export type OrderProgress =
  /** `notify`: its zone asks for notifications. */
  | { readonly kind: 'line'; readonly purchase: Purchase; readonly notify: boolean }
  | { readonly kind: 'payment'; readonly payment: PaymentUpdate };
