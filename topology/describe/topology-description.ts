/**
 * A topology for people: Kafka's own text (toString(), byte for byte, so that tools made for it work),
 * the same as data (JSON.stringify takes it), and as diagrams.
 */
import type { BuiltTopology } from '../sub-topology.ts';
import { type DescribedNode, type DescribedSubTopology, describeNodes } from './described-nodes.ts';
import { toDot, toMermaid } from './diagrams.ts';

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

  toMermaid(): string {
    return toMermaid(this.subTopologies);
  }

  /** For Graphviz. */
  toDot(): string {
    return toDot(this.subTopologies);
  }
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
