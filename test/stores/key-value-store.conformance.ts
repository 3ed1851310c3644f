/**
 * What every implementation of a store must do, whatever lies below. An implementation runs it by
 * calling describeKeyValueStores with a way to open a task's state.
 */
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { KeyValueStore, StoreSpec, TaskState } from '../../stores/state-store.ts';
import { toArray } from './fixtures.ts';
import { positionsAt, type Seat, type Stock, seat, specOf, stock, text } from './serdes.ts';

export interface StoreUnderTest {
  readonly name: string;
  readonly persistence: StoreSpec['persistence'];
  /** A fresh, empty state; closed and removed when the test is over. */
  open(specs: readonly StoreSpec[]): Promise<TaskState>;
}

const NO_CACHE = { cacheEntriesMax: 0 };

export function describeKeyValueStores(tested: StoreUnderTest): void {
  const { persistence } = tested;
  const words = specOf('words', text, text, { persistence, ...NO_CACHE });

  async function openWith(...specs: StoreSpec[]): Promise<TaskState> {
    const state = await tested.open(specs);
    onTestFinished(() => state.close({ clean: false }));
    return state;
  }

  async function commit(state: TaskState, offset: number): Promise<void> {
    state.freeze();
    await state.apply(positionsAt(offset));
  }

  describe(`a key-value store over ${tested.name}`, () => {
    test('has nothing under a key that was never put', async () => {
      const state = await openWith(words);
      expect(state.store('words').get('a')).toBeUndefined();
    });

    test('gives back what was put, before and after it is applied', async () => {
      const state = await openWith(words);
      const store = state.store<string, string>('words');
      store.put('a', '1');
      expect(store.get('a')).toBe('1');
      state.freeze();
      expect(store.get('a')).toBe('1');
      const applied = state.apply(positionsAt(1));
      expect(store.get('a')).toBe('1');
      await applied;
      expect(store.get('a')).toBe('1');
    });

    test('forgets a deleted key in every layer', async () => {
      const state = await openWith(words);
      const store = state.store<string, string>('words');
      store.put('a', '1');
      await commit(state, 1);
      store.delete('a');
      expect(store.get('a')).toBeUndefined();
      state.freeze();
      expect(store.get('a')).toBeUndefined();
      await state.apply(positionsAt(2));
      expect(store.get('a')).toBeUndefined();
    });

    test('puts only what is absent with putIfAbsent, and says what was there', async () => {
      const state = await openWith(words);
      const store = state.store<string, string>('words');
      expect(store.putIfAbsent('a', '1')).toBeUndefined();
      expect(store.putIfAbsent('a', '2')).toBe('1');
      await commit(state, 1);
      expect(store.putIfAbsent('a', '3')).toBe('1');
      store.delete('a');
      expect(store.putIfAbsent('a', '4')).toBeUndefined();
      expect(store.get('a')).toBe('4');
    });

    test('answers getMany in the order of the keys', async () => {
      const state = await openWith(words);
      const store = state.store<string, string>('words');
      store.put('a', '1');
      store.put('c', '3');
      expect(store.getMany(['c', 'b', 'a'])).toEqual(['3', undefined, '1']);
    });

    test('identifies keys that are objects by what they encode to', async () => {
      const state = await openWith(specOf<Seat, Stock>('seats', seat, stock, { persistence }));
      const store = state.store<Seat, Stock>('seats');
      store.put({ zone: 'a', row: 1 }, { sold: 1 });
      store.put({ zone: 'a', row: 1 }, { sold: 2 });
      expect(state.freeze().entryCount).toBe(1);
      await state.apply(positionsAt(1));
      expect(store.get({ zone: 'a', row: 1 })).toEqual({ sold: 2 });
      expect(store.get({ zone: 'a', row: 2 })).toBeUndefined();
    });

    test('keeps stores of one task apart, ranges included', async () => {
      const others = specOf('others', text, text, { persistence });
      const state = await openWith(words, others);
      state.store('words').put('a', 'word');
      state.store('others').put('a', 'other');
      await commit(state, 1);
      expect(state.store('words').get('a')).toBe('word');
      expect(await toArray(state.store('others').range())).toEqual([['a', 'other']]);
    });

    test('walks keys in the order of their unsigned bytes, across all layers', async () => {
      const state = await openWith(words);
      const store = state.store<string, string>('words');
      for (const key of ['b', 'ä', 'a']) store.put(key, 'disk');
      await commit(state, 1);
      store.put('c', 'frozen');
      store.put('a', 'frozen');
      state.freeze();
      store.put('aa', 'active');
      store.delete('b');
      expect(await toArray(store.range())).toEqual([
        ['a', 'frozen'],
        ['aa', 'active'],
        ['c', 'frozen'],
        ['ä', 'disk'],
      ]);
      expect(await toArray(store.range({ reverse: true, limit: 2 }))).toEqual([
        ['ä', 'disk'],
        ['c', 'frozen'],
      ]);
    });

    test('takes both ends of a range as inclusive', async () => {
      const state = await openWith(words);
      const store = state.store<string, string>('words');
      for (const key of ['a', 'b', 'c', 'c0', 'd']) store.put(key, key);
      const keys = async () =>
        (await toArray(store.range({ from: 'b', to: 'c' }))).map(([key]) => key);
      expect(await keys()).toEqual(['b', 'c']);
      await commit(state, 1);
      expect(await keys()).toEqual(['b', 'c']);
    });

    test('finds what starts with a prefix, even one that ends in 0xff', async () => {
      const state = await openWith(specOf<Seat, Stock>('seats', seat, stock, { persistence }));
      const store = state.store<Seat, Stock>('seats');
      store.put({ row: 0xff, zone: 'a' }, { sold: 1 });
      store.put({ row: 0xfe, zone: 'a' }, { sold: 2 });
      const found = () => toArray(store.range({ prefix: Buffer.of(0xff) }));
      expect(await found()).toEqual([[{ row: 0xff, zone: 'a' }, { sold: 1 }]]);
      await commit(state, 1);
      expect(await found()).toEqual([[{ row: 0xff, zone: 'a' }, { sold: 1 }]]);
    });

    test('combines a prefix with ends of a range: all of them hold', async () => {
      const state = await openWith(words);
      const store = state.store<string, string>('words');
      for (const key of ['a', 'ab', 'ac', 'ad', 'b']) store.put(key, key);
      const keys = async (from: string, to: string) =>
        (await toArray(store.range({ prefix: Buffer.from('a'), from, to }))).map(([key]) => key);
      const expected = [
        ['ab', 'ac'],
        ['a', 'ab', 'ac', 'ad'],
      ];
      expect([await keys('ab', 'ac'), await keys('', 'z')]).toEqual(expected);
      await commit(state, 1);
      expect([await keys('ab', 'ac'), await keys('', 'z')]).toEqual(expected);
    });

    test('tells the log time of an entry in every layer, and none where there is none', async () => {
      const state = await openWith(words);
      const store = state.store<string, string>('words');
      const times = () => [store.timestampMsOf('a'), store.timestampMsOf('b')];
      state.setTimestamp(1_700_000_000_123);
      store.put('a', '1');
      store.put('b', '1', -1);
      expect(times()).toEqual([1_700_000_000_123, -1]);
      await commit(state, 1);
      expect(times()).toEqual([1_700_000_000_123, -1]);
      store.delete('b');
      expect(times()).toEqual([1_700_000_000_123, undefined]);
    });

    test('shows a walk one moment only, whatever is written meanwhile', async () => {
      const state = await openWith(words);
      const store = state.store<string, string>('words');
      for (let index = 0; index < 3000; index++) store.put(`k${10_000 + index}`, 'old');
      await commit(state, 1);
      store.put('k10001', 'uncommitted');
      const walk = store.range();
      const first = await walk.next();
      store.put('k10001', 'later');
      store.put('k99999', 'later');
      store.delete('k12999');
      await commit(state, 2);
      const rest = await toArray(walk);
      expect(first.value).toEqual(['k10000', 'old']);
      expect(rest[0]).toEqual(['k10001', 'uncommitted']);
      expect(rest).toHaveLength(2999);
      expect(rest.at(-1)).toEqual(['k12999', 'old']);
    });

    test('can be left in the middle of a walk', async () => {
      const state = await openWith(words);
      const store = state.store<string, string>('words');
      for (let index = 0; index < 200; index++) store.put(`k${index}`, 'v');
      await commit(state, 1);
      for await (const [key] of store.range()) {
        expect(key).toBe('k0');
        break;
      }
      expect(await toArray(store.range({ limit: 0 }))).toEqual([]);
    });

    test('takes entries older than the TTL for absent, by log time', async () => {
      const state = await openWith(specOf('words', text, text, { persistence, ttlMs: 100 }));
      const store = state.store<string, string>('words');
      state.setTimestamp(1000);
      store.put('old', 'v');
      store.put('young', 'v', 1001);
      await commit(state, 1);
      state.setTimestamp(1100);
      expect(store.getMany(['old', 'young'])).toEqual(['v', 'v']);
      state.setTimestamp(1101);
      expect(store.getMany(['old', 'young'])).toEqual([undefined, 'v']);
      expect(await toArray(store.range())).toEqual([['young', 'v']]);
      expect(store.putIfAbsent('old', 'new')).toBeUndefined();
    });

    test('keeps values of many sizes, empty ones too', async () => {
      const state = await openWith(words);
      const store = state.store<string, string>('words');
      const sizes = [0, 1, 255, 256, 65_536, 300_000];
      for (const size of sizes) store.put(`k${size}`, 'x'.repeat(size));
      await commit(state, 1);
      for (const size of sizes) expect(store.get(`k${size}`)).toHaveLength(size);
    });

    test('counts its entries, roughly', async () => {
      const state = await openWith(words, specOf('others', text, text, { persistence }));
      const store = state.store<string, string>('words');
      expect(await store.approximateEntryCount()).toBe(0);
      for (let index = 0; index < 1500; index++) store.put(`k${index}`, 'v');
      state.store('others').put('a', 'v');
      await commit(state, 1);
      expect(await store.approximateEntryCount()).toBe(1500);
    });

    test('behaves like a map with transactions, for any sequence of operations', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(operation, { maxLength: 60 }), async (operations) => {
          const state = await tested.open([
            specOf('words', text, text, { persistence, cacheEntriesMax: 4 }),
          ]);
          try {
            const model = new Model();
            for (const [index, step] of operations.entries()) {
              await perform(step, state, state.store('words'), model, index);
            }
          } finally {
            await state.close({ clean: false });
          }
        }),
        { numRuns: 60 },
      );
    });
  });
}

const key = fc.constantFrom('', 'a', 'ab', 'b', 'ÿ', '\u0000');

type Operation =
  | { readonly do: 'put' | 'putIfAbsent'; readonly key: string; readonly value: string }
  | { readonly do: 'delete' | 'get'; readonly key: string }
  | { readonly do: 'freeze' | 'apply' | 'startApply' | 'drop' }
  | {
      readonly do: 'range';
      readonly from: string | undefined;
      readonly to: string | undefined;
      readonly reverse: boolean;
    };

const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('put'), key, value: fc.string() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('putIfAbsent'), key, value: fc.string() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('delete', 'get'), key }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom('freeze', 'apply', 'startApply', 'drop') }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('range'),
      from: fc.option(key, { nil: undefined }),
      to: fc.option(key, { nil: undefined }),
      reverse: fc.boolean(),
    }),
  },
) as fc.Arbitrary<Operation>;

/** The same thing as simply as it can be said. */
class Model {
  committed = new Map<string, string>();
  frozen: Map<string, string> | undefined;
  current = new Map<string, string>();
  applied: Promise<void> = Promise.resolve();
}

async function perform(
  step: Operation,
  state: TaskState,
  store: KeyValueStore<string, string>,
  model: Model,
  index: number,
): Promise<void> {
  switch (step.do) {
    case 'put':
      store.put(step.key, step.value);
      model.current.set(step.key, step.value);
      break;
    case 'putIfAbsent':
      expect(store.putIfAbsent(step.key, step.value)).toBe(model.current.get(step.key));
      if (!model.current.has(step.key)) model.current.set(step.key, step.value);
      break;
    case 'delete':
      store.delete(step.key);
      model.current.delete(step.key);
      break;
    case 'get':
      expect(store.get(step.key)).toBe(model.current.get(step.key));
      break;
    case 'freeze':
      if (model.frozen !== undefined) break;
      state.freeze();
      model.frozen = new Map(model.current);
      break;
    case 'apply':
    case 'startApply': {
      if (model.frozen === undefined) break;
      await model.applied;
      model.applied = state.apply(positionsAt(index));
      model.committed = model.frozen;
      model.frozen = undefined;
      if (step.do === 'apply') await model.applied;
      break;
    }
    case 'drop':
      state.dropUncommitted();
      model.frozen = undefined;
      model.current = new Map(model.committed);
      break;
    case 'range':
      expect(await toArray(store.range(definedOnly(step)))).toEqual(rangeOf(model.current, step));
      break;
  }
}

function definedOnly(step: Operation & { do: 'range' }) {
  return {
    ...(step.from !== undefined && { from: step.from }),
    ...(step.to !== undefined && { to: step.to }),
    reverse: step.reverse,
  };
}

function rangeOf(model: ReadonlyMap<string, string>, step: Operation & { do: 'range' }) {
  const bytes = (key: string) => Buffer.from(key);
  const entries = [...model]
    .filter(([key]) => step.from === undefined || bytes(key).compare(bytes(step.from)) >= 0)
    .filter(([key]) => step.to === undefined || bytes(key).compare(bytes(step.to)) <= 0)
    .sort(([a], [b]) => bytes(a).compare(bytes(b)));
  return step.reverse ? entries.reverse() : entries;
}
