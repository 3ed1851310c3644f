/** Records as fast-check makes them, written with the builder and read back with the cursor. */
import fc from 'fast-check';
import type { Compression } from '../../kafka/ports.ts';
import { BatchBuilder, sealBatch } from '../../kafka/records/batch-builder.ts';
import { readBatchHeader, verifyBatch } from '../../kafka/records/record-batch.ts';
import { createRecordCursor } from '../../kafka/records/record-cursor.ts';
import type { FetchedBatch, RecordHeader } from '../../kafka/records/types.ts';

export interface PlainRecord {
  readonly timestampMs: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: readonly { readonly key: string; readonly value: string | null }[];
}

export const COMPRESSIONS: readonly Compression[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];

const text = fc.string({ unit: 'grapheme', maxLength: 80 });
const nullableText = fc.option(text);

export const records: fc.Arbitrary<PlainRecord[]> = fc.array(
  fc.record({
    timestampMs: fc.integer({ min: 0, max: 2 ** 52 }),
    key: nullableText,
    value: fc.oneof(
      nullableText,
      text.map((part) => part.repeat(30)),
    ),
    headers: fc.array(fc.record({ key: text, value: nullableText }), { maxLength: 3 }),
  }),
  { minLength: 1, maxLength: 40 },
);

export function write(plain: readonly PlainRecord[], compression: Compression): Buffer {
  const builder = new BatchBuilder({ sizeBytesMax: 10_000_000 });
  for (const { timestampMs, key, value, headers } of plain) {
    builder.append(timestampMs, bytesOf(key), bytesOf(value), headers.map(toHeader));
  }
  const { bytes } = builder.finish('topic', 0, compression);
  sealBatch(bytes);
  return bytes;
}

/** The batch in `buffer` at `position`, its checksum looked at. */
export function fetched(buffer: Buffer, position = 0): FetchedBatch {
  const header = readBatchHeader(buffer, position);
  if (header === undefined) throw new Error('the batch is not complete');
  verifyBatch(buffer, header);
  return { buffer, header };
}

export function read(batch: FetchedBatch): PlainRecord[] {
  const cursor = createRecordCursor();
  cursor.open(batch);
  const plain: PlainRecord[] = [];
  while (cursor.next()) {
    const { buffer, timestampMs, keyStart, keyEnd, valueStart, valueEnd } = cursor;
    const textAt = (start: number, end: number) =>
      start < 0 ? null : buffer.toString('utf8', start, end);
    plain.push({
      timestampMs,
      key: textAt(keyStart, keyEnd),
      value: textAt(valueStart, valueEnd),
      headers: cursor
        .headers()
        .map(({ key, value }) => ({ key, value: value === null ? null : value.toString('utf8') })),
    });
  }
  return plain;
}

function toHeader(header: PlainRecord['headers'][number]): RecordHeader {
  return { key: header.key, value: bytesOf(header.value) };
}

function bytesOf(part: string | null): Buffer | null {
  return part === null ? null : Buffer.from(part);
}
