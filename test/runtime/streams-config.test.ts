import { expect, test } from 'vitest';
import {
  type CommitSituation,
  mustPause,
  shouldCommit,
} from '../../runtime/commit/commit-policy.ts';
import {
  encodeOffsetMetadata,
  encodeTopicIds,
  streamTimeOf,
  topicIdsOf,
} from '../../runtime/commit/offset-metadata.ts';
import { deadLetter } from '../../runtime/failures/dead-letter.ts';
import { type StreamsOptions, streamsConfig } from '../../runtime/streams-config.ts';

test('only the application id is needed', () => {
  const config = streamsConfig({ applicationId: 'app' });
  expect(config.processingGuarantee).toBe('exactly_once_v2');
  expect(Object.isFrozen(config)).toBe(true);
});

test('an option that is undefined has its default', () => {
  const options = {
    applicationId: 'app',
    commitIntervalMs: undefined,
  } as unknown as StreamsOptions;
  expect(streamsConfig(options).commitIntervalMs).toBe(100);
});

test.each<[string, Partial<StreamsOptions>]>([
  ['applicationId', { applicationId: 'no spaces' }],
  ['commitIntervalMs', { commitIntervalMs: -1 }],
  ['numStreamThreads', { numStreamThreads: 1.5 }],
  ['transactionTimeoutMs', { transactionTimeoutMs: 10_000, sessionTimeoutMs: 10_000 }],
  ['heartbeatIntervalMs', { heartbeatIntervalMs: 5_000 }],
  ['deadLetterSuffix', { deadLetterSuffix: '/dlq' }],
])('a bad %s is refused by name', (option, options) => {
  expect(() => streamsConfig({ applicationId: 'app', ...options })).toThrow(
    expect.objectContaining({ code: 'CONFIG_INVALID', facts: { option } }),
  );
});

const limits = { commitIntervalMs: 100, commitLingerMs: 10, transactionBytesMax: 1_000 };
const idle: CommitSituation = {
  isBusy: false,
  hasWork: true,
  hasInput: false,
  isRequested: false,
  uncommittedBytes: 10,
  consumedRecords: 50,
  lagRecords: 0,
  sinceLastMs: 0,
};

test.each<[string, Partial<CommitSituation>, boolean]>([
  ['with nothing more to process, at once', {}, true],
  ['with nothing to commit, not at all', { hasWork: false, sinceLastMs: 1e9 }, false],
  ['while a transaction is out, not yet', { isBusy: true, sinceLastMs: 1e9 }, false],
  ['with input at hand, not before the linger', { hasInput: true, sinceLastMs: 9 }, false],
  ['with input at hand, after the linger', { hasInput: true, sinceLastMs: 10 }, true],
  [
    'before half of a backlog is in it, not after the linger',
    { hasInput: true, lagRecords: 51, sinceLastMs: 99 },
    false,
  ],
  [
    'with half of a backlog in it, after the linger',
    { hasInput: true, lagRecords: 50, sinceLastMs: 10 },
    true,
  ],
  [
    'behind any backlog, after the commit interval',
    { hasInput: true, lagRecords: 1e6, sinceLastMs: 100 },
    true,
  ],
  ['with input at hand, when a processor asks for it', { hasInput: true, isRequested: true }, true],
  [
    'with input at hand, when the transaction is full',
    { hasInput: true, uncommittedBytes: 1_000 },
    true,
  ],
])('a commit begins: %s', (_, change, expected) => {
  expect(shouldCommit({ ...idle, ...change }, limits)).toBe(expected);
});

test('processing pauses only when the next transaction is full and the one before is still out', () => {
  expect(mustPause({ ...idle, isBusy: true, uncommittedBytes: 1_000 }, limits)).toBe(true);
  expect(mustPause({ ...idle, isBusy: true }, limits)).toBe(false);
  expect(mustPause({ ...idle, uncommittedBytes: 1_000 }, limits)).toBe(false);
});

test('stream time travels with the offset, and what others wrote there counts as none', () => {
  expect(streamTimeOf(encodeOffsetMetadata(1_234, ''))).toBe(1_234);
  for (const foreign of ['', 'AQAAAXm9', 'millrace:1:abc', 'millrace:2:5'])
    expect(streamTimeOf(foreign)).toBe(-1);
});

test('the ids of the topics travel with the offset, unless the broker has none', () => {
  const ids = encodeTopicIds(
    new Map([
      ['input', 'a1'],
      ['app-counts-changelog', 'b2'],
      ['of an old broker', '0'.repeat(32)],
    ]),
  );
  const metadata = encodeOffsetMetadata(1_234, ids);
  expect(streamTimeOf(metadata)).toBe(1_234);
  expect([...topicIdsOf(metadata)]).toEqual([
    ['input', 'a1'],
    ['app-counts-changelog', 'b2'],
  ]);
  expect([...topicIdsOf('millrace:1:5')]).toEqual([]);
  expect([...topicIdsOf('x a=b')]).toEqual([]);
});

test('offset metadata stays within what a broker takes, however many topics a task has', () => {
  const many = Array.from(
    { length: 200 },
    (_, index) => [`app-store-${index}-changelog`, `${index}`.padStart(32, 'f')] as const,
  );
  const metadata = encodeOffsetMetadata(Date.now(), encodeTopicIds(new Map(many)));
  expect(metadata.length).toBeLessThanOrEqual(4_096);
  expect(topicIdsOf(metadata).size).toBeGreaterThan(50);
});

const failure = {
  stage: 'processing',
  taskId: '0_3',
  nodeName: 'work',
  topic: 'in',
  partition: 3,
  offset: 42,
  error: new TypeError('no such seat'),
} as const;

test('a dead letter keeps key, value and headers, and says where and why in the headers of KIP-1034', () => {
  const original = {
    key: Buffer.from('k'),
    value: Buffer.from('v'),
    headers: [{ key: 'trace', value: Buffer.from('1') }],
  };
  const letter = deadLetter(original, failure, { bytesMax: 100, nowMs: 0 });
  expect(letter).toMatchObject({ key: original.key, value: original.value });
  const headers = Object.fromEntries(
    letter.headers.map(({ key, value }) => [key, value?.toString()]),
  );
  expect(headers).toMatchObject({
    trace: '1',
    '__streams.errors.exception': 'TypeError',
    '__streams.errors.message': 'no such seat',
    '__streams.errors.stacktrace': expect.stringContaining('no such seat'),
    '__streams.errors.topic': 'in',
    '__streams.errors.partition': '3',
    '__streams.errors.offset': '42',
    'millrace.dlq.stage': 'processing',
    'millrace.dlq.task': '0_3',
    'millrace.dlq.time': '1970-01-01T00:00:00.000Z',
  });
});

test('a value over the limit is cut, with size and hash of the whole', () => {
  const original = { key: null, value: Buffer.alloc(500, 'x'), headers: [] };
  const letter = deadLetter(original, failure, { bytesMax: 100, nowMs: 0 });
  expect(letter.value).toHaveLength(100);
  const cut = letter.headers.find(({ key }) => key === 'millrace.dlq.value.truncated');
  expect(cut?.value?.toString()).toMatch(/^500 sha256:[0-9a-f]{64}$/);
});
