/** The door of the festival in one of many partitions: what it passes on, where to, and how often. */
import { describe, expect, test } from 'vitest';
import type { PaymentUpdate } from '../../../ticket-sales/domain/command.ts';
import type { Purchase } from '../../../ticket-sales/domain/purchase.ts';
import {
  EARLY_PAYMENTS,
  type EarlyPayment,
} from '../../../ticket-sales/festival/early-payments.ts';
import { DOOR_SINKS, FestivalDoor } from '../../../ticket-sales/festival/festival-door.ts';
import type { FestivalPayment } from '../../../ticket-sales/festival/festival-records.ts';
import { STORES } from '../../../ticket-sales/sale/sale-stores.ts';
import type { ProcessorContext, StreamRecord } from '../../../topology/processor.ts';
import { purchaseCommand, purchaseWith } from '../domain/samples.ts';

const PURCHASE = '7d8f3f0e-6a4e-4b6e-9b0a-2f6f7a1c3d52';

interface Passed extends StreamRecord<string, unknown> {
  readonly to: string | undefined;
}

/** The door of one partition, which knows these purchases. */
function doorOf(purchases: readonly Purchase[], paymentWaitMs = 60_000) {
  const passed: Passed[] = [];
  const kept: EarlyPayment[] = [];
  const stores = {
    [STORES.purchases]: {
      get: (id: string) => purchases.find(({ purchaseId }) => purchaseId === id),
    },
    [EARLY_PAYMENTS]: { put: (_: string, early: EarlyPayment) => kept.push(early) },
  };
  const context = {
    forward: (record: StreamRecord<string, unknown>, to?: string) => {
      passed.push({ ...record, to });
    },
    getStateStore: (name: keyof typeof stores) => stores[name],
    schedule: () => {},
    currentSystemTimeMs: () => 1_000,
    recordMetadata: () => ({ topic: 'paymentStatusUpdate', partition: 0, offset: 3 }),
  } as unknown as ProcessorContext<string, never>;
  const door = new FestivalDoor({ eventId: 'fest', sale: 'tickets', paymentWaitMs });
  door.init(context);
  return {
    passed,
    kept,
    process: (record: Pick<StreamRecord<string | null, unknown>, 'key' | 'value'>, headers = []) =>
      door.process({ timestampMs: 5, headers, ...record } as never),
    /** What came out of another door. */
    take: ({ key, value, headers }: Passed) =>
      door.process({ key, value, timestampMs: 6, headers } as never),
  };
}

const payment: FestivalPayment = {
  kind: 'festivalPayment',
  purchaseId: PURCHASE,
  timestamp: 1,
  status: 'Succeeded',
};

const held = purchaseWith({
  purchaseId: PURCHASE,
  eventId: 'fest',
  zoneId: 'vip',
  state: 'held',
  price: { amountMinor: 500, currency: 'EUR' },
  checkout: {
    heldUntilMs: 9_000,
    isExtended: false,
    orderId: null,
    voucher: null,
    feesMinor: 0,
    discountMinor: 0,
    paymentId: null,
    paidMinor: 0,
    refundRequestedMinor: 0,
    refundedMinor: 0,
    paymentOffset: -1,
    requestDigest: null,
    viaIntake: false,
  },
});

describe('a payment of the festival', () => {
  test('goes from zone to zone until one has its purchase, and counts there', () => {
    const [anywhere, normal, vip] = [doorOf([]), doorOf([]), doorOf([held])];
    anywhere.process({ key: null, value: payment });
    normal.take(anywhere.passed[0]!);
    vip.take(normal.passed[0]!);
    expect(anywhere.passed.map(({ key, to }) => [key, to])).toEqual([
      ['fest/normal', DOOR_SINKS.payments],
    ]);
    expect(normal.passed.map(({ key, to }) => [key, to])).toEqual([
      ['fest/vip', DOOR_SINKS.payments],
    ]);
    const paid: PaymentUpdate = {
      kind: 'payment',
      purchaseId: PURCHASE,
      eventId: 'fest',
      zoneId: 'vip',
      paymentId: `festival:${PURCHASE}`,
      status: 'succeeded',
      amountMinor: 500,
      currency: 'EUR',
      refundId: null,
      detail: null,
      occurredAtMs: 1,
    };
    expect(vip.passed).toMatchObject([{ key: 'fest/vip', to: 'tickets', value: paid }]);
  });

  test('waits where its way ends when it has been to every zone', () => {
    const [first, second, last] = [doorOf([]), doorOf([]), doorOf([])];
    first.process({ key: 'k', value: payment });
    second.take(first.passed[0]!);
    last.take(second.passed[0]!);
    expect(last.passed).toEqual([]);
    expect(last.kept).toEqual([{ payment, headers: [], sinceMs: 6, rounds: 0 }]);
  });

  test('is a dead letter there when it is not to wait', () => {
    const [first, second, last] = [doorOf([]), doorOf([]), doorOf([], 0)];
    first.process({ key: 'k', value: payment });
    second.take(first.passed[0]!);
    expect(() => last.take(second.passed[0]!)).toThrow('the festival has no such purchase');
    expect(last.kept).toEqual([]);
  });

  test('of a purchase of another event is none of the festival’s', () => {
    const door = doorOf([{ ...held, eventId: 'gala' }]);
    door.process({ key: 'fest/vip', value: payment });
    expect(door.passed.map(({ key }) => key)).toEqual(['fest/normal']);
  });

  test('of a purchase without a price is a dead letter', () => {
    const door = doorOf([{ ...held, price: null }]);
    expect(() => door.process({ key: 'k', value: payment })).toThrow('was not to be paid');
  });
});

test('our own commands and payments pass as they are, the very same record', () => {
  const door = doorOf([]);
  const record = { key: 'gala/floor', value: purchaseCommand(), timestampMs: 7, headers: [] };
  door.process(record);
  expect(door.passed).toEqual([{ ...record, to: 'tickets' }]);
});
