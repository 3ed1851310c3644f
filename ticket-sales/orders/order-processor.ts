/**
 * Carries the saga out: reads the order, asks the pure functions, writes it back and sends what they
 * want sent, all in one transaction. One key is one order; everything that an order hears comes to
 * its partition.
 */

import { unreachable } from '../../base/assert.ts';
import type { KeyValueStore } from '../../stores/state-store.ts';
import type { Processor, ProcessorContext, StreamRecord } from '../../topology/processor.ts';
import type { PurchaseChange } from '../domain/command.ts';
import type { NotificationRequest } from '../domain/notification.ts';
import type { PaymentRequest, RefundRequest } from '../domain/payment.ts';
import { zoneKey } from '../domain/zone.ts';
import { LogTime } from '../log-time.ts';
import { CommandRefused, mustBelongTo } from '../sale/command-refused.ts';
import { Deadlines } from './deadlines.ts';
import { decideCancelOrder, decideDeadline, decideLine } from './decide-order.ts';
import { decideOrderPayment } from './decide-order-payment.ts';
import { decidePlaceOrder } from './decide-place-order.ts';
import { isOrderId, type Order } from './order.ts';
import type { OrderCommand, OrderProgress } from './order-command.ts';
import type { OrderDecision, OrderEffect } from './order-decision.ts';
import { notificationsOf } from './order-notifications.ts';

export const ORDER_STORES = { orders: 'orders', deadlines: 'order-deadlines' } as const;
export const ORDER_SINKS = {
  status: 'order-status',
  commands: 'order-purchases',
  paymentRequests: 'order-payment-requests',
  refundRequests: 'order-refund-requests',
  notificationRequests: 'order-notification-requests',
} as const;

export interface OrderProcessorOptions {
  /** How many the topic of orders has. */
  readonly partitions: number;
  /** The child that takes commands for zones to the intake; undefined = there is none. */
  readonly linesSink?: string | undefined;
}

const TICK_MS = 1_000;
/** Orders that one tick ends at most: their partition goes on meanwhile. */
const DUE_PER_TICK = 500;

type Heard = OrderCommand | OrderProgress;
type Request = PaymentRequest | RefundRequest | NotificationRequest;
type Said = Order | PurchaseChange | Request;

export class OrderProcessor implements Processor<string, Heard, string, Said> {
  readonly #options: OrderProcessorOptions;
  readonly #logTime = new LogTime();
  #context!: ProcessorContext<string, Said>;
  #orders!: KeyValueStore<string, Order>;
  #deadlines!: Deadlines;

  constructor(options: OrderProcessorOptions) {
    this.#options = options;
  }

  init(context: ProcessorContext<string, Said>): void {
    this.#context = context;
    this.#orders = context.getStateStore(ORDER_STORES.orders);
    this.#deadlines = new Deadlines(context.getStateStore(ORDER_STORES.deadlines));
    context.schedule(TICK_MS, 'wall-clock-time', () => this.#endDueOrders());
  }

  process({ key, value, timestampMs: nowMs }: StreamRecord<string, Heard>): void {
    const order = this.#orders.get(key);
    this.#carryOut(order, this.#decide(key, order, value, nowMs), nowMs);
  }

  #decide(key: string, order: Order | undefined, heard: Heard, nowMs: number): OrderDecision {
    const place = { nowMs, offset: this.#context.recordMetadata()?.offset ?? -1 };
    switch (heard.kind) {
      case 'placeOrder':
        if (order === undefined) this.#mustBelongHere(key, heard.orderId);
        return decidePlaceOrder(order, heard, place);
      case 'cancelOrder':
        if (order === undefined) this.#mustBelongHere(key, heard.orderId);
        return decideCancelOrder(order, place);
      case 'line':
        return decideLine(order && toldOf(order, heard.notify), heard.purchase, place);
      case 'payment':
        return decideOrderPayment(order, heard.payment, place);
      default:
        return unreachable(heard);
    }
  }

  async #endDueOrders(): Promise<void> {
    const nowMs = this.#logTime.nowMs(this.#context);
    for (const orderId of await this.#deadlines.due(nowMs, DUE_PER_TICK)) {
      const order = this.#orders.get(orderId);
      if (order !== undefined) this.#carryOut(order, decideDeadline(order, nowMs), nowMs);
    }
  }

  /** Elsewhere it would never hear of its lines: they are told where its id belongs. */
  #mustBelongHere(key: string, orderId: string): void {
    if (key !== orderId) throw new CommandRefused('the key is not the orderId of the value');
    if (!isOrderId(orderId)) throw new CommandRefused('orderId is not order- and a UUID');
    mustBelongTo(this.#context.partition, key, this.#options.partitions);
  }

  #carryOut(before: Order | undefined, decision: OrderDecision, nowMs: number): void {
    switch (decision.kind) {
      case 'refused':
        throw new CommandRefused(decision.why);
      case 'ignored':
        break;
      case 'repeated':
      case 'conflict':
        this.#announce(decision.order, nowMs);
        break;
      case 'stray':
        this.#send(decision.effects, nowMs);
        break;
      case 'decided': {
        const { order, effects } = decision;
        this.#orders.put(order.orderId, order);
        this.#deadlines.move(order.orderId, before?.deadlineMs ?? 0, order.deadlineMs);
        this.#announce(order, nowMs);
        this.#send(effects, nowMs, order.buyerId);
        this.#notify(before, order, nowMs);
        break;
      }
      default:
        unreachable(decision);
    }
  }

  #announce(order: Order, nowMs: number): void {
    this.#forward(order.orderId, order, nowMs, ORDER_SINKS.status);
  }

  /**
   * All commands of an order take the same way, so that they come in the order in which they are sent.
   * `buyerId`: of the order; undefined = of none, and the zone knows the purchase already.
   */
  #send(effects: readonly OrderEffect[], nowMs: number, buyerId?: string): void {
    const { linesSink } = this.#options;
    for (const effect of effects) {
      if (effect.kind === 'command' && linesSink !== undefined && buyerId !== undefined) {
        this.#forward(buyerId, effect.command, nowMs, linesSink);
        continue;
      }
      const value = effect.kind === 'command' ? effect.command : effect.request;
      const key = zoneKey(value.eventId, value.zoneId);
      this.#forward(key, value, nowMs, sinkOf(effect));
    }
  }

  #notify(before: Order | undefined, after: Order, nowMs: number): void {
    for (const request of notificationsOf(before, after, nowMs)) {
      const key = zoneKey(request.eventId, request.zoneId);
      this.#forward(key, request, nowMs, ORDER_SINKS.notificationRequests);
    }
  }

  #forward(key: string, value: Said, timestampMs: number, sink: string): void {
    this.#context.forward({ key, value, timestampMs, headers: [] }, sink);
  }
}

/** One zone that asks for notifications is enough. */
function toldOf(order: Order, notify: boolean): Order {
  return order.notify || !notify ? order : { ...order, notify };
}

function sinkOf(effect: OrderEffect): string {
  switch (effect.kind) {
    case 'command':
      return ORDER_SINKS.commands;
    case 'requestPayment':
      return ORDER_SINKS.paymentRequests;
    case 'requestRefund':
      return ORDER_SINKS.refundRequests;
    default:
      return unreachable(effect);
  }
}
