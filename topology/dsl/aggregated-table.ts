/** The last step of every aggregation: its node, its store, and the table that comes out. */
import type { Serde } from '../../schemas/serde.ts';
import { KTable } from './ktable.ts';
import { storeSpec } from './materialize.ts';
import type { Materialized } from './options.ts';
import { AggregateTable, type Fold } from './processors/aggregate.ts';
import type { TopologyPlan } from './topology-plan.ts';

export interface Aggregation<K, V, VA> {
  readonly name: string;
  readonly storeName: string;
  /** Sends the records that are to be aggregated, each in its key's partition. */
  readonly parent: { readonly name: string; readonly sources: readonly string[] };
  readonly fold: Fold<K, V, VA>;
  readonly keySerde: Serde<K> | undefined;
}

export function aggregatedTable<K, V, VA>(
  plan: TopologyPlan,
  { name, storeName, parent, fold, keySerde }: Aggregation<K, V, VA>,
  options: Materialized<K, VA>,
): KTable<K, VA> {
  const origin = new AggregateTable(storeName, fold);
  const spec = storeSpec(storeName, { ...options, keySerde });
  plan.add((topology) =>
    topology
      .addProcessor({ name, supplier: () => origin.newProcessor(), parents: [parent.name] })
      .addStateStore(spec, name),
  );
  return new KTable({
    plan,
    name,
    sources: parent.sources,
    keySerde,
    valueSerde: spec.valueSerde,
    origin,
    storeName: options.store,
  });
}

/** The given name, or a generated one where the builder allows it. */
export function aggregateStoreName(
  plan: TopologyPlan,
  options: Materialized<unknown, unknown>,
  prefix: string,
): string {
  if (options.store !== undefined) return options.store;
  const generated = plan.generateStoreName(prefix);
  plan.checkTopicName('store', generated, 'store');
  return generated;
}
