import { expect, test } from 'vitest';
import { silentLog } from '../../base/log.ts';
import { ManualClock } from '../../base/manual-clock.ts';
import { seededRandom } from '../../base/random.ts';
import { createRecordCursor } from '../../kafka/records/record-cursor.ts';
import { InputSelector } from '../../runtime/tasks/input-selector.ts';
import { RecordDecoder } from '../../runtime/tasks/record-decoder.ts';
import { RecordQueue } from '../../runtime/tasks/record-queue.ts';
import { stringSerde } from '../../schemas/serdes.ts';
import type { SourceNode } from '../../topology/sub-topology.ts';
import { fetched, fetchedBatch } from './runtime-fixtures.ts';

function rig(maxTaskIdleMs: number, leftLingerMs?: number) {
  const clock = new ManualClock();
  const queues = ['left', 'right'].map((topic) => {
    const node: SourceNode = {
      kind: 'source',
      name: topic,
      topics: [topic],
      keySerde: stringSerde,
      valueSerde: stringSerde,
      children: [],
      ...(topic === 'left' && leftLingerMs !== undefined ? { lingerMs: leftLingerMs } : {}),
    };
    const decoder = new RecordDecoder(node, { clock, random: seededRandom(1), log: silentLog });
    const cursor = createRecordCursor();
    return new RecordQueue({ name: topic, topic, topicId: 'id', node }, 0, {
      cursor,
      decoder,
      onUnparked: () => {},
    });
  });
  for (const queue of queues) queue.seek(0, -1);
  const selector = new InputSelector(queues, { maxTaskIdleMs, clock });
  const [left, right] = queues as [RecordQueue, RecordQueue];
  return { clock, left, right, selector, next: () => selector.next(-1)?.source.topic };
}

const at = (...timestampsMs: number[]) =>
  fetched('any', [
    fetchedBatch(
      0,
      timestampsMs.map((timestampMs) => ({ timestampMs })),
    ),
  ]);

const AT_ITS_END = fetched('any', [], 0);

test('the input with the smallest timestamp comes first', () => {
  const { left, right, next } = rig(-1);
  left.add(at(10, 30));
  right.add(at(20));
  const order: (string | undefined)[] = [];
  for (let topic = next(); topic !== undefined; topic = next()) {
    order.push(topic);
    (topic === 'left' ? left : right).consume();
  }
  expect(order).toEqual(['left', 'right', 'left']);
});

test('an empty input is not waited for once it is known to be at its end', () => {
  const { left, right, next } = rig(0);
  left.add(at(10));
  expect(next()).toBeUndefined();
  right.add(AT_ITS_END);
  expect(next()).toBe('left');
});

test('nothing is known of an input after a seek, so that it is waited for again', () => {
  const { left, right, next } = rig(0);
  left.add(at(10));
  right.add(AT_ITS_END);
  right.seek(0, -1);
  expect(next()).toBeUndefined();
});

test('an empty input of which the log has more is waited for, unless idling is off', () => {
  const more = { ...fetched('any', [], 1), lastStableOffset: 5 };
  for (const [maxTaskIdleMs, expected] of [
    [0, undefined],
    [-1, 'left'],
  ] as const) {
    const { left, right, next, clock } = rig(maxTaskIdleMs);
    left.add(at(10));
    right.add(more);
    clock.advance(60_000);
    expect(next()).toBe(expected);
  }
});

test('an empty input at its end is waited for as long as idling may take', () => {
  const { left, right, next, clock } = rig(100);
  left.add(at(10));
  right.add(AT_ITS_END);
  expect(next()).toBeUndefined();
  clock.advance(99);
  expect(next()).toBeUndefined();
  clock.advance(1);
  expect(next()).toBe('left');
});

test('what lingers is processed when its time is over, with everything that came meanwhile', () => {
  const { clock, left, selector, next } = rig(-1, 100);
  left.add(at(10));
  expect(next()).toBeUndefined();
  const dueMs = clock.monotonicMs() + 100;
  expect(selector.lingersUntilMs).toBe(dueMs);
  clock.advance(99);
  left.add(fetched('any', [fetchedBatch(1, [{ timestampMs: 20 }])]));
  expect(next()).toBeUndefined();
  expect(selector.lingersUntilMs).toBe(dueMs);
  clock.advance(1);
  for (const expected of ['left', 'left', undefined]) {
    expect(next()).toBe(expected);
    if (expected !== undefined) left.consume();
  }
  expect(selector.lingersUntilMs).toBe(Infinity);
});

test('what comes after that lingers again', () => {
  const { clock, left, next } = rig(-1, 100);
  left.add(at(10));
  expect(next()).toBeUndefined();
  clock.advance(100);
  expect(next()).toBe('left');
  left.consume();
  expect(next()).toBeUndefined();
  left.add(fetched('any', [fetchedBatch(1, [{ timestampMs: 20 }])]));
  clock.advance(99);
  expect(next()).toBeUndefined();
  clock.advance(99);
  expect(next()).toBeUndefined();
  clock.advance(1);
  expect(next()).toBe('left');
});

test('many records do not linger', () => {
  const { left, next } = rig(-1, 100);
  left.add(at(...Array.from({ length: 1_000 }, (_, index) => index)));
  expect(next()).toBe('left');
});

test('what does not linger goes past younger records that do, and waits with older ones', () => {
  const { clock, left, right, next } = rig(-1, 100);
  left.add(at(20));
  right.add(at(10, 30));
  expect(next()).toBe('right');
  right.consume();
  expect(next()).toBeUndefined();
  clock.advance(100);
  expect(next()).toBe('left');
  left.consume();
  expect(next()).toBe('right');
});
