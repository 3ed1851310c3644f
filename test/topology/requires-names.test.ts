import { describe, expect, test } from 'vitest';
import { int32Serde, stringSerde } from '../../schemas/serdes.ts';
import { StreamsBuilder } from '../../topology/streams-builder.ts';

const strings = { keySerde: stringSerde, valueSerde: stringSerde };

describe('a builder that requires names refuses', () => {
  const rekeyed = (b: StreamsBuilder) =>
    b.stream('in', strings).selectKey((k) => k, { keySerde: stringSerde });
  const cases: readonly [string, string, (b: StreamsBuilder) => unknown][] = [
    ['an aggregate without a store', 'store', (b) => b.stream('in', strings).groupByKey().count()],
    ['an unnamed repartition()', 'name', (b) => b.stream('in', strings).repartition()],
    [
      'a join of an unnamed repartitioned stream',
      'name',
      (b) => rekeyed(b).join(b.table('table', { ...strings, store: 'table' }), (l) => l),
    ],
    ['a rekeyed table without a name', 'name', (b) => rekeyed(b).toTable({ store: 'table' })],
    [
      'a table that a join looks up but that has no store',
      'store',
      (b) => b.stream('in', strings).join(b.table('table', strings), (l) => l),
    ],
    [
      'a table that is regrouped but has no store',
      'store',
      (b) => b.table('table', strings).groupBy((k, v) => [k, v], strings),
    ],
    [
      'an aggregate of a table without a store',
      'store',
      (b) =>
        b
          .table('table', { ...strings, store: 'table' })
          .groupBy((k, v) => [k, v], strings)
          .count(),
    ],
  ];
  test.each(cases)('%s', (_, option, build) => {
    expect(() => build(new StreamsBuilder())).toThrow(
      expect.objectContaining({
        code: 'TOPOLOGY_INVALID',
        hint: expect.stringContaining(`{ ${option}: `),
      }),
    );
    expect(() => build(new StreamsBuilder({ requireNames: false }))).not.toThrow();
  });

  test('nothing that needs neither a store nor a repartition topic', () => {
    const builder = new StreamsBuilder();
    builder
      .table('table', strings)
      .filter(() => true)
      .toStream()
      .to('out', strings);
    expect(builder.build().build().subTopologies[0]?.stores).toEqual([]);
  });

  test('nothing when one name says it all: the repartition topic is called after the store', () => {
    const builder = new StreamsBuilder();
    builder
      .stream('in', strings)
      .groupBy((_, v) => v, strings)
      .count({ store: 'counts' });
    const { subTopologies } = builder.build().build();
    expect(subTopologies.flatMap(({ repartitionSources }) => repartitionSources)).toEqual([
      { name: 'counts-repartition' },
    ]);
  });
});

describe('a builder refuses', () => {
  test('a sink whose types are not known any more, and says where they can be given', () => {
    const stream = new StreamsBuilder().stream('in', strings).mapValues((v) => v.length);
    expect(() => stream.to('out')).toThrow(
      expect.objectContaining({
        code: 'TOPOLOGY_INVALID',
        message: expect.stringContaining('valueSerde'),
      }),
    );
  });

  test('a store whose types are not known', () => {
    const stream = new StreamsBuilder().stream('in', strings).mapValues((v) => v.length);
    expect(() => stream.groupByKey().reduce((a, b) => a + b, { store: 'sums' })).toThrow(
      'store sums has no valueSerde',
    );
  });

  test('a topic read twice with different serdes', () => {
    const builder = new StreamsBuilder();
    builder.stream('in', strings);
    expect(() => builder.stream('in', { keySerde: stringSerde, valueSerde: int32Serde })).toThrow(
      'topic in is read twice, with a different valueSerde',
    );
  });

  test('a stream and a table of one topic', () => {
    const builder = new StreamsBuilder();
    builder.stream('in', strings);
    builder.table('in', { ...strings, store: 'table' });
    expect(() => builder.build()).toThrow('topic in is read by KSTREAM-SOURCE-0000000000 already');
  });

  test('two stores of one name', () => {
    const builder = new StreamsBuilder();
    const grouped = builder.stream('in', strings).groupByKey();
    grouped.count({ store: 'twice' });
    grouped.reduce((_, v) => v, { store: 'twice' });
    expect(() => builder.build()).toThrow('two different stores named twice');
  });

  test('a processor whose store was not added before', () => {
    const builder = new StreamsBuilder();
    builder.stream('in', strings).process(() => ({ process() {} }), { stores: ['late'] });
    expect(() => builder.build()).toThrow('wants store late');
  });
});
