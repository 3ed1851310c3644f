/** Whatever comes in, an aggregate is what a plain loop over the same records would have found. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TopologyTestDriver } from '../../runtime/topology-test-driver.ts';
import { int32Serde, stringSerde } from '../../schemas/serdes.ts';
import { StreamsBuilder } from '../../topology/streams-builder.ts';

const numbers = { keySerde: stringSerde, valueSerde: int32Serde };
const key = fc.constantFrom('a', 'b', 'c', null);
const value = fc.option(fc.integer({ min: -9, max: 9 }), { freq: 4 });
const records = fc.array(fc.record({ key, value, timestampMs: fc.nat(50) }), { maxLength: 40 });

type Records = readonly {
  readonly key: string | null;
  readonly value: number | null;
  readonly timestampMs: number;
}[];

async function pipeAll(builder: StreamsBuilder, input: Records): Promise<TopologyTestDriver> {
  const driver = new TopologyTestDriver(builder.build());
  const topic = driver.createInputTopic('in', stringSerde, int32Serde);
  for (const record of input) await topic.pipeInput(record.key, record.value, record.timestampMs);
  return driver;
}

async function entriesOf<V>(driver: TopologyTestDriver, store: string) {
  const entries: (readonly [string, V])[] = [];
  for await (const entry of driver.getKeyValueStore<string, V>(store).range()) entries.push(entry);
  return entries;
}

test('count, reduce and aggregate of a stream equal a fold over its records', async () => {
  await fc.assert(
    fc.asyncProperty(records, async (input) => {
      const builder = new StreamsBuilder();
      const grouped = builder.stream('in', numbers).groupByKey();
      grouped.count({ store: 'count' });
      grouped.reduce((sum, each) => sum + each, { store: 'sum' });
      grouped.aggregate(
        () => '',
        (_, each, all) => `${all};${each}`,
        { valueSerde: stringSerde, store: 'all' },
      );
      const driver = await pipeAll(builder, input);

      const folded = new Map<string, number[]>();
      for (const record of input) {
        if (record.key === null || record.value === null) continue;
        folded.set(record.key, [...(folded.get(record.key) ?? []), record.value]);
      }
      const expected = [...folded].sort();
      const sum = (values: readonly number[]) => values.reduce((a, b) => a + b);
      expect(await entriesOf(driver, 'count')).toEqual(expected.map(([k, v]) => [k, v.length]));
      expect(await entriesOf(driver, 'sum')).toEqual(expected.map(([k, v]) => [k, sum(v)]));
      expect(await entriesOf(driver, 'all')).toEqual(
        expected.map(([k, v]) => [k, `;${v.join(';')}`]),
      );
      await driver.close();
    }),
    { numRuns: 60 },
  );
});

test('a regrouped table is counted and summed as if it were read anew', async () => {
  await fc.assert(
    fc.asyncProperty(records, async (input) => {
      const builder = new StreamsBuilder();
      const isOdd = (each: number) => each % 2 !== 0;
      const grouped = builder
        .table('in', { ...numbers, store: 'table' })
        .filter((_, each) => each > -5)
        .groupBy((_, each) => [isOdd(each) ? 'odd' : 'even', each], {
          ...numbers,
          name: 'by-parity',
        });
      grouped.count({ store: 'count' });
      grouped.reduce(
        (sum, each) => sum + each,
        (sum, each) => sum - each,
        { store: 'sum' },
      );
      const driver = await pipeAll(builder, input);

      const table = new Map<string, number>();
      for (const record of input) {
        if (record.key === null) continue;
        if (record.value === null) table.delete(record.key);
        else table.set(record.key, record.value);
      }
      const rows = [...table.values()].filter((each) => each > -5);
      for (const group of ['odd', 'even']) {
        const members = rows.filter((each) => isOdd(each) === (group === 'odd'));
        const count = driver.getKeyValueStore<string, number>('count').get(group) ?? 0;
        const sum = driver.getKeyValueStore<string, number>('sum').get(group) ?? 0;
        expect([count, sum]).toEqual([members.length, members.reduce((a, b) => a + b, 0)]);
      }
      await driver.close();
    }),
    { numRuns: 60 },
  );
});
