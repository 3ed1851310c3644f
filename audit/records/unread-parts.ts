/**
 * What a writer's schema can say that ours cannot read: fields, union branches, enum symbols. Avro skips
 * them without a word; an audit must not.
 */
import type { AvroSchema } from '../../schemas/schema-registry.ts';

interface Complex {
  readonly type?: unknown;
  readonly name?: string;
  readonly fields?: readonly { readonly name: string; readonly type: unknown }[];
  readonly symbols?: readonly string[];
  readonly items?: unknown;
  readonly values?: unknown;
}

/** As paths: `.field`, `|Branch`, `=SYMBOL`. */
export function unreadParts(written: AvroSchema, ours: AvroSchema): string[] {
  const read = new Set(partsOf(ours, ''));
  return partsOf(written, '').filter((part) => !read.has(part));
}

/** A type that is named a second time has been walked through the first time. */
function partsOf(schema: unknown, path: string): string[] {
  if (Array.isArray(schema)) return schema.flatMap((branch) => branchParts(branch, path));
  if (typeof schema !== 'object' || schema === null) return [];
  const { type, fields = [], symbols = [], items, values } = schema as Complex;
  return [
    ...fields.flatMap((field) => {
      const own = `${path}.${field.name}`;
      return [own, ...partsOf(field.type, own)];
    }),
    ...symbols.map((symbol) => `${path}=${symbol}`),
    ...[type, items, values].flatMap((inner) => partsOf(inner, path)),
  ];
}

function branchParts(branch: unknown, path: string): string[] {
  const { type, name = type } = (
    typeof branch === 'object' && branch !== null ? branch : { type: branch }
  ) as Complex;
  const own = `${path}|${String(name).split('.').at(-1)}`;
  return [own, ...partsOf(branch, own)];
}
