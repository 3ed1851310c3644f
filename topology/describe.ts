/**
 * A topology for people: Kafka's own text (toString(), byte for byte, so that tools made for it work),
 * the same as data (the fields; JSON.stringify takes them), Mermaid and DOT.
 */
import { javaHashOrder } from './java-hash-order.ts';
import type { BuiltTopology, SubTopology, TopologyNode } from './sub-topology.ts';

export type DescribedNode =
  | {
      readonly kind: 'source';
      readonly name: string;
      readonly topics: readonly string[];
      readonly successors: readonly string[];
    }
  | {
      readonly kind: 'processor';
      readonly name: string;
      readonly stores: readonly string[];
      readonly successors: readonly string[];
      readonly predecessors: readonly string[];
    }
  | {
      readonly kind: 'sink';
      readonly name: string;
      readonly topic: string | { readonly extractor: string };
      readonly predecessors: readonly string[];
    };

export interface DescribedSubTopology {
  readonly id: number;
  readonly nodes: readonly DescribedNode[];
}

export class TopologyDescription {
  readonly subTopologies: readonly DescribedSubTopology[];

  constructor(topology: BuiltTopology) {
    this.subTopologies = topology.subTopologies.map((subTopology) => ({
      id: subTopology.id,
      nodes: describeNodes(subTopology),
    }));
  }

  /** As `Topology.describe().toString()` of Kafka Streams. */
  toString(): string {
    const texts = this.subTopologies.map(
      ({ id, nodes }) => `  Sub-topology: ${id}\n${nodes.map(nodeText).join('')}\n`,
    );
    return `Topologies:\n ${texts.join('')}`;
  }

  /** A Mermaid flowchart: topics, nodes and stores, one box per sub-topology. */
  toMermaid(): string {
    const lines = ['flowchart TD'];
    for (const { id, nodes } of this.subTopologies) {
      lines.push(`  subgraph s${id}["Sub-topology ${id}"]`);
      for (const node of nodes) lines.push(`    ${mermaidId(node.name)}["${node.name}"]`);
      for (const store of storesOf(nodes)) lines.push(`    ${mermaidId(store)}[("${store}")]`);
      lines.push('  end');
    }
    for (const topic of this.#topics()) lines.push(`  ${mermaidId(topic)}>"${quoted(topic)}"]`);
    for (const { from, to, kind } of this.#edges()) {
      lines.push(`  ${mermaidId(from)} ${kind === 'store' ? '---' : '-->'} ${mermaidId(to)}`);
    }
    return `${lines.join('\n')}\n`;
  }

  /** A Graphviz digraph: topics, nodes and stores, one cluster per sub-topology. */
  toDot(): string {
    const lines = ['digraph topology {', '  rankdir=TB;', '  node [shape=box];'];
    for (const { id, nodes } of this.subTopologies) {
      lines.push(`  subgraph cluster_${id} {`, `    label="Sub-topology ${id}";`);
      for (const node of nodes) lines.push(`    ${dotId(node.name)};`);
      for (const store of storesOf(nodes)) lines.push(`    ${dotId(store)} [shape=cylinder];`);
      lines.push('  }');
    }
    for (const topic of this.#topics()) lines.push(`  ${dotId(topic)} [shape=cds];`);
    for (const { from, to, kind } of this.#edges()) {
      lines.push(`  ${dotId(from)} -> ${dotId(to)}${kind === 'store' ? ' [dir=none]' : ''};`);
    }
    return `${[...lines, '}'].join('\n')}\n`;
  }

  #topics(): readonly string[] {
    const topics = new Set<string>();
    for (const { nodes } of this.subTopologies) {
      for (const node of nodes) {
        if (node.kind === 'source') for (const topic of node.topics) topics.add(topicId(topic));
        if (node.kind === 'sink') topics.add(topicId(node.topic));
      }
    }
    return [...topics];
  }

  #edges(): readonly Edge[] {
    const edges: Edge[] = [];
    for (const node of this.subTopologies.flatMap((subTopology) => subTopology.nodes)) {
      if (node.kind === 'source') {
        for (const topic of node.topics) edges.push(flow(topicId(topic), node.name));
      }
      if (node.kind === 'sink') edges.push(flow(node.name, topicId(node.topic)));
      else for (const successor of node.successors) edges.push(flow(node.name, successor));
      if (node.kind === 'processor') {
        for (const store of node.stores) edges.push({ from: node.name, to: store, kind: 'store' });
      }
    }
    return edges;
  }
}

interface Edge {
  readonly from: string;
  readonly to: string;
  readonly kind: 'flow' | 'store';
}

function flow(from: string, to: string): Edge {
  return { from, to, kind: 'flow' };
}

/** Topics live beside nodes and stores of the same name. */
function topicId(topic: string | { readonly extractor: string }): string {
  return `topic ${typeof topic === 'string' ? topic : topic.extractor}`;
}

function storesOf(nodes: readonly DescribedNode[]): ReadonlySet<string> {
  return new Set(nodes.flatMap((node) => (node.kind === 'processor' ? node.stores : [])));
}

function mermaidId(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9]/g, (sign) => `_${sign.charCodeAt(0).toString(16)}_`);
}

function quoted(text: string): string {
  return text.replaceAll('"', "'");
}

function dotId(name: string): string {
  return `"${quoted(name)}"`;
}

function nodeText(node: DescribedNode): string {
  switch (node.kind) {
    case 'source':
      return `    Source: ${node.name} (topics: [${node.topics.join(', ')}])\n${arrow('-->', node.successors)}`;
    case 'processor':
      return `    Processor: ${node.name} (stores: [${node.stores.join(', ')}])\n${arrow('-->', node.successors)}${arrow('<--', node.predecessors)}`;
    case 'sink': {
      const target =
        typeof node.topic === 'string'
          ? `topic: ${node.topic}`
          : `extractor class: ${node.topic.extractor}`;
      return `    Sink: ${node.name} (${target})\n${arrow('<--', node.predecessors)}`;
    }
  }
}

function arrow(sign: string, names: readonly string[]): string {
  return `      ${sign} ${names.length === 0 ? 'none' : names.join(', ')}\n`;
}

/**
 * Kafka sorts nodes by weight (1 + the weights of the successors), heaviest first, then by name. It
 * links them one after the other while weights still grow, and a node's neighbours stay in the order
 * of the moment when they were linked. To print the same bytes we link in the same order.
 */
function describeNodes({ nodes }: SubTopology): readonly DescribedNode[] {
  const drafts = new Map<string, Draft>();
  for (const node of nodes) {
    drafts.set(node.name, { node, weight: 1, predecessors: [], successors: [] });
  }
  for (const name of javaHashOrder(drafts.keys())) link(drafts.get(name)!, drafts);
  return [...drafts.values()].sort(byWeight).map(describedNode);
}

interface Draft {
  readonly node: TopologyNode;
  weight: number;
  readonly predecessors: Draft[];
  readonly successors: Draft[];
}

function link(draft: Draft, drafts: ReadonlyMap<string, Draft>): void {
  if (draft.node.kind === 'source') return;
  for (const parent of draft.node.parents) {
    const predecessor = drafts.get(parent)!;
    insert(draft.predecessors, predecessor);
    insert(predecessor.successors, draft);
    addWeight(predecessor, draft.weight);
  }
}

function addWeight(draft: Draft, weight: number): void {
  draft.weight += weight;
  for (const predecessor of draft.predecessors) addWeight(predecessor, weight);
}

function insert(sorted: Draft[], draft: Draft): void {
  const index = sorted.findIndex((other) => byWeight(draft, other) < 0);
  sorted.splice(index === -1 ? sorted.length : index, 0, draft);
}

function byWeight(a: Draft, b: Draft): number {
  return b.weight - a.weight || (a.node.name < b.node.name ? -1 : 1);
}

function describedNode({ node, successors, predecessors }: Draft): DescribedNode {
  const { name } = node;
  const links = { successors: namesOf(successors), predecessors: namesOf(predecessors) };
  switch (node.kind) {
    case 'source':
      return {
        kind: 'source',
        name,
        topics: javaHashOrder(node.topics),
        successors: links.successors,
      };
    case 'processor':
      return { kind: 'processor', name, stores: javaHashOrder(node.stores), ...links };
    case 'sink': {
      const topic = typeof node.topic === 'string' ? node.topic : { extractor: String(node.topic) };
      return { kind: 'sink', name, topic, predecessors: links.predecessors };
    }
  }
}

function namesOf(drafts: readonly Draft[]): readonly string[] {
  return drafts.map((draft) => draft.node.name);
}
