/** Limits per customer and event, and who may buy: what came through the intake keeps them, and is what the intake counts. */
import type { StoreContent } from '../../../simulation/scenario.ts';
import type { EventDefinition } from '../../../ticket-sales/domain/event.ts';
import type { Purchase } from '../../../ticket-sales/domain/purchase.ts';
import type { CustomerTickets } from '../../../ticket-sales/intake/admission.ts';
import { INTAKE_STORES } from '../../../ticket-sales/intake/intake-processors.ts';
import { PARTITIONS } from '../sale.ts';
import type { SalePlan } from './plan.ts';
import { entriesOf } from './stored-orders.ts';

export function intakeIsRight(
  { events, customers }: SalePlan,
  purchases: ReadonlyMap<string, Purchase>,
  stores: readonly StoreContent[],
): string[] {
  const violations: string[] = [];
  const live = [...purchases.values()].filter(
    ({ state, checkout }) =>
      checkout?.viaIntake === true && (state === 'held' || state === 'confirmed'),
  );
  for (const { purchaseId, eventId, buyerId } of live) {
    const event = events.find((each) => each.eventId === eventId);
    if (event?.customers !== 'registered' || customers.includes(buyerId)) continue;
    violations.push(`${purchaseId} is of ${buyerId}, who is not registered`);
  }
  const wanted = Map.groupBy(
    live.filter(({ eventId }) => maxOf(events, eventId) > 0),
    ({ buyerId, eventId }) => `${buyerId}/${eventId}`,
  );
  const counted = entriesOf(stores, INTAKE_STORES.tickets) as ReadonlyMap<string, CustomerTickets>;
  for (const key of new Set([...wanted.keys(), ...counted.keys()])) {
    const bought = wanted.get(key) ?? [];
    const tickets = bought.reduce((sum, { quantity }) => sum + quantity, 0);
    const max = maxOf(events, key.slice(key.indexOf('/') + 1));
    if (tickets > max) violations.push(`${key} has ${tickets} tickets of ${max}`);
    const [has, should] = [linesOf(counted.get(key)?.purchases ?? []), linesOf(bought)];
    if (has !== should) violations.push(`the intake counts ${key} as ${has} instead of ${should}`);
  }
  for (const { store, entries, partition } of stores) {
    if (store !== INTAKE_STORES.events || entries.size === events.length) continue;
    violations.push(`partition ${partition} of ${PARTITIONS} knows ${entries.size} events`);
  }
  return violations;
}

function maxOf(events: readonly EventDefinition[], id: string): number {
  return events.find(({ eventId }) => eventId === id)?.customerMax ?? 0;
}

function linesOf(purchases: readonly Pick<Purchase, 'purchaseId' | 'quantity'>[]): string {
  const lines = purchases.map(({ purchaseId, quantity }) => `${quantity} in ${purchaseId}`);
  return lines.sort().join(', ');
}
