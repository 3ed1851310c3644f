/**
 * Buyers: they order in several zones, ask again, ask for something else under the same key, give orders
 * and single lines back; others buy the same tickets alone, at the zone or through the intake. Each looks
 * at what becomes of it.
 */
import { fromBytes } from '../../../schemas/serde.ts';
import type { SimulatedRun } from '../../../simulation/scenario.ts';
import { between, chance, pick } from '../../../simulation/world/draw.ts';
import type { TicketCommand } from '../../../ticket-sales/domain/command.ts';
import type { PurchaseState } from '../../../ticket-sales/domain/purchase.ts';
import { zoneKey } from '../../../ticket-sales/domain/zone.ts';
import { type OrderState, orderIdFor } from '../../../ticket-sales/orders/order.ts';
import type {
  OrderCommand,
  PlaceOrderCommand,
} from '../../../ticket-sales/orders/order-command.ts';
import { ORDER_TOPICS } from '../../../ticket-sales/orders/order-records.ts';
import { TOPICS } from '../../../ticket-sales/records.ts';
import { type Extent, IN_TOPICS, serdes } from './app.ts';
import { Follower } from './follower.ts';
import { PaymentSide } from './payment-side.ts';
import { SalePlan } from './plan.ts';
import { Sender } from './sender.ts';

const LOOK_MS = 200;
const UNSETTLED: ReadonlySet<OrderState | PurchaseState> = new Set(['requested', 'held', 'paid']);

export class OrderBuyers {
  readonly extent: Extent;
  readonly plan: SalePlan;
  readonly sender: Sender;
  readonly #run: SimulatedRun;
  readonly #payments: PaymentSide;
  readonly #follower: Follower;
  /** Of orders and purchases that were asked for: as they were announced last. */
  readonly #states = new Map<string, OrderState | PurchaseState>();
  /** Lines of orders, as they were heard of. */
  readonly #lines = new Map<string, readonly string[]>();
  /** What nobody could read to its end any more: the log has lost what it had shown. */
  readonly failures: string[] = [];

  constructor(run: SimulatedRun, extent: Extent) {
    this.#run = run;
    this.extent = extent;
    this.plan = new SalePlan(run.random, run.faultsMs);
    this.sender = new Sender(run);
    this.#payments = new PaymentSide(run, this.sender);
    this.#follower = new Follower(run, {
      [TOPICS.paymentRequests]: (value) =>
        this.#payments.asked(fromBytes(serdes.paymentRequest, value)),
      [TOPICS.refundRequests]: (value) =>
        this.#payments.askedToRefund(fromBytes(serdes.refundRequest, value)),
      [TOPICS.purchaseStatus]: (value) => {
        const { purchaseId, state } = fromBytes(serdes.purchase, value);
        this.#states.set(purchaseId, state);
      },
      [ORDER_TOPICS.orderStatus]: (value) => {
        const { orderId, state, lines } = fromBytes(serdes.order, value);
        this.#states.set(orderId, state);
        this.#lines.set(
          orderId,
          lines.map(({ purchaseId }) => purchaseId),
        );
      },
    });
  }

  /** Until each order and each purchase has come to its end, and everybody has said what he had to say. */
  async feed(): Promise<void> {
    const followed = this.#follower.follow().catch((error: Error) => {
      this.failures.push(`what was announced cannot be followed: ${error.message}`);
    });
    await this.#trade();
    while (!this.#isSettled()) await this.#run.clock.sleep(LOOK_MS);
    this.#follower.stop();
    await this.#payments.close();
    await followed;
  }

  #isSettled(): boolean {
    if (this.failures.length > 0) return true;
    if (!this.#payments.isIdle) return false;
    return [...this.#states.values()].every((state) => !UNSETTLED.has(state));
  }

  async #trade(): Promise<void> {
    const { clock, random, faultsMs } = this.#run;
    const running = [this.#open()];
    if (this.#chance(0.7)) await Promise.all(running);
    const { orders, purchases } = this.plan;
    const all = orders + purchases;
    let ordersLeft = orders;
    for (let number = 0; number < all; number++) {
      await clock.sleep(between(random, 0, (2 * faultsMs) / all));
      const isOrder = pick(random, 1, all - number) <= ordersLeft;
      if (isOrder) ordersLeft--;
      running.push(isOrder ? this.#order(`${number}`) : this.#buy(`${number}`));
    }
    if (this.#chance(0.3)) running.push(this.#strayPayment());
    await Promise.all(running);
  }

  async #open(): Promise<void> {
    const opening = this.plan.zones.map((zone) => this.#command(zone));
    if (this.extent === 'everything') opening.push(...this.#define());
    await Promise.all(opening);
  }

  #define(): Promise<void>[] {
    const { events, customers } = this.plan;
    return [
      ...events.map((event) => this.sender.send(TOPICS.events, serdes.event, event.eventId, event)),
      ...customers.map((customerId) => {
        const customer = { customerId, name: customerId, email: null };
        return this.sender.send(TOPICS.customers, serdes.customer, customerId, customer);
      }),
    ];
  }

  async #order(key: string): Promise<void> {
    const { clock } = this.#run;
    const order = this.plan.order(key, clock.nowMs());
    const { orderId, buyerId } = order;
    this.#states.set(orderId, 'requested');
    await this.#orderCommand(order);
    if (this.#chance(0.2)) await this.#orderCommand(order);
    if (this.#chance(0.1)) {
      await this.#pause(500);
      await this.#orderCommand(this.plan.order(key, clock.nowMs(), buyerId));
    }
    const fate = this.#run.random.next();
    if (fate < 0.2) {
      await this.#pause(2_500);
      await this.#orderCommand({ kind: 'cancelOrder', orderId });
      if (this.#chance(0.3)) await this.#orderCommand({ kind: 'cancelOrder', orderId });
    } else if (fate < 0.35) {
      await this.#pause(2_500);
      await this.#cancelLine(order);
    }
  }

  /** At its zone, past the order. */
  async #cancelLine({ orderId, lines }: PlaceOrderCommand): Promise<void> {
    const number = pick(this.#run.random, 0, lines.length - 1);
    const purchaseId = this.#lines.get(orderId)?.[number];
    if (purchaseId === undefined) return;
    const { eventId, zoneId } = lines[number]!;
    await this.#command({ kind: 'cancel', eventId, zoneId, purchaseId });
  }

  async #buy(key: string): Promise<void> {
    const command = this.plan.purchase(key, this.#run.clock.nowMs());
    const { eventId, zoneId, purchaseId, buyerId } = command;
    const isByIntake = this.extent === 'everything' && this.#chance(0.5);
    const ask = () =>
      isByIntake
        ? this.sender.send(IN_TOPICS.intake, serdes.command, buyerId, command)
        : this.#command(command);
    this.#states.set(purchaseId, 'requested');
    await ask();
    if (this.#chance(0.2)) await ask();
    if (!this.#chance(0.3)) return;
    await this.#pause(1_500);
    // Before that it may still be at the intake, and its cancellation would come too early.
    if (isByIntake && this.#states.get(purchaseId) === 'requested') return;
    await this.#command({ kind: 'cancel', eventId, zoneId, purchaseId });
    if (this.#chance(0.3)) await ask();
  }

  /** For an order that nobody has placed. */
  #strayPayment(): Promise<void> {
    const { eventId, zoneId } = this.plan.zones[0]!;
    const purchaseId = orderIdFor('nobody', 'nothing');
    const money = { amountMinor: 4_500, currency: 'EUR' };
    const requestedAtMs = this.#run.clock.nowMs();
    return this.#payments.stray({ purchaseId, eventId, zoneId, ...money, requestedAtMs });
  }

  #command(command: TicketCommand): Promise<void> {
    const key = zoneKey(command.eventId, command.zoneId);
    return this.sender.send(IN_TOPICS.commands, serdes.command, key, command);
  }

  #orderCommand(command: OrderCommand): Promise<void> {
    return this.sender.send(IN_TOPICS.orders, serdes.orderCommand, command.orderId, command);
  }

  #chance(probability: number): boolean {
    return chance(this.#run.random, probability);
  }

  #pause(maxMs: number): Promise<void> {
    return this.#run.clock.sleep(between(this.#run.random, 0, maxMs));
  }
}
