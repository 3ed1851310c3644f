/** What the saga decides: the order as it is then, and what the processor has to send. */
import type { CancelCommand, ConfirmHoldCommand, PurchaseCommand } from '../domain/command.ts';
import type { PaymentRequest, RefundRequest } from '../domain/payment.ts';
import type { Order } from './order.ts';

export type OrderEffect =
  | {
      readonly kind: 'command';
      readonly command: PurchaseCommand | CancelCommand | ConfirmHoldCommand;
    }
  | { readonly kind: 'requestPayment'; readonly request: PaymentRequest }
  | { readonly kind: 'requestRefund'; readonly request: RefundRequest };

export interface OrderChange {
  readonly order: Order;
  readonly effects: readonly OrderEffect[];
}

export type OrderDecision =
  | ({ readonly kind: 'decided' } & OrderChange)
  /** Known already, or another request under the same id: say how it is, change nothing. */
  | { readonly kind: 'repeated' | 'conflict'; readonly order: Order }
  /** Nothing that an order needs to know. */
  | { readonly kind: 'ignored' }
  /** Of no order: what is to be done about it. */
  | { readonly kind: 'stray'; readonly effects: readonly OrderEffect[] }
  /** Why not, for the dead letter. */
  | { readonly kind: 'refused'; readonly why: string };

export function decided({ order, effects }: OrderChange): OrderDecision {
  return { kind: 'decided', order, effects };
}
