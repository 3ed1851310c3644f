/** What streams do record by record: map, filter, flatMap, peek, forEach, pass on, branch. */
import { forEachInOrder } from '../../and-then.ts';
import type { ProcessorSupplier } from '../../processor.ts';
import { withValue } from './change.ts';
import { functionProcessor } from './function-processor.ts';

export type Predicate<K, V> = (key: K, value: V) => boolean;
export type KeyValueMapper<K, V, R> = (key: K, value: V) => R;
/** The key may be looked at, not changed. */
export type ValueMapper<K, V, R> = (value: V, key: K) => R;
export type KeyValuePair<K, V> = readonly [key: K, value: V];

export function mapProcessor<K, V, KR, VR>(
  mapper: KeyValueMapper<K, V, KeyValuePair<KR, VR>>,
): ProcessorSupplier<K, V, KR, VR> {
  return functionProcessor(
    ({ key: keyBefore, value: valueBefore, timestampMs, headers }, context) => {
      const [key, value] = mapper(keyBefore, valueBefore);
      return context.forward({ key, value, timestampMs, headers });
    },
  );
}

export function mapValuesProcessor<K, V, VR>(
  mapper: ValueMapper<K, V, VR>,
): ProcessorSupplier<K, V, K, VR> {
  return functionProcessor((record, context) =>
    context.forward(withValue(record, mapper(record.value, record.key))),
  );
}

export function selectKeyProcessor<K, V, KR>(
  selector: KeyValueMapper<K, V, KR>,
): ProcessorSupplier<K, V, KR, V> {
  return functionProcessor(({ key, value, timestampMs, headers }, context) =>
    context.forward({ key: selector(key, value), value, timestampMs, headers }),
  );
}

export function flatMapProcessor<K, V, KR, VR>(
  mapper: KeyValueMapper<K, V, Iterable<KeyValuePair<KR, VR>>>,
): ProcessorSupplier<K, V, KR, VR> {
  return functionProcessor(
    ({ key: keyBefore, value: valueBefore, timestampMs, headers }, context) =>
      forEachInOrder(mapper(keyBefore, valueBefore), ([key, value]) =>
        context.forward({ key, value, timestampMs, headers }),
      ),
  );
}

export function flatMapValuesProcessor<K, V, VR>(
  mapper: ValueMapper<K, V, Iterable<VR>>,
): ProcessorSupplier<K, V, K, VR> {
  return functionProcessor((record, context) =>
    forEachInOrder(mapper(record.value, record.key), (value) =>
      context.forward(withValue(record, value)),
    ),
  );
}

export function filterProcessor<K, V>(
  predicate: Predicate<K, V>,
  keepWhen: boolean,
): ProcessorSupplier<K, V, K, V> {
  return functionProcessor((record, context) => {
    if (predicate(record.key, record.value) === keepWhen) return context.forward(record);
  });
}

export function peekProcessor<K, V>(
  action: KeyValueMapper<K, V, void>,
): ProcessorSupplier<K, V, K, V> {
  return functionProcessor((record, context) => {
    action(record.key, record.value);
    return context.forward(record);
  });
}

export function forEachProcessor<K, V>(
  action: KeyValueMapper<K, V, void | Promise<void>>,
): ProcessorSupplier<K, V, never, never> {
  return functionProcessor((record) => action(record.key, record.value));
}

export function passThroughProcessor<K, V>(): ProcessorSupplier<K, V, K, V> {
  return functionProcessor((record, context) => context.forward(record));
}

/** A stream's records on their way to a topic that needs a key. */
export function keyedOnlyProcessor<K, V>(): ProcessorSupplier<K, V, K, V> {
  return functionProcessor((record, context) => {
    if (record.key !== null) return context.forward(record);
    context.recordDropped?.('null key');
  });
}

export interface Branch<K, V> {
  /** Of the child node. */
  readonly name: string;
  /** Left out: takes everything. */
  readonly predicate?: Predicate<K, V>;
}

/** Each record goes to the first branch that takes it, or nowhere. The list grows until build(). */
export function branchProcessor<K, V>(
  branches: readonly Branch<K, V>[],
): ProcessorSupplier<K, V, K, V> {
  return functionProcessor((record, context) => {
    for (const { name, predicate } of branches) {
      if (predicate?.(record.key, record.value) ?? true) return context.forward(record, name);
    }
  });
}
