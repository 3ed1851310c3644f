/** A stream being split: branches are named and added one by one. */
import { KStream, type StreamNode } from './kstream.ts';
import type { Named } from './options.ts';
import {
  type Branch,
  branchProcessor,
  type Predicate,
  passThroughProcessor,
} from './processors/stateless.ts';

/** By the branches' full names: the split's name followed by the branch's. */
export type Branches<K, V> = ReadonlyMap<string, KStream<K, V>>;

export class BranchedKStream<K, V> {
  readonly #node: StreamNode<K, V>;
  readonly #splitName: string;
  readonly #branches: Branch<K, V>[] = [];
  readonly #streams = new Map<string, KStream<K, V>>();

  constructor(node: StreamNode<K, V>, splitName: string) {
    this.#node = node;
    this.#splitName = splitName;
    const supplier = branchProcessor(this.#branches);
    node.plan.add((topology) =>
      topology.addProcessor({ name: splitName, supplier, parents: [node.name] }),
    );
  }

  /** Takes what no branch before it took. Without a name it is numbered from 1. */
  branch(predicate: Predicate<K, V>, options: Named = {}): this {
    const name = this.#splitName + (options.name ?? this.#branches.length + 1);
    this.#add({ name, predicate });
    return this;
  }

  /** Takes all the rest. Without a name it has number 0. */
  defaultBranch(options: Named = {}): Branches<K, V> {
    this.#add({ name: this.#splitName + (options.name ?? 0) });
    return this.#streams;
  }

  /** The rest goes nowhere. */
  noDefaultBranch(): Branches<K, V> {
    return this.#streams;
  }

  #add(branch: Branch<K, V>): void {
    const { plan } = this.#node;
    const { name } = branch;
    plan.generateName(name); // Kafka takes an index here, too.
    this.#branches.push(branch);
    const parents = [this.#splitName];
    plan.add((topology) =>
      topology.addProcessor({ name, supplier: passThroughProcessor<K, V>(), parents }),
    );
    this.#streams.set(name, new KStream({ ...this.#node, name }));
  }
}
