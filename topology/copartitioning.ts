/**
 * How many partitions each topic has, and whether those that are joined have equally many.
 * Pure: the counts of existing topics come in by argument.
 */
import { MillraceError } from '../base/errors.ts';
import type { BuiltTopology, RepartitionTopic, SubTopology } from './sub-topology.ts';

/** undefined = the topic does not exist. Asked for topics that are not repartition topics only. */
export type PartitionCountOf = (topic: string) => number | undefined;

/**
 * Partitions of every topic that the topology reads. A repartition topic gets its explicit number,
 * else that of the topics it is copartitioned with, else as many as the widest topic read by the
 * sub-topology that writes it. Throws TOPOLOGY_INVALID for a missing topic or unequal counts.
 */
export function resolvePartitionCounts(
  topology: BuiltTopology,
  partitionCountOf: PartitionCountOf,
): ReadonlyMap<string, number> {
  const counts = knownCounts(topology, partitionCountOf);
  const undecided = repartitionTopics(topology).filter((topic) => !counts.has(topic.name));
  // A topic may wait for another one to be decided; each round decides one at least, or gives up.
  for (let left = undecided; left.length > 0; ) {
    const still = left.filter((topic) => !decide(topic.name, topology, counts));
    if (still.length === left.length) throw undecidable(still);
    left = still;
  }
  checkCopartitioning(
    topology.subTopologies.flatMap((subTopology) => subTopology.copartitionGroups),
    (topic) => counts.get(topic),
  );
  return counts;
}

/** Throws TOPOLOGY_INVALID, naming topics and counts, unless each group's topics have equally many. */
export function checkCopartitioning(
  groups: readonly (readonly string[])[],
  partitionCountOf: PartitionCountOf,
): void {
  for (const group of groups) {
    const counts = group.map((topic) => ({ topic, count: partitionCountOf(topic) }));
    if (new Set(counts.map(({ count }) => count)).size <= 1) continue;
    const list = counts.map(({ topic, count }) => `${topic} ${count ?? 'none'}`).join(', ');
    throw new MillraceError(
      'TOPOLOGY_INVALID',
      `joined topics need equally many partitions, but they have: ${list}`,
      { hint: 'Call repartition() on one side, or create the topics with equal counts.' },
    );
  }
}

/** The number of tasks of a sub-topology: the widest topic it reads decides. */
export function taskCount(subTopology: SubTopology, counts: ReadonlyMap<string, number>): number {
  return Math.max(...subTopology.sourceTopics.map((topic) => counts.get(topic) ?? 0));
}

function repartitionTopics(topology: BuiltTopology): readonly RepartitionTopic[] {
  return topology.subTopologies.flatMap((subTopology) => subTopology.repartitionSources);
}

function knownCounts(topology: BuiltTopology, countOf: PartitionCountOf): Map<string, number> {
  const counts = new Map<string, number>();
  const internal = new Map(repartitionTopics(topology).map((topic) => [topic.name, topic]));
  for (const topic of topology.subTopologies.flatMap(({ sourceTopics }) => sourceTopics)) {
    const repartition = internal.get(topic);
    const count = repartition === undefined ? countOf(topic) : repartition.partitions;
    if (count !== undefined) counts.set(topic, count);
    else if (repartition === undefined) throw missing(topic);
  }
  return counts;
}

function decide(topic: string, topology: BuiltTopology, counts: Map<string, number>): boolean {
  const peers = copartitionedWith(topic, topology);
  const decidedPeer = peers.find((peer) => counts.has(peer));
  const count =
    decidedPeer === undefined ? countOfWriters(peers, topology, counts) : counts.get(decidedPeer);
  if (count !== undefined) counts.set(topic, count);
  return count !== undefined;
}

function copartitionedWith(topic: string, topology: BuiltTopology): readonly string[] {
  const groups = topology.subTopologies.flatMap(({ copartitionGroups }) => copartitionGroups);
  return groups.find((group) => group.includes(topic)) ?? [topic];
}

/** As many as the widest topic that is read where these are written; undefined = not known yet. */
function countOfWriters(
  topics: readonly string[],
  topology: BuiltTopology,
  counts: ReadonlyMap<string, number>,
): number | undefined {
  const writers = topology.subTopologies.filter(({ repartitionSinks }) =>
    repartitionSinks.some((sink) => topics.includes(sink.name)),
  );
  const read = writers.flatMap(({ sourceTopics }) => sourceTopics);
  if (read.some((source) => !counts.has(source))) return undefined;
  return Math.max(...read.map((source) => counts.get(source) ?? 0));
}

function missing(topic: string): MillraceError {
  return new MillraceError('TOPOLOGY_INVALID', `source topic ${topic} does not exist`, {
    hint: 'Create the topics that the topology reads before it starts.',
  });
}

function undecidable(topics: readonly RepartitionTopic[]): MillraceError {
  const names = topics.map((topic) => topic.name).join(', ');
  return new MillraceError('TOPOLOGY_INVALID', `nothing decides the partition count of ${names}`, {
    hint: 'They feed each other in a circle: give one of them an explicit number of partitions.',
  });
}
