/** Topologies that stream threads and child processes of the tests build for themselves. */
import { int64Serde, stringSerde } from '../../../schemas/serdes.ts';
import type { KeyValueStore, StoreSpec } from '../../../stores/state-store.ts';
import type { Processor, StreamRecord } from '../../../topology/processor.ts';
import type { BuiltTopology } from '../../../topology/sub-topology.ts';
import { Topology } from '../../../topology/topology.ts';

export interface TestTopics {
  readonly input: string;
  readonly output: string;
}

function countStore(name: string): StoreSpec<string, number> {
  return {
    kind: 'keyValue',
    name,
    keySerde: stringSerde,
    valueSerde: int64Serde,
    persistence: 'leveldb',
    changelog: { configs: {} },
  };
}

/** Counts records per key and tells every new count: 1, 2, 3 … per key, if nothing is lost or doubled. */
export function countingTopology({ input, output }: TestTopics): BuiltTopology {
  const store = countStore('counts');
  return new Topology()
    .addSource({ name: 'in', topics: [input], keySerde: stringSerde, valueSerde: stringSerde })
    .addStateStore(store)
    .addProcessor({
      name: 'count',
      parents: ['in'],
      stores: ['counts'],
      supplier: () => counter('counts'),
    })
    .addSink({
      name: 'out',
      topic: output,
      keySerde: stringSerde,
      valueSerde: int64Serde,
      parents: ['count'],
    })
    .build();
}

/** Words of lines, counted after a repartition by word. */
export function wordCountTopology({ input, output }: TestTopics): BuiltTopology {
  return new Topology()
    .addSource({ name: 'lines', topics: [input], keySerde: stringSerde, valueSerde: stringSerde })
    .addProcessor({ name: 'split', parents: ['lines'], supplier: splitter })
    .addRepartitionTopic({ name: 'words' })
    .addSink({
      name: 'to-words',
      topic: 'words',
      keySerde: stringSerde,
      valueSerde: stringSerde,
      parents: ['split'],
    })
    .addSource({ name: 'words', topics: ['words'], keySerde: stringSerde, valueSerde: stringSerde })
    .addStateStore(countStore('word-counts'))
    .addProcessor({
      name: 'count',
      parents: ['words'],
      stores: ['word-counts'],
      supplier: () => counter('word-counts'),
    })
    .addSink({
      name: 'out',
      topic: output,
      keySerde: stringSerde,
      valueSerde: int64Serde,
      parents: ['count'],
    })
    .build();
}

function counter(storeName: string): Processor<string, string, string, number> {
  let store: KeyValueStore<string, number>;
  let forward: (record: StreamRecord<string, number>) => void | Promise<void>;
  return {
    init: (context) => {
      store = context.getStateStore<string, number>(storeName);
      forward = (record) => context.forward(record);
    },
    process: (record) => {
      const value = (store.get(record.key) ?? 0) + 1;
      store.put(record.key, value);
      if (record.value === 'fails after its write') throw new Error('as told');
      return forward({ ...record, value });
    },
  };
}

function splitter(): Processor<string, string, string, string> {
  let forward: (record: StreamRecord<string, string>) => void | Promise<void>;
  return {
    init: (context) => {
      forward = (record) => context.forward(record);
    },
    process: (record) => {
      for (const word of record.value.split(' ')) void forward({ ...record, key: word, value: '' });
    },
  };
}
