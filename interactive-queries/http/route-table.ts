/**
 * Which route a request is for. Paths are compared segment by segment, as they were written: case
 * counts, a slash at the end counts, and what is no parameter goes before what is one.
 */

/** What a table is made from: see Route. */
export interface TableEntry {
  readonly method: string;
  /** With `{name}` for whole segments. */
  readonly path: string;
}

export interface RouteMatch<T> {
  readonly entry: T;
  /** Decoded; what cannot be decoded is as it came. */
  readonly params: Readonly<Record<string, string>>;
}

interface Leaf<T> {
  readonly entry: T;
  readonly names: readonly string[];
}

/** What has been compared so far leads here. */
interface Node<T> {
  readonly literals: Map<string, Node<T>>;
  parameter: Node<T> | undefined;
  /** Routes that end here, by method. */
  readonly leaves: Map<string, Leaf<T>>;
}

const PARAMETER = /^\{(\w+)\}$/;

export class RouteTable<T extends TableEntry> {
  readonly #root: Node<T> = emptyNode();

  constructor(entries: readonly T[]) {
    for (const entry of entries) this.#add(entry);
  }

  /** HEAD is answered by GET. */
  match(method: string, path: string): RouteMatch<T> | undefined {
    const wanted = method === 'HEAD' ? 'GET' : method;
    const values: string[] = [];
    const leaf = find(this.#root, path, 1, values, (node) => node.leaves.get(wanted));
    if (leaf === undefined) return undefined;
    const params: Record<string, string> = {};
    for (let index = 0; index < values.length; index++) {
      params[leaf.names[index]!] = decoded(values[index]!);
    }
    return { entry: leaf.entry, params };
  }

  /** What may be asked of a path, for 405; empty where there is nothing. */
  methodsOf(path: string): readonly string[] {
    const methods = new Set<string>();
    find(this.#root, path, 1, [], ({ leaves }) => {
      for (const method of leaves.keys()) methods.add(method);
      return undefined;
    });
    if (methods.has('GET')) methods.add('HEAD');
    return [...methods].sort();
  }

  #add(entry: T): void {
    const names: string[] = [];
    let node = this.#root;
    for (const segment of entry.path.slice(1).split('/')) {
      const name = PARAMETER.exec(segment)?.[1];
      if (name === undefined) {
        const next = node.literals.get(segment) ?? emptyNode<T>();
        node.literals.set(segment, next);
        node = next;
      } else {
        names.push(name);
        node.parameter ??= emptyNode();
        node = node.parameter;
      }
    }
    if (!node.leaves.has(entry.method)) node.leaves.set(entry.method, { entry, names });
  }
}

/** Walks every way that the path allows, the most literal first, until `take` has found something. */
function find<T>(
  node: Node<T>,
  path: string,
  from: number,
  values: string[],
  take: (node: Node<T>) => Leaf<T> | undefined,
): Leaf<T> | undefined {
  if (from > path.length) return take(node);
  const slash = path.indexOf('/', from);
  const end = slash < 0 ? path.length : slash;
  const segment = path.slice(from, end);
  const literal = node.literals.get(segment);
  const found = literal && find(literal, path, end + 1, values, take);
  if (found !== undefined || node.parameter === undefined || segment === '') return found;
  values.push(segment);
  const below = find(node.parameter, path, end + 1, values, take);
  if (below === undefined) values.pop();
  return below;
}

function emptyNode<T>(): Node<T> {
  return { literals: new Map(), parameter: undefined, leaves: new Map() };
}

function decoded(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
