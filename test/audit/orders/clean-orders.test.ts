/**
 * Sagas that went right, of the real topology: orders among zones, buyers, a payment side and time. The
 * auditor must not raise anything, and must have had a case of each rule.
 */
import { expect, test } from 'vitest';
import { fromBytes } from '../../../schemas/serde.ts';
import { stringSerde } from '../../../schemas/serdes.ts';
import type { CreateZoneCommand, PaymentUpdate } from '../../../ticket-sales/domain/command.ts';
import type { EventDefinition } from '../../../ticket-sales/domain/event.ts';
import type { PaymentRequest, RefundRequest } from '../../../ticket-sales/domain/payment.ts';
import type { ZoneTerms } from '../../../ticket-sales/domain/zone.ts';
import { PLAIN_TERMS } from '../../../ticket-sales/domain/zone-terms.ts';
import { intakeSerdes } from '../../../ticket-sales/intake/intake-records.ts';
import type { Order, OrderLineRequest } from '../../../ticket-sales/orders/order.ts';
import { orderIdFor } from '../../../ticket-sales/orders/order.ts';
import { ORDER_STORES } from '../../../ticket-sales/orders/order-processor.ts';
import { TOPICS as EVENTS } from '../../../ticket-sales/records.ts';
import { ticketTopology } from '../../../ticket-sales/ticket-topology.ts';
import { auditLog, type MemoryLog, registry, violations } from '../crafted-log.ts';
import { DrivenSale, orders, serdes } from '../driven-sale.ts';
import { numbersFrom } from '../random.ts';
import { idOf } from '../small-sale.ts';

const SAGAS = 300;
const STEPS = 30;
const ORDERS = 5;
const HOLD_MS = 10_000;
const ORDER_OPTIONS = { serdes: orders, partitions: 1 };
const INTAKE = intakeSerdes(registry);
for (const serde of Object.values(INTAKE)) await serde.prepare?.('any', 'value');
const EVENT: EventDefinition = {
  ...{ eventId: 'gala', name: 'Gala', venueId: null, startsAtMs: null },
  ...{ customers: 'anyone', customerMax: 5 },
};
const TERMS: ZoneTerms = { ...PLAIN_TERMS, checkout: 'hold', holdMs: HOLD_MS };

const zone = (zoneId: string, properties: Partial<CreateZoneCommand>): CreateZoneCommand => ({
  kind: 'createZone',
  eventId: 'gala',
  zoneId,
  capacity: 6,
  quantityMax: 4,
  price: { amountMinor: 1_000, currency: 'EUR' },
  terms: TERMS,
  blockedSeats: [],
  ...properties,
});
const ZONES = [
  zone('balcony', {}),
  zone('stalls', { capacity: 8, terms: { ...TERMS, layout: { rows: 2, columns: 4 } } }),
  zone('floor', { terms: null }),
  zone('lobby', { price: null }),
  zone('abroad', { price: { amountMinor: 900, currency: 'CHF' } }),
];
/** Where an order mostly wants to go: the last ones cannot be paid together. */
const USUAL = [0, 0, 0, 1, 1, 1, 2, 3, 4];

class Crowd {
  readonly #sale: DrivenSale;
  readonly #pick: (below: number) => number;
  readonly #toPay: PaymentRequest[] = [];
  readonly #toRefund: RefundRequest[] = [];
  #payments = 0;

  constructor(sale: DrivenSale, pick: (below: number) => number) {
    this.#sale = sale;
    this.#pick = pick;
  }

  async step(): Promise<void> {
    const orderId = idOfOrder(this.#pick(ORDERS));
    switch (this.#pick(16)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
        return this.#place(orderId);
      case 5:
        return this.#sale.order({ kind: 'cancelOrder', orderId });
      case 6:
        return this.#leave(orderId);
      case 7:
        return this.#buyAlone();
      case 8:
        return this.#forge();
      case 9:
        return this.#sale.pass(1_000 + this.#pick(3) * 5_000);
      case 10:
        // Nobody comes by to end what is over by then.
        this.#sale.nowMs += HOLD_MS;
        return undefined;
      case 11:
        return this.#refund();
      default:
        return this.#pay();
    }
  }

  async #place(orderId: string): Promise<void> {
    const isEmpty = this.#pick(30) === 0;
    const lines = isEmpty ? [] : Array.from({ length: 1 + this.#pick(3) }, () => this.#line());
    // Now and then of a zone that is none.
    if (this.#pick(15) === 0) lines.splice(0, 1, { ...this.#line(), zoneId: 'cellar', seats: [] });
    const buyerId = this.#pick(3) === 0 ? 'ben' : 'ada';
    await this.#sale.order({ kind: 'placeOrder', orderId, buyerId, requestedAtMs: 0, lines });
    if (this.#pick(4) > 0) return;
    await this.#sale.order({ kind: 'placeOrder', orderId, buyerId, requestedAtMs: 0, lines });
  }

  #line(): OrderLineRequest {
    const at = USUAL[this.#pick(USUAL.length)]!;
    const { zoneId } = ZONES[at]!;
    const isNamed = zoneId === 'stalls' && this.#pick(2) === 0;
    const seats = isNamed ? [`A${1 + this.#pick(4)}`] : [];
    const quantity = isNamed ? 1 : 1 + this.#pick(2);
    return { eventId: 'gala', zoneId, quantity, seats, placement: 'any', voucher: null };
  }

  /** One line is given back alone. */
  async #leave(orderId: string): Promise<void> {
    const line = this.#sale.stored<Order>(ORDER_STORES.orders, orderId)?.lines[0];
    if (line === undefined) return;
    const { purchaseId, eventId, zoneId } = line;
    const kind = this.#pick(3) === 0 ? 'extendHold' : 'cancel';
    await this.#sale.command({ kind, purchaseId, eventId, zoneId });
  }

  async #buyAlone(): Promise<void> {
    const { eventId, zoneId } = ZONES[this.#pick(ZONES.length)]!;
    const purchaseId = idOf(this.#pick(6));
    const address = { purchaseId, eventId, zoneId };
    const request = {
      buyerId: 'eve',
      quantity: 1 + this.#pick(3),
      requestedAtMs: 0,
      options: null,
    };
    await this.#sale.command({ kind: 'purchase', ...address, ...request });
  }

  /** Names an order of which it is no line, or none at all. */
  async #forge(): Promise<void> {
    const orderId = this.#pick(2) === 0 ? idOfOrder(this.#pick(ORDERS)) : idOfOrder(99);
    const choice = { seats: [], placement: 'any', voucher: null, viaIntake: false } as const;
    await this.#sale.command({
      kind: 'purchase',
      ...{ purchaseId: idOf(10 + this.#pick(4)), eventId: 'gala', zoneId: 'balcony' },
      ...{ buyerId: 'eve', quantity: 1, requestedAtMs: 0, options: { ...choice, orderId } },
    });
  }

  async #pay(): Promise<void> {
    this.#hear();
    const request = this.#pick(3) === 0 ? this.#toPay[0] : this.#toPay.shift();
    if (request === undefined) return this.#payNobody();
    const isSame = this.#pick(4) === 0;
    const paymentId = `pay-${isSame ? this.#payments : ++this.#payments}`;
    const amountMinor = request.amountMinor + (this.#pick(8) === 0 ? 1 : 0);
    const status = this.#pick(6) === 0 ? 'failed' : 'succeeded';
    const update = paymentOf(request, { paymentId, amountMinor, status });
    await this.#sale.payment(update);
    if (this.#pick(4) === 0) await this.#sale.payment(update);
  }

  async #payNobody(): Promise<void> {
    const address = { purchaseId: idOfOrder(77), eventId: 'gala', zoneId: 'balcony' };
    const money = { amountMinor: 700, currency: 'EUR' };
    const request = { ...address, ...money, buyerId: 'ada', dueAtMs: 0, requestedAtMs: 0 };
    await this.#sale.payment(paymentOf(request, { paymentId: `lost-${this.#pick(2)}` }));
  }

  async #refund(): Promise<void> {
    this.#hear();
    const request = this.#toRefund.shift();
    if (request === undefined) return;
    const { paymentId, refundId } = request;
    await this.#sale.payment(paymentOf(request, { paymentId, refundId, status: 'refunded' }));
  }

  /** What the sale asked of the payment side since. */
  #hear(): void {
    const { paymentRequests, refunds } = this.#sale.asked;
    const requests = paymentRequests.splice(0);
    this.#toPay.push(...requests.map((value) => fromBytes(serdes.paymentRequest, value)));
    this.#toRefund.push(
      ...refunds.splice(0).map((value) => fromBytes(serdes.refundRequest, value)),
    );
  }
}

function paymentOf(
  { purchaseId, eventId, zoneId, amountMinor, currency }: PaymentRequest | RefundRequest,
  properties: Partial<PaymentUpdate>,
): PaymentUpdate {
  return {
    kind: 'payment',
    ...{ purchaseId, eventId, zoneId, amountMinor, currency },
    ...{ paymentId: 'pay', status: 'succeeded', refundId: null, detail: null, occurredAtMs: 0 },
    ...properties,
  };
}

function idOfOrder(number: number): string {
  return orderIdFor('ada', `key-${number}`);
}

/** Every third one has the intake between orders and zones, which counts what a buyer has. */
async function newSale(seed: number): Promise<DrivenSale> {
  const options = { commandPartitions: 1, orders: ORDER_OPTIONS };
  const isLimited = seed % 3 === 0;
  const intake = isLimited ? { serdes: INTAKE, partitions: 1 } : undefined;
  const sale = new DrivenSale(ticketTopology(serdes, { ...options, intake }), {
    takesOrders: true,
  });
  for (const each of ZONES) await sale.command(each);
  if (!isLimited) return sale;
  const events = sale.driver.createInputTopic(EVENTS.events, stringSerde, serdes.event);
  await events.pipeInput(EVENT.eventId, EVENT, sale.nowMs);
  await sale.pass(1_000);
  return sale;
}

async function sagaOf(seed: number, seen: Map<string, number>): Promise<MemoryLog> {
  const sale = await newSale(seed);
  const pick = numbersFrom(seed);
  const crowd = new Crowd(sale, pick);
  for (let step = 0; step < STEPS; step++) await crowd.step();
  await sale.pass(2 * HOLD_MS + 4_000);
  for (let number = 0; number < ORDERS; number++) {
    const order = sale.stored<Order>(ORDER_STORES.orders, idOfOrder(number));
    for (const what of order === undefined ? [] : [order.state, order.reason]) {
      seen.set(what, (seen.get(what) ?? 0) + 1);
    }
  }
  return sale.finish();
}

test(`raises nothing on ${SAGAS} logs of orders that went right`, {
  timeout: 300_000,
}, async () => {
  const found: string[] = [];
  const seen = new Map<string, number>();
  const held = new Map<string, number>();
  for (let seed = 0; seed < SAGAS; seed++) {
    const report = await auditLog(await sagaOf(seed, seen), { isSettled: true });
    found.push(...violations(report).map((violation) => `seed ${seed}: ${violation}`));
    if (report.invalid.length > 0) found.push(`seed ${seed}: ${report.invalid[0]}`);
    for (const [rule, { kind }] of report.rules) {
      if (kind === 'held') held.set(rule, (held.get(rule) ?? 0) + 1);
    }
  }
  expect(found).toEqual([]);
  const states = ['confirmed', 'rejected', 'expired', 'released', 'payment_failed', 'cancelled'];
  for (const state of [...states, 'refunded', 'customer_limit']) {
    expect([state, (seen.get(state) ?? 0) > 10]).toEqual([state, true]);
  }
  for (const rule of ['I4', 'I5', 'I7', 'I9', 'I10', 'I12', 'I15', 'I16', 'I24', 'I27']) {
    expect([rule, (held.get(rule) ?? 0) > SAGAS / 2]).toEqual([rule, true]);
  }
});
