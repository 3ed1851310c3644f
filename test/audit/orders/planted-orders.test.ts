/** One planted violation per promise of orders: each is reported, at its place, and nothing else is. */
import { expect, test } from 'vitest';
import { auditLog, orderCommandRecord, ruleOf, violations } from '../crafted-log.ts';
import {
  BACK,
  buyLine,
  cancelLine,
  DUE_MS,
  HELD,
  letterOf,
  logOf,
  ORDER_ID,
  orderAs,
  PAID,
  place,
  RELEASED,
  releasedOrder,
  type SmallOrder,
  SOLD,
  soldOrder,
  TO_PAY,
} from './small-order.ts';

const audited = async (order: SmallOrder) => auditLog(await logOf(order), { isSettled: true });
const OTHER_ID = ORDER_ID.replace('11111111', '99999999');

test.each([
  ['sold', soldOrder],
  ['given back', releasedOrder],
] as const)('an order that is %s raises nothing, and has a case of each rule', async (_, make) => {
  const report = await audited(make());
  expect(violations(report)).toEqual([]);
  expect(report.verdict).toBe('right');
  expect(report.figures.orders).toBe(1);
  for (const rule of ['I4', 'I5', 'I7', 'I9', 'I10', 'I15', 'I16', 'I24', 'I27'] as const) {
    expect([rule, ruleOf(report, rule)]).toEqual([rule, 'held']);
  }
});

const PLANTED: readonly [
  what: string,
  found: string,
  make: () => SmallOrder,
  plant: (order: SmallOrder) => void,
][] = [
  [
    'a hold that is left to an order that is over',
    'I27 purchaseStatusUpdated-0@2',
    releasedOrder,
    (order) => {
      order.commands.pop();
      order.statuses.pop();
    },
  ],
  [
    'a line that its order never gives back',
    'I27 orderStatusUpdated-0@3',
    releasedOrder,
    (order) => {
      const { price } = TO_PAY;
      order.statuses[3] = orderAs('released', [BACK, HELD], { price });
      order.statuses[4] = orderAs('released', [BACK, RELEASED], { price });
    },
  ],
  [
    'a line that is not sold though its order is',
    'I27 purchaseStatusUpdated-0@2',
    soldOrder,
    (order) => {
      order.commands.pop();
    },
  ],
  [
    'a line that is sold before its order is paid',
    'I27 ticketPurchase-0@4',
    soldOrder,
    (order) => {
      order.commands.pop();
      order.statuses.splice(3);
      order.payments = [];
    },
  ],
  [
    'an order that is paid, and of which nothing is sold',
    'I27 orderStatusUpdated-0@3',
    soldOrder,
    (order) => {
      order.statuses.splice(4);
      order.commands.splice(2);
    },
  ],
  [
    'an order that asks to be paid before all its lines are held',
    'I27 orderStatusUpdated-0@2',
    soldOrder,
    (order) => {
      order.statuses.splice(
        2,
        1,
        orderAs('held', [HELD, {}], { ...TO_PAY, price: HELD.price }),
        orderAs('held', [HELD, HELD], TO_PAY),
      );
    },
  ],
  [
    'a hold that names an order that is none',
    'I27 purchaseStatusUpdated-0@0',
    soldOrder,
    (order) => {
      const stray = {
        ...(buyLine(0) as object),
        purchaseId: '00000000-0000-8000-8000-000000000009',
      };
      order.commands.unshift(stray as ReturnType<typeof buyLine>);
    },
  ],
  [
    'an order that ends twice',
    'I5 orderStatusUpdated-0@6',
    releasedOrder,
    (order) => {
      order.statuses.push(
        orderAs('rejected', [RELEASED, RELEASED], { price: TO_PAY.price, reason: 'sold_out' }),
      );
    },
  ],
  [
    'an order that is sold without having been paid',
    'I4 orderStatusUpdated-0@3',
    soldOrder,
    (order) => {
      order.statuses.splice(3, 2);
    },
  ],
  [
    'an order without an outcome',
    'I7 ticketOrder-0@1',
    soldOrder,
    (order) => {
      order.orders.push(place(OTHER_ID));
    },
  ],
  [
    'an order that nobody placed',
    'I7 orderStatusUpdated-0@0',
    soldOrder,
    (order) => {
      order.statuses.unshift({ ...order.statuses[0]!, orderId: OTHER_ID });
    },
  ],
  [
    'an order that is announced again though nobody asked',
    'I7 orderStatusUpdated-0@6',
    soldOrder,
    (order) => {
      order.statuses.push(order.statuses.at(-1)!);
    },
  ],
  [
    'a command that is neither an order nor a dead letter',
    'I7 ticketOrder-0@1',
    soldOrder,
    (order) => {
      order.orders.push(orderCommandRecord('CancelOrder', { orderId: OTHER_ID }));
    },
  ],
  [
    'a dead letter of an order that was carried out',
    'I22 ticketOrder.dlq-0@0',
    releasedOrder,
    (order) => {
      order.letters.push(letterOf(order.orders[1]!, 1));
    },
  ],
  [
    'a line that is asked for otherwise than it was ordered',
    'I9 ticketPurchase-0@2',
    soldOrder,
    (order) => {
      order.commands[0] = buyLine(0, 2);
    },
  ],
  [
    'a line that its order believes sold, and its zone has taken back',
    'I9 orderStatusUpdated-0@5',
    soldOrder,
    (order) => {
      order.commands.push(cancelLine(1));
    },
  ],
  [
    'an order whose changelog says otherwise',
    'I10 sale-orders-changelog-0@0',
    soldOrder,
    (order) => {
      order.kept = order.statuses[4]!;
    },
  ],
  [
    'a payment that is asked for twice',
    'I15 paymentRequested-0@1',
    soldOrder,
    (order) => {
      order.requests.push(2_000);
    },
  ],
  [
    'a payment that is never asked for',
    'I15 orderStatusUpdated-0@5',
    soldOrder,
    (order) => {
      order.requests = [];
    },
  ],
  [
    'a payment that is asked for in another amount',
    'I15 orderStatusUpdated-0@5',
    soldOrder,
    (order) => {
      order.requests = [1_999];
    },
  ],
  [
    'an order that is paid with money that never came',
    'I15 orderStatusUpdated-0@5',
    soldOrder,
    (order) => {
      order.payments = [];
    },
  ],
  [
    'a late payment that is kept',
    'I15 paymentStatusUpdate-0@0',
    releasedOrder,
    (order) => {
      order.payments.push({});
    },
  ],
  [
    'a second payment that its order counts and does not give back',
    'I15 paymentStatusUpdate-0@1',
    soldOrder,
    (order) => {
      order.payments.push({ paymentId: 'pay-2' });
    },
  ],
  [
    'a refund that nobody is owed',
    'I15 refundRequested-0@0',
    soldOrder,
    (order) => {
      order.refunds.push({ paymentId: 'pay-9', amountMinor: 2_000, reason: 'late_payment' });
    },
  ],
  [
    'a late payment that goes back twice',
    'I15 refundRequested-0@1',
    releasedOrder,
    (order) => {
      const refund = { paymentId: 'pay-1', amountMinor: 2_000 };
      order.payments.push({});
      const refunds = [{ ...refund, refundId: `${ORDER_ID}:pay-1`, isDone: false }];
      const last = order.statuses.at(-1)!;
      order.statuses.push({ ...last, paidMinor: 2_000, refunds });
      order.refunds.push({ ...refund, reason: 'late_payment' });
      order.refunds.push({ ...refund, reason: 'late_payment' });
    },
  ],
  [
    'an order that is given back and keeps a cent',
    'I15 orderStatusUpdated-0@8',
    soldOrder,
    (order) => {
      const refund = { paymentId: 'pay-1', amountMinor: 1_999 };
      const refunds = [{ ...refund, refundId: `${ORDER_ID}:pay-1`, isDone: false }];
      const [sold, gone] = [
        { ...SOLD, isGivenBack: true },
        { ...RELEASED, state: 'cancelled' },
      ];
      order.orders.push(orderCommandRecord('CancelOrder', { orderId: ORDER_ID }));
      order.commands.push(cancelLine(0), cancelLine(1));
      order.refunds.push({ ...refund, reason: 'cancelled' });
      order.statuses.push(
        orderAs('cancelled', [sold, sold], { ...PAID, refunds }),
        orderAs('cancelled', [gone, sold], { ...PAID, refunds }),
        orderAs('cancelled', [gone, gone], { ...PAID, refunds }),
      );
    },
  ],
  [
    'an order that outlives its time',
    'I16 orderStatusUpdated-0@2',
    soldOrder,
    (order) => {
      order.commands.splice(2);
      order.statuses.splice(3);
      order.payments = [];
      order.endedAtMs = DUE_MS + 60_000;
    },
  ],
  [
    'an order that is ended before its time',
    'I16 orderStatusUpdated-0@3',
    releasedOrder,
    (order) => {
      order.orders.pop();
      const early = { state: 'expired', decidedAtMs: DUE_MS - 1 };
      order.statuses = order.statuses.map((status) =>
        status.state === 'released' ? { ...status, ...early } : status,
      );
    },
  ],
  [
    'a line that costs its order less than in its zone',
    'I24 orderStatusUpdated-0@5',
    soldOrder,
    (order) => {
      const price = { amountMinor: 900, currency: 'EUR' };
      const paid = { ...PAID, price: { amountMinor: 1_900, currency: 'EUR' }, paidMinor: 1_900 };
      const [held, sold] = [
        { ...HELD, price },
        { ...SOLD, price },
      ];
      order.statuses = [
        order.statuses[0]!,
        orderAs('requested', [held, {}], { deadlineMs: DUE_MS }),
        orderAs('held', [held, HELD], { ...TO_PAY, price: paid.price }),
        orderAs('paid', [held, HELD], paid),
        orderAs('paid', [sold, HELD], paid),
        orderAs('confirmed', [sold, SOLD], paid),
      ];
      order.requests = [1_900];
      order.payments = [{ amountMinor: 1_900 }];
    },
  ],
  [
    'an order that costs more than its lines',
    'I24 orderStatusUpdated-0@2',
    soldOrder,
    (order) => {
      const price = { amountMinor: 2_100, currency: 'EUR' };
      const priced = (status: SmallOrder['statuses'][number]) =>
        status.price === null ? status : { ...status, price };
      order.statuses = [...order.statuses.slice(0, 2), priced(order.statuses[2]!)];
      order.commands.splice(2);
      order.payments = [];
      order.requests = [2_100];
    },
  ],
];

test.each(PLANTED)('%s is reported, and nothing else is', async (_, found, make, plant) => {
  const order = make();
  plant(order);
  expect(violations(await audited(order))).toEqual([found]);
});
