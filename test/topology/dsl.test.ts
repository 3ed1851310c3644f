/** What Kafka's own outputs (kafka-dsl.test.ts) do not show: keys, promises, drops, stores of one's own. */
import { describe, expect, test } from 'vitest';
import { TopologyTestDriver } from '../../runtime/topology-test-driver.ts';
import { int64Serde, stringSerde } from '../../schemas/serdes.ts';
import type { Processor, ProcessorContext, StreamRecord } from '../../topology/processor.ts';
import { StreamsBuilder } from '../../topology/streams-builder.ts';

const strings = { keySerde: stringSerde, valueSerde: stringSerde };

function run(builder: StreamsBuilder) {
  const driver = new TopologyTestDriver(builder.build());
  const input = driver.createInputTopic('in', stringSerde, stringSerde);
  const output = driver.createOutputTopic('out', stringSerde, stringSerde);
  return { driver, input, output };
}

/** Holds the last record of each key back until the commit. */
class LatestPerCommit implements Processor<string, string, string, string> {
  readonly #held = new Map<string, StreamRecord<string, string>>();
  #context!: ProcessorContext<string, string>;

  init(context: ProcessorContext<string, string>): void {
    this.#context = context;
  }

  process(record: StreamRecord<string, string>): void {
    this.#held.set(record.key, record);
    this.#held.set('other', { ...record, key: 'other' });
  }

  async flush(): Promise<void> {
    for (const record of this.#held.values()) await this.#context.forward(record);
    this.#held.clear();
  }
}

class Rekeying implements Processor<string, string, string, string> {
  #context!: ProcessorContext<string, string>;

  init(context: ProcessorContext<string, string>): void {
    this.#context = context;
  }

  async process(record: StreamRecord<string, string>): Promise<void> {
    await this.#context.forward(record);
    await this.#context.forward({ ...record, key: `not ${record.key}` });
  }
}

describe('processValues', () => {
  test('refuses a record of another key, also from an asynchronous processor', async () => {
    const builder = new StreamsBuilder();
    builder
      .stream('in', strings)
      .processValues(() => new Rekeying(), strings)
      .to('out');
    const { input, output } = run(builder);
    await expect(input.pipeInput('k', 'v')).rejects.toThrow('a record of another key');
    expect(output.readKeyValuesToList()).toEqual([{ key: 'k', value: 'v' }]);
  });

  test('lets what was held back go when the commit comes', async () => {
    const builder = new StreamsBuilder();
    builder
      .stream('in', strings)
      .processValues(() => new LatestPerCommit(), strings)
      .to('out');
    const { input, output } = run(builder);
    await input.pipeInput('k', 'v');
    expect(output.readKeyValuesToList()).toEqual([
      { key: 'k', value: 'v' },
      { key: 'other', value: 'v' },
    ]);
  });
});

describe('a stream', () => {
  test('keeps the order of its records when a processor in the middle is slow', async () => {
    class Slow implements Processor<string, string, string, string> {
      #context!: ProcessorContext<string, string>;

      init(context: ProcessorContext<string, string>): void {
        this.#context = context;
      }

      async process(record: StreamRecord<string, string>): Promise<void> {
        for (let i = Number(record.value); i > 0; i--) await Promise.resolve();
        await this.#context.forward(record);
      }
    }
    const builder = new StreamsBuilder();
    builder
      .stream('in', strings)
      .flatMapValues((v) => v.split(' '), { valueSerde: stringSerde })
      .process(() => new Slow(), strings)
      .to('out');
    const { input, output } = run(builder);
    await input.pipeInput('k', '30 0 10');
    expect(output.readValuesToList()).toEqual(['30', '0', '10']);
  });

  test('waits for an asynchronous forEach', async () => {
    const seen: string[] = [];
    const builder = new StreamsBuilder();
    builder.stream('in', strings).forEach(async (key, value) => {
      await Promise.resolve();
      seen.push(`${key}=${value}`);
    });
    await run(builder).input.pipeInput('k', 'v');
    expect(seen).toEqual(['k=v']);
  });

  test('keeps headers and time through map, join, aggregate and table', async () => {
    const builder = new StreamsBuilder();
    const table = builder.table('table', { ...strings, store: 'table' });
    builder
      .stream('in', strings)
      .map((k, v) => [k, `${v}!`], strings)
      .repartition({ name: 'again' })
      .leftJoin(table, (left, right) => `${left}${right}`, {})
      .groupByKey({ valueSerde: stringSerde })
      .reduce((a, b) => a + b, { store: 'all' })
      .mapValues((v) => v.toUpperCase(), { valueSerde: stringSerde })
      .toStream()
      .to('out');
    const { input, output } = run(builder);
    const headers = [{ key: 'trace', value: Buffer.from('1') }];
    await input.pipeInput('k', 'v', 9, headers);
    expect(output.readRecord()).toEqual({ key: 'k', value: 'V!NULL', timestampMs: 9, headers });
  });

  test('goes to the topic and partition that functions choose', async () => {
    const asked: unknown[] = [];
    const builder = new StreamsBuilder();
    builder.stream('in', strings).to(({ key, value }) => `${key}-${value}`, {
      partitioner: ({ topic, partitionCount }) => {
        asked.push([topic, partitionCount]);
        return 0;
      },
    });
    const { driver, input } = run(builder);
    await input.pipeInput('to', 'here');
    expect(driver.producedTopicNames()).toEqual(new Set(['to-here']));
    expect(asked).toEqual([['to-here', 1]]);
  });

  test('counts what a repartition drops for want of a key', async () => {
    const builder = new StreamsBuilder();
    builder.stream('in', strings).repartition({ name: 'again' }).to('out');
    const { driver, input, output } = run(builder);
    await input.pipeInput(null, 'v');
    expect(output.isEmpty()).toBe(true);
    expect(driver.droppedRecords()).toEqual(new Map([['null key', 1]]));
  });
});

describe('a table', () => {
  test('is queried by the name it was given, and by none otherwise', () => {
    const builder = new StreamsBuilder();
    const table = builder.table('in', { ...strings, store: 'table' });
    expect(table.queryableStoreName).toBe('table');
    expect(table.filter(() => true).queryableStoreName).toBeUndefined();
    const counts = table.groupBy((_, v) => [v, v], strings).count({ store: 'counts' });
    expect(counts.queryableStoreName).toBe('counts');
  });

  test('has the store that its options describe', () => {
    const builder = new StreamsBuilder();
    builder
      .stream('in', strings)
      .groupByKey()
      .count({ store: 'counts', persistence: 'memory', changelog: false, ttlMs: 5 });
    builder.table('table', { ...strings, store: 'table', changelog: { 'segment.ms': '1' } });
    const stores = builder
      .build()
      .build()
      .subTopologies.flatMap((subTopology) => subTopology.stores);
    expect(stores).toEqual([
      {
        ...{ kind: 'keyValue', name: 'counts', keySerde: stringSerde, valueSerde: int64Serde },
        ...{ persistence: 'memory', changelog: false, ttlMs: 5 },
      },
      {
        ...{ kind: 'keyValue', name: 'table', ...strings, persistence: 'leveldb' },
        changelog: { configs: { 'segment.ms': '1' } },
      },
    ]);
  });

  test('remembers the time of its rows: an aggregate is as new as its newest record', async () => {
    const builder = new StreamsBuilder();
    builder
      .stream('in', strings)
      .groupByKey()
      .reduce((a, b) => a + b, { store: 'all' })
      .toStream()
      .to('out');
    const { driver, input, output } = run(builder);
    await input.pipeInput('k', 'a', 50);
    await input.pipeInput('k', 'b', 20);
    expect(output.readRecordsToList().map(({ timestampMs }) => timestampMs)).toEqual([50, 50]);
    expect(driver.getKeyValueStore<string, string>('all').timestampMsOf('k')).toBe(50);
  });
});
