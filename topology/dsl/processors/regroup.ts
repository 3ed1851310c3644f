/**
 * A table grouped by another key: each change takes its old value out of one group and puts its new
 * value into another, so every aggregate is that of the table as it stands.
 */
import type { ProcessorSupplier } from '../../processor.ts';
import type { Fold } from './aggregate.ts';
import type { Change } from './change.ts';
import { functionProcessor } from './function-processor.ts';
import type { KeyValueMapper, KeyValuePair } from './stateless.ts';

/**
 * Sends each change to the group of its old value, as a removal, and to that of its new value, as an
 * addition; both in one when the group is the same. A null key or value belongs to no group.
 */
export function regroupProcessor<K, V, KR, VR>(
  selector: KeyValueMapper<K, V, KeyValuePair<KR, VR>>,
): ProcessorSupplier<K, Change<V>, KR, Change<VR>> {
  const groupOf = (key: K, value: V | null): KeyValuePair<KR, VR> | undefined => {
    const pair = value === null ? undefined : selector(key, value);
    return pair === undefined || isNothing(pair[0]) || isNothing(pair[1]) ? undefined : pair;
  };
  return functionProcessor(({ key, value: change, timestampMs, headers }, context) => {
    const from = groupOf(key, change.oldValue);
    const to = groupOf(key, change.newValue);
    const forward = (group: KR, newValue: VR | null, oldValue: VR | null) =>
      context.forward({ key: group, value: { newValue, oldValue }, timestampMs, headers });
    if (from === undefined) return to && forward(to[0], to[1], null);
    if (to === undefined) return forward(from[0], null, from[1]);
    // Equal keys that are objects go as two records: the result is the same.
    if (from[0] === to[0]) return forward(to[0], to[1], from[1]);
    const removed = forward(from[0], null, from[1]);
    if (removed === undefined) return forward(to[0], to[1], null);
    return removed.then(() => forward(to[0], to[1], null));
  });
}

function isNothing(value: unknown): boolean {
  return value === null || value === undefined;
}

/** Updates a group's aggregate by one change of a member. */
export function foldOfChanges<K, V, VA>(
  add: Fold<K, V, VA>,
  subtract: (key: K, value: V, aggregate: VA) => VA | null,
): Fold<K, Change<V>, VA> {
  return (key, { oldValue, newValue }, before) => {
    const isMember = oldValue !== null && before !== undefined;
    const rest = isMember ? subtract(key, oldValue, before) : before;
    return newValue === null ? rest : add(key, newValue, rest ?? undefined);
  };
}
