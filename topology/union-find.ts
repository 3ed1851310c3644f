/** Disjoint sets of names: which nodes, or which topics, belong together. */
export class UnionFind {
  readonly #parent = new Map<string, string>();

  /** The name that stands for the whole set of `name`; an unseen name is a set of its own. */
  find(name: string): string {
    let root = name;
    for (let next = this.#parent.get(root); next !== undefined; next = this.#parent.get(root)) {
      root = next;
    }
    if (root !== name) this.#parent.set(name, root);
    return root;
  }

  unite(names: readonly string[]): void {
    const [first, ...others] = names;
    if (first === undefined) return;
    const root = this.find(first);
    for (const other of others) {
      const otherRoot = this.find(other);
      if (otherRoot !== root) this.#parent.set(otherRoot, root);
    }
  }
}
