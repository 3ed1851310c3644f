/**
 * Cuts a topology into sub-topologies: sets of nodes that must run in one task. Nodes belong together
 * when one forwards to the other, when they share a store, or when their sources are copartitioned.
 * Numbers are Kafka's: by the alphabetically first source of each.
 */
import type { StoreSpec } from '../stores/state-store.ts';
import type { RepartitionTopic, SourceNode, SubTopology, TopologyNode } from './sub-topology.ts';
import { UnionFind } from './union-find.ts';

export interface WholeTopology {
  /** Parents before children. */
  readonly nodes: readonly TopologyNode[];
  readonly stores: ReadonlyMap<string, StoreSpec>;
  readonly repartitionTopics: ReadonlyMap<string, RepartitionTopic>;
  /** Each: names of sources. */
  readonly copartitionedSources: readonly (readonly string[])[];
}

export function cutIntoSubTopologies(topology: WholeTopology): readonly SubTopology[] {
  const together = uniteNodes(topology);
  const nodesOfRoot = new Map<string, TopologyNode[]>();
  for (const source of sortedSources(topology.nodes))
    nodesOfRoot.set(together.find(source.name), []);
  for (const node of topology.nodes) nodesOfRoot.get(together.find(node.name))?.push(node);
  return [...nodesOfRoot.values()].map((nodes, id) => subTopology(id, nodes, topology));
}

function uniteNodes(topology: WholeTopology): UnionFind {
  const together = new UnionFind();
  const firstUserOfStore = new Map<string, string>();
  for (const node of topology.nodes) {
    if (node.kind !== 'source') together.unite([node.name, ...node.parents]);
    if (node.kind !== 'processor') continue;
    for (const store of node.stores) {
      const firstUser = firstUserOfStore.get(store);
      if (firstUser === undefined) firstUserOfStore.set(store, node.name);
      else together.unite([firstUser, node.name]);
    }
  }
  for (const sources of topology.copartitionedSources) together.unite(sources);
  return together;
}

function subTopology(
  id: number,
  nodes: readonly TopologyNode[],
  topology: WholeTopology,
): SubTopology {
  const sources = nodes.filter((node) => node.kind === 'source');
  const sourceTopics = sources.flatMap((source) => source.topics);
  const sinkTopics = nodes.flatMap((node) =>
    node.kind === 'sink' && typeof node.topic === 'string' ? [node.topic] : [],
  );
  return {
    id,
    nodes: nodes.map(frozenNode),
    sourceTopics,
    repartitionSources: pick(topology.repartitionTopics, sourceTopics),
    repartitionSinks: pick(topology.repartitionTopics, sinkTopics),
    stores: pick(
      topology.stores,
      nodes.flatMap((node) => (node.kind === 'processor' ? node.stores : [])),
    ),
    copartitionGroups: copartitionGroups(sources, topology.copartitionedSources),
  };
}

/** Groups that share a topic are one group: all of its topics must be alike. */
function copartitionGroups(
  sources: readonly SourceNode[],
  copartitionedSources: readonly (readonly string[])[],
): readonly (readonly string[])[] {
  const topicsOfSource = new Map(sources.map((source) => [source.name, source.topics]));
  const together = new UnionFind();
  const topics = new Set<string>();
  for (const names of copartitionedSources) {
    const group = names.flatMap((name) => topicsOfSource.get(name) ?? []);
    together.unite(group);
    for (const topic of group) topics.add(topic);
  }
  const groups = Map.groupBy([...topics].sort(), (topic) => together.find(topic));
  return [...groups.values()].filter((group) => group.length > 1);
}

function sortedSources(nodes: readonly TopologyNode[]): readonly TopologyNode[] {
  const sources = nodes.filter((node) => node.kind === 'source');
  return sources.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function pick<T>(all: ReadonlyMap<string, T>, names: readonly string[]): readonly T[] {
  const picked: T[] = [];
  for (const name of new Set(names)) {
    const value = all.get(name);
    if (value !== undefined) picked.push(value);
  }
  return picked;
}

/** A copy that later additions to the builder cannot change. */
function frozenNode(node: TopologyNode): TopologyNode {
  switch (node.kind) {
    case 'source':
      return { ...node, children: [...node.children] };
    case 'processor':
      return { ...node, children: [...node.children], stores: [...node.stores] };
    case 'sink':
      return node;
  }
}
