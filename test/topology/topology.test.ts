import { describe, expect, test } from 'vitest';
import type { Serde } from '../../schemas/serde.ts';
import type { StoreSpec } from '../../stores/state-store.ts';
import type { Processor } from '../../topology/processor.ts';
import { Topology } from '../../topology/topology.ts';

const serde = {} as Serde<string>;
const idle = (): Processor => ({ process() {} });

function source(name: string, ...topics: string[]) {
  return { name, topics, keySerde: serde, valueSerde: serde };
}

function sink(name: string, topic: string, parent: string) {
  return { name, topic, keySerde: serde, valueSerde: serde, parents: [parent] };
}

function processor(name: string, ...parents: string[]) {
  return { name, supplier: idle, parents };
}

function store(name: string): StoreSpec<string, string> {
  return {
    kind: 'keyValue',
    name,
    keySerde: serde,
    valueSerde: serde,
    persistence: 'memory',
    changelog: { configs: {} },
  };
}

describe('a topology refuses', () => {
  const cases: readonly [string, string, (topology: Topology) => unknown][] = [
    ['two nodes of one name', 'two nodes named a', (t) => t.addSource(source('a', 'y'))],
    ['a second source of a topic', 'read by a already', (t) => t.addSource(source('b', 'x'))],
    ['a source without topics', 'reads no topic', (t) => t.addSource(source('b'))],
    ['an unknown parent', 'unknown parent z', (t) => t.addProcessor(processor('p', 'z'))],
    ['a node without parents', 'has no parent', (t) => t.addProcessor(processor('p'))],
    ['a node that is its own parent', 'its own parent', (t) => t.addProcessor(processor('p', 'p'))],
    ['a parent named twice', 'a parent twice', (t) => t.addProcessor(processor('p', 'a', 'a'))],
    [
      'a sink as a parent',
      'sink s cannot be a parent',
      (t) => t.addSink(sink('s', 'out', 'a')).addProcessor(processor('p', 's')),
    ],
    [
      'two different stores of one name',
      'two different stores',
      (t) => t.addStateStore(store('s')).addStateStore(store('s')),
    ],
    [
      'a processor with a store that was not added',
      'wants store nowhere',
      (t) => t.addProcessor({ ...processor('p', 'a'), stores: ['nowhere'] }),
    ],
    ['a store on a source', 'only processors', (t) => t.addStateStore(store('s'), 'a')],
    ['a store on an unknown node', 'no processor q', (t) => t.addStateStore(store('s'), 'q')],
    ['a store that nobody uses', 'connected to no', (t) => t.addStateStore(store('s')).build()],
    ['a store name with a slash', 'name of a store', (t) => t.addStateStore(store('a/b'))],
    ['a topic name with a blank', 'name of a topic', (t) => t.addSource(source('b', 'a b'))],
    [
      'a repartition topic that nobody writes',
      'no sink writes',
      (t) => t.addRepartitionTopic({ name: 'r' }).addSource(source('b', 'r')).build(),
    ],
    [
      'a repartition topic that nobody reads',
      'no source reads',
      (t) =>
        t
          .addRepartitionTopic({ name: 'r' })
          .addSink(sink('s', 'r', 'a'))
          .build(),
    ],
    [
      'a repartition topic of no partitions',
      'cannot have 0',
      (t) => t.addRepartitionTopic({ name: 'r', partitions: 0 }),
    ],
  ];
  test.each(cases)('%s', (_, message, add) => {
    const topology = new Topology().addSource(source('a', 'x'));
    expect(() => add(topology)).toThrow(
      expect.objectContaining({
        code: 'TOPOLOGY_INVALID',
        message: expect.stringContaining(message),
      }),
    );
  });

  test('to be built without a source', () => {
    expect(() => new Topology().build()).toThrow('reads no topic');
  });
});

describe('sub-topologies', () => {
  test('are cut where nothing but a topic connects', () => {
    const { subTopologies } = new Topology()
      .addRepartitionTopic({ name: 'middle', partitions: 3 })
      .addSource(source('a', 'in'))
      .addSink(sink('out', 'middle', 'a'))
      .addSource(source('b', 'middle'))
      .addProcessor(processor('p', 'b'))
      .build();
    expect(subTopologies.map(({ nodes }) => nodes.map((node) => node.name))).toEqual([
      ['a', 'out'],
      ['b', 'p'],
    ]);
    expect(subTopologies[0]?.repartitionSinks).toEqual([{ name: 'middle', partitions: 3 }]);
    expect(subTopologies[1]?.repartitionSources).toEqual([{ name: 'middle', partitions: 3 }]);
    expect(subTopologies[1]?.sourceTopics).toEqual(['middle']);
  });

  test('are one when processors share a store', () => {
    const { subTopologies } = new Topology()
      .addSource(source('a', 'x'))
      .addSource(source('b', 'y'))
      .addProcessor(processor('p', 'a'))
      .addProcessor(processor('q', 'b'))
      .addStateStore(store('shared'), 'p', 'q')
      .build();
    expect(subTopologies).toHaveLength(1);
    expect(subTopologies[0]?.stores.map((spec) => spec.name)).toEqual(['shared']);
    expect(subTopologies[0]?.copartitionGroups).toEqual([]);
  });

  test('are one when their sources are copartitioned, and groups that share a topic merge', () => {
    const { subTopologies } = new Topology()
      .addSource(source('a', 'x'))
      .addSource(source('b', 'y'))
      .addSource(source('c', 'z'))
      .copartitionSources('a', 'b')
      .copartitionSources('b', 'c')
      .build();
    expect(subTopologies).toHaveLength(1);
    expect(subTopologies[0]?.copartitionGroups).toEqual([['x', 'y', 'z']]);
  });

  test('are numbered by their first source name, whatever was added first', () => {
    const { subTopologies } = new Topology()
      .addSource(source('z', 'x'))
      .addSource(source('a', 'y'))
      .build();
    expect(subTopologies.map(({ id, sourceTopics }) => [id, sourceTopics])).toEqual([
      [0, ['y']],
      [1, ['x']],
    ]);
  });

  test('do not change when the builder goes on', () => {
    const topology = new Topology().addSource(source('a', 'x')).addProcessor(processor('p', 'a'));
    const built = topology.build();
    topology.addProcessor(processor('q', 'p')).addStateStore(store('s'), 'p');
    expect(built.subTopologies[0]?.nodes[1]).toMatchObject({ children: [], stores: [] });
  });
});
