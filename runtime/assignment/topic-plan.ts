/**
 * The topology laid over real topics: names with the application id, partition counts, tasks.
 * Pure; internal-topics.ts finds or creates the topics. Counts are fixed for an application id.
 */
import { MillraceError } from '../../base/errors.ts';
import type { TopicDescription } from '../../kafka/ports.ts';
import type { StoreSpec } from '../../stores/state-store.ts';
import type {
  BuiltTopology,
  SinkNode,
  SourceNode,
  SubTopology,
} from '../../topology/sub-topology.ts';

export type Topics = ReadonlyMap<string, TopicDescription>;

export interface ChangelogPlan {
  readonly spec: StoreSpec;
  readonly topic: string;
  readonly topicId: string;
  /** The source topic itself is the changelog: read when restoring, never written. */
  readonly isSourceTopic: boolean;
}

export interface SourcePlan {
  /** As the topology names it. */
  readonly name: string;
  /** As Kafka knows it. */
  readonly topic: string;
  readonly topicId: string;
  readonly node: SourceNode;
}

export interface SubTopologyPlan {
  readonly subTopology: SubTopology;
  /** Tasks are `<id>_0` … `<id>_<taskCount - 1>`. */
  readonly taskCount: number;
  readonly sources: readonly SourcePlan[];
  readonly changelogs: readonly ChangelogPlan[];
}

export interface TopicPlan {
  readonly subTopologies: readonly SubTopologyPlan[];
  readonly bySourceTopic: ReadonlyMap<string, SubTopologyPlan>;
  /** Everything known: sources, sinks, changelogs, dead letters. */
  readonly topics: Topics;
  /** Repartition topics, with the prefix: their records are deleted once consumed. */
  readonly repartitionTopics: ReadonlySet<string>;
  /** The real name of a sink's or source's topic. */
  realName(name: string): string;
}

export function taskId(subTopologyId: number, partition: number): string {
  return `${subTopologyId}_${partition}`;
}

export function parseTaskId(id: string): {
  readonly subTopologyId: number;
  readonly partition: number;
} {
  const [subTopologyId, partition] = id.split('_').map(Number);
  return { subTopologyId: subTopologyId!, partition: partition! };
}

/** Of every topic that a task's offsets and state belong to. */
export function topicIdsOf({ sources, changelogs }: SubTopologyPlan): ReadonlyMap<string, string> {
  return new Map([...sources, ...changelogs].map(({ topic, topicId }) => [topic, topicId]));
}

export function changelogTopic(applicationId: string, storeName: string): string {
  return `${applicationId}-${storeName}-changelog`;
}

/** Names of repartition topics as the topology writes them. */
export function repartitionNames(topology: BuiltTopology): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { repartitionSources, repartitionSinks } of topology.subTopologies) {
    for (const { name } of [...repartitionSources, ...repartitionSinks]) names.add(name);
  }
  return names;
}

/** What Kafka calls the topics that a topology names: its repartition topics have the application's id in front. */
export function realNames(
  applicationId: string,
  topology: BuiltTopology,
): (name: string) => string {
  const repartition = repartitionNames(topology);
  return (name) => (repartition.has(name) ? `${applicationId}-${name}` : name);
}

export function sinksOf(subTopology: SubTopology): readonly SinkNode[] {
  return subTopology.nodes.filter((node) => node.kind === 'sink');
}

/** Throws TOPOLOGY_INVALID when a topic is missing, read twice, or not co-partitioned. */
export function planTopics(
  applicationId: string,
  topology: BuiltTopology,
  topics: Topics,
): TopicPlan {
  const realName = realNames(applicationId, topology);
  const sourceChangelogs = new Map(
    topology.sourceChangelogs.map(({ storeName, topic }) => [storeName, realName(topic)]),
  );
  const countOf = (topic: string) => describe(topics, topic).partitions;

  const subTopologies = topology.subTopologies.map((subTopology): SubTopologyPlan => {
    const sources = sourcesOf(subTopology, realName, topics);
    checkCopartitioned(subTopology, realName, countOf);
    const changelogs = subTopology.stores
      .filter((spec) => spec.changelog !== false || sourceChangelogs.has(spec.name))
      .map((spec): ChangelogPlan => {
        const sourceTopic = sourceChangelogs.get(spec.name);
        const topic = sourceTopic ?? changelogTopic(applicationId, spec.name);
        const { topicId } = describe(topics, topic);
        return { spec, topic, topicId, isSourceTopic: sourceTopic !== undefined };
      });
    const taskCount = Math.max(...sources.map(({ topic }) => countOf(topic)));
    return { subTopology, taskCount, sources, changelogs };
  });

  const bySourceTopic = new Map<string, SubTopologyPlan>();
  for (const plan of subTopologies) {
    for (const { topic } of plan.sources) {
      if (bySourceTopic.has(topic))
        throw new MillraceError('TOPOLOGY_INVALID', `two sub-topologies read ${topic}`);
      bySourceTopic.set(topic, plan);
    }
  }
  const repartitionTopics = new Set([...repartitionNames(topology)].map(realName));
  return { subTopologies, bySourceTopic, topics, repartitionTopics, realName };
}

function sourcesOf(
  subTopology: SubTopology,
  realName: (name: string) => string,
  topics: Topics,
): SourcePlan[] {
  const sourceOf = (name: string, node: SourceNode): SourcePlan => {
    const topic = realName(name);
    return { name, topic, topicId: describe(topics, topic).topicId, node };
  };
  return subTopology.nodes
    .filter((node) => node.kind === 'source')
    .flatMap((node) => node.topics.map((name) => sourceOf(name, node)));
}

function describe(topics: Topics, topic: string): TopicDescription {
  const found = topics.get(topic);
  if (found === undefined)
    throw new MillraceError('TOPOLOGY_INVALID', `topic ${topic} does not exist`);
  return found;
}

function checkCopartitioned(
  subTopology: SubTopology,
  realName: (name: string) => string,
  countOf: (topic: string) => number,
): void {
  for (const group of subTopology.copartitionGroups) {
    const counts = new Map(group.map((name) => [realName(name), countOf(realName(name))]));
    if (new Set(counts.values()).size <= 1) continue;
    const told = [...counts].map(([topic, count]) => `${topic}: ${count}`).join(', ');
    throw new MillraceError('TOPOLOGY_INVALID', `joined topics differ in partitions: ${told}`, {
      hint: 'Give them equally many partitions, or repartition one of them in the topology.',
    });
  }
}
