/**
 * Readers and writers compiled from a schema, for ordinary data of ordinary schemas: records of
 * strings, ints, longs, booleans, enums, records and arrays, of `null or …`, and (reading) of one of
 * several records.
 *
 * F1. They know only success. Whatever is not plainly right (a field that is missing, text that is
 *     long or not ASCII, a number beyond 2^51, bytes that end too early) they leave to avsc, which decides what it
 *     is worth; so avsc's semantics, defaults and errors hold without being written here again.
 * F2. What they write is what avsc writes, byte for byte, and what they read is what avsc reads.
 */
import { InternedText } from './interned-text.ts';
import type { AvroSchema } from './schema-registry.ts';

/** The value, or undefined: ask avsc. Reads exactly `bytes[start, end)`. */
export type FastReader = (bytes: Buffer, start: number, end: number) => unknown;

/** The end, or -1: ask avsc. */
export type FastWriter = (value: unknown, target: Buffer, at: number) => number;

/**
 * undefined: the schema has something that is not ordinary. With `only`, the value is a record of
 * these fields; the others are passed over, which makes no strings of them.
 */
export function compileReader(
  schema: AvroSchema,
  only?: readonly string[],
): FastReader | undefined {
  return compiled(() => {
    const interned: InternedText[] = [];
    const statements =
      only === undefined
        ? `const value = ${readExpression(schema, '', interned)};`
        : projectionStatements(schema, only, interned);
    const body = `return (bytes, start, end) => {
      tap.at = start; tap.end = end; tap.isOrdinary = true;
      ${statements}
      return tap.isOrdinary && tap.at === end ? value : undefined;
    };`;
    const make = new Function(
      'tap',
      'readText',
      'skipText',
      'readLong',
      'readIndex',
      'readFlag',
      'readItems',
      'interned',
      body,
    );
    return make(
      tap,
      readText,
      skipText,
      readLong,
      readIndex,
      readFlag,
      readItems,
      interned,
    ) as FastReader;
  });
}

/** undefined: the schema has something that is not ordinary. */
export function compileWriter(schema: AvroSchema): FastWriter | undefined {
  return compiled(() => {
    const body = `return (value, bytes, at) => {
      ${writeStatements(schema, 'value', 0)}
      return at;
    };`;
    return new Function('writeText', 'writeLong', body)(writeText, writeLong) as FastWriter;
  });
}

class NotOrdinary extends Error {}

function compiled<T>(compile: () => T): T | undefined {
  try {
    return compile();
  } catch (error) {
    if (error instanceof NotOrdinary) return undefined;
    throw error;
  }
}

// ── Schemas ──

/** What is read of a schema that avsc has accepted. */
interface Complex {
  readonly type: string;
  readonly name: string;
  readonly namespace?: string;
  readonly logicalType?: unknown;
  readonly symbols: readonly string[];
  readonly items: AvroSchema;
  readonly fields: readonly { readonly name: string; readonly type: AvroSchema }[];
}

/** A branch index or an enum's symbol takes one byte up to here. */
const INDICES_MAX = 64;
const INT_MAX = 0x7fffffff;
const LONG_MAX = 2 ** 51;

function complexOf(schema: AvroSchema): Complex {
  const complex = schema as unknown as Complex;
  if (complex.logicalType !== undefined) throw new NotOrdinary();
  if (complex.type === 'record' && complex.fields.some(({ name }) => name === '__proto__')) {
    throw new NotOrdinary();
  }
  if (complex.type === 'enum' && complex.symbols.length > INDICES_MAX) throw new NotOrdinary();
  return complex;
}

/** T of a union `null, T`; undefined for any other union. */
function nullable(union: readonly AvroSchema[]): AvroSchema | undefined {
  const [first, second] = union;
  return union.length === 2 && first === 'null' && second !== 'null' ? second : undefined;
}

/** How avsc names the branches of a union of records. */
function fullName({ name, namespace }: Complex, outer: string): string {
  const space = namespace ?? outer;
  return name.includes('.') || space === '' ? name : `${space}.${name}`;
}

function namespaceOf(record: Complex, outer: string): string {
  const name = fullName(record, outer);
  return name.slice(0, Math.max(0, name.lastIndexOf('.')));
}

// ── Reading ──

/** Where a compiled reader stands: they are synchronous, so one is enough. */
const tap = { at: 0, end: 0, isOrdinary: true, branch: 0 };

/** An expression that reads a value and moves on. */
function readExpression(schema: AvroSchema, outer: string, interned: InternedText[]): string {
  if (Array.isArray(schema)) return readUnion(schema, outer, interned);
  const complex = typeof schema === 'string' ? { type: schema as string } : complexOf(schema);
  switch (complex.type) {
    case 'string':
      return `readText(bytes, interned[${interned.push(new InternedText()) - 1}])`;
    case 'int':
      return `readLong(bytes, ${INT_MAX})`;
    case 'long':
      return `readLong(bytes, ${LONG_MAX})`;
    case 'boolean':
      return `readFlag(bytes)`;
    case 'array': {
      const item = readExpression((complex as Complex).items, outer, interned);
      return `readItems(bytes, () => (${item}))`;
    }
    case 'enum': {
      const { symbols } = complex as Complex;
      return `${JSON.stringify(symbols)}[readIndex(bytes, ${symbols.length})]`;
    }
    case 'record': {
      const record = complex as Complex;
      const inner = namespaceOf(record, outer);
      const fields = record.fields.map(
        ({ name, type }) => `${name}: ${readExpression(type, inner, interned)}`,
      );
      return `{ ${fields.join(', ')} }`;
    }
    default:
      throw new NotOrdinary();
  }
}

/** Statements that read some fields of a record into `value`, and pass over the others. */
function projectionStatements(
  schema: AvroSchema,
  only: readonly string[],
  interned: InternedText[],
): string {
  if (typeof schema === 'string' || Array.isArray(schema)) throw new NotOrdinary();
  const record = complexOf(schema);
  const isKnown = (field: string) => record.fields.some(({ name }) => name === field);
  if (record.type !== 'record' || !only.every(isKnown)) throw new NotOrdinary();
  const inner = namespaceOf(record, '');
  const steps = record.fields.map(({ name, type }) => {
    if (!only.includes(name)) return `${skipExpression(type, inner, interned)};`;
    return `const field_${name} = ${readExpression(type, inner, interned)};`;
  });
  const members = only.map((name) => `${name}: field_${name}`);
  return `${steps.join('\n')} const value = { ${members.join(', ')} };`;
}

/** An expression that moves on past a value. */
function skipExpression(schema: AvroSchema, outer: string, interned: InternedText[]): string {
  if (schema === 'string') return 'skipText(bytes)';
  if (!Array.isArray(schema)) return readExpression(schema, outer, interned);
  const present = nullable(schema);
  if (present === undefined) return readUnion(schema, outer, interned);
  return `readIndex(bytes, 2) === 0 ? null : ${skipExpression(present, outer, interned)}`;
}

function readUnion(union: readonly AvroSchema[], outer: string, interned: InternedText[]): string {
  const present = nullable(union);
  if (present !== undefined) {
    return `readIndex(bytes, 2) === 0 ? null : ${readExpression(present, outer, interned)}`;
  }
  if (union.length < 2 || union.length > INDICES_MAX) throw new NotOrdinary();
  const branches = union.map((branch) => {
    const record = complexOf(branch);
    if (record.type !== 'record') throw new NotOrdinary();
    const name = JSON.stringify(fullName(record, outer));
    return `{ ${name}: ${readExpression(branch, outer, interned)} }`;
  });
  const choices = branches.map((branch, index) => `tap.branch === ${index} ? ${branch} : `);
  return `(tap.branch = readIndex(bytes, ${union.length}), ${choices.join('')}undefined)`;
}

function readText(bytes: Buffer, interned: InternedText): string {
  const lengthBytes = readLong(bytes, INT_MAX);
  const start = tap.at;
  if (lengthBytes >= 0 && start + lengthBytes <= tap.end) {
    tap.at += lengthBytes;
    const text = interned.read(bytes, start, tap.at);
    if (text !== undefined) return text;
  }
  tap.isOrdinary = false;
  return '';
}

function skipText(bytes: Buffer): void {
  const lengthBytes = readLong(bytes, INT_MAX);
  tap.at += lengthBytes;
  if (lengthBytes < 0 || tap.at > tap.end) tap.isOrdinary = false;
}

/** Zigzag varint from -max - 1 to max. */
function readLong(bytes: Buffer, max: number): number {
  let byte = bytes[tap.at++]!;
  // Beyond the end byte is undefined, which is below nothing: the bounds are looked at at the end.
  if (byte < 0x80) return (byte >>> 1) ^ -(byte & 1);
  let low = byte & 0x7f;
  for (let shift = 7; shift < 28; shift += 7) {
    byte = bytes[tap.at++]!;
    low |= (byte & 0x7f) << shift;
    if (byte < 0x80) return (low >>> 1) ^ -(low & 1);
  }
  let high = 0;
  for (let unit = 1; unit <= 2 ** 28; unit *= 128) {
    byte = bytes[tap.at++]!;
    high += (byte & 0x7f) * unit;
    if (byte >= 0x80) continue;
    const magnitude = high * 2 ** 27 + (low >>> 1);
    if (magnitude > max) break;
    return (low & 1) === 0 ? magnitude : -magnitude - 1;
  }
  tap.isOrdinary = false;
  return 0;
}

function readIndex(bytes: Buffer, count: number): number {
  const byte = bytes[tap.at++]!;
  if ((byte & 1) === 0 && byte < count * 2) return byte >>> 1;
  tap.isOrdinary = false;
  return 0;
}

function readFlag(bytes: Buffer): boolean {
  const byte = bytes[tap.at++]!;
  if (byte === 1) return true;
  if (byte !== 0) tap.isOrdinary = false;
  return false;
}

/** A block of so many items may be told its bytes; then, and with several blocks, avsc reads. */
function readItems(bytes: Buffer, readItem: () => unknown): unknown[] {
  const count = readLong(bytes, LONG_MAX);
  if (count === 0) return [];
  const items: unknown[] = [];
  // Each item has a byte at least, but for empty records: a count beyond the bytes is no array.
  if (count > 0 && count <= tap.end - tap.at) {
    while (items.length < count && tap.isOrdinary) items.push(readItem());
  }
  if (items.length !== count || bytes[tap.at++] !== 0) tap.isOrdinary = false;
  return items;
}

// ── Writing ──

/** Statements that write `value`, or return -1. */
function writeStatements(schema: AvroSchema, value: string, depth: number): string {
  if (Array.isArray(schema)) return writeUnion(schema, value, depth);
  const complex = typeof schema === 'string' ? { type: schema as string } : complexOf(schema);
  switch (complex.type) {
    case 'string':
      return `at = writeText(bytes, at, ${value}); if (at < 0) return -1;\n`;
    case 'int':
      return `at = writeLong(bytes, at, ${value}, ${INT_MAX}); if (at < 0) return -1;\n`;
    case 'long':
      return `at = writeLong(bytes, at, ${value}, ${LONG_MAX}); if (at < 0) return -1;\n`;
    case 'boolean':
      return `if (at >= bytes.length) return -1;
        if (${value} === true) bytes[at++] = 1;
        else if (${value} === false) bytes[at++] = 0;
        else return -1;\n`;
    case 'array':
      return writeArray((complex as Complex).items, value, depth);
    case 'enum': {
      const cases = (complex as Complex).symbols.map(
        (symbol, index) => `case ${JSON.stringify(symbol)}: bytes[at++] = ${index * 2}; break;`,
      );
      return `if (at >= bytes.length) return -1;
        switch (${value}) { ${cases.join(' ')} default: return -1; }\n`;
    }
    case 'record': {
      const record = `record${depth}`;
      const fields = (complex as Complex).fields.map(({ name, type }) =>
        writeStatements(type, `${record}.${name}`, depth + 1),
      );
      return `{ const ${record} = ${value};
        if (typeof ${record} !== 'object' || ${record} === null) return -1;
        ${fields.join('')} }\n`;
    }
    default:
      throw new NotOrdinary();
  }
}

function writeUnion(union: readonly AvroSchema[], value: string, depth: number): string {
  const present = nullable(union);
  if (present === undefined) throw new NotOrdinary();
  return `if (at >= bytes.length) return -1;
    if (${value} === null) bytes[at++] = 0;
    else { bytes[at++] = 2; ${writeStatements(present, value, depth)} }\n`;
}

/** As one block, as avsc writes it. */
function writeArray(itemSchema: AvroSchema, value: string, depth: number): string {
  const items = `items${depth}`;
  const index = `index${depth}`;
  return `{ const ${items} = ${value};
    if (!Array.isArray(${items}) || at >= bytes.length) return -1;
    if (${items}.length > 0) {
      at = writeLong(bytes, at, ${items}.length, ${INT_MAX}); if (at < 0) return -1;
      for (let ${index} = 0; ${index} < ${items}.length; ${index}++) {
        ${writeStatements(itemSchema, `${items}[${index}]`, depth + 1)}
      }
    }
    if (at >= bytes.length) return -1;
    bytes[at++] = 0; }\n`;
}

/** Longer text is copied faster by native code. */
const TEXT_MAX = 63;

function writeText(bytes: Buffer, at: number, text: unknown): number {
  if (typeof text !== 'string' || text.length > TEXT_MAX) return -1;
  const { length } = text;
  if (at + length >= bytes.length) return -1;
  bytes[at] = length * 2;
  for (let index = 0; index < length; index++) {
    const unit = text.charCodeAt(index);
    if (unit > 0x7f) return -1;
    bytes[at + 1 + index] = unit;
  }
  return at + 1 + length;
}

const LONG_BYTES_MAX = 10;

function writeLong(bytes: Buffer, at: number, value: unknown, max: number): number {
  if (typeof value !== 'number' || at + LONG_BYTES_MAX > bytes.length) return -1;
  let bits: number;
  if (value === (value | 0)) {
    bits = (value << 1) ^ (value >> 31);
  } else {
    if (!Number.isInteger(value) || value > max || value < -max) return -1;
    const zigzag = value < 0 ? -2 * value - 1 : 2 * value;
    const high = Math.floor(zigzag / 2 ** 28);
    const low = zigzag - high * 2 ** 28;
    bytes[at++] = (low & 0x7f) | 0x80;
    bytes[at++] = ((low >>> 7) & 0x7f) | 0x80;
    bytes[at++] = ((low >>> 14) & 0x7f) | 0x80;
    bytes[at++] = (low >>> 21) | 0x80;
    bits = high;
  }
  while ((bits & ~0x7f) !== 0) {
    bytes[at++] = (bits & 0x7f) | 0x80;
    bits >>>= 7;
  }
  bytes[at++] = bits;
  return at;
}
