/**
 * Buyers of orders of several lines, all or nothing, over HTTP; paid by the sale's own payment service.
 * Judged by what every order and every zone says in the end: whole or nothing, and no hold is left.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Gate } from '../../../bench/gate.ts';
import { expect } from '../scenario.ts';
import { type Crowd, type Judgement, untilStuck } from './crowd.ts';

export interface OrderOptions {
  readonly orders: number;
  readonly ordersPerSecond: number;
  readonly zoneCapacity: number;
}

/** The payment service of the sale: some are declined, some told twice. */
export const ORDER_ENV = {
  TICKETS_ORDERS: 'on',
  PAYMENTS: 'simulated',
  PAYMENT_SIM_DELAY_MS: '300',
  PAYMENT_SIM_DECLINED_PERCENT: '10',
  PAYMENT_SIM_DOUBLED_PERCENT: '10',
} as const;

const DEFAULTS: OrderOptions = { orders: 240, ordersPerSecond: 20, zoneCapacity: 150 };
const ZONES = ['a', 'b', 'c', 'd', 'e', 'f'] as const;
const STUCK_AFTER_MS = 240_000;
const AGAIN_MS = 200;
const ATTEMPT_MS = 15_000;
const AT_ONCE_MAX = 100;
const MOVING = new Set(['requested', 'held', 'paid']);
/** Each must have come to be, else not every way was gone. */
const STATES = ['confirmed', 'rejected', 'payment_failed'] as const;

interface OrderView {
  readonly orderId: string;
  readonly state: string;
  readonly lines: readonly {
    readonly zoneId: string;
    readonly quantity: number;
    readonly state: string;
  }[];
}

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

export class OrderCrowd implements Crowd {
  readonly #httpUrl: string;
  readonly #eventId: string;
  readonly #options: OrderOptions;
  readonly #ids: string[] = [];
  readonly #settled = new Map<string, OrderView>();
  readonly #givenUp = new AbortController();
  #placing: Promise<void> = Promise.resolve();
  #hasFailed: Error | undefined;

  constructor(httpUrl: string, name: string, options: Partial<OrderOptions>) {
    this.#httpUrl = httpUrl;
    this.#eventId = `orders-${name}`;
    this.#options = { ...DEFAULTS, ...options };
  }

  /** Defines event and zones, and lets the buyers come. */
  async begin(): Promise<void> {
    const put = (path: string, body: object) =>
      this.#eventually('PUT', path, body, {}, ({ status }) => status < 300);
    await put(`/v1/events/${this.#eventId}`, { name: 'Orders' });
    for (const zoneId of ZONES) {
      const zone = {
        capacity: this.#options.zoneCapacity,
        price: { amountMinor: 1_000, currency: 'EUR' },
      };
      await put(`/v1/events/${this.#eventId}/zones/${zoneId}`, zone);
    }
    this.#placing = this.#placeAll();
    this.#placing.catch((error: unknown) => {
      this.#hasFailed = error instanceof Error ? error : new Error(String(error));
    });
  }

  /** Orders that are over, one way or the other. */
  get over(): number {
    return this.#settled.size;
  }

  /** Resolves when that share of all orders is over, 0 to 1. Rejects when none is for long. */
  async isOver(share: number): Promise<void> {
    const count = Math.floor(this.#options.orders * share);
    const holds = () => this.over >= count || this.#hasFailed !== undefined;
    await untilStuck(`${count} orders`, holds, () => this.over, STUCK_AFTER_MS);
    if (this.#hasFailed !== undefined) throw this.#hasFailed;
  }

  async judge(): Promise<Judgement> {
    await this.isOver(1);
    await this.#placing;
    const orders = [...this.#settled.values()];
    expect(new Set(this.#ids).size === this.#options.orders, 'an order for each that was placed');
    const sold = new Map<string, number>(ZONES.map((zoneId) => [zoneId, 0]));
    for (const { orderId, state, lines } of orders) {
      if (state !== 'confirmed') continue;
      const isWhole = lines.every((line) => line.state === 'confirmed');
      expect(isWhole, `${orderId} to be sold as a whole: ${JSON.stringify(lines)}`);
      for (const { zoneId, quantity } of lines) sold.set(zoneId, sold.get(zoneId)! + quantity);
    }
    for (const [zoneId, tickets] of sold) await this.#expectStock(zoneId, tickets);
    const states = new Map<string, number>();
    for (const { state } of orders) states.set(state, (states.get(state) ?? 0) + 1);
    for (const state of STATES) expect((states.get(state) ?? 0) > 0, `orders ${state}`);
    const tickets = [...sold.values()].reduce((sum, count) => sum + count, 0);
    const evidence = Object.fromEntries([...states].sort());
    return { asked: orders.length, sold: tickets, evidence };
  }

  abandon(): void {
    this.#givenUp.abort(new Error('the orders are given up'));
  }

  /** The last cancellations may still be on their way into the zone. */
  async #expectStock(zoneId: string, sold: number): Promise<void> {
    const path = `/v1/events/${this.#eventId}/zones/${zoneId}/inventory`;
    const isCalm = ({ status, body }: Answer) => status === 200 && body['held'] === 0;
    let held: unknown;
    const asking = this.#eventually('GET', path, undefined, {}, (answer) => {
      held = answer.body['held'];
      return isCalm(answer);
    });
    const late = sleep(STUCK_AFTER_MS, undefined, { ref: false });
    const answer = await Promise.race([asking, late]);
    expect(answer !== undefined, `no hold to be left in ${zoneId}, not ${String(held)}`);
    const { body } = answer;
    const { zoneCapacity } = this.#options;
    expect(body['sold'] === sold, `${sold} sold in ${zoneId}, not ${String(body['sold'])}`);
    expect(body['available'] === zoneCapacity - sold, `the rest of ${zoneId} to be for sale`);
  }

  async #placeAll(): Promise<void> {
    const { orders, ordersPerSecond } = this.#options;
    const gate = new Gate(AT_ONCE_MAX);
    const beganMs = performance.now();
    for (let number = 0; number < orders; number++) {
      const dueMs = beganMs + (number * 1_000) / ordersPerSecond;
      if (dueMs > performance.now()) await sleep(dueMs - performance.now());
      await gate.enter();
      gate.leaveAfter(this.#placeAndFollow(number));
    }
    await gate.empty();
  }

  async #placeAndFollow(number: number): Promise<void> {
    const first = await this.#place(number);
    // A buyer who is not sure: the same key is the same order.
    if (number % 10 === 0) {
      const second = await this.#place(number);
      expect(second === first, `the same order, not ${first} and ${second}`);
    }
    this.#ids.push(first);
    const isOver = ({ status, body }: Answer) =>
      status === 200 && !MOVING.has(String(body['state']));
    const { body } = await this.#eventually('GET', `/v1/orders/${first}`, undefined, {}, isOver);
    this.#settled.set(first, body as unknown as OrderView);
  }

  async #place(number: number): Promise<string> {
    const lines = ZONES.filter((_, index) => (number + index) % 3 !== 0).map((zoneId) => {
      return { eventId: this.#eventId, zoneId, quantity: 1 + (number % 3) };
    });
    const order = { buyerId: `buyer-${number}`, lines };
    const isTaken = ({ body }: Answer) => typeof body['orderId'] === 'string';
    const headers = { 'idempotency-key': `order-${number}` };
    const { body } = await this.#eventually('POST', '/v1/orders', order, headers, isTaken);
    return String(body['orderId']);
  }

  /** Until it answers so: the process may be away. Rejects when the orders are given up. */
  async #eventually(
    method: string,
    path: string,
    body: object | undefined,
    headers: Readonly<Record<string, string>>,
    isIt: (answer: Answer) => boolean,
  ): Promise<Answer> {
    for (;;) {
      this.#givenUp.signal.throwIfAborted();
      const answer = await this.#ask(method, path, body, headers);
      if (answer !== undefined && isIt(answer)) return answer;
      await sleep(AGAIN_MS);
    }
  }

  async #ask(
    method: string,
    path: string,
    body: object | undefined,
    headers: Readonly<Record<string, string>>,
  ): Promise<Answer | undefined> {
    try {
      const answer = await fetch(`${this.#httpUrl}${path}`, {
        method,
        headers: { 'content-type': 'application/json', ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(ATTEMPT_MS),
      });
      return {
        status: answer.status,
        body: (await answer.json()) as Record<string, unknown>,
      };
    } catch {
      return undefined;
    }
  }
}
