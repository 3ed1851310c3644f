/** A valid Avro schema as a graph: names resolved to what they name, defaults reduced to "there is one". */
import type { AvroSchema } from '../schema-registry.ts';

export interface RecordField {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly hasDefault: boolean;
  readonly type: Node;
}

interface NamedNode {
  /** With namespace. */
  readonly name: string;
  /** With namespace. */
  readonly aliases: readonly string[];
}

export type Node =
  | { readonly kind: 'primitive'; readonly type: string }
  | { readonly kind: 'array'; readonly items: Node }
  | { readonly kind: 'map'; readonly values: Node }
  | { readonly kind: 'union'; readonly branches: readonly Node[] }
  | (NamedNode & { readonly kind: 'fixed'; readonly size: number })
  | (NamedNode & {
      readonly kind: 'enum';
      readonly symbols: readonly string[];
      readonly hasDefault: boolean;
    })
  | (NamedNode & { readonly kind: 'record'; readonly fields: readonly RecordField[] });

type Attributes = Readonly<Record<string, unknown>>;

export function nodeOf(schema: AvroSchema): Node {
  return build(schema, '', new Map());
}

function build(schema: unknown, namespace: string, names: Map<string, Node>): Node {
  if (typeof schema === 'string') {
    return names.get(qualified(schema, namespace)) ?? names.get(schema) ?? primitive(schema);
  }
  if (Array.isArray(schema)) {
    return { kind: 'union', branches: schema.map((branch) => build(branch, namespace, names)) };
  }
  const attributes = schema as Attributes;
  const { type } = attributes;
  switch (type) {
    case 'array':
      return { kind: 'array', items: build(attributes['items'], namespace, names) };
    case 'map':
      return { kind: 'map', values: build(attributes['values'], namespace, names) };
    case 'record':
    case 'error':
    case 'enum':
    case 'fixed':
      return buildNamed(attributes, namespace, names);
    default:
      return build(type, namespace, names);
  }
}

function primitive(type: string): Node {
  return { kind: 'primitive', type };
}

function buildNamed(attributes: Attributes, outer: string, names: Map<string, Node>): Node {
  const own = typeof attributes['namespace'] === 'string' ? attributes['namespace'] : outer;
  const name = qualified(String(attributes['name']), own);
  const namespace = name.slice(0, Math.max(0, name.lastIndexOf('.')));
  const aliases = texts(attributes['aliases']).map((alias) => qualified(alias, namespace));
  switch (attributes['type']) {
    case 'enum': {
      const symbols = texts(attributes['symbols']);
      return named(
        { kind: 'enum', name, aliases, symbols, hasDefault: 'default' in attributes },
        names,
      );
    }
    case 'fixed':
      return named({ kind: 'fixed', name, aliases, size: Number(attributes['size']) }, names);
    default: {
      const fields: RecordField[] = [];
      // Known before its fields are: they may mention it.
      const node = named({ kind: 'record', name, aliases, fields }, names);
      for (const field of attributes['fields'] as Attributes[]) {
        fields.push({
          name: String(field['name']),
          aliases: texts(field['aliases']),
          hasDefault: 'default' in field,
          type: build(field['type'], namespace, names),
        });
      }
      return node;
    }
  }
}

function named(node: Extract<Node, NamedNode>, names: Map<string, Node>): Node {
  names.set(node.name, node);
  return node;
}

function qualified(name: string, namespace: string): string {
  return name.includes('.') || namespace === '' ? name : `${namespace}.${name}`;
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
