import { describe, expect, test } from 'vitest';
import { TopologyTestDriver } from '../../runtime/topology-test-driver.ts';
import { int64Serde, stringSerde } from '../../schemas/serdes.ts';
import type { StoreSpec } from '../../stores/state-store.ts';
import type { Processor, ProcessorContext, StreamRecord } from '../../topology/processor.ts';
import { StreamsBuilder } from '../../topology/streams-builder.ts';
import { Topology } from '../../topology/topology.ts';

const strings = { keySerde: stringSerde, valueSerde: stringSerde };

type Context = ProcessorContext<string, string>;

/** in -> node -> out, with a store. */
function around(
  processor: (context: () => Context) => Partial<Processor<string, string>>,
): Topology {
  const supplier = (): Processor<string, string, string, string> => {
    let context: Context;
    const { init, ...rest } = processor(() => context);
    return {
      process: (record: StreamRecord<string, string>) => context.forward(record),
      ...rest,
      init: (given: Context) => {
        context = given;
        init?.(given as ProcessorContext);
      },
    };
  };
  const store: StoreSpec<string, string> = {
    ...{ kind: 'keyValue', name: 'store', persistence: 'leveldb', changelog: { configs: {} } },
    ...strings,
  };
  return new Topology()
    .addSource({ name: 'source', topics: ['in'], ...strings })
    .addProcessor({ name: 'node', supplier, parents: ['source'] })
    .addStateStore(store, 'node')
    .addSink({ name: 'sink', topic: 'out', ...strings, parents: ['node'] });
}

function endsOf(driver: TopologyTestDriver) {
  return {
    input: driver.createInputTopic('in', stringSerde, stringSerde),
    output: driver.createOutputTopic('out', stringSerde, stringSerde),
  };
}

describe('the topology test driver', () => {
  test('carries keys, values, timestamps and headers from end to end', async () => {
    const driver = new TopologyTestDriver(around(() => ({})));
    const { input, output } = endsOf(driver);
    const headers = [{ key: 'trace', value: Buffer.from('1') }];
    await input.pipeInput('k', 'v', 42, headers);
    await input.pipeInput('k', null, 43);
    await input.pipeInput(null, 'w', 44);
    expect(output.getQueueSize()).toBe(3);
    expect(output.readRecord()).toEqual({ key: 'k', value: 'v', timestampMs: 42, headers });
    expect(output.readKeyValue()).toEqual({ key: 'k', value: null });
    expect(output.readValue()).toBe('w');
    expect(output.isEmpty()).toBe(true);
    expect(() => output.readValue()).toThrow('nothing more was written to out');
    await driver.close();
  });

  test('stamps records with a time that advances by itself or when told to', async () => {
    const driver = new TopologyTestDriver(
      around(() => ({})),
      { initialWallClockTimeMs: 7 },
    );
    const { input, output } = endsOf(driver);
    const times = { startTimestampMs: 100, advanceMs: 5 };
    const ticking = driver.createInputTopic('in', stringSerde, stringSerde, times);
    await ticking.pipeKeyValueList([
      ['a', '1'],
      ['b', '2'],
    ]);
    ticking.advanceTime(1000);
    await ticking.pipeInput('c', '3');
    await input.pipeInput('d', '4');
    const stamps = output.readRecordsToList().map(({ timestampMs }) => timestampMs);
    expect(stamps).toEqual([100, 105, 1110, 7]);
  });

  test('gives the latest value per key', async () => {
    const driver = new TopologyTestDriver(around(() => ({})));
    const { input, output } = endsOf(driver);
    await input.pipeKeyValueList([
      ['a', '1'],
      ['b', '2'],
      ['a', null],
    ]);
    expect([...output.readKeyValuesToMap()]).toEqual([
      ['a', null],
      ['b', '2'],
    ]);
  });

  test('waits for asynchronous processors, and refuses a second record meanwhile', async () => {
    const walk = (context: () => Context) => async (record: StreamRecord<string, string>) => {
      const store = context().getStateStore<string, string>('store');
      store.put(record.key, record.value);
      const keys: string[] = [];
      for await (const [key] of store.range()) keys.push(key);
      return context().forward({ ...record, value: keys.join() });
    };
    const driver = new TopologyTestDriver(around((context) => ({ process: walk(context) })));
    const { input, output } = endsOf(driver);
    const first = input.pipeInput('b', '1');
    await expect(input.pipeInput('x', '1')).rejects.toThrow('busy with the record before');
    await first;
    await input.pipeInput('a', '1');
    expect(output.readValuesToList()).toEqual(['b', 'a,b']);
  });

  test('fires stream-time punctuators from record to record, without a current record', async () => {
    const ticks: unknown[] = [];
    const driver = new TopologyTestDriver(
      around(() => ({
        init: (context) =>
          void context.schedule(10, 'stream-time', (timestampMs) => {
            ticks.push([timestampMs, context.currentStreamTimeMs(), context.recordMetadata()]);
          }),
      })),
    );
    const { input } = endsOf(driver);
    for (const timestampMs of [3, 4, 12, 11, 47]) await input.pipeInput('k', 'v', timestampMs);
    expect(ticks).toEqual([
      [3, 3, undefined],
      [12, 12, undefined],
      [47, 47, undefined],
    ]);
  });

  test('fires wall-clock punctuators when the clock is moved, and takes what they forward', async () => {
    const tick = (context: ProcessorContext) => (timestampMs: number) =>
      context.forward({ key: 'tick', value: String(timestampMs), timestampMs, headers: [] });
    const driver = new TopologyTestDriver(
      around(() => ({
        init: (context) => void context.schedule(60, 'wall-clock-time', tick(context)),
      })),
    );
    const { output } = endsOf(driver);
    await driver.advanceWallClockTime(59);
    expect(output.isEmpty()).toBe(true);
    await driver.advanceWallClockTime(1);
    await driver.advanceWallClockTime(300);
    await driver.advanceWallClockTime(59);
    expect(output.readValuesToList()).toEqual(['60', '360']);
    await driver.advanceWallClockTime(1);
    expect(output.readValuesToList()).toEqual(['420']);
  });

  test('flushes processors after every record, as a commit does', async () => {
    const driver = new TopologyTestDriver(
      around((context) => {
        let held: StreamRecord<string, string> | undefined;
        return {
          process: (record) => {
            held = record;
          },
          flush: () => {
            const record = held;
            held = undefined;
            if (record !== undefined) return context().forward({ ...record, value: 'flushed' });
          },
        };
      }),
    );
    const { input, output } = endsOf(driver);
    await input.pipeInput('k', 'v');
    expect(output.readValuesToList()).toEqual(['flushed']);
  });

  test('tells a processor where its record lies', async () => {
    const places: unknown[] = [];
    const driver = new TopologyTestDriver(
      around((context) => ({ process: () => void places.push(context().recordMetadata()) })),
    );
    const { input } = endsOf(driver);
    await input.pipeKeyValueList([
      ['a', '1'],
      ['b', '2'],
    ]);
    expect(places).toEqual([
      { topic: 'in', partition: 0, offset: 0 },
      { topic: 'in', partition: 0, offset: 1 },
    ]);
  });

  test('names the node that failed, keeps the cause, and goes on with the next record', async () => {
    const driver = new TopologyTestDriver(
      around((context) => ({
        process: (record) => {
          if (record.value === 'bad') throw new Error('broken');
          return context().forward(record);
        },
      })),
    );
    const { input, output } = endsOf(driver);
    await expect(input.pipeInput('k', 'bad')).rejects.toMatchObject({
      code: 'PROCESSING_FAILED',
      facts: { nodeName: 'node', taskId: '0_0' },
      cause: new Error('broken'),
    });
    await input.pipeInput('k', 'good');
    expect(output.readValuesToList()).toEqual(['good']);
  });

  test('encodes what is put into a store', async () => {
    const driver = new TopologyTestDriver(
      around((context) => ({
        process: (record) =>
          context().getStateStore<string, unknown>('store').put(record.key, { not: 'a string' }),
      })),
    );
    const { input } = endsOf(driver);
    await expect(input.pipeInput('k', 'v')).rejects.toMatchObject({ code: 'SERIALIZATION' });
  });

  test('asks the timestamp extractor, and drops what it gives a negative time', async () => {
    const builder = new StreamsBuilder();
    const timestampExtractor = (record: { readonly value: unknown }) => Number(record.value);
    builder.stream('in', { ...strings, timestampExtractor }).to('out');
    const driver = new TopologyTestDriver(builder.build());
    const { input, output } = endsOf(driver);
    await input.pipeInput('k', '77', 1);
    await input.pipeInput('k', '-1', 1);
    expect(output.readRecordsToList().map(({ timestampMs }) => timestampMs)).toEqual([77]);
    expect(driver.droppedRecords()).toEqual(new Map([['negative timestamp', 1]]));
  });

  test('counts records that say nothing to an aggregate', async () => {
    const builder = new StreamsBuilder();
    builder.stream('in', strings).groupByKey().count({ store: 'counts' });
    const driver = new TopologyTestDriver(builder.build());
    const input = driver.createInputTopic('in', stringSerde, stringSerde);
    await input.pipeInput(null, 'v');
    await input.pipeInput(null, 'v');
    await input.pipeInput('k', null);
    expect(Object.fromEntries(driver.droppedRecords())).toEqual({ 'null key': 2, 'null value': 1 });
    expect(driver.getKeyValueStore('counts').get('k')).toBeUndefined();
  });

  test('loops back what the topology writes to topics that it reads', async () => {
    const builder = new StreamsBuilder();
    builder
      .stream('in', strings)
      .groupBy((_, v) => v, { ...strings, name: 'by-value' })
      .count({ store: 'counts' })
      .toStream()
      .to('counted');
    builder.stream('counted', { keySerde: stringSerde, valueSerde: int64Serde }).to('out');
    const driver = new TopologyTestDriver(builder.build(), { applicationId: 'app' });
    const input = driver.createInputTopic('in', stringSerde, stringSerde);
    const output = driver.createOutputTopic('out', stringSerde, int64Serde);
    await input.pipeKeyValueList([
      ['1', 'a'],
      ['2', 'a'],
    ]);
    expect(output.readKeyValuesToList()).toEqual([
      { key: 'a', value: 1 },
      { key: 'a', value: 2 },
    ]);
    expect(driver.producedTopicNames()).toEqual(
      new Set(['app-by-value-repartition', 'counted', 'out']),
    );
    expect([...driver.getAllStateStores().keys()]).toEqual(['counts']);
  });

  test('refuses a partition that its topics do not have', async () => {
    const builder = new StreamsBuilder();
    builder.stream('in', strings).to('out', { partitioner: () => 1 });
    const driver = new TopologyTestDriver(builder.build());
    const { input } = endsOf(driver);
    await expect(input.pipeInput('k', 'v')).rejects.toThrow('chose partition 1');
  });

  test('stops a topology that feeds itself for ever', async () => {
    const builder = new StreamsBuilder();
    builder.stream('in', strings).to('in');
    const driver = new TopologyTestDriver(builder.build());
    const input = driver.createInputTopic('in', stringSerde, stringSerde);
    await expect(input.pipeInput('k', 'v')).rejects.toThrow('caused more than');
  });

  test('knows only the topics and stores of the topology', () => {
    const driver = new TopologyTestDriver(around(() => ({})));
    expect(() => driver.createInputTopic('other', stringSerde, stringSerde)).toThrow(
      expect.objectContaining({ code: 'TOPOLOGY_INVALID', hint: 'It reads in.' }),
    );
    expect(() => driver.getKeyValueStore('other')).toThrow(
      expect.objectContaining({ code: 'STORE_UNKNOWN' }),
    );
  });
});
