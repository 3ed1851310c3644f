/**
 * A set that orders its items as Java's TreeSet does while their sort keys still change: an item stays
 * where the comparisons of its own insertion led it, so the shape of the red-black tree shows in the
 * order. Kafka's describe() prints neighbours in that order; nothing else may depend on it.
 */

interface TreeNode<T> {
  readonly item: T;
  isRed: boolean;
  parent: TreeNode<T> | undefined;
  readonly children: [TreeNode<T> | undefined, TreeNode<T> | undefined];
}

type Side = 0 | 1;

export class JavaTreeSet<T> implements Iterable<T> {
  readonly #compare: (a: T, b: T) => number;
  #root: TreeNode<T> | undefined;

  constructor(compare: (a: T, b: T) => number) {
    this.#compare = compare;
  }

  /** Does nothing when the item meets an equal one on its way. */
  add(item: T): void {
    let parent: TreeNode<T> | undefined;
    let side: Side = 0;
    for (let next = this.#root; next !== undefined; next = next.children[side]) {
      const order = this.#compare(item, next.item);
      if (order === 0) return;
      parent = next;
      side = order < 0 ? 0 : 1;
    }
    const node: TreeNode<T> = { item, isRed: true, parent, children: [undefined, undefined] };
    if (parent === undefined) this.#root = node;
    else parent.children[side] = node;
    this.#rebalance(node);
  }

  *[Symbol.iterator](): Iterator<T> {
    yield* inOrder(this.#root);
  }

  /** Two red nodes must not follow each other: recolours and rotates upwards from the new one. */
  #rebalance(inserted: TreeNode<T>): void {
    let node = inserted;
    for (let parent = node.parent; parent?.isRed; parent = node.parent) {
      const grandparent = parent.parent!; // The root is black: a red parent has a parent.
      const side = sideOf(parent);
      const uncle = grandparent.children[other(side)];
      if (uncle?.isRed) {
        parent.isRed = false;
        uncle.isRed = false;
        grandparent.isRed = true;
        node = grandparent;
        continue;
      }
      if (sideOf(node) !== side) {
        node = parent;
        this.#rotate(node, side);
      }
      node.parent!.isRed = false;
      grandparent.isRed = true;
      this.#rotate(grandparent, other(side));
    }
    this.#root!.isRed = false;
  }

  /** The node sinks to the given side; its child of the other side takes its place. */
  #rotate(node: TreeNode<T>, side: Side): void {
    const riser = node.children[other(side)]!;
    const moved = riser.children[side];
    node.children[other(side)] = moved;
    if (moved !== undefined) moved.parent = node;
    riser.parent = node.parent;
    if (node.parent === undefined) this.#root = riser;
    else node.parent.children[sideOf(node)] = riser;
    riser.children[side] = node;
    node.parent = riser;
  }
}

function sideOf<T>(node: TreeNode<T>): Side {
  return node.parent?.children[0] === node ? 0 : 1;
}

function other(side: Side): Side {
  return side === 0 ? 1 : 0;
}

function* inOrder<T>(node: TreeNode<T> | undefined): Generator<T> {
  if (node === undefined) return;
  yield* inOrder(node.children[0]);
  yield node.item;
  yield* inOrder(node.children[1]);
}
