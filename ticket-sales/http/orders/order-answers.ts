/** What an order is answered with. Pure. */
import { Problem } from '../../../interactive-queries/http/problem.ts';
import type { RouteResponse } from '../../../interactive-queries/http/route.ts';
import { isOver, type OrderLineRequest, type OrderState } from '../../orders/order.ts';
import type { PlaceOrderCommand } from '../../orders/order-command.ts';

type View = Record<string, unknown>;

/** `position`: where to read what follows from the command; undefined when the broker did not say. */
export function acceptedOrder(view: View, position: string | undefined): RouteResponse {
  return { status: 202, headers: { ...headersOf(view, position), 'Retry-After': '1' }, body: view };
}

/** Throws 409 for an order that was rejected, 422 for one that is another under the same key. */
export function decidedOrder(
  view: View,
  command: PlaceOrderCommand,
  position: string,
): RouteResponse {
  const { orderId } = command;
  if (!isOf(view, command)) {
    throw new Problem('duplicate-conflict', {
      detail: 'this Idempotency-Key was used for another order',
      members: { reason: 'duplicate_conflict', orderId },
    });
  }
  if (view['state'] === 'requested') return acceptedOrder(view, position);
  const headers = { ...headersOf(view, position), 'Preference-Applied': 'wait' };
  if (view['state'] === 'rejected') throw rejection(view, headers);
  return { status: 201, headers, body: view };
}

export function isOverView(view: View): boolean {
  return isOver(view['state'] as OrderState);
}

/** 200 for what was given back; throws 409 for what had ended otherwise. */
export function alreadyOver(view: View): RouteResponse {
  const { state, reason, orderId } = view;
  if (state === 'released' || state === 'cancelled' || state === 'refunded') {
    return { status: 200, body: view };
  }
  const members = { state, orderId, ...(reason === undefined ? {} : { reason }) };
  throw new Problem('already-final', { detail: `the order is ${state}`, members });
}

function headersOf(view: View, position: string | undefined): Record<string, string> {
  return {
    Location: `/v1/orders/${view['orderId']}`,
    ...(position === undefined ? {} : { 'Store-Position': position }),
  };
}

/** The lines that are shown are those that were asked for, in their order. */
function isOf(view: View, { buyerId, lines }: PlaceOrderCommand): boolean {
  const shown = view['lines'] as readonly View[];
  return (
    view['buyerId'] === buyerId &&
    shown.length === lines.length &&
    lines.every((wanted, number) => isOfLine(shown[number]!, wanted))
  );
}

function isOfLine(line: View, wanted: OrderLineRequest): boolean {
  const { eventId, zoneId, quantity, seats, placement, voucher } = wanted;
  return (
    line['eventId'] === eventId &&
    line['zoneId'] === zoneId &&
    line['quantity'] === quantity &&
    (line['placement'] ?? 'any') === placement &&
    (line['voucher'] ?? null) === voucher &&
    (seats.length === 0 || String(line['seats']) === String(seats))
  );
}

function rejection(view: View, headers: Readonly<Record<string, string>>): Problem {
  const { reason, orderId, decidingLine } = view;
  const line = decidingLine === undefined ? {} : { decidingLine };
  const options = { members: { reason, orderId, ...line }, headers };
  switch (reason) {
    case 'sold_out':
      return new Problem('sold-out', options);
    case 'sale_closed':
    case 'sale_not_open':
      return new Problem('sale-closed', options);
    default:
      return new Problem('rejected', options);
  }
}
