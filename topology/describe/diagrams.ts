/** A described topology as a picture: topics, nodes, stores, and what flows where. */
import type { DescribedNode, DescribedSubTopology } from './described-nodes.ts';

/** A Mermaid flowchart, one box per sub-topology. */
export function toMermaid(subTopologies: readonly DescribedSubTopology[]): string {
  const lines = ['flowchart TD'];
  for (const { id, nodes } of subTopologies) {
    lines.push(`  subgraph s${id}["Sub-topology ${id}"]`);
    for (const node of nodes) lines.push(`    ${mermaidId(node.name)}["${node.name}"]`);
    for (const store of storesOf(nodes))
      lines.push(`    ${mermaidId(storeId(store))}[("${store}")]`);
    lines.push('  end');
  }
  for (const topic of topicsOf(subTopologies)) {
    lines.push(`  ${mermaidId(topic.id)}>"${quoted(topic.label)}"]`);
  }
  for (const { from, to, kind } of edgesOf(subTopologies)) {
    lines.push(`  ${mermaidId(from)} ${kind === 'store' ? '---' : '-->'} ${mermaidId(to)}`);
  }
  return `${lines.join('\n')}\n`;
}

/** A Graphviz digraph, one cluster per sub-topology. */
export function toDot(subTopologies: readonly DescribedSubTopology[]): string {
  const lines = ['digraph topology {', '  rankdir=TB;', '  node [shape=box];'];
  for (const { id, nodes } of subTopologies) {
    lines.push(`  subgraph cluster_${id} {`, `    label="Sub-topology ${id}";`);
    for (const node of nodes) lines.push(`    ${dotId(node.name)};`);
    for (const store of storesOf(nodes))
      lines.push(`    ${dotId(storeId(store))} [shape=cylinder, label=${dotId(store)}];`);
    lines.push('  }');
  }
  for (const { id, label } of topicsOf(subTopologies)) {
    lines.push(`  ${dotId(id)} [shape=cds, label=${dotId(label)}];`);
  }
  for (const { from, to, kind } of edgesOf(subTopologies)) {
    lines.push(`  ${dotId(from)} -> ${dotId(to)}${kind === 'store' ? ' [dir=none]' : ''};`);
  }
  return `${[...lines, '}'].join('\n')}\n`;
}

interface Topic {
  readonly id: string;
  readonly label: string;
}

interface Edge {
  readonly from: string;
  readonly to: string;
  readonly kind: 'flow' | 'store';
}

/** Nodes, stores and topics may have one name: only the ids of nodes are the bare name. */
function topicOf(topic: string | { readonly extractor: string }): Topic {
  const label = typeof topic === 'string' ? topic : topic.extractor;
  return { id: `topic ${label}`, label };
}

function topicsOf(subTopologies: readonly DescribedSubTopology[]): Iterable<Topic> {
  const topics = new Map<string, Topic>();
  for (const node of subTopologies.flatMap(({ nodes }) => nodes)) {
    const names = node.kind === 'source' ? node.topics : node.kind === 'sink' ? [node.topic] : [];
    for (const topic of names.map(topicOf)) topics.set(topic.id, topic);
  }
  return topics.values();
}

function edgesOf(subTopologies: readonly DescribedSubTopology[]): readonly Edge[] {
  const edges: Edge[] = [];
  const flow = (from: string, to: string) => edges.push({ from, to, kind: 'flow' });
  for (const node of subTopologies.flatMap(({ nodes }) => nodes)) {
    if (node.kind === 'source') for (const topic of node.topics) flow(topicOf(topic).id, node.name);
    if (node.kind === 'sink') flow(node.name, topicOf(node.topic).id);
    else for (const successor of node.successors) flow(node.name, successor);
    if (node.kind !== 'processor') continue;
    for (const store of node.stores)
      edges.push({ from: node.name, to: storeId(store), kind: 'store' });
  }
  return edges;
}

function storeId(name: string): string {
  return `store ${name}`;
}

function storesOf(nodes: readonly DescribedNode[]): ReadonlySet<string> {
  return new Set(nodes.flatMap((node) => (node.kind === 'processor' ? node.stores : [])));
}

function mermaidId(name: string): string {
  const safe = name.replaceAll(/[^A-Za-z0-9]/g, (sign) => `_${sign.charCodeAt(0).toString(16)}_`);
  return `n_${safe}`; // A bare "end" would end the box.
}

function quoted(text: string): string {
  return text.replaceAll('"', "'");
}

function dotId(name: string): string {
  return `"${quoted(name)}"`;
}
