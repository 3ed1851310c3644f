/**
 * Any evening of a small hall: named seats, best ones, holds that are paid, not paid, paid late or
 * forgotten, cancellations, seats blocked and unblocked. Told by what the sale announces alone.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TopologyTestDriver } from '../../../runtime/topology-test-driver.ts';
import type { Serde } from '../../../schemas/serde.ts';
import { stringSerde } from '../../../schemas/serdes.ts';
import type { PaymentUpdate, TicketCommand } from '../../../ticket-sales/domain/command.ts';
import type { Purchase } from '../../../ticket-sales/domain/purchase.ts';
import type { Zone } from '../../../ticket-sales/domain/zone.ts';
import { type TicketSerdes, TOPICS, ticketSerdes } from '../../../ticket-sales/records.ts';
import { CommandRefused } from '../../../ticket-sales/sale/command-refused.ts';
import { STORES } from '../../../ticket-sales/sale/sale-stores.ts';
import { type SeatRecord, SeatStore } from '../../../ticket-sales/sale/seat-store.ts';
import { sellTickets } from '../../../ticket-sales/sale/sell-tickets.ts';
import { Topology } from '../../../topology/topology.ts';

const ADDRESS = { eventId: 'gala', zoneId: 'hall' } as const;
const KEY = 'gala/hall';
const LAYOUT = { rows: 3, columns: 6 };
const SEATS = ['A', 'B', 'C'].flatMap((row) => [1, 2, 3, 4, 5, 6].map((seat) => `${row}${seat}`));
const PRICE = { amountMinor: 1_000, currency: 'EUR' };
const HOLD_MS = 10_000;

const purchaseIdOf = (index: number) =>
  `00000000-0000-8000-8000-${String(index).padStart(12, '0')}`;

const index = fc.integer({ min: 0, max: 19 });
const names = fc.array(fc.constantFrom(...SEATS, ...SEATS, 'D1', 'a1'), {
  minLength: 1,
  maxLength: 4,
});
const placement = fc.constantFrom(
  'any' as const,
  'adjacent' as const,
  'adjacent_or_split' as const,
);
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('best' as const),
      index,
      quantity: fc.integer({ min: 1, max: 5 }),
      placement,
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('named' as const), index, names }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('cancel' as const, 'extendHold' as const),
      index,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constantFrom('paid' as const, 'failed' as const), index }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('blockSeats' as const, 'unblockSeats' as const),
      names,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      durationMs: fc.constantFrom(1_000, 6_000, 12_000),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

class Evening {
  readonly #driver: TopologyTestDriver;
  readonly #serdes: TicketSerdes;
  readonly purchases = new Map<string, Purchase>();
  #nowMs = 1_700_000_000_000;

  constructor(serdes: TicketSerdes) {
    this.#serdes = serdes;
    this.#driver = new TopologyTestDriver(
      sellTickets(new Topology(), serdes, { commandPartitions: 1 }),
      { applicationId: 'sale' },
    );
  }

  async open(checkout: 'immediate' | 'hold', latePayment: 'refund' | 'retake'): Promise<void> {
    await this.send({
      kind: 'createZone',
      ...ADDRESS,
      capacity: SEATS.length - 1,
      quantityMax: 10,
      price: PRICE,
      terms: {
        checkout,
        holdMs: HOLD_MS,
        latePayment,
        customerMax: 0,
        opensAtMs: null,
        closesAtMs: null,
        fees: null,
        tiers: [],
        layout: LAYOUT,
        notify: false,
        intakeOnly: false,
      },
      blockedSeats: ['B3'],
    });
  }

  async send(command: TicketCommand): Promise<void> {
    await this.#pipe(TOPICS.commands, this.#serdes.command, command);
  }

  async pay(update: PaymentUpdate): Promise<void> {
    await this.#pipe(TOPICS.payments, this.#serdes.payment, update);
  }

  async #pipe<V>(topic: string, serde: Serde<V>, value: V): Promise<void> {
    this.#nowMs += 10;
    const input = this.#driver.createInputTopic(topic, stringSerde, serde);
    try {
      await input.pipeInput(KEY, value, this.#nowMs);
    } catch (error) {
      // What cannot be: it goes to the dead letters, and changes nothing.
      if (!((error as Error).cause instanceof CommandRefused)) throw error;
    }
    this.#hear();
  }

  async wait(durationMs: number): Promise<void> {
    this.#nowMs += durationMs;
    await this.#driver.advanceWallClockTime(durationMs);
    this.#hear();
  }

  #hear(): void {
    const { purchaseStatus } = TOPICS;
    const topic = this.#driver.createOutputTopic(
      purchaseStatus,
      stringSerde,
      this.#serdes.purchase,
    );
    for (const purchase of topic.readValuesToList()) {
      this.purchases.set(purchase!.purchaseId, purchase!);
    }
  }

  get zone(): Zone {
    return this.#driver.getKeyValueStore<string, Zone>(STORES.zones).get(KEY)!;
  }

  get seats() {
    const store = this.#driver.getKeyValueStore<string, SeatRecord>(STORES.seats);
    return new SeatStore(store).mapOf(KEY, LAYOUT);
  }

  close(): Promise<void> {
    return this.#driver.close();
  }
}

async function take(evening: Evening, each: Step): Promise<void> {
  switch (each.kind) {
    case 'best':
    case 'named': {
      const seats = each.kind === 'named' ? each.names : [];
      const options = {
        seats,
        placement: each.kind === 'named' ? ('any' as const) : each.placement,
      };
      return evening.send({
        kind: 'purchase',
        ...ADDRESS,
        purchaseId: purchaseIdOf(each.index),
        buyerId: 'ada',
        quantity: each.kind === 'named' ? seats.length : each.quantity,
        requestedAtMs: 1,
        options: { ...options, voucher: null, orderId: null, viaIntake: false },
      });
    }
    case 'cancel':
    case 'extendHold':
      return evening.send({ kind: each.kind, ...ADDRESS, purchaseId: purchaseIdOf(each.index) });
    case 'blockSeats':
    case 'unblockSeats':
      return evening.send({ kind: each.kind, ...ADDRESS, seats: each.names });
    case 'paid':
    case 'failed': {
      const purchaseId = purchaseIdOf(each.index);
      return evening.pay({
        kind: 'payment',
        ...ADDRESS,
        purchaseId,
        paymentId: `pay-${each.kind}-${each.index}`,
        status: each.kind === 'paid' ? 'succeeded' : 'failed',
        amountMinor: evening.purchases.get(purchaseId)?.price?.amountMinor ?? 1,
        currency: 'EUR',
        refundId: null,
        detail: null,
        occurredAtMs: 1,
      });
    }
    case 'wait':
      return evening.wait(each.durationMs);
  }
}

/** Who has a seat, by what was announced. Fails where two have it. */
function ownersOf(purchases: Iterable<Purchase>): ReadonlyMap<string, string> {
  const owners = new Map<string, string>();
  for (const { purchaseId, state, seats, quantity } of purchases) {
    if (state !== 'held' && state !== 'confirmed') continue;
    expect(seats).toHaveLength(quantity);
    for (const seat of seats) {
      expect(SEATS).toContain(seat);
      expect([seat, owners.get(seat)]).toEqual([seat, undefined]);
      owners.set(seat, purchaseId);
    }
  }
  return owners;
}

const checkout = fc.constantFrom('immediate' as const, 'hold' as const, 'hold' as const);
const latePayment = fc.constantFrom('refund' as const, 'retake' as const);

test('no seat ever has two owners, and stock, seats and outcomes say the same after every record', async () => {
  const serdes = ticketSerdes({ register: async () => 7, schemaById: async () => 'string' });
  await serdes.command.prepare?.(TOPICS.commands, 'value');
  await serdes.payment.prepare?.(TOPICS.payments, 'value');
  const states = new Set<string>();
  const reasons = new Set<string>();
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 80, size: 'max' }),
      checkout,
      latePayment,
      async (steps, ...terms) => {
        const evening = new Evening(serdes);
        await evening.open(...terms);
        for (const each of steps) {
          await take(evening, each);
          for (const { state, reason } of evening.purchases.values()) {
            states.add(state);
            reasons.add(reason);
          }
          const owners = ownersOf(evening.purchases.values());
          const { zone, seats } = evening;
          const blocked = new Set(seats.blocked(SEATS));
          expect(zone.held + zone.sold).toBe(owners.size);
          expect(zone.capacity).toBe(SEATS.length - blocked.size);
          expect(seats.unavailable(SEATS)).toEqual(
            SEATS.filter((seat) => owners.has(seat) || blocked.has(seat)),
          );
          expect([...owners.keys()].filter((seat) => blocked.has(seat))).toEqual([]);
        }
        await evening.close();
      },
    ),
    { numRuns: 60 },
  );
  for (const state of [
    'held',
    'confirmed',
    'rejected',
    'expired',
    'released',
    'payment_failed',
    'cancelled',
  ]) {
    expect(states).toContain(state);
  }
  for (const reason of ['seat_taken', 'not_adjacent', 'sold_out', 'invalid_command']) {
    expect(reasons).toContain(reason);
  }
});
