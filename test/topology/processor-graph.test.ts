import { describe, expect, test } from 'vitest';
import type { Serde } from '../../schemas/serde.ts';
import type { KeyValueStore } from '../../stores/state-store.ts';
import type { Processor, ProcessorContext, StreamRecord } from '../../topology/processor.ts';
import { buildProcessorGraph, type GraphHost } from '../../topology/processor-graph.ts';
import type { BuiltTopology } from '../../topology/sub-topology.ts';
import { Topology } from '../../topology/topology.ts';

const serde = {} as Serde<string>;
const record = { key: 'k', value: 'v', timestampMs: 5, headers: [] };
const store = { name: 'store' } as KeyValueStore<unknown, unknown>;

type Step = (record: StreamRecord<unknown, unknown>, context: ProcessorContext) => unknown;

/** in -> a -> (b, c) -> out, with the given behaviours; every other node forwards. */
function graphOf(steps: Readonly<Record<string, Step>>, processor: Partial<Processor> = {}) {
  const forward: Step = (each, context) => context.forward(each);
  const supplier = (name: string) => (): Processor => {
    let context: ProcessorContext;
    return {
      init: (given) => {
        context = given;
        log.push(`init ${name}`);
      },
      process: (each) => (steps[name] ?? forward)(each, context) as void | Promise<void>,
      close: () => {
        log.push(`close ${name}`);
      },
      ...processor,
    };
  };
  const log: string[] = [];
  const topology = new Topology()
    .addSource({ name: 'source', topics: ['in'], keySerde: serde, valueSerde: serde })
    .addProcessor({ name: 'a', supplier: supplier('a'), parents: ['source'] })
    .addProcessor({ name: 'b', supplier: supplier('b'), parents: ['a'] })
    .addProcessor({ name: 'c', supplier: supplier('c'), parents: ['a'] })
    .addStateStore(
      {
        kind: 'keyValue',
        name: 'store',
        keySerde: serde,
        valueSerde: serde,
        persistence: 'memory',
        changelog: false,
      },
      'b',
    )
    .addSink({
      name: 'sink',
      topic: 'out',
      keySerde: serde,
      valueSerde: serde,
      parents: ['b', 'c'],
    })
    .build();
  const punctuators: ((timestampMs: number) => void | Promise<void>)[] = [];
  const graph = buildProcessorGraph(subTopology(topology), {
    ...host,
    collect: (sink, each) => log.push(`${sink.name} ${each.value}`),
    schedule: (nodeName, _interval, _type, punctuator) => {
      log.push(`schedule ${nodeName}`);
      punctuators.push(punctuator);
      return { cancel: () => log.push(`cancel ${nodeName}`) };
    },
  });
  return { graph, log, punctuators };
}

const host: GraphHost = {
  applicationId: 'app',
  taskId: '0_1',
  partition: 1,
  store: () => store,
  collect: () => undefined,
  schedule: () => ({ cancel: () => undefined }),
  requestCommit: () => undefined,
  recordMetadata: () => undefined,
  streamTimeMs: () => 7,
  systemTimeMs: () => 8,
  monotonicMs: () => 9,
};

function subTopology(topology: BuiltTopology) {
  const [only] = topology.subTopologies;
  if (only === undefined) throw new Error('no sub-topology');
  return only;
}

describe('a processor graph', () => {
  test('runs synchronously through every child and sink when no processor is asynchronous', () => {
    const { graph, log } = graphOf({
      b: (each, context) => context.forward({ ...each, value: 'from b' }),
    });
    graph.init();
    expect(graph.process('in', record)).toBeUndefined();
    graph.close();
    expect(log).toEqual([
      ...['init a', 'init b', 'init c', 'sink from b', 'sink v'],
      ...['close a', 'close b', 'close c'],
    ]);
  });

  test('sends a record to the named child only', () => {
    const { graph, log } = graphOf({
      a: (each, context) => context.forward(each, 'c'),
      b: () => expect.unreachable(),
    });
    graph.init();
    graph.process('in', record);
    expect(log).toContain('sink v');
  });

  test('refuses to forward to a child that is not there, and names those that are', () => {
    const { graph } = graphOf({ a: (each, context) => context.forward(each, 'sink') });
    graph.init();
    expect(() => graph.process('in', record)).toThrow(
      expect.objectContaining({ code: 'TOPOLOGY_INVALID', hint: 'Its children: b, c.' }),
    );
  });

  test('makes what follows an asynchronous processor wait for it', async () => {
    const gate = Promise.withResolvers<void>();
    const { graph, log } = graphOf({
      b: async (each, context) => {
        await gate.promise;
        return context.forward({ ...each, value: 'slow' });
      },
    });
    graph.init();
    const processed = graph.process('in', record);
    expect(processed).toBeInstanceOf(Promise);
    expect(log).not.toContain('sink v');
    gate.resolve();
    await processed;
    expect(log.slice(-2)).toEqual(['sink slow', 'sink v']);
  });

  test('names the node that threw', () => {
    const { graph } = graphOf({
      c: () => {
        throw new Error('broken');
      },
    });
    graph.init();
    expect(() => graph.process('in', record)).toThrow('broken');
    expect(graph.currentNodeName()).toBe('c');
  });

  test('names the parent that throws after its children have run', () => {
    const { graph } = graphOf({
      a: (each, context) => {
        context.forward(each);
        throw new Error('broken');
      },
    });
    graph.init();
    expect(() => graph.process('in', record)).toThrow('broken');
    expect(graph.currentNodeName()).toBe('a');
  });

  test('names the node that rejected', async () => {
    const { graph } = graphOf({ b: () => Promise.reject(new Error('broken')) });
    graph.init();
    await expect(graph.process('in', record)).rejects.toThrow('broken');
    expect(graph.currentNodeName()).toBe('b');
  });

  test('names the node whose punctuator runs', () => {
    const { graph, punctuators, log } = graphOf(
      {},
      { init: (context) => void context.schedule(10, 'wall-clock-time', () => undefined).cancel() },
    );
    graph.init();
    expect(log.slice(0, 2)).toEqual(['schedule a', 'cancel a']);
    punctuators[1]?.(10);
    expect(graph.currentNodeName()).toBe('b');
  });

  test('gives a processor its own stores only', () => {
    const { graph } = graphOf({
      a: (each, context) => context.forward(each),
      b: (_, context) => expect(context.getStateStore('store')).toBe(store),
      c: (_, context) => context.getStateStore('store'),
    });
    graph.init();
    expect(() => graph.process('in', record)).toThrow(
      expect.objectContaining({ code: 'STORE_UNKNOWN', message: 'processor c has no store store' }),
    );
  });

  test('flushes parents before children and waits for each', async () => {
    const flushed: string[] = [];
    const { graph } = graphOf(
      {},
      {
        flush: async () => {
          await Promise.resolve();
          flushed.push(graph.currentNodeName());
        },
      },
    );
    await graph.flush();
    expect(flushed).toEqual(['a', 'b', 'c']);
  });

  test('refuses a supplier that hands out one processor twice', () => {
    const shared: Processor = { process: () => undefined };
    const topology = new Topology()
      .addSource({ name: 'source', topics: ['in'], keySerde: serde, valueSerde: serde })
      .addProcessor({ name: 'a', supplier: () => shared, parents: ['source'] })
      .build();
    buildProcessorGraph(subTopology(topology), host);
    expect(() => buildProcessorGraph(subTopology(topology), host)).toThrow('between tasks');
  });
});
