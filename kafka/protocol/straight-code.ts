/**
 * A struct's fields as straight code, compiled when it is first read or written: an object literal has one
 * shape, and every field's codec is called from a place of its own. A loop over fields has neither, and
 * takes several times as long. Names and kinds come from our schemas, never from a frame.
 */
import type { Reader } from './reader.ts';
import type { PrimitiveKind, TypeNode } from './schema.ts';
import type { Writer } from './writer.ts';

export type Struct = Record<string, unknown>;

/** Where a field's first value comes from: the frame, or for an absent or tagged one its default. */
export interface ReadStep {
  readonly name: string;
  /** undefined: not from the frame. */
  readonly kind: TypeNode['kind'] | undefined;
  read(reader: Reader): unknown;
}

export interface WriteStep {
  readonly name: string;
  readonly kind: TypeNode['kind'];
  write(writer: Writer, value: unknown): void;
}

/** Reader and Writer have a method for each, under its name. */
const FIXED: ReadonlySet<TypeNode['kind'] | undefined> = new Set<PrimitiveKind>([
  'int8',
  'int16',
  'int32',
  'int64',
  'bool',
  'uuid',
]);

export function straightReader(
  steps: readonly ReadStep[],
  readTags: (reader: Reader, struct: Struct) => void,
): (reader: Reader) => Struct {
  const fields = steps.map(({ name, kind }, index) => {
    const value = FIXED.has(kind) ? `reader.${kind}()` : `read${index}(reader)`;
    return `${JSON.stringify(name)}: ${value}`;
  });
  const body = `return (reader) => {
    const struct = { ${fields.join(', ')} };
    readTags(reader, struct);
    return struct;
  };`;
  const make = new Function('readTags', ...steps.map((_, index) => `read${index}`), body);
  return make(readTags, ...steps.map(({ read }) => read)) as (reader: Reader) => Struct;
}

/** What is undefined goes to the step: it knows the default. */
export function straightWriter(
  steps: readonly WriteStep[],
  writeTags: (writer: Writer, struct: Struct) => void,
): (writer: Writer, struct: Struct) => void {
  const statements = steps.map(({ name, kind }, index) => {
    const value = `struct[${JSON.stringify(name)}]`;
    return FIXED.has(kind)
      ? `{ const value = ${value};
           if (value === undefined) write${index}(writer, value); else writer.${kind}(value); }`
      : `write${index}(writer, ${value});`;
  });
  const body = `return (writer, struct) => {
    ${statements.join('\n')}
    writeTags(writer, struct);
  };`;
  const make = new Function('writeTags', ...steps.map((_, index) => `write${index}`), body);
  return make(writeTags, ...steps.map(({ write }) => write)) as (
    writer: Writer,
    struct: Struct,
  ) => void;
}
