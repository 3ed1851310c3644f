/** From Materialized options to a StoreSpec. */
import { MillraceError } from '../../base/errors.ts';
import type { Serde } from '../../schemas/serde.ts';
import type { StoreSpec } from '../../stores/state-store.ts';
import type { Materialized } from './options.ts';

/** Throws TOPOLOGY_INVALID when a serde is missing. */
export function storeSpec<K, V>(name: string, options: Materialized<K, V>): StoreSpec<K, V> {
  const { persistence = 'leveldb', changelog = {}, ttlMs, cacheEntriesMax } = options;
  return {
    kind: 'keyValue',
    name,
    keySerde: requireSerde(options.keySerde, 'keySerde', `store ${name}`),
    valueSerde: requireSerde(options.valueSerde, 'valueSerde', `store ${name}`),
    persistence,
    changelog: changelog === false ? false : { configs: changelog },
    ...(ttlMs === undefined ? {} : { ttlMs }),
    ...(cacheEntriesMax === undefined ? {} : { cacheEntriesMax }),
  };
}

/** A store, a sink and a repartition topic cannot do without. Throws TOPOLOGY_INVALID. */
export function requireSerde<T>(
  serde: Serde<T> | undefined,
  option: 'keySerde' | 'valueSerde',
  user: string,
): Serde<T> {
  if (serde !== undefined) return serde;
  throw new MillraceError('TOPOLOGY_INVALID', `${user} has no ${option}`, {
    hint: `Give { ${option} } there, or to the operation before it that changed the type.`,
  });
}
