/**
 * What buyers are told: each new state of a purchase or of an order where that is asked for, once; and of
 * the lines of an order nothing, but of those that leave a confirmed one alone.
 */
import type { Order } from '../../../ticket-sales/orders/order.ts';
import type { Logs } from './logs.ts';
import type { SalePlan } from './plan.ts';

const UNTOLD: readonly string[] = ['requested', 'paid'];
const GONE: readonly string[] = ['cancelled', 'refunded'];

export function notificationsAreRight(logs: Logs, plan: SalePlan): string[] {
  const wanted = [...ofPurchases(logs, plan), ...ofOrders(logs)].sort();
  const found = logs.notifications.flat().map(({ value }) => value.notificationId);
  found.sort();
  for (let index = 0; index < Math.max(wanted.length, found.length); index++) {
    if (wanted[index] === found[index]) continue;
    return [`buyers are told ${found[index]} where ${wanted[index]} was due`];
  }
  return [];
}

function ofPurchases({ statuses, commands }: Logs, plan: SalePlan): string[] {
  const told = plan.zones.filter(({ terms }) => terms?.notify === true);
  /** By zone: from which command on it is there. */
  const since = new Map<string, number>();
  for (const { value, record } of commands.flat()) {
    if (value.kind !== 'createZone' || since.has(value.zoneId)) continue;
    since.set(value.zoneId, record.offset);
  }
  const states = new Map<string, string>();
  return statuses.flat().flatMap(({ value }) => {
    const { purchaseId, state, zoneId, checkout, commandOffset } = value;
    const isNew = states.get(purchaseId) !== state;
    states.set(purchaseId, state);
    const isTold = told.some((zone) => zone.zoneId === zoneId);
    const isThere = commandOffset > (since.get(zoneId) ?? Number.POSITIVE_INFINITY);
    const isLine = (checkout?.orderId ?? null) !== null;
    return isNew && isTold && isThere && !isLine ? [`${purchaseId}:${state}`] : [];
  });
}

function ofOrders({ orderStatuses }: Logs): string[] {
  const last = new Map<string, Order>();
  return orderStatuses.flat().flatMap(({ value: order }) => {
    const before = last.get(order.orderId);
    last.set(order.orderId, order);
    if (!order.notify) return [];
    if (before?.state !== order.state) {
      return UNTOLD.includes(order.state) ? [] : [`${order.orderId}:${order.state}`];
    }
    if (order.state !== 'confirmed') return [];
    return order.lines.flatMap(({ purchaseId, state }, number) => {
      const isLeaving = GONE.includes(state) && !GONE.includes(before.lines[number]!.state);
      return isLeaving ? [`${purchaseId}:cancelled`] : [];
    });
  });
}
