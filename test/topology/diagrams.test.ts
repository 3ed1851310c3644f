import { describe, expect, test } from 'vitest';
import { stringSerde } from '../../schemas/serdes.ts';
import { StreamsBuilder } from '../../topology/streams-builder.ts';

const strings = { keySerde: stringSerde, valueSerde: stringSerde };

const byLanguage = () => 'anywhere';

function description() {
  const builder = new StreamsBuilder();
  builder
    .stream('words', { ...strings, name: 'in' })
    .groupBy((_, word) => word, { ...strings, name: 'by-word' })
    .count({ store: 'counts', name: 'counting' })
    .toStream({ name: 'updates' })
    .to(byLanguage, { name: 'out' });
  return builder.build().describe();
}

describe('a described topology', () => {
  test('is plain data', () => {
    const { subTopologies } = JSON.parse(JSON.stringify(description()));
    expect(subTopologies).toHaveLength(2);
    expect(subTopologies[0].nodes).toContainEqual({
      ...{ kind: 'source', name: 'by-word-repartition-source' },
      ...{ topics: ['by-word-repartition'], successors: ['counting'] },
    });
    expect(subTopologies[0].nodes).toContainEqual({
      ...{ kind: 'processor', name: 'counting', stores: ['counts'] },
      ...{ successors: ['updates'], predecessors: ['by-word-repartition-source'] },
    });
  });

  test('is a Mermaid flowchart', () => {
    expect(description().toMermaid()).toBe(
      `flowchart TD
  subgraph s0["Sub-topology 0"]
    by_2d_word_2d_repartition_2d_source["by-word-repartition-source"]
    counting["counting"]
    updates["updates"]
    out["out"]
    store_20_counts[("counts")]
  end
  subgraph s1["Sub-topology 1"]
    in["in"]
    by_2d_word["by-word"]
    by_2d_word_2d_repartition_2d_filter["by-word-repartition-filter"]
    by_2d_word_2d_repartition_2d_sink["by-word-repartition-sink"]
  end
  topic_20_by_2d_word_2d_repartition>"by-word-repartition"]
  topic_20_byLanguage>"byLanguage"]
  topic_20_words>"words"]
  topic_20_by_2d_word_2d_repartition --> by_2d_word_2d_repartition_2d_source
  by_2d_word_2d_repartition_2d_source --> counting
  counting --> updates
  counting --- store_20_counts
  updates --> out
  out --> topic_20_byLanguage
  topic_20_words --> in
  in --> by_2d_word
  by_2d_word --> by_2d_word_2d_repartition_2d_filter
  by_2d_word_2d_repartition_2d_filter --> by_2d_word_2d_repartition_2d_sink
  by_2d_word_2d_repartition_2d_sink --> topic_20_by_2d_word_2d_repartition
`,
    );
  });

  test('is a DOT digraph', () => {
    const dot = description().toDot();
    expect(dot).toMatch(/^digraph topology \{\n/);
    expect(dot).toContain('    label="Sub-topology 1";\n');
    expect(dot).toContain('"store counts" [shape=cylinder, label="counts"];');
    expect(dot).toContain('"counting" -> "store counts" [dir=none];');
    expect(dot).toContain('"topic words" -> "in";');
    expect(dot).toMatch(/\}\n$/);
  });
});
