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
    n_by_2d_word_2d_repartition_2d_source["by-word-repartition-source"]
    n_counting["counting"]
    n_updates["updates"]
    n_out["out"]
    n_store_20_counts[("counts")]
  end
  subgraph s1["Sub-topology 1"]
    n_in["in"]
    n_by_2d_word["by-word"]
    n_by_2d_word_2d_repartition_2d_filter["by-word-repartition-filter"]
    n_by_2d_word_2d_repartition_2d_sink["by-word-repartition-sink"]
  end
  n_topic_20_by_2d_word_2d_repartition>"by-word-repartition"]
  n_topic_20_byLanguage>"byLanguage"]
  n_topic_20_words>"words"]
  n_topic_20_by_2d_word_2d_repartition --> n_by_2d_word_2d_repartition_2d_source
  n_by_2d_word_2d_repartition_2d_source --> n_counting
  n_counting --> n_updates
  n_counting --- n_store_20_counts
  n_updates --> n_out
  n_out --> n_topic_20_byLanguage
  n_topic_20_words --> n_in
  n_in --> n_by_2d_word
  n_by_2d_word --> n_by_2d_word_2d_repartition_2d_filter
  n_by_2d_word_2d_repartition_2d_filter --> n_by_2d_word_2d_repartition_2d_sink
  n_by_2d_word_2d_repartition_2d_sink --> n_topic_20_by_2d_word_2d_repartition
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
