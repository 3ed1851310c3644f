/**
 * Avro types as avsc makes them, made strict for bytes that come from strangers. The only file that
 * names avsc.
 *
 * A1. What Java's decoder refuses is refused: malformed UTF-8, an int beyond 32 bits, a negative or
 *     impossible length. avsc alone replaces, wraps or loops. A long that a number cannot tell
 *     exactly is refused both ways; avsc alone flips the sign of some beyond 2^52.
 * A2. Work is bounded by the size of the input: an array or map cannot claim more items than bytes.
 * A3. Resolution is decided per datum, as in Java: a writer's union branch or enum symbol that we do
 *     not know spoils the records that use it, not all of that writer's records.
 */
import { isUtf8 } from 'node:buffer';
import avro from 'avsc';
import { MillraceError } from '../base/errors.ts';
import type { AvroSchema } from './schema-registry.ts';

export type AvroType = avro.Type;
export type Resolver = ReturnType<avro.Type['createResolver']>;

/** Items of no bytes (null, an empty record) cannot be bounded by the input: so many at most. */
const EMPTY_ITEMS_MAX = 10_000;

/** What avsc reads from and writes to. Not in its typings; the version is pinned. */
interface Tap {
  readonly buf: Bytes;
  pos: number;
  readLong(): number;
  skipLong(): void;
  writeLong(value: number): void;
  writeString(value: string): void;
}

/** Slices as text without looking for the encoding's name each time; not in Node's typings. */
type Bytes = Buffer & {
  utf8Slice(start: number, end: number): string;
  latin1Slice(start: number, end: number): string;
};

interface Reader {
  _read(tap: Tap): unknown;
  _skip(tap: Tap): void;
}

/** Throws SCHEMA_INCOMPATIBLE when it is no Avro schema. */
export function parseSchema(schema: AvroSchema): AvroType {
  try {
    return avro.Type.forSchema(schema as avro.Schema, { wrapUnions: 'auto', typeHook: strictType });
  } catch (cause) {
    const why = cause instanceof RangeError ? 'nested too deeply' : (cause as Error).message;
    throw new MillraceError('SCHEMA_INCOMPATIBLE', `not an Avro schema: ${why}`, { cause });
  }
}

/** How `reader` reads what `writer` wrote. Throws when it never can. Names match without namespace, as in Java. */
export function resolverFor(reader: AvroType, writer: AvroType): Resolver {
  return reader.createResolver(writer, { ignoreNamespaces: true });
}

function strictType(schema: unknown, options: object): AvroType | undefined {
  if (Array.isArray(schema)) return strictUnion(schema, options);
  const name = typeof schema === 'string' ? schema : (schema as { type?: unknown } | null)?.type;
  switch (name) {
    case 'int':
      return new StrictInt();
    case 'long':
      return new StrictLong();
    case 'float':
      return new PromotingFloat();
    case 'double':
      return new PromotingDouble();
    case 'string':
      return new StrictString();
    case 'enum':
      return new LenientEnum(schema as never, options as never);
    case 'array':
      return new BoundedArray(schema as never, options as never);
    case 'map':
      return new BoundedMap(schema as never, options as never);
    default:
      return undefined;
  }
}

/** Branches are told apart by their value where that is possible, else wrapped: avsc's 'auto'. */
function strictUnion(branches: readonly unknown[], options: object): AvroType {
  const types = branches.map((branch) => avro.Type.forSchema(branch as avro.Schema, options));
  try {
    return new LenientUnion(types as never, options as never);
  } catch {
    return new LenientWrappedUnion(types as never, options as never);
  }
}

// ── Strict primitives ──

class StrictInt extends avro.types.IntType {
  _read(tap: Tap): number {
    const value = readLong(tap);
    if (value !== (value | 0)) throw new Error('an int beyond 32 bits');
    return value;
  }
}

class StrictLong extends avro.types.LongType {
  _read(tap: Tap): number {
    const value = readLong(tap);
    if (!Number.isSafeInteger(value)) throw new Error('a long beyond 2^53');
    return value;
  }

  _write(tap: Tap, value: unknown): void {
    if (!Number.isSafeInteger(value)) throw new Error('not an integer below 2^53');
    writeLong(tap, value as number);
  }
}

class PromotingFloat extends avro.types.FloatType {
  _update(resolver: Pick<Reader, '_read'>, writer: AvroType): void {
    if (avro.Type.isType(writer, 'float')) resolver._read = (writer as AvroType & Reader)._read;
    if (avro.Type.isType(writer, 'int', 'long')) resolver._read = readLong;
  }
}

class PromotingDouble extends avro.types.DoubleType {
  _update(resolver: Pick<Reader, '_read'>, writer: AvroType): void {
    const isFloating = avro.Type.isType(writer, 'float', 'double');
    if (isFloating) resolver._read = (writer as AvroType & Reader)._read;
    if (avro.Type.isType(writer, 'int', 'long')) resolver._read = readLong;
  }
}

/** Zigzag varint. Exact below 2^53, beyond it the nearest double; NaN when the input ends. */
function readLong(tap: Tap): number {
  const { buf } = tap;
  let byte = buf[tap.pos++] ?? Number.NaN;
  let low = byte & 0x7f;
  let shift = 7;
  for (; byte >= 0x80 && shift < 28; shift += 7) {
    byte = buf[tap.pos++] ?? Number.NaN;
    low |= (byte & 0x7f) << shift;
  }
  let high = 0;
  for (let unit = 1; byte >= 0x80; unit *= 128) {
    if (unit > 2 ** 35) throw new Error('a number of more than ten bytes');
    byte = buf[tap.pos++] ?? Number.NaN;
    high += (byte & 0x7f) * unit;
  }
  // The lowest bit is the sign; the rest counts in units of half of what the bits say.
  const magnitude = high * 2 ** 27 + (low >>> 1);
  return (low & 1) === 0 ? magnitude : -magnitude - 1;
}

/** Doubling is exact but for great negative numbers: those go the slow way. */
function writeLong(tap: Tap, value: number): void {
  if (value > -(2 ** 52)) {
    tap.writeLong(value);
    return;
  }
  for (let rest = BigInt(value) * -2n - 1n; ; rest >>= 7n) {
    const more = rest > 0x7fn;
    if (tap.pos < tap.buf.length) tap.buf[tap.pos] = Number(rest & 0x7fn) | (more ? 0x80 : 0);
    tap.pos++;
    if (!more) return;
  }
}

class StrictString extends avro.types.StringType {
  _read(tap: Tap): string {
    return readText(tap);
  }

  _write(tap: Tap, value: unknown): void {
    if (typeof value !== 'string') throw new Error('not a string');
    if (!value.isWellFormed()) throw new Error('a string with a lone surrogate');
    tap.writeString(value);
  }
}

function readText(tap: Tap): string {
  const lengthBytes = readLong(tap);
  const start = tap.pos;
  const end = start + lengthBytes;
  if (!(lengthBytes >= 0 && end <= tap.buf.length))
    throw new Error('a string of impossible length');
  tap.pos = end;
  return decodeUtf8(tap.buf, start, end);
}

/** Most texts are short and ASCII, where a loop and latin1 are faster than the UTF-8 decoder. */
function decodeUtf8(bytes: Bytes, start: number, end: number): string {
  for (let at = start; at < end; at++) {
    if (bytes[at]! < 0x80) continue;
    if (!isUtf8(bytes.subarray(start, end))) throw new Error('a string that is not UTF-8');
    return bytes.utf8Slice(start, end);
  }
  return bytes.latin1Slice(start, end);
}

// ── Bounded collections ──

class BoundedArray extends avro.types.ArrayType {
  _read(this: { readonly itemsType: unknown }, tap: Tap): unknown[] {
    // On a resolver, itemsType is the resolver of the items: both read.
    const items = this.itemsType as Reader;
    const values: unknown[] = [];
    for (let count = readBlockCount(tap); count > 0; count = readBlockCount(tap)) {
      for (let index = 0; index < count; index++) values.push(items._read(tap));
    }
    return values;
  }

  _skip(tap: Tap): void {
    const items = this.itemsType as unknown as Reader;
    for (let count = readBlockCount(tap); count > 0; count = readBlockCount(tap)) {
      for (let index = 0; index < count; index++) items._skip(tap);
    }
  }
}

class BoundedMap extends avro.types.MapType {
  _read(this: { readonly valuesType: unknown }, tap: Tap): Record<string, unknown> {
    const values = this.valuesType as Reader;
    const entries: [string, unknown][] = [];
    for (let count = readBlockCount(tap); count > 0; count = readBlockCount(tap)) {
      for (let index = 0; index < count; index++) entries.push([readText(tap), values._read(tap)]);
    }
    // Defines, never assigns: a key `__proto__` is a key.
    return Object.fromEntries(entries);
  }

  _skip(tap: Tap): void {
    const values = this.valuesType as Reader;
    for (let count = readBlockCount(tap); count > 0; count = readBlockCount(tap)) {
      for (let index = 0; index < count; index++) {
        readText(tap);
        values._skip(tap);
      }
    }
  }
}

/** Items of the next block; 0 = no further block. */
function readBlockCount(tap: Tap): number {
  let count = readLong(tap);
  if (count < 0) {
    count = -count;
    tap.skipLong();
  }
  if (!(count <= Math.max(tap.buf.length - tap.pos, EMPTY_ITEMS_MAX))) {
    throw new Error('a collection of impossible length');
  }
  return count;
}

// ── Resolution per datum ──

class LenientEnum extends avro.types.EnumType {
  /** A symbol without a counterpart reads as our default; without one, it fails when it is met. */
  _update(
    resolver: { symbols: unknown; _read: unknown },
    writer: AvroType,
    options: { readonly ignoreNamespaces?: boolean },
  ): void {
    if (!avro.Type.isType(writer, 'enum')) return;
    const theirs = writer as avro.types.EnumType & Reader;
    if (!isNameKnown(this, theirs, options.ignoreNamespaces === true)) return;
    const fallback = (this as unknown as { default?: string }).default;
    resolver.symbols = theirs.symbols.map((symbol) =>
      this.symbols.includes(symbol) ? symbol : fallback,
    );
    resolver._read = theirs._read;
  }
}

class LenientUnion extends avro.types.UnwrappedUnionType {
  override createResolver(writer: AvroType, options?: object): Resolver {
    const ours = (theirs: AvroType) => super.createResolver(theirs, options);
    return avro.Type.isType(writer, 'union') ? resolveBranches(this, writer, ours) : ours(writer);
  }
}

class LenientWrappedUnion extends avro.types.WrappedUnionType {
  override createResolver(writer: AvroType, options?: object): Resolver {
    const ours = (theirs: AvroType) => super.createResolver(theirs, options);
    return avro.Type.isType(writer, 'union') ? resolveBranches(this, writer, ours) : ours(writer);
  }
}

/** One resolver per branch of the writer's union; those that we cannot read fail when they are met. */
function resolveBranches(
  reader: AvroType,
  writer: AvroType,
  resolve: (branch: AvroType) => Resolver,
): Resolver {
  const { types } = writer as avro.types.WrappedUnionType;
  let known: Resolver | undefined;
  const readers = types.map((branch): Pick<Reader, '_read'> => {
    try {
      known = resolve(branch);
      return known as unknown as Reader;
    } catch (error) {
      return { _read: () => fail(`${branch.branchName}: ${(error as Error).message}`) };
    }
  });
  if (known === undefined) throw new Error(`no branch of ${writer} can be read as ${reader}`);
  // avsc freezes its resolvers: ours is another one of the same kind.
  return Object.create(Object.getPrototypeOf(known) as object, {
    _readerType: { value: reader },
    _read: {
      value: (tap: Tap) => (readers[tap.readLong()] ?? fail('invalid union index'))._read(tap),
    },
  }) as Resolver;
}

function fail(why: string): never {
  throw new Error(why);
}

function isNameKnown(
  ours: avro.types.EnumType,
  theirs: avro.types.EnumType,
  ignoreNamespaces: boolean,
): boolean {
  if (theirs.name === undefined) return true;
  const plain = (name: string) => (ignoreNamespaces ? name.slice(name.lastIndexOf('.') + 1) : name);
  const names = [ours.name, ...(ours.aliases ?? [])].filter((name) => name !== undefined);
  return names.some((name) => plain(name) === plain(theirs.name!));
}
