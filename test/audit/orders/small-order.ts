/**
 * An order of two lines, its own records by hand and its zones by the real sale: paid and sold, or given
 * back before it was paid. Each part can be replaced before it is written.
 */
import type { LineRecord, OrderRecord } from '../../../audit/records/order-records.ts';
import type { PaymentRecord } from '../../../audit/records/sale-records.ts';
import type { CreateZoneCommand, TicketCommand } from '../../../ticket-sales/domain/command.ts';
import { PLAIN_TERMS } from '../../../ticket-sales/domain/zone-terms.ts';
import { sellTickets } from '../../../ticket-sales/sale/sell-tickets.ts';
import { Topology } from '../../../topology/topology.ts';
import {
  type CraftedRecord,
  LOG_TIME,
  letterRecord,
  type MemoryLog,
  orderCommandRecord,
  orderRecord,
  paymentRecord,
  paymentRequestRecord,
  refundRecord,
  TOPICS,
} from '../crafted-log.ts';
import { DrivenSale, serdes } from '../driven-sale.ts';
import { idOf } from '../small-sale.ts';

export const ORDER_ID = 'order-11111111-2222-8333-8444-555555555555';
const HOLD_MS = 10_000;
/** A tenth before the holds end. */
export const DUE_MS = LOG_TIME + HOLD_MS - HOLD_MS / 10;
const ZONES = ['floor', 'balcony'] as const;
const EUR = (amountMinor: number) => ({ amountMinor, currency: 'EUR' });
const WANTED = { seats: [], placement: 'any', voucher: null } as const;

const zone = (zoneId: string): CreateZoneCommand => ({
  kind: 'createZone',
  ...{ eventId: 'gala', zoneId, capacity: 5, quantityMax: 4, price: EUR(1_000), blockedSeats: [] },
  terms: { ...PLAIN_TERMS, checkout: 'hold', holdMs: HOLD_MS },
});
const addressOf = (line: number) => ({
  purchaseId: idOf(line + 1),
  eventId: 'gala',
  zoneId: ZONES[line]!,
});

export const buyLine = (line: number, quantity = 1): TicketCommand => ({
  kind: 'purchase',
  ...addressOf(line),
  ...{ buyerId: 'ada', quantity, requestedAtMs: 0 },
  options: { ...WANTED, orderId: ORDER_ID, viaIntake: false },
});
export const confirmLine = (line: number): TicketCommand => ({
  kind: 'confirmHold',
  ...addressOf(line),
  orderId: ORDER_ID,
});
export const cancelLine = (line: number): TicketCommand => ({ kind: 'cancel', ...addressOf(line) });

export const place = (orderId = ORDER_ID): CraftedRecord =>
  orderCommandRecord('PlaceOrder', {
    ...{ orderId, buyerId: 'ada', requestedAtMs: 0 },
    lines: [0, 1].map((line) => ({ ...addressOf(line), quantity: 1, ...WANTED })),
  } as { orderId: string });

type Line = Partial<LineRecord>;

/** As it is announced; `lines`: what is special about them. */
export function orderAs(
  state: string,
  lines: readonly [Line, Line],
  properties: Partial<OrderRecord> = {},
): OrderRecord {
  return {
    ...{ orderId: ORDER_ID, buyerId: 'ada', state, reason: 'none', decidingLine: null },
    ...{ requestedAtMs: LOG_TIME, decidedAtMs: LOG_TIME, commandOffset: 0, deadlineMs: 0 },
    ...{ price: null, paymentId: null, paidMinor: 0, refunds: [] },
    lines: lines.map((line, number) => ({
      ...{ ...addressOf(number), quantity: 1, ...WANTED, seatsTaken: [] },
      ...{ state: 'requested', reason: 'none', price: null, heldUntilMs: 0, isGivenBack: false },
      ...line,
    })),
    ...properties,
  };
}

export const HELD = { state: 'held', price: EUR(1_000), heldUntilMs: LOG_TIME + HOLD_MS };
export const SOLD = { ...HELD, state: 'confirmed' };
export const BACK = { ...HELD, isGivenBack: true };
export const RELEASED = { ...BACK, state: 'released' };
export const WAITING = { deadlineMs: LOG_TIME + 600_000 };
export const TO_PAY = { price: EUR(2_000), deadlineMs: DUE_MS };
export const PAID = { price: EUR(2_000), paymentId: 'pay-1', paidMinor: 2_000 };

export interface SmallOrder {
  /** To the zones. */
  commands: TicketCommand[];
  orders: CraftedRecord[];
  letters: CraftedRecord[];
  statuses: OrderRecord[];
  /** Amounts. */
  requests: number[];
  payments: Partial<PaymentRecord>[];
  refunds: { readonly paymentId: string; readonly amountMinor: number; readonly reason: string }[];
  /** The last value in the changelog; undefined = what was announced last. */
  kept?: OrderRecord;
  /** When the last record of the orders' topic is written. */
  endedAtMs: number;
}

/** Placed, held, paid, confirmed. */
export function soldOrder(): SmallOrder {
  return {
    commands: [buyLine(0), buyLine(1), confirmLine(0), confirmLine(1)],
    orders: [place()],
    letters: [],
    statuses: [
      orderAs('requested', [{}, {}], WAITING),
      orderAs('requested', [HELD, {}], { deadlineMs: DUE_MS }),
      orderAs('held', [HELD, HELD], TO_PAY),
      orderAs('paid', [HELD, HELD], PAID),
      orderAs('paid', [SOLD, HELD], PAID),
      orderAs('confirmed', [SOLD, SOLD], PAID),
    ],
    requests: [2_000],
    payments: [{}],
    refunds: [],
    endedAtMs: LOG_TIME,
  };
}

/** Placed, held, given back. */
export function releasedOrder(): SmallOrder {
  const price = EUR(2_000);
  return {
    ...soldOrder(),
    commands: [buyLine(0), buyLine(1), cancelLine(0), cancelLine(1)],
    orders: [place(), orderCommandRecord('CancelOrder', { orderId: ORDER_ID })],
    statuses: [
      ...soldOrder().statuses.slice(0, 3),
      orderAs('released', [BACK, BACK], { price }),
      orderAs('released', [RELEASED, BACK], { price }),
      orderAs('released', [RELEASED, RELEASED], { price }),
    ],
    payments: [],
  };
}

const ASKED = { eventId: 'gala', zoneId: 'floor', purchaseId: ORDER_ID, currency: 'EUR' };

export async function logOf(order: SmallOrder): Promise<MemoryLog> {
  const sale = new DrivenSale(sellTickets(new Topology(), serdes, { commandPartitions: 1 }));
  for (const zoneId of ZONES) await sale.command(zone(zoneId));
  for (const command of order.commands) await sale.command(command);
  const log = await sale.finish();
  log.append('orders', order.orders);
  log.append('orderLetters', order.letters);
  const statuses = order.statuses.map(orderRecord);
  log.append('orderStatus', statuses.slice(0, -1));
  log.timeMs = order.endedAtMs;
  log.append('orderStatus', statuses.slice(-1));
  const kept = order.kept ?? order.statuses.at(-1);
  if (kept !== undefined) log.append('ordersKept', [orderRecord(kept)]);
  log.append(
    'paymentRequests',
    order.requests.map((amountMinor) =>
      paymentRequestRecord({ ...ASKED, amountMinor, dueAtMs: DUE_MS }),
    ),
  );
  log.append(
    'payments',
    order.payments.map((payment) => paymentRecord({ ...ASKED, ...PAYMENT, ...payment })),
  );
  log.append(
    'refunds',
    order.refunds.map((refund) =>
      refundRecord({ ...ASKED, refundId: `${ORDER_ID}:${refund.paymentId}`, ...refund }),
    ),
  );
  return log;
}

const PAYMENT = {
  paymentId: 'pay-1',
  status: 'succeeded',
  amountMinor: 2_000,
  refundId: null,
} as const;

export const letterOf = (record: CraftedRecord, offset: number) =>
  letterRecord(record, offset, TOPICS.orders);
