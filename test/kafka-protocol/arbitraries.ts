/** Values that a schema can hold at one version, derived from the schema's own data. */
import fc from 'fast-check';
import {
  type AnySchema,
  defaultOf,
  type FieldNode,
  includes,
  type TypeNode,
} from '../../kafka/protocol/schema.ts';

const int = (bits: number) => fc.integer({ min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 });

const text = fc.oneof(
  { arbitrary: fc.string({ unit: 'grapheme-ascii', maxLength: 12 }), weight: 4 },
  { arbitrary: fc.string({ unit: 'grapheme', maxLength: 12 }), weight: 1 },
);

/** Fields that the version does not have are at their defaults: what reading must give back. */
export function messageArbitrary(schema: AnySchema, version: number): fc.Arbitrary<unknown> {
  return typeArbitrary(schema.node.type, version);
}

function typeArbitrary(type: TypeNode, version: number): fc.Arbitrary<unknown> {
  switch (type.kind) {
    case 'int8':
      return int(8);
    case 'int16':
      return int(16);
    case 'int32':
      return int(32);
    case 'int64':
      return fc.maxSafeInteger();
    case 'bool':
      return fc.boolean();
    case 'string':
      return text;
    case 'uuid':
      return fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => hex(bytes));
    case 'bytes':
      return fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
    case 'array':
      return fc.array(typeArbitrary(type.element, version), { maxLength: 3 });
    case 'struct':
      return structArbitrary(type.fields, version);
  }
}

function structArbitrary(
  fields: ReadonlyMap<string, FieldNode>,
  version: number,
): fc.Arbitrary<unknown> {
  const arbitraries = Array.from(fields, ([name, field]) => [name, fieldArbitrary(field, version)]);
  return fc.record(Object.fromEntries(arbitraries), { noNullPrototype: true });
}

function fieldArbitrary(field: FieldNode, version: number): fc.Arbitrary<unknown> {
  if (!includes(field.versions, version)) return fc.constant(null).map(() => defaultOf(field));
  const present = typeArbitrary(field.type, version);
  return includes(field.nullableVersions, version) ? fc.option(present, { freq: 4 }) : present;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
