/** What the last owners keep of orders is what was announced of them, and none waits for anything. */
import type { StoreContent } from '../../../simulation/scenario.ts';
import { ORDER_STORES } from '../../../ticket-sales/orders/order-processor.ts';
import { isSameData } from '../same-data.ts';
import type { OrderTrail } from './order-trail.ts';

export function ordersAreKept(
  trails: ReadonlyMap<string, OrderTrail>,
  stores: readonly StoreContent[],
): string[] {
  const stored = entriesOf(stores, ORDER_STORES.orders);
  const violations = [...entriesOf(stores, ORDER_STORES.deadlines).keys()].map(
    (key) => `the deadline ${key} is still waited for`,
  );
  if (stored.size !== trails.size) violations.push(`${stored.size} orders are stored`);
  for (const [orderId, { last }] of trails) {
    if (isSameData(stored.get(orderId), last)) continue;
    violations.push(`${orderId} is stored as ${JSON.stringify(stored.get(orderId))}`);
  }
  return violations;
}

/** Of all partitions together. */
export function entriesOf(
  stores: readonly StoreContent[],
  name: string,
): ReadonlyMap<string, unknown> {
  const entries = new Map<string, unknown>();
  for (const content of stores) {
    if (content.store !== name) continue;
    for (const [key, value] of content.entries as ReadonlyMap<string, unknown>) {
      entries.set(key, value);
    }
  }
  return entries;
}
