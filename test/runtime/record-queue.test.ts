import { expect, test } from 'vitest';
import { MillraceError } from '../../base/errors.ts';
import { silentLog } from '../../base/log.ts';
import { ManualClock } from '../../base/manual-clock.ts';
import { seededRandom } from '../../base/random.ts';
import { createRecordCursor } from '../../kafka/records/record-cursor.ts';
import { RecordDecoder } from '../../runtime/tasks/record-decoder.ts';
import { RecordQueue } from '../../runtime/tasks/record-queue.ts';
import { type Serde, UnknownSchemaError } from '../../schemas/serde.ts';
import { stringSerde } from '../../schemas/serdes.ts';
import type { SourceNode } from '../../topology/sub-topology.ts';
import { fetched, fetchedBatch, NOW_MS } from './runtime-fixtures.ts';

interface Rig {
  readonly queue: RecordQueue;
  readonly clock: ManualClock;
  readonly unparked: Promise<void>;
}

function rig(node: Partial<SourceNode> = {}): Rig {
  const source: SourceNode = {
    kind: 'source',
    name: 'in',
    topics: ['input'],
    keySerde: stringSerde,
    valueSerde: stringSerde,
    children: [],
    ...node,
  };
  const clock = new ManualClock(NOW_MS);
  const decoder = new RecordDecoder(source, { clock, random: seededRandom(1), log: silentLog });
  const { promise: unparked, resolve: onUnparked } = Promise.withResolvers<void>();
  const plan = { name: 'input', topic: 'input', topicId: 'id', node: source };
  const queue = new RecordQueue(plan, 0, { cursor: createRecordCursor(), decoder, onUnparked });
  queue.seek(0, -1);
  return { queue, clock, unparked };
}

/** Processes everything at hand; values, or `!message` of bad records. */
function drain(queue: RecordQueue): string[] {
  const seen: string[] = [];
  for (let kind = queue.head(-1); kind === 'record' || kind === 'bad'; kind = queue.head(-1)) {
    seen.push(kind === 'record' ? String(queue.record.value) : `!${queue.failure.message}`);
    queue.consume();
  }
  return seen;
}

test('records come in order of offset over all fetched batches, and the position follows them', () => {
  const { queue } = rig();
  queue.add(
    fetched('input', [
      fetchedBatch(0, [{ value: 'a' }, { value: 'b' }]),
      fetchedBatch(2, [{ value: 'c' }]),
    ]),
  );
  expect(queue.head(-1)).toBe('record');
  queue.consume();
  expect(queue.position).toBe(1);
  expect(queue.bufferedRecords).toBe(2);
  expect(drain(queue)).toEqual(['b', 'c']);
  expect(queue.position).toBe(3);
  expect(queue.bufferedRecords).toBe(0);
});

test('the position passes markers behind a record only once the record is processed', () => {
  const { queue } = rig();
  queue.add(fetched('input', [fetchedBatch(0, [{}])], 5));
  expect(queue.position).toBe(0);
  drain(queue);
  expect(queue.position).toBe(5);
});

test('a fetch of nothing but markers moves the position', () => {
  const { queue } = rig();
  queue.add(fetched('input', [], 4));
  expect(queue.position).toBe(4);
});

test('records before the position are not handed out, though their batch was fetched', () => {
  const { queue } = rig();
  queue.seek(11, -1);
  queue.add(fetched('input', [fetchedBatch(10, [{ value: 'old' }, { value: 'new' }])]));
  expect(drain(queue)).toEqual(['new']);
  expect(queue.bufferedRecords).toBe(0);
});

test('a seek forgets what was buffered', () => {
  const { queue } = rig();
  queue.add(fetched('input', [fetchedBatch(0, [{}, {}])]));
  queue.head(-1);
  queue.seek(1, -1);
  expect(queue.head(-1)).toBe('none');
  expect(queue.bufferedRecords).toBe(0);
  expect(queue.position).toBe(1);
});

test('a null key is a bad record where the source wants keys, and the next one is not', () => {
  const { queue } = rig({ nullKeys: false });
  queue.add(fetched('input', [fetchedBatch(0, [{ key: null }, { value: 'fine' }])]));
  expect(drain(queue)).toEqual(['!the key is null', 'fine']);
});

test('a negative timestamp is a bad record and does not become stream time', () => {
  const { queue } = rig();
  queue.add(fetched('input', [fetchedBatch(0, [{ timestampMs: -1 }])]));
  expect(queue.head(-1)).toBe('bad');
  expect(queue.headTimestampMs).toBe(0);
});

test('a record that the timestamp extractor refuses is left out', () => {
  const { queue } = rig({ timestampExtractor: ({ value }) => (value === 'skip' ? -1 : 77) });
  queue.add(fetched('input', [fetchedBatch(0, [{ value: 'skip' }, { value: 'take' }])]));
  expect(queue.head(-1)).toBe('record');
  expect(queue.record.timestampMs).toBe(77);
  expect(drain(queue)).toEqual(['take']);
  expect(queue.position).toBe(2);
});

test('a batch whose records cannot be read is one bad record, and what follows it is read', () => {
  const { queue } = rig();
  const broken = fetchedBatch(0, [{ value: 'aaaaaaaaaa' }, { value: 'bbbbbbbbbb' }]);
  broken.buffer.fill(0xff, broken.header.position + 61);
  queue.add(fetched('input', [broken, fetchedBatch(2, [{ value: 'fine' }])]));
  expect(queue.head(-1)).toBe('bad');
  expect(queue.original().value).toHaveLength(broken.header.sizeBytes);
  queue.consume();
  expect(queue.position).toBe(2);
  expect(drain(queue)).toEqual(['fine']);
  expect(queue.bufferedRecords).toBe(0);
});

/** Knows no schema until resolve() has succeeded. */
function learningSerde(resolve: () => Promise<void>): Serde<unknown> & { asked: number } {
  let isKnown = false;
  const serde = {
    asked: 0,
    decode: (bytes: Buffer, from: number, to: number) => {
      if (!isKnown) throw new UnknownSchemaError(7);
      return bytes.toString('utf8', from, to);
    },
    encode: stringSerde.encode as Serde<unknown>['encode'],
    resolve: async () => {
      serde.asked++;
      await resolve();
      isKnown = true;
    },
  };
  return serde;
}

test('an unknown schema parks the partition until it is fetched once', async () => {
  const serde = learningSerde(async () => {});
  const { queue, unparked } = rig({ valueSerde: serde });
  queue.add(fetched('input', [fetchedBatch(0, [{ value: 'a' }, { value: 'b' }])]));
  expect(queue.head(-1)).toBe('parked');
  expect(queue.head(-1)).toBe('parked');
  await unparked;
  expect(drain(queue)).toEqual(['a', 'b']);
  expect(serde.asked).toBe(1);
});

test('a registry that is away is waited for, and the record is not lost', async () => {
  const answers = ['SCHEMA_REGISTRY_UNAVAILABLE', 'SCHEMA_REGISTRY_UNAVAILABLE'] as const;
  let tries = 0;
  const serde = learningSerde(async () => {
    const code = answers[tries++];
    if (code !== undefined) throw new MillraceError(code, 'away');
  });
  const { queue, clock, unparked } = rig({ valueSerde: serde });
  queue.add(fetched('input', [fetchedBatch(0, [{ value: 'a' }])]));
  queue.head(-1);
  while (tries < 3) {
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(10_000);
  }
  await unparked;
  expect(drain(queue)).toEqual(['a']);
});

test('a schema that does not exist makes the record bad', async () => {
  const serde = learningSerde(async () => {
    throw new MillraceError('SCHEMA_UNKNOWN', 'no schema 7');
  });
  const { queue, unparked } = rig({ valueSerde: serde });
  queue.add(fetched('input', [fetchedBatch(0, [{ value: 'a' }])]));
  queue.head(-1);
  await unparked;
  expect(drain(queue)).toEqual(['!no schema 7']);
});
