/** Joins against the tables of Kafka's own integration tests (plain stores; versioned ones we have not). */
import { describe, expect, test } from 'vitest';
import { TopologyTestDriver } from '../../runtime/topology-test-driver.ts';
import { int32Serde, stringSerde } from '../../schemas/serdes.ts';
import { StreamsBuilder } from '../../topology/streams-builder.ts';
import streamTable from '../vectors/stream-table-join.json' with { type: 'json' };
import tableTable from '../vectors/table-table-join.json' with { type: 'json' };

type Input = readonly [
  side: 'L' | 'R',
  key: number | null,
  value: string | null,
  timestampMs: number,
];

const serdes = { keySerde: int32Serde, valueSerde: stringSerde };
const dash = (left: string | null, right: string | null) => `${left}-${right}`;

async function outputsOf(builder: StreamsBuilder, inputs: readonly Input[]) {
  const driver = new TopologyTestDriver(builder.build());
  const sides = {
    L: driver.createInputTopic('left', int32Serde, stringSerde),
    R: driver.createInputTopic('right', int32Serde, stringSerde),
  };
  const out = driver.createOutputTopic('out', int32Serde, stringSerde);
  const outputs: unknown[] = [];
  for (const [side, key, value, timestampMs] of inputs) {
    await sides[side].pipeInput(key, value, timestampMs);
    const records = out.readRecordsToList();
    outputs.push(records.map((record) => [record.key, record.value, record.timestampMs]));
  }
  await driver.close();
  return outputs;
}

describe('a stream joined with a table', () => {
  const inputs = streamTable.inputs.input as unknown as readonly Input[];
  const plain = streamTable.cases.filter(({ name }) => !name.includes('Versioned'));

  test.each(plain)('does as Kafka does: $name', async ({ name, expected }) => {
    const builder = new StreamsBuilder();
    const stream = builder.stream('left', serdes);
    const table = builder.table('right', { ...serdes, store: 'right' });
    const joined = name === 'testInner' ? stream.join(table, dash) : stream.leftJoin(table, dash);
    joined.to('out', serdes);
    expect(await outputsOf(builder, inputs)).toEqual(expected);
  });
});

describe('a table joined with a table', () => {
  const inputs = tableTable.inputs.input as unknown as readonly Input[];
  const plain = tableTable.cases.filter(({ name }) => /^test(Inner|Left|Outer)$/.test(name));

  test.each(plain)('does as Kafka does: $name', async ({ name, expected_cache_off: expected }) => {
    const builder = new StreamsBuilder();
    const left = builder.table('left', { ...serdes, store: 'left' });
    const right = builder.table('right', { ...serdes, store: 'right' });
    const options = { ...serdes, store: 'result' };
    const joined =
      name === 'testInner'
        ? left.join(right, dash, options)
        : name === 'testLeft'
          ? left.leftJoin(right, dash, options)
          : left.outerJoin(right, dash, options);
    joined.toStream().to('out');
    expect(await outputsOf(builder, inputs)).toEqual(expected);
  });
});
