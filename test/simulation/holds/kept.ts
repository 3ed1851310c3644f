/** Holds what is announced of stock, and what is on the disks of the last owners, to the model of purchases. */
import { fromBytes } from '../../../schemas/serde.ts';
import type { StoreContent } from '../../../simulation/scenario.ts';
import type { ReadRecord } from '../../../simulation/topic-reader.ts';
import { holdKey, STORES } from '../../../ticket-sales/sale/sale-stores.ts';
import { serdes } from '../sale.ts';
import type { LifeModel } from './life-model.ts';
import { plain } from './plain.ts';

/** The last stock that was announced is what the outcomes sum up to. */
export function stock(
  place: string,
  { sums }: LifeModel,
  records: readonly ReadRecord[],
): string[] {
  const last = new Map(
    records.map(({ key, value }) => [key, fromBytes(serdes.inventory, value!)] as const),
  );
  return [...sums].flatMap(([key, { held, sold, revenueMinor }]) => {
    const told = last.get(key);
    // Of a zone that is not there nothing is ever sold.
    if (told === undefined && held === 0 && sold === 0) return [];
    const isSame = told?.held === held && told.sold === sold && told.revenueMinor === revenueMinor;
    return isSame ? [] : [`${place}: ${key} is announced as ${JSON.stringify(told)}`];
  });
}

/** What is on the disks of the last owners. */
export function kept(place: string, model: LifeModel, stores: readonly StoreContent[]): string[] {
  const violations: string[] = [];
  const contentOf = (name: string) =>
    stores.find(({ store, partition }) => store === name && place === `partition ${partition}`)
      ?.entries as ReadonlyMap<string, unknown>;
  const purchases = contentOf(STORES.purchases);
  for (const [id, purchase] of model.purchases) {
    if (JSON.stringify(plain(purchases.get(id))) === JSON.stringify(plain(purchase))) continue;
    violations.push(`${place}: the store has ${id} as ${JSON.stringify(purchases.get(id))}`);
  }
  if (purchases.size !== model.purchases.size) {
    violations.push(`${place}: the store has ${purchases.size} purchases`);
  }
  const live = [...model.purchases.values()].filter(({ state }) => state === 'held');
  const wanted = live.map(({ checkout, purchaseId }) => holdKey(checkout!.heldUntilMs, purchaseId));
  const found = [...contentOf(STORES.holds).keys()];
  if (found.join() !== wanted.sort().join()) violations.push(`${place}: holds are ${found}`);
  return violations;
}
