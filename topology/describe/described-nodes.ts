/**
 * The nodes of a sub-topology as data, in the order in which Kafka prints them and their neighbours.
 */
import type { SubTopology, TopologyNode } from '../sub-topology.ts';
import { javaHashOrder } from './java-hash-order.ts';
import { JavaTreeSet } from './java-tree-set.ts';

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

interface Draft {
  readonly node: TopologyNode;
  weight: number;
  readonly predecessors: JavaTreeSet<Draft>;
  readonly successors: JavaTreeSet<Draft>;
}

/**
 * Kafka sorts nodes by weight (1 + the weights of the successors), heaviest first, then by name. It
 * links them one after the other while weights still grow, and a node's neighbours stay where they
 * were when they were linked. To print the same bytes we link in the same order.
 */
export function describeNodes({ nodes }: SubTopology): readonly DescribedNode[] {
  const drafts = new Map<string, Draft>();
  for (const node of nodes) drafts.set(node.name, draftOf(node));
  for (const name of javaHashOrder(drafts.keys())) link(drafts.get(name)!, drafts);
  return [...drafts.values()].sort(byWeight).map(describedNode);
}

function draftOf(node: TopologyNode): Draft {
  const predecessors = new JavaTreeSet(byWeight);
  return { node, weight: 1, predecessors, successors: new JavaTreeSet(byWeight) };
}

function link(draft: Draft, drafts: ReadonlyMap<string, Draft>): void {
  if (draft.node.kind === 'source') return;
  for (const parent of draft.node.parents) {
    const predecessor = drafts.get(parent)!;
    draft.predecessors.add(predecessor);
    predecessor.successors.add(draft);
    addWeight(predecessor, draft.weight);
  }
}

function addWeight(draft: Draft, weight: number): void {
  draft.weight += weight;
  for (const predecessor of draft.predecessors) addWeight(predecessor, weight);
}

function byWeight(a: Draft, b: Draft): number {
  if (a === b) return 0;
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
      const { topic } = node;
      const { predecessors } = links;
      if (typeof topic === 'string') return { kind: 'sink', name, topic, predecessors };
      return { kind: 'sink', name, topic: { extractor: functionLabel(topic) }, predecessors };
    }
  }
}

function namesOf(drafts: Iterable<Draft>): readonly string[] {
  return Array.from(drafts, (draft) => draft.node.name);
}

/** What it says of itself (Kafka prints that), else its name: never its source code. */
function functionLabel(extractor: object & { readonly name: string }): string {
  if (Object.hasOwn(extractor, 'toString')) return String(extractor);
  return extractor.name || 'anonymous';
}
