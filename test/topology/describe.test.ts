/** The text of describe() against Kafka's own, case by case. */
import { describe, expect, test } from 'vitest';
import { int64Serde, stringSerde } from '../../schemas/serdes.ts';
import type { StreamsBuilder } from '../../topology/streams-builder.ts';
import { StreamsBuilder as Builder } from '../../topology/streams-builder.ts';
import vectors from '../vectors/topology-describe.json' with { type: 'json' };

const strings = { keySerde: stringSerde, valueSerde: stringSerde };

/** Kafka's cases in our DSL. Those with windows, cogroup or stream-stream joins cannot be said in it. */
const CASES: Readonly<Record<string, (builder: StreamsBuilder) => void>> = {
  topologyWithDynamicRoutingShouldDescribeExtractorClass: (builder) => {
    const extractor = Object.assign(() => 'out', {
      toString: () => 'anonymous topic name extractor. topic is [recordContext.topic()]-[key]',
    });
    builder.stream('input-topic', strings).to(extractor);
  },
  kGroupedStreamZeroArgCountShouldPreserveTopologyStructure: (builder) => {
    builder.stream('input-topic', strings).groupByKey().count();
  },
  kGroupedStreamNamedMaterializedCountShouldPreserveTopologyStructure: (builder) => {
    builder.stream('input-topic', strings).groupByKey().count({ store: 'count-store' });
  },
  kGroupedStreamAnonymousMaterializedCountShouldPreserveTopologyStructure: (builder) => {
    const serdes = { keySerde: stringSerde, valueSerde: int64Serde };
    builder.stream('input-topic', strings).groupByKey().count(serdes);
  },
  tableZeroArgCountShouldPreserveTopologyStructure: (builder) => {
    builder
      .table('input-topic', strings)
      .groupBy((key, value) => [key, value], strings)
      .count();
  },
  tableNamedMaterializedCountShouldPreserveTopologyStructure: (builder) => {
    const table = builder.table('input-topic', strings);
    table.groupBy((key, value) => [key, value], strings).count({ store: 'count-store' });
  },
  kTableNonMaterializedMapValuesShouldPreserveTopologyStructure: (builder) => {
    builder.table('input-topic', strings).mapValues((value) => value);
  },
  kTableAnonymousMaterializedMapValuesShouldPreserveTopologyStructure: (builder) => {
    builder.table('input-topic', strings).mapValues((value) => value, strings);
  },
  kTableNamedMaterializedMapValuesShouldPreserveTopologyStructure: (builder) => {
    const options = { store: 'store-name', valueSerde: stringSerde };
    builder.table('input-topic', strings).mapValues((value) => value, options);
  },
  kTableNamedMaterializedFilterShouldPreserveTopologyStructure: (builder) => {
    builder.table('input-topic', strings).filter(() => false, { store: 'store-name' });
  },
};

const WITHOUT_OUR_DSL = /window|cogrouped|streamStream/i;

describe("describe() prints Kafka's text", () => {
  test.each(vectors.cases.filter(({ name }) => !WITHOUT_OUR_DSL.test(name)))('$name', (vector) => {
    const builder = new Builder({ requireNames: false });
    CASES[vector.name]?.(builder);
    expect(String(builder.build().describe())).toBe(vector.describe);
  });
});
