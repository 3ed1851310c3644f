/**
 * What must be true of one order, from what was announced of it and of its lines: a way that orders may
 * go, one end, and all or nothing at that end. It predicts nothing and shares no decision with the app.
 */
import type { Purchase } from '../../../ticket-sales/domain/purchase.ts';
import type { Order, OrderState } from '../../../ticket-sales/orders/order.ts';
import type { PlaceOrderCommand } from '../../../ticket-sales/orders/order-command.ts';

const LEGAL: Readonly<Record<OrderState, readonly OrderState[]>> = {
  requested: ['held', 'paid', 'rejected', 'expired', 'released'],
  held: ['paid', 'payment_failed', 'expired', 'released'],
  paid: ['confirmed', 'cancelled'],
  confirmed: ['cancelled'],
  cancelled: ['refunded'],
  rejected: [],
  expired: [],
  released: [],
  payment_failed: [],
  refunded: [],
};
const FIRST: readonly OrderState[] = ['requested', 'rejected'];
const UNSETTLED: readonly OrderState[] = ['requested', 'held', 'paid'];
/** What may be asked of a zone for a line; who is refused before he gets there is refused there. */
type LineCommand = 'purchase' | 'rejectPurchase' | 'confirmHold' | 'cancel';

/** What the logs say of an order beside its own announcements. */
export interface OrderFacts {
  readonly placed: PlaceOrderCommand;
  readonly isCancelled: boolean;
  readonly hasFailedPayment: boolean;
  /** As it was announced last. */
  purchase(purchaseId: string): Purchase | undefined;
  /** Has it ever been announced so? */
  was(purchaseId: string, state: Purchase['state']): boolean;
  /** Commands that the app sent for a line by itself. */
  sentFor(purchaseId: string, kind: LineCommand): number;
  /** A buyer has given the line back at its zone. */
  isGivenBack(purchaseId: string): boolean;
}

export class OrderTrail {
  readonly violations: string[] = [];
  readonly states = new Set<OrderState>();
  #last: Order | undefined;
  /** When it was held. */
  #held: Order | undefined;

  get last(): Order | undefined {
    return this.#last;
  }

  /** As it was when it asked to be paid. */
  get held(): Order | undefined {
    return this.#held;
  }

  announced(order: Order): void {
    const before = this.#last;
    this.#last = order;
    this.states.add(order.state);
    if (order.state === 'held') this.#held ??= order;
    const { state } = order;
    const isLegal =
      before === undefined
        ? FIRST.includes(state)
        : state === before.state || LEGAL[before.state].includes(state);
    if (!isLegal) this.#tell(`is ${state} after ${before?.state ?? 'nothing'}`);
    const isDue = before === undefined || order.decidedAtMs >= before.deadlineMs;
    if (state === 'expired' && before?.state !== state && order.decidingLine === null && !isDue) {
      this.#tell(`ends at ${order.decidedAtMs}, before ${before?.deadlineMs}`);
    }
  }

  /** Everything has drained. */
  end(facts: OrderFacts): void {
    const order = this.#last;
    const { placed } = facts;
    if (order === undefined) {
      this.violations.push(`${placed.orderId} was placed and never answered`);
      return;
    }
    if (UNSETTLED.includes(order.state)) this.#tell('has no end');
    this.#request(order, placed);
    if (isUsable(placed)) this.#lines(order, facts);
    else if (order.state !== 'rejected') this.#tell('asks for no ticket');
    else if (order.lines.some(({ purchaseId }) => facts.purchase(purchaseId) !== undefined)) {
      this.#tell('was refused, and its lines were asked for');
    }
    this.#cause(order, facts);
  }

  /** Whoever came first under this key, with what he asked for. */
  #request(order: Order, { buyerId, lines }: PlaceOrderCommand): void {
    const wanted = [
      buyerId,
      ...lines.map(({ zoneId, quantity, seats }) => [zoneId, quantity, seats]),
    ];
    const { buyerId: buyer, lines: found } = order;
    const has = [buyer, ...found.map(({ zoneId, quantity, seats }) => [zoneId, quantity, seats])];
    if (JSON.stringify(has) !== JSON.stringify(wanted)) this.#tell('is not what was asked for');
  }

  #lines(order: Order, facts: OrderFacts): void {
    for (const { purchaseId, state, quantity, isGivenBack } of order.lines) {
      const purchase = facts.purchase(purchaseId);
      if (purchase === undefined) {
        this.#tell(`has a line ${purchaseId} that its zone never answered`);
        continue;
      }
      const { checkout } = purchase;
      if (checkout?.orderId !== order.orderId || purchase.quantity !== quantity) {
        this.#tell(`has a line ${purchaseId} that is something else`);
      }
      if (purchase.state !== state)
        this.#tell(`takes ${purchaseId}, ${purchase.state}, for ${state}`);
      this.#ends(order, purchase, facts);
      this.#commands(purchaseId, isGivenBack, facts);
    }
    const isOneLeft = order.lines.some(({ state }) => state === 'confirmed');
    if (order.state === 'confirmed' && !isOneLeft) this.#tell('has no line that is confirmed');
  }

  /** Confirmed with all its lines, but for those that were given back later; or with none. */
  #ends(order: Order, { purchaseId, state }: Purchase, facts: OrderFacts): void {
    if (order.state !== 'confirmed') {
      if (state === 'held' || state === 'confirmed') this.#tell(`leaves ${purchaseId} ${state}`);
      return;
    }
    if (!facts.was(purchaseId, 'confirmed')) this.#tell(`never had ${purchaseId} confirmed`);
    const isGivenBack = state === 'cancelled' && facts.isGivenBack(purchaseId);
    if (state !== 'confirmed' && !isGivenBack) this.#tell(`has ${purchaseId} ${state}`);
  }

  /** Each once: what is decided again was decided in a transaction that has not been. */
  #commands(purchaseId: string, isGivenBack: boolean, facts: OrderFacts): void {
    const times = (...kinds: LineCommand[]) =>
      kinds.reduce((sum, kind) => sum + facts.sentFor(purchaseId, kind), 0);
    const asked = times('purchase', 'rejectPurchase');
    if (asked !== 1) this.#tell(`asked for ${purchaseId} ${asked} times`);
    const confirmed = times('confirmHold');
    const mustConfirm = this.states.has('paid') ? 1 : 0;
    if (confirmed !== mustConfirm) this.#tell(`confirmed ${purchaseId} ${confirmed} times`);
    const cancelled = times('cancel');
    const mustCancel = isGivenBack ? 1 : 0;
    if (cancelled !== mustCancel) this.#tell(`gave ${purchaseId} back ${cancelled} times`);
  }

  /** Each end has its cause in the logs. */
  #cause(order: Order, facts: OrderFacts): void {
    const { state, lines } = order;
    const isAny = (...states: Purchase['state'][]) =>
      lines.some(({ purchaseId }) => states.some((each) => facts.was(purchaseId, each)));
    const isOneGivenBack = lines.some(({ purchaseId }) => facts.isGivenBack(purchaseId));
    const currencies = new Set(lines.flatMap(({ price }) => price?.currency ?? []));
    if (state === 'rejected' && isUsable(facts.placed)) {
      if (!isAny('rejected') && currencies.size < 2) this.#tell('is rejected without a cause');
    }
    if (state === 'payment_failed' && !facts.hasFailedPayment)
      this.#tell('has no payment that failed');
    const isLeft = facts.isCancelled || isOneGivenBack;
    if (state === 'released' && !isLeft) this.#tell('is released, and nobody gave it back');
    const isOver = this.states.has('cancelled');
    if (isOver && !isLeft && !isAny('expired')) this.#tell('is cancelled without a cause');
  }

  #tell(what: string): void {
    this.violations.push(`${this.#last?.orderId}, ${this.#last?.state}, ${what}`);
  }
}

function isUsable({ lines }: PlaceOrderCommand): boolean {
  return lines.every(({ quantity }) => quantity > 0);
}
