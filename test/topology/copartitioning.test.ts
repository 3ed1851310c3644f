import { describe, expect, test } from 'vitest';
import { stringSerde } from '../../schemas/serdes.ts';
import { checkCopartitioning, resolvePartitionCounts } from '../../topology/copartitioning.ts';
import { StreamsBuilder } from '../../topology/streams-builder.ts';

const strings = { keySerde: stringSerde, valueSerde: stringSerde };

function joined(rekeyed: boolean, partitions?: number) {
  const builder = new StreamsBuilder();
  const source = builder.stream('left', strings);
  const named = { name: 're', ...(partitions === undefined ? {} : { partitions }) };
  const stream = rekeyed ? source.repartition(named) : source;
  const table = builder.table('right', { ...strings, store: 'right' });
  stream.join(table, (l) => l).to('out', strings);
  return builder.build().build();
}

function counts(of: Readonly<Record<string, number>>) {
  return (topic: string) => of[topic];
}

describe('partition counts', () => {
  test('of joined topics must be equal, and the error names topics and counts', () => {
    expect(() => resolvePartitionCounts(joined(false), counts({ left: 4, right: 6 }))).toThrow(
      expect.objectContaining({
        code: 'TOPOLOGY_INVALID',
        message: expect.stringMatching(/left 4, right 6/),
      }),
    );
    const resolved = resolvePartitionCounts(joined(false), counts({ left: 6, right: 6 }));
    expect(Object.fromEntries(resolved)).toEqual({ left: 6, right: 6 });
  });

  test('of a repartition topic are those of the topic it is joined with', () => {
    const resolved = resolvePartitionCounts(joined(true), counts({ left: 4, right: 6 }));
    expect(resolved.get('re-repartition')).toBe(6);
  });

  test('that were asked for stay, and must fit', () => {
    expect(() => resolvePartitionCounts(joined(true, 3), counts({ left: 4, right: 6 }))).toThrow(
      're-repartition 3, right 6',
    );
  });

  test('of a repartition topic are those of the widest topic upstream, through a chain of them', () => {
    const builder = new StreamsBuilder();
    builder
      .stream(['a', 'b'], strings)
      .repartition({ name: 'one' })
      .repartition({ name: 'two' })
      .to('out');
    const resolved = resolvePartitionCounts(builder.build().build(), counts({ a: 3, b: 8 }));
    expect(Object.fromEntries(resolved)).toEqual({
      ...{ a: 3, b: 8, 'one-repartition': 8, 'two-repartition': 8 },
    });
  });

  test('of two repartition topics that are joined are those of the wider one', () => {
    const builder = new StreamsBuilder();
    const table = builder.stream('b', strings).repartition({ name: 'two' }).toTable({ store: 't' });
    builder
      .stream('a', strings)
      .repartition({ name: 'one' })
      .join(table, (l) => l)
      .to('out', strings);
    const resolved = resolvePartitionCounts(builder.build().build(), counts({ a: 2, b: 8 }));
    expect([resolved.get('one-repartition'), resolved.get('two-repartition')]).toEqual([8, 8]);
  });

  test('of repartition topics that only feed each other cannot be found', () => {
    const builder = new StreamsBuilder();
    const builderTopology = builder.stream('in', strings).repartition({ name: 'one' });
    builderTopology.to('out');
    const { subTopologies } = builder.build().build();
    const circular = subTopologies.map((subTopology) => ({
      ...subTopology,
      sourceTopics: ['one-repartition'],
      repartitionSources: [{ name: 'one-repartition' }],
    }));
    expect(() =>
      resolvePartitionCounts({ subTopologies: circular, sourceChangelogs: [] }, () => 1),
    ).toThrow('nothing decides the partition count of one-repartition');
  });

  test('of a source that does not exist cannot be found', () => {
    expect(() => resolvePartitionCounts(joined(false), counts({ left: 4 }))).toThrow(
      'source topic right does not exist',
    );
  });

  test('of one group can be checked alone', () => {
    expect(() => checkCopartitioning([['a', 'b']], counts({ a: 1, b: 1 }))).not.toThrow();
    expect(() => checkCopartitioning([['a', 'b']], counts({ a: 1 }))).toThrow('a 1, b none');
  });
});
