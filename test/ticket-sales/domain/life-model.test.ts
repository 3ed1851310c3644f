/**
 * Any order of purchases, payments, refunds, changes and time, with every kind of repetition and
 * mistake, against what must hold after each of them. The books are this test's own.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type {
  PaymentUpdate,
  PurchaseChange,
  PurchaseOptions,
} from '../../../ticket-sales/domain/command.ts';
import { decide } from '../../../ticket-sales/domain/decisions/decide.ts';
import { decideExpiry, isDue } from '../../../ticket-sales/domain/decisions/decide-change.ts';
import { decidePayment } from '../../../ticket-sales/domain/decisions/decide-payment.ts';
import type { PurchaseDecision } from '../../../ticket-sales/domain/decisions/decide-purchase.ts';
import type { ZoneFacts } from '../../../ticket-sales/domain/decisions/facts.ts';
import type { Refund } from '../../../ticket-sales/domain/payment.ts';
import type { Purchase, PurchaseState } from '../../../ticket-sales/domain/purchase.ts';
import type { Voucher } from '../../../ticket-sales/domain/voucher.ts';
import type { Zone } from '../../../ticket-sales/domain/zone.ts';
import { PLAIN_TERMS } from '../../../ticket-sales/domain/zone-terms.ts';
import { NO_FACTS, zoneWith } from './samples.ts';

const ADDRESS = { eventId: 'gala', zoneId: 'floor' } as const;
const HOLD_MS = 50;
const CODE = 'HALF';

/** Few ids, so that they meet again. */
const purchaseId = fc.constantFrom('p1', 'p2', 'p3', 'p4', 'p5');
const paymentId = fc.constantFrom('m1', 'm2', 'm3');

const options: fc.Arbitrary<PurchaseOptions | null> = fc.oneof(
  { weight: 3, arbitrary: fc.constant(null) },
  {
    weight: 2,
    arbitrary: fc.record({
      seats: fc.constant([]),
      placement: fc.constant('any' as const),
      voucher: fc.constantFrom(null, CODE, 'NONE'),
      orderId: fc.constantFrom(null, null, 'order-1'),
      viaIntake: fc.constant(false),
    }),
  },
);

/** Payments name no amount: it is looked up, and then it is right or wrong. */
type Step =
  | { readonly kind: 'change'; readonly command: PurchaseChange }
  | {
      readonly kind: 'pay';
      readonly purchaseId: string;
      readonly paymentId: string;
      readonly status: 'succeeded' | 'failed';
      readonly wrong: 'no' | 'amount' | 'currency';
    }
  | { readonly kind: 'refund'; readonly index: number }
  | { readonly kind: 'time'; readonly durationMs: number; readonly isSwept: boolean };

const changeOf = (command: fc.Arbitrary<PurchaseChange>) =>
  fc.record({ kind: fc.constant('change' as const), command });
const constant = <T extends string>(value: T) => fc.constant(value);

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: changeOf(
      fc.record({
        kind: constant('purchase'),
        eventId: constant(ADDRESS.eventId),
        zoneId: constant(ADDRESS.zoneId),
        purchaseId,
        buyerId: fc.constantFrom('ada', 'bob'),
        quantity: fc.integer({ min: 1, max: 4 }),
        requestedAtMs: fc.constant(0),
        options,
      }),
    ),
  },
  {
    weight: 3,
    arbitrary: changeOf(
      fc.record({
        kind: fc.constantFrom('cancel' as const, 'extendHold' as const),
        eventId: constant(ADDRESS.eventId),
        zoneId: constant(ADDRESS.zoneId),
        purchaseId,
      }),
    ),
  },
  {
    weight: 1,
    arbitrary: changeOf(
      fc.record({
        kind: constant('confirmHold'),
        eventId: constant(ADDRESS.eventId),
        zoneId: constant(ADDRESS.zoneId),
        purchaseId,
        orderId: fc.constantFrom('order-1', 'order-2'),
      }),
    ),
  },
  {
    weight: 7,
    arbitrary: fc.record({
      kind: constant('pay'),
      purchaseId: fc.oneof({ weight: 9, arbitrary: purchaseId }, constant('nobody')),
      paymentId,
      status: fc.constantFrom('succeeded' as const, 'succeeded' as const, 'failed' as const),
      wrong: fc.oneof(
        { weight: 4, arbitrary: constant('no') },
        constant('amount'),
        constant('currency'),
      ),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: constant('refund'), index: fc.nat(9) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: constant('time'),
      durationMs: fc.integer({ min: 1, max: HOLD_MS }),
      isSwept: fc.boolean(),
    }),
  },
);

/** What an outcome may become, by whatever it may be caused. */
const NEXT: Readonly<Record<PurchaseState, readonly PurchaseState[]>> = {
  requested: [],
  held: ['confirmed', 'expired', 'released', 'payment_failed'],
  confirmed: ['cancelled'],
  rejected: [],
  expired: ['confirmed'],
  released: [],
  payment_failed: [],
  cancelled: ['refunded'],
  refunded: [],
};

class Books {
  zone: Zone;
  readonly purchases = new Map<string, Purchase>();
  readonly vouchers = new Map<string, Voucher>();
  readonly buyers = new Map<string, number>();
  readonly refunds = new Map<string, Refund>();
  readonly holds = new Set<string>();
  /** Asked for, in order: every id once. */
  readonly asked: string[] = [];
  /** By `<purchaseId>/<paymentId>`: what came, as it was told first. */
  readonly received = new Map<string, PaymentUpdate>();
  nowMs = 1_000;
  offset = 0;
  readonly seen = new Map<string, number>();

  constructor(latePayment: 'refund' | 'retake') {
    this.zone = zoneWith({
      capacity: 8,
      quantityMax: 3,
      price: { amountMinor: 101, currency: 'EUR' },
      terms: {
        ...PLAIN_TERMS,
        checkout: 'hold',
        holdMs: HOLD_MS,
        latePayment,
        customerMax: 5,
        fees: { perTicketMinor: 3, perPurchaseMinor: 7 },
        tiers: [{ fromSoldPermille: 500, amountMinor: 151 }],
        notify: true,
      },
    });
    const terms = { percentOff: 50, amountOffMinor: 10, uses: 0, usesMax: 2 };
    this.vouchers.set(CODE, { ...ADDRESS, code: CODE, ...terms });
  }

  readonly facts: ZoneFacts = {
    ...NO_FACTS,
    ticketsOf: (buyerId) => this.buyers.get(buyerId) ?? 0,
    voucher: (code) => this.vouchers.get(code),
    refund: (refundId) => this.refunds.get(refundId),
  };

  take(step: Step): void {
    this.nowMs++;
    this.offset++;
    const place = { nowMs: this.nowMs, offset: this.offset };
    switch (step.kind) {
      case 'change': {
        const { command } = step;
        const previous = this.purchases.get(command.purchaseId);
        this.#carryOut(decide(this.zone, previous, command, place, this.facts));
        break;
      }
      case 'pay':
        this.#pay(step);
        break;
      case 'refund': {
        const refund = [...this.refunds.values()].at(-1 - (step.index % (this.refunds.size || 1)));
        if (refund === undefined) break;
        const { purchaseId, paymentId, amountMinor, currency, refundId } = refund;
        const told = { purchaseId, paymentId, amountMinor, currency, refundId };
        this.#hear({ ...update, ...told, status: 'refunded' });
        break;
      }
      case 'time':
        this.nowMs += step.durationMs;
        if (step.isSwept) this.sweep();
    }
  }

  sweep(): void {
    const cause = { nowMs: this.nowMs, commandOffset: undefined };
    for (const purchase of this.purchases.values()) {
      if (isDue(purchase, this.nowMs)) {
        this.#carryOut(decideExpiry(this.zone, purchase, cause, this.facts));
      }
    }
  }

  #pay({ purchaseId, paymentId, status, wrong }: Extract<Step, { kind: 'pay' }>): void {
    const key = `${purchaseId}/${paymentId}`;
    const price = this.purchases.get(purchaseId)?.price ?? { amountMinor: 333, currency: 'EUR' };
    // The same payment again is the same record, whatever was wrong with it.
    const told = this.received.get(key) ?? {
      ...update,
      purchaseId,
      paymentId,
      amountMinor: price.amountMinor + (wrong === 'amount' ? 1 : 0),
      currency: wrong === 'currency' ? 'USD' : price.currency,
    };
    if (status === 'succeeded') this.received.set(key, told);
    this.#hear({ ...told, status });
  }

  #hear(told: PaymentUpdate): void {
    const place = { nowMs: this.nowMs, offset: this.offset };
    const found = this.purchases.get(told.purchaseId);
    this.#carryOut(decidePayment(this.zone, found, told, place, this.facts));
  }

  #carryOut(decision: PurchaseDecision): void {
    this.#count(decision.kind);
    if (decision.kind === 'repeated' || decision.kind === 'conflict') return;
    if (decision.kind === 'refused') return;
    const { consequences = {} } = decision;
    if (consequences.refund !== undefined) {
      const { refund } = consequences;
      if (refund.refundedAtMs === null) this.asked.push(refund.refundId);
      this.refunds.set(refund.refundId, refund);
    }
    if (decision.kind === 'unclaimed') return;
    const { purchase, zone } = decision;
    const before = this.purchases.get(purchase.purchaseId);
    if (before === undefined || before.state !== purchase.state) {
      const isNext = before === undefined || NEXT[before.state].includes(purchase.state);
      mustBe(`${before?.state} to ${purchase.state}`, isNext, true);
      const isLine = (purchase.checkout?.orderId ?? null) !== null;
      const notificationId = isLine ? undefined : `${purchase.purchaseId}:${purchase.state}`;
      mustBe('notification', consequences.notification?.notificationId, notificationId);
      this.#count(`${before?.state ?? ''}-${purchase.state}`);
    } else {
      mustBe('notification', consequences.notification, undefined);
    }
    this.purchases.set(purchase.purchaseId, purchase);
    if (zone !== undefined) {
      mustBe('version', zone.version, this.zone.version + 1);
      this.zone = zone;
    }
    const { heldUntilBeforeMs, heldUntilMs, voucher, ticketsOfBuyer } = consequences;
    if (heldUntilBeforeMs !== undefined) {
      this.holds.delete(`${heldUntilBeforeMs}/${purchase.purchaseId}`);
    }
    if (heldUntilMs !== undefined) this.holds.add(`${heldUntilMs}/${purchase.purchaseId}`);
    if (voucher !== undefined) this.vouchers.set(voucher.code, voucher);
    if (ticketsOfBuyer !== undefined) this.buyers.set(purchase.buyerId, ticketsOfBuyer);
  }

  #count(what: string): void {
    this.seen.set(what, (this.seen.get(what) ?? 0) + 1);
  }
}

const update: PaymentUpdate = {
  kind: 'payment',
  ...ADDRESS,
  purchaseId: '',
  paymentId: '',
  status: 'succeeded',
  amountMinor: 0,
  currency: 'EUR',
  refundId: null,
  detail: null,
  occurredAtMs: 0,
};

const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0);

/** As expect() does, but thousands of times a run. */
function mustBe<T>(what: string, found: T, wanted: T): void {
  if (found !== wanted) expect([what, found]).toEqual([what, wanted]);
}

function check(books: Books): void {
  const { zone } = books;
  const purchases = [...books.purchases.values()];
  const inState = (state: PurchaseState) => purchases.filter((each) => each.state === state);
  const [held, confirmed] = [inState('held'), inState('confirmed')];
  const taken = [...held, ...confirmed];
  const tickets = (of: readonly Purchase[]) => sum(of.map(({ quantity }) => quantity));
  const revenueMinor = sum(confirmed.map(({ price }) => price?.amountMinor ?? 0));
  mustBe('held', zone.held, tickets(held));
  mustBe('sold', zone.sold, tickets(confirmed));
  mustBe('revenue', zone.revenueMinor, revenueMinor);
  mustBe('oversold', zone.held + zone.sold > zone.capacity, false);
  const uses = books.vouchers.get(CODE)?.uses ?? -1;
  mustBe('uses', uses, taken.filter(({ checkout }) => checkout?.voucher === CODE).length);
  mustBe('too many uses', uses > 2, false);
  for (const buyer of ['ada', 'bob']) {
    const count = books.buyers.get(buyer) ?? 0;
    mustBe(buyer, count, tickets(taken.filter(({ buyerId }) => buyerId === buyer)));
    mustBe(`${buyer} over the limit`, count > 5, false);
  }
  const holds = held.map(({ checkout, purchaseId: id }) => `${checkout?.heldUntilMs}/${id}`);
  mustBe('holds', [...books.holds].sort().join(), holds.sort().join());
  checkMoney(books);
}

/** To the minor unit: what came pays for something, or is on its way back, once. */
function checkMoney(books: Books): void {
  mustBe('refunds asked for', new Set(books.asked).size, books.asked.length);
  for (const [key, told] of books.received) {
    const [id, payment] = key.split('/') as [string, string];
    const purchase = books.purchases.get(id);
    const isPaid = purchase?.checkout?.paymentId === payment && purchase.state === 'confirmed';
    const wasAsked = books.asked.includes(`${id}:${payment}`);
    mustBe(key, isPaid !== wasAsked || told.amountMinor === 0, true);
  }
  for (const { purchaseId: id, checkout, price, state } of books.purchases.values()) {
    if (checkout === null || price === null) continue;
    const refunds = [...books.refunds.values()].filter(
      ({ purchaseId: of, currency }) => of === id && currency === 'EUR',
    );
    const amounts = (of: readonly Refund[]) => sum(of.map(({ amountMinor }) => amountMinor));
    const isPaid = state === 'confirmed' && checkout.paymentId !== null;
    const keptMinor = checkout.paidMinor - checkout.refundRequestedMinor;
    mustBe(`${id} keeps`, keptMinor, isPaid ? price.amountMinor : 0);
    const known = refunds.filter(({ reason }) => reason !== 'unknown_purchase');
    mustBe(`${id} asked for`, checkout.refundRequestedMinor, amounts(known));
    mustBe(`${id} gives back too much`, checkout.refundedMinor > amounts(known), false);
    mustBe(`${id} refunded nothing`, state === 'refunded' && checkout.refundedMinor === 0, false);
  }
}

test.each(['refund', 'retake'] as const)(
  'no order of payments, changes and time loses a ticket or a cent; late payments: %s',
  (latePayment) => {
    const seen = new Map<string, number>();
    fc.assert(
      fc.property(fc.array(step, { minLength: 30, maxLength: 80, size: 'max' }), (steps) => {
        const books = new Books(latePayment);
        for (const each of steps) {
          books.take(each);
          check(books);
        }
        // In the end nothing is held: what nobody pays for, nobody has.
        books.nowMs += 2 * HOLD_MS;
        books.sweep();
        check(books);
        mustBe('held in the end', books.zone.held + books.holds.size, 0);
        for (const [what, count] of books.seen) seen.set(what, (seen.get(what) ?? 0) + count);
      }),
      // One seed, so that what must have been seen is seen every time.
      { numRuns: 500, seed: 20_261_121 },
    );
    const retaken = latePayment === 'retake' ? ['expired-confirmed'] : [];
    for (const what of [
      '-held',
      '-rejected',
      'held-confirmed',
      'held-expired',
      'held-released',
      'held-payment_failed',
      'confirmed-cancelled',
      'cancelled-refunded',
      'conflict',
      'unclaimed',
      ...retaken,
    ]) {
      expect([what, (seen.get(what) ?? 0) > 20]).toEqual([what, true]);
    }
  },
);
