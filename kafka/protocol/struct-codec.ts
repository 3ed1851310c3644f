/**
 * Structs: their plain fields one after another and, in flexible versions, their tagged fields behind.
 * A struct is read into an object that has all fields in the schema's order, absent ones at their
 * defaults: one shape per message, whatever the version.
 */
import type { Codec, Encoding } from './compile.ts';
import { misfit, protocolError } from './protocol-error.ts';
import type { Reader } from './reader.ts';
import { defaultOf, type FieldNode, includes, type TypeNode } from './schema.ts';
import { type ReadStep, type Struct, straightReader, straightWriter } from './straight-code.ts';
import type { Writer } from './writer.ts';

type CompileType = (type: TypeNode, nullable: boolean, encoding: Encoding) => Codec;

interface FieldCodec extends Codec {
  readonly name: string;
  readonly kind: TypeNode['kind'];
  readonly node: FieldNode;
}

export function structCodec(
  nodes: ReadonlyMap<string, FieldNode>,
  encoding: Encoding,
  compileType: CompileType,
): Codec {
  const present = Array.from(nodes)
    .filter(([, node]) => includes(node.versions, encoding.version))
    .map(([name, node]) => fieldCodec(name, node, encoding, compileType));
  const plain = present.filter((field) => field.node.tag === undefined);
  const tagged = present.filter((field) => field.node.tag !== undefined);
  const tags = encoding.flexible ? tagsCodec(tagged) : NO_TAGS;
  let readFields: ReturnType<typeof straightReader> | undefined;
  let writeFields: ReturnType<typeof straightWriter> | undefined;
  return {
    minSizeBytes: plain.reduce((sum, field) => sum + field.minSizeBytes, tags.minSizeBytes),
    read(reader) {
      readFields ??= straightReader(readSteps(nodes, plain), tags.read);
      return readFields(reader);
    },
    write(writer, value) {
      if (typeof value !== 'object' || value === null) {
        throw misfit('struct', value);
      }
      writeFields ??= straightWriter(plain, tags.write);
      writeFields(writer, value as Struct);
    },
  };
}

function readSteps(
  nodes: ReadonlyMap<string, FieldNode>,
  plain: readonly FieldCodec[],
): readonly ReadStep[] {
  const byName = new Map(plain.map((field) => [field.name, field]));
  return Array.from(
    nodes,
    ([name, node]) => byName.get(name) ?? { name, kind: undefined, read: defaultMaker(node) },
  );
}

/** As defaultOf(), prepared: a message may have many structs that are absent. */
function defaultMaker(node: FieldNode): () => unknown {
  const { type, defaultValue } = node;
  if (defaultValue !== undefined || type.kind !== 'struct') return () => defaultOf(node);
  const slots = Array.from(type.fields, ([name, field]) => ({ name, make: defaultMaker(field) }));
  return () => {
    const struct: Struct = {};
    for (const { name, make } of slots) struct[name] = make();
    return struct;
  };
}

function fieldCodec(
  name: string,
  node: FieldNode,
  encoding: Encoding,
  compileType: CompileType,
): FieldCodec {
  const nullable = includes(node.nullableVersions, encoding.version);
  const codec = compileType(node.type, nullable, encoding);
  return {
    name,
    kind: node.type.kind,
    node,
    minSizeBytes: codec.minSizeBytes,
    read: codec.read,
    write(writer, value) {
      if (value !== undefined) return codec.write(writer, value);
      if (!node.isOptional) throw protocolError(`${name} is missing`);
      codec.write(writer, defaultOf(node));
    },
  };
}

interface TagsCodec {
  readonly minSizeBytes: number;
  read(reader: Reader, struct: Struct): void;
  write(writer: Writer, struct: Struct): void;
}

const NO_TAGS: TagsCodec = { minSizeBytes: 0, read() {}, write() {} };

/** Tagged fields: a count, then tag, size and value of each. Unknown ones are for somebody newer. */
function tagsCodec(fields: readonly FieldCodec[]): TagsCodec {
  const byTag = new Map(fields.map((field) => [field.node.tag, field]));
  const ordered = fields.toSorted((a, b) => Number(a.node.tag) - Number(b.node.tag));
  return {
    minSizeBytes: 1,
    read(reader, struct) {
      const count = reader.uvarint();
      for (let index = 0; index < count; index += 1) {
        const field = byTag.get(reader.uvarint());
        const outerLimit = reader.enter(reader.uvarint());
        if (field === undefined) reader.skip(reader.remaining);
        else struct[field.name] = field.read(reader);
        reader.leave(outerLimit);
      }
    },
    write(writer, struct) {
      const given = ordered.filter(({ name, node }) => !isDefault(node, struct[name]));
      writer.uvarint(given.length);
      for (const field of given) {
        writer.uvarint(Number(field.node.tag));
        const mark = writer.openSized();
        field.write(writer, struct[field.name]);
        writer.closeSized(mark);
      }
    },
  };
}

/** Deep, for structs: Kafka leaves out a tagged struct whose fields all are at their defaults. */
function isDefault(node: FieldNode, value: unknown): boolean {
  if (value === undefined) return true;
  if (typeof value !== 'object' || value === null) return value === defaultOf(node);
  if (node.defaultValue === null) return false;
  if (node.type.kind !== 'struct') return (value as ArrayLike<unknown>).length === 0;
  const struct = value as Struct;
  for (const [name, field] of node.type.fields) if (!isDefault(field, struct[name])) return false;
  return true;
}
