/** Against writers that are not ours: the Java client, librdkafka (kcat), kafkajs, the lz4 tool. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe, expect, test } from 'vitest';
import type { Compression } from '../../kafka/ports.ts';
import { BatchBuilder, sealBatch, stampProducer } from '../../kafka/records/batch-builder.ts';
import { decompressLz4Frame } from '../../kafka/records/compression/lz4-frame.ts';
import { xxhash32 } from '../../kafka/records/compression/xxhash32.ts';
import { compressionOf, forEachBatch, verifyBatch } from '../../kafka/records/record-batch.ts';
import { type PlainRecord, read } from './arbitraries.ts';

interface Vectors {
  readonly records: { key: string; value: string; javaHeaders: [string, string][] }[];
  readonly kcatHeaders: [string, string][];
  readonly segments: { writer: 'java' | 'kcat'; compression: Compression; base64: string }[];
  readonly lz4LinkedText: string;
  readonly lz4LinkedRepeats: number;
  readonly lz4Linked: string;
}

const vectors = JSON.parse(
  readFileSync(new URL('../vectors/record-batches.json', import.meta.url), 'utf8'),
) as Vectors;

describe('segments that a real Kafka stored', () => {
  test.each(vectors.segments)('from $writer with $compression are read', (segment) => {
    const buffer = Buffer.from(segment.base64, 'base64');
    const seen: PlainRecord[] = [];
    const codecs = new Set<Compression>();
    const end = forEachBatch(buffer, (header) => {
      verifyBatch(buffer, header);
      codecs.add(compressionOf(header));
      seen.push(...read({ buffer, header }));
    });
    expect(end).toBe(buffer.length);
    expect([...codecs]).toEqual([segment.compression]);
    const expected = vectors.records.map(({ key, value, javaHeaders }) => ({
      key,
      value,
      headers: (segment.writer === 'java' ? javaHeaders : vectors.kcatHeaders).map(
        ([name, text]) => ({ key: name, value: text }),
      ),
    }));
    expect(seen.map(({ key, value, headers }) => ({ key, value, headers }))).toEqual(expected);
    expect(seen.every(({ timestampMs }) => timestampMs > 1_700_000_000_000)).toBe(true);
  });
});

test('an LZ4 frame with linked blocks and a content checksum is unfolded', () => {
  const { lz4Linked, lz4LinkedText, lz4LinkedRepeats } = vectors;
  const text = lz4LinkedText.repeat(lz4LinkedRepeats);
  const frame = Buffer.from(lz4Linked, 'base64');
  expect(decompressLz4Frame(frame, text.length).toString()).toBe(text);
  expect(() => decompressLz4Frame(frame, text.length - 1)).toThrow();
});

test('xxHash32 equals its published values', () => {
  expect(xxhash32(Buffer.from(''))).toBe(0x02cc5d05);
  expect(xxhash32(Buffer.from('Nobody inspects the spammish repetition'))).toBe(0xe2293b2f);
});

interface Encoded {
  readonly buffer: Buffer;
}
const require = createRequire(import.meta.url);
const kafkajsRecord = require('kafkajs/src/protocol/recordBatch/record/v0/index.js') as (
  record: object,
) => Encoded;
const { RecordBatch: kafkajsBatch } = require('kafkajs/src/protocol/recordBatch/v0/index.js') as {
  RecordBatch(batch: object): Promise<Encoded>;
};

test('an uncompressed batch is, byte for byte, what kafkajs writes', async () => {
  const baseTimestampMs = 1_700_000_000_000;
  const plain = [
    { timestampMs: baseTimestampMs, key: 'a', value: 'first', headers: {} },
    { timestampMs: baseTimestampMs - 250, key: null, value: 'x'.repeat(500), headers: {} },
    {
      timestampMs: baseTimestampMs + 90_000,
      key: 'ключ',
      value: null,
      headers: { trace: 'abc', n: '' },
    },
  ];
  const theirs = await kafkajsBatch({
    compression: 0,
    firstTimestamp: baseTimestampMs,
    maxTimestamp: baseTimestampMs + 90_000,
    partitionLeaderEpoch: -1,
    lastOffsetDelta: plain.length - 1,
    transactional: true,
    producerId: 123_456_789,
    producerEpoch: 5,
    firstSequence: 1_000,
    records: plain.map((record, offsetDelta) =>
      kafkajsRecord({
        offsetDelta,
        timestampDelta: record.timestampMs - baseTimestampMs,
        key: record.key,
        value: record.value,
        headers: record.headers,
      }),
    ),
  });
  const builder = new BatchBuilder({ sizeBytesMax: 10_000 });
  for (const { timestampMs, key, value, headers } of plain) {
    const pairs = Object.entries(headers).map(([name, text]) => ({
      key: name,
      value: Buffer.from(text),
    }));
    builder.append(
      timestampMs,
      key === null ? null : Buffer.from(key),
      value === null ? null : Buffer.from(value),
      pairs,
    );
  }
  const { bytes } = builder.finish('topic', 0, 'none');
  stampProducer(bytes, {
    producerId: 123_456_789,
    producerEpoch: 5,
    baseSequence: 1_000,
    transactional: true,
  });
  expect(bytes.toString('hex')).toBe(Buffer.from(theirs.buffer).toString('hex'));
});

test('a batch without a producer keeps -1 in all its fields', () => {
  const builder = new BatchBuilder({ sizeBytesMax: 10_000 });
  builder.append(1, null, null);
  const { bytes } = builder.finish('topic', 0, 'none');
  sealBatch(bytes);
  forEachBatch(bytes, (header) => {
    verifyBatch(bytes, header);
    expect(header).toMatchObject({ producerId: -1, producerEpoch: -1, baseSequence: -1 });
  });
});
