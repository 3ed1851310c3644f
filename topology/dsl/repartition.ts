/** Sends a stream through an internal topic, so that each record is processed where its key belongs. */
import type { Serde } from '../../schemas/serde.ts';
import type { StreamPartitioner } from '../processor.ts';
import { requireSerde } from './materialize.ts';
import { keyedOnlyProcessor, passThroughProcessor } from './processors/stateless.ts';
import type { TopologyPlan } from './topology-plan.ts';

const SUFFIX = '-repartition';
/** A prefix that was generated gives its nodes generated names, too (as in Kafka). */
const GENERATED = /^KSTREAM.*-[0-9]{10}$/;

export interface RepartitionOptions<K, V> {
  readonly plan: TopologyPlan;
  /** The node whose records go there. */
  readonly parent: string;
  /** The topic is `<application id>-<prefix>-repartition`. */
  readonly prefix: string;
  /** Then the builder may refuse it. Default false: somebody chose it, or it was checked already. */
  readonly isPrefixGenerated?: boolean;
  readonly keySerde: Serde<K> | undefined;
  readonly valueSerde: Serde<V> | undefined;
  readonly partitions?: number | undefined;
  readonly partitioner?: StreamPartitioner<K, V> | undefined;
}

/**
 * Returns the source that reads the topic. Records without a key belong nowhere and are dropped, unless
 * a left join comes next, to which they matter.
 */
export function repartition<K, V>(options: RepartitionOptions<K, V>): string {
  const { plan, parent, prefix, partitions, partitioner } = options;
  const topic = repartitionTopicName(prefix);
  if (options.isPrefixGenerated === true) plan.checkTopicName('repartition topic', topic, 'name');
  const keySerde = requireSerde(options.keySerde, 'keySerde', `repartition topic ${topic}`);
  const valueSerde = requireSerde(options.valueSerde, 'valueSerde', `repartition topic ${topic}`);
  const { sink, filter, source } = nodeNames(plan, prefix, topic);
  plan.add((topology) => {
    const processor = plan.keepsNullKeys(source) ? passThroughProcessor : keyedOnlyProcessor;
    topology
      .addRepartitionTopic({ name: topic, ...(partitions === undefined ? {} : { partitions }) })
      .addProcessor({ name: filter, supplier: processor<K, V>(), parents: [parent] })
      .addSink({
        name: sink,
        topic,
        keySerde,
        valueSerde,
        parents: [filter],
        ...(partitioner === undefined ? {} : { partitioner }),
      })
      .addSource({ name: source, topics: [topic], keySerde, valueSerde });
  });
  return source;
}

/** Instead of repartition() where its topic is there already: Kafka takes the indices all the same. */
export function skipRepartitionNames(plan: TopologyPlan): void {
  generatedNames(plan);
}

export function repartitionTopicName(prefix: string): string {
  return prefix.endsWith(SUFFIX) ? prefix : prefix + SUFFIX;
}

function nodeNames(plan: TopologyPlan, prefix: string, topic: string) {
  const generated = generatedNames(plan);
  if (GENERATED.test(prefix)) return generated;
  return { sink: `${topic}-sink`, filter: `${topic}-filter`, source: `${topic}-source` };
}

function generatedNames(plan: TopologyPlan) {
  return {
    sink: plan.generateName('KSTREAM-SINK-'),
    filter: plan.generateName('KSTREAM-FILTER-'),
    source: plan.generateName('KSTREAM-SOURCE-'),
  };
}
