/**
 * What a message looks like, as data with static types: primitives, arrays, structs, and for every field
 * its versions, nullable versions, default and tag. Nothing is read or written here (compile.ts does it),
 * so tests can walk the same data.
 *
 * A field that not every version has, or that has a default or a tag, is optional when written; when it is
 * read it is always there.
 */
import { ZERO_UUID } from './api.ts';
import { protocolError } from './protocol-error.ts';

/** Versions, both inclusive. */
export interface VersionRange {
  readonly from: number;
  readonly to: number;
}

export type PrimitiveKind =
  | 'int8'
  | 'int16'
  | 'int32'
  | 'int64'
  | 'bool'
  | 'uuid'
  | 'string'
  | 'bytes';

export type TypeNode =
  | { readonly kind: PrimitiveKind }
  | { readonly kind: 'array'; readonly element: TypeNode }
  | { readonly kind: 'struct'; readonly fields: ReadonlyMap<string, FieldNode> };

export interface FieldNode {
  readonly type: TypeNode;
  readonly versions: VersionRange;
  readonly nullableVersions: VersionRange | undefined;
  readonly tag: number | undefined;
  /** It may be left out when writing. */
  readonly isOptional: boolean;
  /** What absence means; undefined: the type's zero value. */
  readonly defaultValue: string | number | boolean | null | undefined;
}

declare const types: unique symbol;

/** Something that can be read as `Read` and written as `Written`. */
export interface Schema<Read, Written = Read> {
  readonly node: FieldNode;
  /** Types only; never there at run time. (A method, so that any schema is a Schema<unknown>.) */
  readonly [types]?: { read: Read; write(value: Written): void };
}

export type AnySchema = Schema<unknown, never>;
/** What reading gives: every field is there. */
export type Infer<S extends AnySchema> = NonNullable<S[typeof types]>['read'];
/** What writing takes: fields with a default may be left out. */
export type Written<S extends AnySchema> = Parameters<NonNullable<S[typeof types]>['write']>[0];

const ALWAYS: VersionRange = { from: 0, to: Number.POSITIVE_INFINITY };

/** A field of a struct. Each method gives a changed copy; ranges are written as '3+', '0-12' or '4'. */
export class Field<Read, Written = Read> implements Schema<Read, Written> {
  readonly node: FieldNode;
  declare readonly [types]?: { read: Read; write(value: Written): void };

  constructor(node: FieldNode) {
    this.node = node;
  }

  /** The versions that have this field; the others read its default and skip it when writing. */
  versions(range: string): OptionalField<Read, Written> {
    return this.#with({ versions: parseRange(range), isOptional: true });
  }

  nullable(range = '0+'): Field<Read | null, Written | null> {
    return this.#with({ nullableVersions: parseRange(range) });
  }

  default(
    defaultValue: Extract<Read, string | number | boolean | null>,
  ): OptionalField<Read, Written> {
    return this.#with({ defaultValue, isOptional: true });
  }

  /** A tagged field: written only when it differs from its default. */
  tag(tag: number, range: string): OptionalField<Read, Written> {
    return this.#with({ tag, versions: parseRange(range), isOptional: true });
  }

  #with<R, W>(change: Partial<FieldNode>): OptionalField<R, W> {
    return new Field<R, W>({ ...this.node, ...change }) as OptionalField<R, W>;
  }
}

/** A field that may be left out when writing. */
export interface OptionalField<Read, Written = Read> extends Field<Read, Written> {
  readonly isOptional: true;
  nullable(range?: string): OptionalField<Read | null, Written | null>;
}

export type Fields = Readonly<Record<string, Field<unknown, never>>>;
type OptionalKeys<F extends Fields> = {
  [Key in keyof F]: F[Key] extends { readonly isOptional: true } ? Key : never;
}[keyof F];
type Flatten<T> = { [Key in keyof T]: T[Key] };

export type InferFields<F extends Fields> = { [Key in keyof F]: Infer<F[Key]> };
export type WrittenFields<F extends Fields> = Flatten<
  { [Key in Exclude<keyof F, OptionalKeys<F>>]: Written<F[Key]> } & {
    [Key in OptionalKeys<F>]?: Written<F[Key]> | undefined;
  }
>;

export const int8 = primitive<number>('int8');
export const int16 = primitive<number>('int16');
export const int32 = primitive<number>('int32');
export const int64 = primitive<number>('int64');
export const bool = primitive<boolean>('bool');
export const string = primitive<string>('string');
/** 32 hex digits. */
export const uuid = primitive<string>('uuid');
/** Read as a view into the frame. */
export const bytes = primitive<Buffer, Uint8Array>('bytes');
/** Record batches; on the wire no different from bytes. */
export const records = bytes;

export function struct<F extends Fields>(fields: F): Field<InferFields<F>, WrittenFields<F>> {
  const nodes = Object.entries(fields).map(([name, field]) => [name, field.node] as const);
  return fieldOf({ kind: 'struct', fields: new Map(nodes) });
}

export function array<Read, Written>(
  element: Field<Read, Written>,
): Field<Read[], readonly Written[]> {
  return fieldOf({ kind: 'array', element: element.node.type });
}

/** Parses '3+', '0-12' or '4'. */
export function parseRange(text: string): VersionRange {
  const match = /^(\d+)(\+|-(\d+))?$/.exec(text);
  if (match === null) throw protocolError(`Not a version range: ${text}`);
  const from = Number(match[1]);
  if (match[2] === '+') return { from, to: Number.POSITIVE_INFINITY };
  return { from, to: Number(match[3] ?? from) };
}

export function includes(range: VersionRange | undefined, version: number): boolean {
  return range !== undefined && range.from <= version && version <= range.to;
}

/** A fresh copy of what a field is when it is absent. */
export function defaultOf(field: FieldNode): unknown {
  return field.defaultValue === undefined ? zeroOf(field.type) : field.defaultValue;
}

function zeroOf(type: TypeNode): unknown {
  switch (type.kind) {
    case 'int8':
    case 'int16':
    case 'int32':
    case 'int64':
      return 0;
    case 'bool':
      return false;
    case 'string':
      return '';
    case 'uuid':
      return ZERO_UUID;
    case 'bytes':
      return Buffer.alloc(0);
    case 'array':
      return [];
    case 'struct':
      return Object.fromEntries(
        Array.from(type.fields, ([name, field]) => [name, defaultOf(field)]),
      );
  }
}

function primitive<Read, Written = Read>(kind: PrimitiveKind): Field<Read, Written> {
  return fieldOf({ kind });
}

function fieldOf<Read, Written>(type: TypeNode): Field<Read, Written> {
  return new Field({
    type,
    versions: ALWAYS,
    nullableVersions: undefined,
    tag: undefined,
    isOptional: false,
    defaultValue: undefined,
  });
}
