/**
 * A sale of three seats that are held and paid, every record of it by hand: right as it is, and with one
 * planted violation of what only such sales can break.
 */
import { expect, test } from 'vitest';
import { NEVER_HELD } from '../../audit/life/life-zone.ts';
import type {
  CheckoutRecord,
  PurchaseRecord,
  StockRecord,
} from '../../audit/records/sale-records.ts';
import {
  auditLog,
  type CraftedRecord,
  commandRecord,
  LOG_TIME,
  MemoryLog,
  paymentRecord,
  paymentRequestRecord,
  purchaseRecord,
  refundRecord,
  ruleOf,
  stockRecord,
  violations,
  zoneRecord,
} from './crafted-log.ts';
import { idOf, outcome, PRODUCER } from './small-sale.ts';

const ZONE = { eventId: 'gala', zoneId: 'stalls' } as const;
const KEY = 'gala/stalls';
const HOLD_MS = 1_000;
const UNTIL_MS = LOG_TIME + HOLD_MS;
const PRICE = { amountMinor: 1_000, currency: 'EUR' };
const TERMS = {
  checkout: 'hold',
  holdMs: HOLD_MS,
  latePayment: 'refund',
  customerMax: 0,
  opensAtMs: null,
  closesAtMs: null,
  fees: null,
  tiers: [],
  layout: { rows: 1, columns: 3 },
  notify: false,
  intakeOnly: false,
} as const;
const HELD: CheckoutRecord = { ...NEVER_HELD, heldUntilMs: UNTIL_MS };

const buy = (index: number, seats: readonly string[]): CraftedRecord =>
  commandRecord(KEY, 'Purchase', {
    purchaseId: idOf(index),
    ...ZONE,
    buyerId: `buyer-${index}`,
    quantity: 1,
    requestedAtMs: 1,
    options: { seats, placement: 'any', voucher: null, orderId: null },
  });

const pay = (index: number, paymentId: string, status: 'succeeded' | 'failed'): CraftedRecord =>
  paymentRecord({
    ...ZONE,
    ...PRICE,
    purchaseId: idOf(index),
    paymentId,
    status,
    refundId: null,
  });

const of = (
  index: number,
  state: string,
  checkout: Partial<CheckoutRecord> = {},
  changes: Partial<PurchaseRecord> = {},
): PurchaseRecord =>
  outcome(index, index, {
    ...ZONE,
    state,
    price: PRICE,
    seats: [`A${index}`],
    checkout: { ...HELD, ...checkout },
    ...changes,
  });

const refundOf = (index: number, paymentId: string, reason: string): CraftedRecord =>
  refundRecord({
    ...ZONE,
    ...PRICE,
    purchaseId: idOf(index),
    refundId: `${idOf(index)}:${paymentId}`,
    paymentId,
    reason,
  });

const stockAt = (version: number, held: number, sold: number): StockRecord => ({
  ...ZONE,
  capacity: 3,
  available: 3 - held - sold,
  held,
  sold,
  version,
  updatedAtMs: LOG_TIME,
  commandOffset: 3,
  revenueMinor: sold * PRICE.amountMinor,
});

const ENDED = { decidedAtMs: UNTIL_MS };

/** A pays, and pays again; B cannot pay; nobody pays for C. In two transactions, the second one later. */
function heldSale() {
  const twice = {
    paymentId: 'a1',
    paidMinor: 2_000,
    refundRequestedMinor: 1_000,
    paymentOffset: 1,
  };
  const [a, b, c] = [
    of(1, 'confirmed', twice),
    of(2, 'payment_failed', { paymentOffset: 2 }),
    of(3, 'held'),
  ];
  const paid = of(1, 'confirmed', { paymentId: 'a1', paidMinor: 1_000, paymentOffset: 0 });
  return {
    commands: [
      commandRecord(KEY, 'CreateZone', {
        ...ZONE,
        capacity: 3,
        quantityMax: 10,
        price: PRICE,
        terms: TERMS,
        blockedSeats: [],
      }),
      buy(1, ['A1']),
      buy(2, ['A2']),
      buy(3, []),
    ],
    payments: [pay(1, 'a1', 'succeeded'), pay(1, 'a2', 'succeeded'), pay(2, 'b1', 'failed')],
    status: [of(1, 'held'), of(2, 'held'), c, paid, a, b],
    later: [of(3, 'expired', {}, ENDED)],
    purchases: [a, b, c],
    purchasesLater: [of(3, 'expired', {}, ENDED)],
    requests: [1, 2, 3],
    refunds: [refundOf(1, 'a2', 'double_payment')],
    stock: [stockAt(6, 1, 1), stockAt(7, 0, 1)] as [StockRecord, StockRecord],
    endedAtMs: UNTIL_MS + 1_000,
  };
}

type HeldSale = ReturnType<typeof heldSale>;

function logOf(sale: HeldSale): MemoryLog {
  const log = new MemoryLog();
  const producer = PRODUCER;
  const next = { ...producer, producerEpoch: producer.producerEpoch + 1 };
  log.append('commands', sale.commands);
  log.committedOffset = log.endOf('commands');
  log.append('payments', sale.payments);
  const zone = (stock: StockRecord) =>
    zoneRecord({ ...stock, sale: 'open', quantityMax: 10, price: PRICE, terms: TERMS });
  const write = (
    who: typeof producer,
    status: readonly PurchaseRecord[],
    purchases: readonly PurchaseRecord[],
    stock: StockRecord,
  ) => {
    log.append('status', status.map(purchaseRecord), who);
    log.append('purchases', purchases.map(purchaseRecord), who);
    log.append('stock', [stockRecord(stock)], who);
    log.append('zones', [zone(stock)], who);
    for (const topic of ['status', 'purchases', 'stock', 'zones'] as const) {
      log.end(topic, who, 'commit');
    }
  };
  write(producer, sale.status, sale.purchases, sale.stock[0]);
  log.append(
    'paymentRequests',
    sale.requests.map((index) =>
      paymentRequestRecord({ ...ZONE, ...PRICE, purchaseId: idOf(index), dueAtMs: UNTIL_MS }),
    ),
  );
  log.append('refunds', sale.refunds);
  log.timeMs = sale.endedAtMs;
  if (sale.later.length > 0) write(next, sale.later, sale.purchasesLater, sale.stock[1]);
  return log;
}

test('a sale that is right raises nothing, and has a case of each of its rules', async () => {
  const report = await auditLog(logOf(heldSale()), { isSettled: true });
  expect(violations(report)).toEqual([]);
  expect(report.verdict).toBe('right');
  for (const rule of ['I2', 'I4', 'I9', 'I10', 'I12', 'I15', 'I16', 'I24'] as const) {
    expect(ruleOf(report, rule), rule).toBe('held');
  }
});

const PLANTED: readonly [what: string, found: string, plant: (sale: HeldSale) => void][] = [
  [
    'a seat that two have',
    'I2 purchaseStatusUpdated-0@2',
    (sale) => {
      const taken = { seats: ['A1'] };
      sale.status[2] = of(3, 'held', {}, taken);
      sale.purchases[2] = of(3, 'held', {}, taken);
      sale.later = [of(3, 'expired', {}, { ...ENDED, ...taken })];
      sale.purchasesLater = sale.later;
    },
  ],
  [
    'a second payment that is kept',
    'I15 purchaseStatusUpdated-0@4',
    (sale) => {
      const { status } = sale;
      const { checkout } = status[4]!;
      status[4] = { ...status[4]!, checkout: { ...checkout!, refundRequestedMinor: 0 } };
    },
  ],
  [
    'a refund that is never asked for',
    'I15 refundRequested',
    (sale) => {
      sale.refunds = [];
    },
  ],
  [
    'a refund that is asked for twice',
    'I15 refundRequested-0@1',
    (sale) => {
      sale.refunds.push(sale.refunds[0]!);
    },
  ],
  [
    'a refund that nobody is owed',
    'I15 refundRequested-0@1',
    (sale) => {
      sale.refunds.push(refundOf(1, 'a1', 'cancelled'));
    },
  ],
  [
    'a hold whose payment is never asked for',
    'I15 purchaseStatusUpdated-0@1',
    (sale) => {
      sale.requests = [1, 3];
    },
  ],
  [
    'a hold that ends before its time',
    'I16 purchaseStatusUpdated-0@7',
    (sale) => {
      sale.endedAtMs = UNTIL_MS - 1;
    },
  ],
  [
    'a hold that outlives its time',
    'I16 purchaseStatusUpdated-0@2',
    (sale) => {
      sale.later = [];
      sale.stock[0] = stockAt(6, 1, 1);
      sale.endedAtMs = UNTIL_MS + 60_000;
    },
  ],
  [
    'a payment that wins after the hold has ended',
    'I16 purchaseStatusUpdated-0@8',
    (sale) => {
      sale.payments.push(pay(3, 'c1', 'succeeded'));
      const won = { paymentId: 'c1', paidMinor: 1_000, paymentOffset: 3 };
      const back = { paidMinor: 1_000, refundRequestedMinor: 1_000, paymentOffset: 3 };
      sale.later.push(of(3, 'confirmed', won));
      sale.purchasesLater = [of(3, 'expired', back, ENDED)];
      sale.refunds.push(refundOf(3, 'c1', 'late_payment'));
    },
  ],
  [
    'a hold at another price than the zone has',
    'I24 purchaseStatusUpdated-0@0',
    (sale) => {
      sale.status[0] = { ...sale.status[0]!, price: { ...PRICE, amountMinor: 900 } };
    },
  ],
];

test.each(PLANTED)('%s is reported at its place, and nothing else is', async (_, found, plant) => {
  const sale = heldSale();
  plant(sale);
  const log = logOf(sale);
  if (sale.later.length === 0) {
    log.append('commands', [commandRecord(KEY, 'OpenSale', ZONE)]);
    log.committedOffset = log.endOf('commands');
  }
  const report = await auditLog(log, { isSettled: true });
  expect(violations(report)).toEqual([found]);
});
