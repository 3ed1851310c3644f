/**
 * Can a reader's schema read everything that a writer's schema may write? By the rules of Avro's
 * schema resolution as Java checks them; our own walk, because a library's resolver says no more
 * than that something does not fit. Takes schemas that are known to be valid. Pure.
 */
import type { AvroSchema } from '../schema-registry.ts';
import { type Node, nodeOf, type RecordField } from './schema-node.ts';

export interface Mismatch {
  /** Where in the reader's schema, as JSON pointer. */
  readonly path: string;
  readonly why: string;
}

/** Writer's primitive -> what it may be read as, besides itself. */
const PROMOTIONS: Readonly<Record<string, readonly string[]>> = {
  int: ['long', 'float', 'double'],
  long: ['float', 'double'],
  float: ['double'],
  string: ['bytes'],
  bytes: ['string'],
};

/** Empty = it can. */
export function cannotRead(reader: AvroSchema, writer: AvroSchema): readonly Mismatch[] {
  return new Walk().compare(nodeOf(reader), nodeOf(writer), '');
}

type Verdict = 'assumed' | readonly Mismatch[];

class Walk {
  /**
   * Recursive schemas end here: a pair that is being compared counts as fitting. What failed then
   * fails for good; what fitted may have leant on an assumption, so it is forgotten with it.
   */
  readonly #verdicts = new Map<Node, Map<Node, Verdict>>();
  readonly #assumed: (readonly [Node, Node])[] = [];

  compare(reader: Node, writer: Node, path: string): readonly Mismatch[] {
    const verdicts = this.#verdictsOf(reader);
    const known = verdicts.get(writer);
    if (known !== undefined) return known === 'assumed' ? [] : known;
    const before = this.#assumed.length;
    verdicts.set(writer, 'assumed');
    this.#assumed.push([reader, writer]);
    const mismatches = this.#compare(reader, writer, path);
    if (mismatches.length === 0) return mismatches;
    for (const [left, right] of this.#assumed.splice(before)) this.#verdictsOf(left).delete(right);
    verdicts.set(writer, mismatches);
    return mismatches;
  }

  #verdictsOf(reader: Node): Map<Node, Verdict> {
    const verdicts = this.#verdicts.get(reader) ?? new Map<Node, Verdict>();
    this.#verdicts.set(reader, verdicts);
    return verdicts;
  }

  #compare(reader: Node, writer: Node, path: string): readonly Mismatch[] {
    if (writer.kind === 'union') {
      return writer.branches.flatMap((branch) => this.#compareBranch(reader, branch, path));
    }
    if (reader.kind === 'union') return this.#intoUnion(reader, writer, path);
    if (reader.kind === 'primitive' && writer.kind === 'primitive') {
      const fits = reader.type === writer.type || PROMOTIONS[writer.type]?.includes(reader.type);
      return fits === true
        ? []
        : [mismatch(path, `${writer.type} cannot be read as ${reader.type}`)];
    }
    if (reader.kind === 'array' && writer.kind === 'array') {
      return this.compare(reader.items, writer.items, `${path}/items`);
    }
    if (reader.kind === 'map' && writer.kind === 'map') {
      return this.compare(reader.values, writer.values, `${path}/values`);
    }
    if (reader.kind === 'fixed' && writer.kind === 'fixed') {
      if (!isNameKnown(reader, writer)) return [otherName(path, reader, writer)];
      if (reader.size === writer.size) return [];
      return [mismatch(`${path}/size`, `fixed of ${writer.size} bytes, expected ${reader.size}`)];
    }
    if (reader.kind === 'enum' && writer.kind === 'enum') return compareEnums(reader, writer, path);
    if (reader.kind === 'record' && writer.kind === 'record') {
      return this.#compareRecords(reader, writer, path);
    }
    return [mismatch(path, `${labelOf(writer)} cannot be read as ${labelOf(reader)}`)];
  }

  #compareBranch(reader: Node, branch: Node, path: string): readonly Mismatch[] {
    if (reader.kind !== 'union') return this.compare(reader, branch, path);
    return this.#intoUnion(reader, branch, path);
  }

  #intoUnion(
    reader: Extract<Node, { kind: 'union' }>,
    writer: Node,
    path: string,
  ): readonly Mismatch[] {
    const attempts = reader.branches.map((branch, index) =>
      this.compare(branch, writer, `${path}/${index}`),
    );
    if (attempts.some(({ length }) => length === 0)) return [];
    // The branch of the same name says best what is wrong.
    const namesake = reader.branches.findIndex((branch) => labelOf(branch) === labelOf(writer));
    const detail = attempts[namesake];
    return detail ?? [mismatch(path, `the union has no branch for ${labelOf(writer)}`)];
  }

  #compareRecords(
    reader: Extract<Node, { kind: 'record' }>,
    writer: Extract<Node, { kind: 'record' }>,
    path: string,
  ): readonly Mismatch[] {
    if (!isNameKnown(reader, writer)) return [otherName(path, reader, writer)];
    return reader.fields.flatMap((field, index) => {
      const written = writtenField(field, writer.fields);
      if (written !== undefined) {
        return this.compare(field.type, written.type, `${path}/fields/${index}/type`);
      }
      if (field.hasDefault) return [];
      const why = `the field "${field.name}" is missing in what is read and has no default`;
      return [mismatch(`${path}/fields/${index}`, why)];
    });
  }
}

function compareEnums(
  reader: Extract<Node, { kind: 'enum' }>,
  writer: Extract<Node, { kind: 'enum' }>,
  path: string,
): readonly Mismatch[] {
  if (!isNameKnown(reader, writer)) return [otherName(path, reader, writer)];
  const missing = writer.symbols.filter((symbol) => !reader.symbols.includes(symbol));
  if (missing.length === 0 || reader.hasDefault) return [];
  return [mismatch(`${path}/symbols`, `the enum has no ${missing.join(', ')} and no default`)];
}

/** By name, else by an alias of the reader's field. */
function writtenField(field: RecordField, fields: readonly RecordField[]): RecordField | undefined {
  return (
    fields.find(({ name }) => name === field.name) ??
    fields.find(({ name }) => field.aliases.includes(name))
  );
}

type Named = Extract<Node, { kind: 'record' | 'enum' | 'fixed' }>;

/** Java compares names without their namespaces, and the reader's aliases with them. */
function isNameKnown(reader: Named, writer: Named): boolean {
  return plainName(reader.name) === plainName(writer.name) || reader.aliases.includes(writer.name);
}

function plainName(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1);
}

function labelOf(node: Node): string {
  switch (node.kind) {
    case 'primitive':
      return node.type;
    case 'record':
    case 'enum':
    case 'fixed':
      return `${node.kind} ${plainName(node.name)}`;
    default:
      return node.kind;
  }
}

function otherName(path: string, reader: Named, writer: Named): Mismatch {
  return mismatch(`${path}/name`, `expected ${reader.name}, found ${writer.name}`);
}

function mismatch(path: string, why: string): Mismatch {
  return { path: path === '' ? '/' : path, why };
}
