/** Decides an order that is placed: one purchase per line is asked for, or none at all. */
import type { LogPlace, PurchaseCommand } from '../domain/command.ts';
import { isId, QUANTITY_MAX } from '../domain/zone.ts';
import {
  LINES_MAX,
  type Order,
  type OrderLine,
  type OrderLineRequest,
  purchaseIdOfLine,
} from './order.ts';
import type { PlaceOrderCommand } from './order-command.ts';
import type { OrderDecision } from './order-decision.ts';

/** How long an order waits for zones that have not answered, while no hold of it could end earlier. */
export const REQUESTED_MS_MAX = 600_000;

export function decidePlaceOrder(
  order: Order | undefined,
  command: PlaceOrderCommand,
  place: LogPlace,
): OrderDecision {
  if (order !== undefined) {
    return { kind: isSameOrder(order, command) ? 'repeated' : 'conflict', order };
  }
  const requested = requestedOrder(command, place);
  if (!isUsable(command)) return { kind: 'decided', order: refused(requested), effects: [] };
  return {
    kind: 'decided',
    order: requested,
    effects: requested.lines.map((line) => ({
      kind: 'command',
      command: purchaseOf(requested, line, command.requestedAtMs),
    })),
  };
}

/** An order of which nothing is known but its command. */
export function requestedOrder(command: PlaceOrderCommand, place: LogPlace): Order {
  const { orderId, buyerId } = command;
  return {
    orderId,
    buyerId,
    state: 'requested',
    reason: 'none',
    decidingLine: null,
    requestedAtMs: place.nowMs,
    decidedAtMs: place.nowMs,
    commandOffset: place.offset,
    deadlineMs: place.nowMs + REQUESTED_MS_MAX,
    price: null,
    paymentId: null,
    paidMinor: 0,
    refunds: [],
    lines: command.lines.slice(0, LINES_MAX).map((line, number) => ({
      ...requestOf(line),
      purchaseId: purchaseIdOfLine(command, line, number),
      state: 'requested',
      reason: 'none',
      seatsTaken: [],
      price: null,
      heldUntilMs: 0,
      isGivenBack: false,
    })),
    notify: false,
  };
}

export function isSameOrder(
  order: Pick<Order, 'buyerId' | 'lines'>,
  request: Pick<PlaceOrderCommand, 'buyerId' | 'lines'>,
): boolean {
  const wanted = request.lines.slice(0, LINES_MAX);
  return (
    order.buyerId === request.buyerId &&
    order.lines.length === wanted.length &&
    order.lines.every((line, number) => isSameLine(line, wanted[number]!))
  );
}

function isSameLine(one: OrderLineRequest, other: OrderLineRequest): boolean {
  return JSON.stringify(requestOf(one)) === JSON.stringify(requestOf(other));
}

function requestOf(line: OrderLineRequest): OrderLineRequest {
  const { eventId, zoneId, quantity, seats, placement, voucher } = line;
  return { eventId, zoneId, quantity, seats, placement, voucher };
}

function purchaseOf(order: Order, line: OrderLine, requestedAtMs: number): PurchaseCommand {
  const { orderId, buyerId } = order;
  const { purchaseId, eventId, zoneId, quantity, seats, placement, voucher } = line;
  return {
    kind: 'purchase',
    purchaseId,
    eventId,
    zoneId,
    buyerId,
    quantity,
    requestedAtMs,
    options: { seats, placement, voucher, orderId, viaIntake: false },
  };
}

/** What a zone would not even keep an outcome of; what it sells and to whom, it says itself. */
function isUsable({ buyerId, lines }: PlaceOrderCommand): boolean {
  if (!isId(buyerId) || lines.length < 1 || lines.length > LINES_MAX) return false;
  return lines.every(
    ({ eventId, zoneId, quantity, seats }) =>
      isId(eventId) &&
      isId(zoneId) &&
      quantity >= 1 &&
      quantity <= QUANTITY_MAX &&
      seats.length <= QUANTITY_MAX,
  );
}

function refused(order: Order): Order {
  const reason = 'invalid_command';
  const lines = order.lines.map((line) => ({ ...line, state: 'rejected', reason }) as const);
  return { ...order, state: 'rejected', reason, deadlineMs: 0, lines };
}
