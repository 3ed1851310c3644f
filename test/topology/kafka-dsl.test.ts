/**
 * The DSL against Kafka Streams itself: the same small topologies, the same random input. The texts of
 * describe() and every record that comes out, with its time, must be equal.
 */
import { describe, expect, test } from 'vitest';
import { TopologyTestDriver } from '../../runtime/topology-test-driver.ts';
import { int64Serde, stringSerde } from '../../schemas/serdes.ts';
import type { KTable } from '../../topology/dsl/ktable.ts';
import type { Processor, ProcessorContext, StreamRecord } from '../../topology/processor.ts';
import { StreamsBuilder } from '../../topology/streams-builder.ts';
import type { Topology } from '../../topology/topology.ts';
import vectors from '../vectors/kafka-dsl.json' with { type: 'json' };

const strings = { keySerde: stringSerde, valueSerde: stringSerde };
const counted = { keySerde: stringSerde, valueSerde: int64Serde };
const retyped = { valueSerde: stringSerde };

const add = (aggregate: string, value: string) => String(Number(aggregate) + Number(value));
const subtract = (aggregate: string, value: string) => String(Number(aggregate) - Number(value));
const letter = (value: string | null) => 'abc'.charAt(Number(value ?? 0) % 3);
const isEven = (_: string, value: string) => Number(value) % 2 === 0;
const dash = (left: string | null, right: string | null) => `${left}-${right}`;
const grouped = (value: string): readonly [string, string] => [letter(value), value];

type Table = KTable<string, string>;
type Kind = 'join' | 'leftJoin' | 'outerJoin';

function joined(kind: Kind, left: Table, right: Table, store?: string): Table {
  const given = store === undefined ? {} : { ...strings, store };
  switch (kind) {
    case 'join':
      return left.join(right, dash, given);
    case 'leftJoin':
      return left.leftJoin(right, dash, given);
    case 'outerJoin':
      return left.outerJoin(right, dash, given);
  }
}

class LastSeen implements Processor<string, string | null, string, string> {
  #context!: ProcessorContext<string, string>;

  init(context: ProcessorContext<string, string>): void {
    this.#context = context;
  }

  process(record: StreamRecord<string, string | null>): void | Promise<void> {
    const store = this.#context.getStateStore<string, string>('seen');
    const before = store.get(record.key) ?? null;
    if (record.value === null) store.delete(record.key);
    else store.put(record.key, record.value);
    return this.#context.forward({ ...record, value: `${before}>${record.value}` });
  }
}

class Bracketed implements Processor<string, string, string, string> {
  #context!: ProcessorContext<string, string>;

  init(context: ProcessorContext<string, string>): void {
    this.#context = context;
  }

  process(record: StreamRecord<string, string>): void | Promise<void> {
    return this.#context.forward({ ...record, value: `[${record.value}]` });
  }
}

const CASES: Readonly<Record<string, (b: StreamsBuilder) => void>> = {
  'stateless, generated names': (b) => {
    const s = b.stream('left', strings);
    s.filter((_, v) => v !== null && Number(v) > 10)
      .filterNot((_, v) => Number(v) > 40)
      .map((k, v) => [letter(v), `${k}${v}`], strings)
      .mapValues((v) => `${v}!`)
      .mapValues((v, k) => k + v)
      .peek(() => undefined)
      .flatMap((k, v) => [
        [k, v],
        [v, k],
      ])
      .flatMapValues((v) => [v, `${v}2`])
      .selectKey((_, v) => v)
      .to('out', strings);
    s.forEach(() => {});
  },
  'stateless, given names': (b) => {
    b.stream('left', { ...strings, name: 'in' })
      .filter((_, v) => v !== null, { name: 'present' })
      .map((_, v) => [letter(v), v], { name: 'by-letter', ...strings })
      .mapValues((v) => `${v}!`, { name: 'loud', ...retyped })
      .to('out', { name: 'sink' });
  },
  'merge and branch': (b) => {
    const branches = b
      .stream('left', strings)
      .merge(b.stream('right', strings))
      .filter((_, v) => v !== null)
      .split({ name: 'size-' })
      .branch((_, v) => v.length === 1, { name: 'small' })
      .branch((_, v) => v.startsWith('3'))
      .defaultBranch({ name: 'rest' });
    branches
      .get('size-small')
      ?.mapValues((v) => `small ${v}`, retyped)
      .to('out');
    branches
      .get('size-2')
      ?.mapValues((v) => `three ${v}`, retyped)
      .to('out');
    branches.get('size-rest')?.to('rest');
  },
  'branch without names': (b) => {
    const branches = b
      .stream('left', strings)
      .filter((_, v) => v !== null)
      .split()
      .branch((_, v) => v.length === 1)
      .branch((_, v) => v.startsWith('3'))
      .noDefaultBranch();
    const [first, second] = [...branches.values()];
    if (first !== undefined && second !== undefined) first.merge(second).to('out');
  },
  'word count': (b) => {
    b.stream('left', strings)
      .filter((_, v) => v !== null)
      .flatMapValues((v) => [...v], retyped)
      .groupBy((_, v) => v, strings)
      .count({ store: 'counts' })
      .toStream()
      .mapValues(String, retyped)
      .to('out');
  },
  'count, generated names': (b) => {
    b.stream('left', strings)
      .map((k, v) => [v, k], strings)
      .groupByKey()
      .count()
      .toStream()
      .mapValues(String, retyped)
      .to('out');
  },
  'count with a name only': (b) => {
    b.stream('left', strings)
      .groupByKey()
      .count({ name: 'counting' })
      .toStream({ name: 'counted' })
      .mapValues(String, retyped)
      .to('out');
  },
  'reduce, generated names': (b) => {
    b.stream('left', strings).groupByKey().reduce(add).toStream().to('out');
  },
  'reduce, anonymous store': (b) => {
    b.stream('left', strings).groupByKey().reduce(add, strings).toStream().to('out');
  },
  'reduce, named': (b) => {
    const options = { name: 'adding', store: 'sums' };
    b.stream('left', strings).groupByKey().reduce(add, options).toStream().to('out');
  },
  'aggregate, anonymous store': (b) => {
    b.stream('left', strings)
      .selectKey((k) => k, { keySerde: stringSerde })
      .groupByKey({ name: 'grouped' })
      .aggregate(
        () => '',
        (_, v, a) => a + v,
        strings,
      )
      .toStream()
      .to('out');
  },
  'two aggregates of one named grouping': (b) => {
    const group = b.stream('left', strings).groupBy((_, v) => letter(v), { ...strings, name: 'g' });
    group
      .count({ store: 'counts' })
      .toStream()
      .mapValues((v) => `n${v}`, retyped)
      .to('out');
    group.reduce(add, { store: 'sums' }).toStream().to('out');
  },
  'two aggregates of one unnamed grouping': (b) => {
    const group = b.stream('left', strings).groupBy((_, v) => letter(v), strings);
    group
      .count({ store: 'counts' })
      .toStream()
      .mapValues((v) => `n${v}`, retyped)
      .to('out');
    group.reduce(add, { store: 'sums' }).toStream().to('out');
  },
  'aggregate that deletes': (b) => {
    b.stream('left', strings)
      .groupByKey()
      .aggregate(
        () => '',
        (_, v, a) => (a.length > 6 ? null : a + v),
        { ...strings, store: 'concat' },
      )
      .toStream()
      .to('out');
  },
  repartition: (b) => {
    b.stream('left', strings).repartition().to('out');
    b.stream('right', strings)
      .selectKey((_, v) => v, { keySerde: stringSerde })
      .repartition({ name: 're', partitions: 3 })
      .to('out2');
  },
  'process with a store': (b) => {
    b.addStateStore({
      kind: 'keyValue',
      name: 'seen',
      ...strings,
      persistence: 'memory',
      changelog: false,
    });
    b.stream<string, string | null>('left', strings)
      .filter((k) => k !== null)
      .process(() => new LastSeen(), { ...strings, stores: ['seen'] })
      .processValues(() => new Bracketed(), retyped)
      .groupByKey()
      .reduce((_, v) => v, { store: 'last' })
      .toStream()
      .to('out');
  },
  'table, unmaterialised chain': (b) => {
    b.table('left', strings)
      .filter(isEven)
      .mapValues((v) => `even ${v}`)
      .filterNot((_, v) => v.endsWith('0'))
      .toStream()
      .to('out', strings);
  },
  'table, materialised source': (b) => {
    b.table('left', { ...strings, store: 'source' })
      .filter(isEven)
      .mapValues((v) => `even ${v}`)
      .toStream()
      .to('out', strings);
  },
  'table, materialised filter and map': (b) => {
    b.table('left', { ...strings, name: 'in' })
      .filter(isEven, { name: 'even', store: 'evens' })
      .mapValues((v) => `even ${v}`, { name: 'say', store: 'said', ...strings })
      .toStream({ name: 'all' })
      .to('out');
  },
  'table, anonymous filter': (b) => {
    b.table('left', strings).filter(isEven, strings).toStream().to('out');
  },
  'table group, reduce': (b) => {
    b.table('left', strings)
      .groupBy((_, v) => grouped(v), strings)
      .reduce(add, subtract)
      .toStream()
      .to('out');
  },
  'table group, count named': (b) => {
    b.table('left', strings)
      .groupBy((_, v) => grouped(v), { ...strings, name: 'by-letter' })
      .count({ name: 'counting', store: 'counts' })
      .toStream()
      .mapValues(String, retyped)
      .to('out');
  },
  'table group, count anonymous': (b) => {
    b.table('left', strings)
      .groupBy((_, v) => grouped(v), strings)
      .count(counted)
      .toStream()
      .mapValues(String, retyped)
      .to('out');
  },
  'filtered table group, aggregate': (b) => {
    b.table('left', strings)
      .filter(isEven)
      .mapValues((v) => `${v}0`)
      .groupBy((_, v) => grouped(v), strings)
      .aggregate(
        () => '0',
        (_, v, a) => add(a, v),
        (_, v, a) => subtract(a, v),
        { ...strings, store: 'sums' },
      )
      .toStream()
      .to('out');
  },
  'aggregate of an aggregate': (b) => {
    b.stream('left', strings)
      .groupByKey()
      .reduce(add, { store: 'sums' })
      .filter((_, v) => Number(v) % 3 !== 0)
      .groupBy((_, v) => grouped(v), strings)
      .reduce(add, subtract, { store: 'totals' })
      .toStream()
      .to('out');
  },
  'stream-table join': (b) => {
    b.stream('left', strings).join(b.table('right', strings), dash).to('out', strings);
  },
  'stream-table left join, rekeyed and unnamed': (b) => {
    b.stream('left', strings)
      .map((k, v) => [k, v], strings)
      .leftJoin(b.table('right', { ...strings, store: 'right' }), dash)
      .groupByKey()
      .count()
      .toStream()
      .mapValues(String, retyped)
      .to('out');
  },
  'stream-table join, rekeyed and named': (b) => {
    b.stream('left', strings)
      .selectKey((k) => k, { keySerde: stringSerde })
      .join(
        b.table('right', strings).mapValues((v) => `r${v}`),
        dash,
        { name: 'joining' },
      )
      .to('out', strings);
  },
  'stream joined twice after a rekey': (b) => {
    const s = b.stream('left', strings).selectKey((k) => k, { keySerde: stringSerde });
    s.join(b.table('right', strings), dash).to('out', strings);
    s.leftJoin(b.table('third', strings), (l, r) => `${l}+${r}`).to('out2', strings);
  },
  'repartitioned, left joined and counted': (b) => {
    const s = b.stream('left', strings).repartition({ name: 're' });
    s.filter((_, v) => v !== null)
      .leftJoin(b.table('right', strings), dash)
      .to('out', strings);
    s.groupByKey().count().toStream().mapValues(String, retyped).to('out2');
  },
  toTable: (b) => {
    b.stream('left', strings).toTable().toStream().to('out');
  },
  'toTable, rekeyed and materialised': (b) => {
    b.stream('left', strings)
      .selectKey((k) => k, { keySerde: stringSerde })
      .toTable({ name: 'tabled', store: 'table' })
      .filter(isEven)
      .toStream()
      .to('out');
  },
  'toTable, rekeyed and unnamed, joined': (b) => {
    b.stream('left', strings)
      .selectKey((k) => k, { keySerde: stringSerde })
      .toTable()
      .join(b.table('right', strings), dash)
      .toStream()
      .to('out', strings);
  },
  ...tableJoins('join'),
  ...tableJoins('leftJoin'),
  ...tableJoins('outerJoin'),
  'table-table join with names': (b) => {
    b.table('left', strings)
      .join(b.table('right', strings), dash, { ...strings, name: 'both', store: 'both' })
      .toStream()
      .to('out');
  },
  'aggregate joined with a table': (b) => {
    b.stream('left', strings)
      .groupByKey()
      .reduce(add, { store: 'sums' })
      .outerJoin(b.table('right', strings), dash)
      .toStream()
      .to('out', strings);
  },
  'one topic read twice, several topics in one source': (b) => {
    b.stream('left', strings)
      .mapValues((v) => `a${v}`, retyped)
      .to('out');
    b.stream('left', strings)
      .mapValues((v) => `b${v}`, retyped)
      .to('out');
    b.stream(['third', 'right'], strings).to('out2');
  },
  wide: (b) => {
    const s = b.stream('left', strings);
    for (let i = 0; i < 15; i++) {
      let branch = s.filter((_, v) => v === null);
      for (let j = 0; j < i % 4; j++) branch = branch.mapValues((v) => v, retyped);
      branch.to('out');
    }
  },
};

function tableJoins(kind: Kind): Record<string, (b: StreamsBuilder) => void> {
  const sums = (table: Table) =>
    table
      .groupBy((_, v) => [v.includes('null') ? 'half' : 'whole', '1'], strings)
      .reduce(add, subtract, { store: 'sums' })
      .toStream()
      .to('out');
  return {
    [`table-table ${kind}`]: (b) => {
      joined(kind, b.table('left', strings), b.table('right', strings))
        .toStream()
        .to('out', strings);
    },
    [`table-table ${kind}, materialised, grouped`]: (b) => {
      sums(joined(kind, b.table('left', strings), b.table('right', strings), 'joined'));
    },
    [`table-table ${kind}, unmaterialised, grouped`]: (b) => {
      sums(joined(kind, b.table('left', strings), b.table('right', strings)));
    },
    [`table-table ${kind}, chained with filters`]: (b) => {
      const left = b.table('left', strings).filter(isEven);
      const right = b.table('right', strings).mapValues((v) => `r${v}`);
      joined(kind, left, joined(kind, right, b.table('third', strings)))
        .toStream()
        .to('out', strings);
    },
    [`table-table ${kind}, stream looks it up`]: (b) => {
      const table = joined(kind, b.table('left', strings), b.table('right', strings));
      b.stream('third', strings)
        .leftJoin(table, (l, r) => `${l}:${r}`)
        .to('out', strings);
    },
  };
}

async function outputsOf(topology: Topology): Promise<readonly unknown[]> {
  const driver = new TopologyTestDriver(topology);
  const reads = new Set(topology.build().subTopologies.flatMap(({ sourceTopics }) => sourceTopics));
  const expected: unknown[] = [];
  for (const [topic, key, value, timestampMs] of vectors.inputs as unknown as readonly Input[]) {
    if (reads.has(topic)) {
      const input = driver.createInputTopic(topic, stringSerde, stringSerde);
      await input.pipeInput(key, value, timestampMs);
    }
    expected.push(['out', 'out2', 'rest'].flatMap((name) => drain(driver, name)));
  }
  await driver.close();
  return expected;
}

type Input = readonly [
  topic: string,
  key: string | null,
  value: string | null,
  timestampMs: number,
];

function drain(driver: TopologyTestDriver, topic: string): readonly unknown[] {
  const records = driver.createOutputTopic(topic, stringSerde, stringSerde).readRecordsToList();
  return records.map(({ key, value, timestampMs }) => [topic, key, value, timestampMs]);
}

describe('the DSL does as Kafka Streams', () => {
  test.each(vectors.cases)('$name', async ({ name, describe: text, expected }) => {
    const builder = new StreamsBuilder({ requireNames: false });
    CASES[name]?.(builder);
    const topology = builder.build();
    expect(String(topology.describe())).toBe(text);
    expect(await outputsOf(topology)).toEqual(expected);
  });
});
