import { expect, test } from 'vitest';
import { createRecordCursor } from '../../kafka/records/record-cursor.ts';
import type { EncodedBatch } from '../../kafka/records/types.ts';
import { RollbackNeeded } from '../../runtime/tasks/task-failures.ts';
import type { KeyValueStore } from '../../stores/state-store.ts';
import type { Processor, ProcessorContext, StreamRecord } from '../../topology/processor.ts';
import { batchesIn } from '../kit/batches.ts';
import {
  EVERYTHING,
  fetched,
  fetchedBatch,
  NOW_MS,
  runningTask,
  start,
} from './runtime-fixtures.ts';

type Context = ProcessorContext<string, string>;

/** Counts keys, tells every count; `before` and `after` the write something may go wrong. */
function counting(
  hooks: {
    readonly init?: (context: Context) => void;
    readonly before?: (record: StreamRecord<string, string>) => void;
    readonly after?: (record: StreamRecord<string, string>) => void;
  } = {},
): () => Processor<string, string, string, string> {
  return () => {
    let context: Context;
    let store: KeyValueStore<string, number>;
    return {
      init: (given) => {
        context = given;
        store = given.getStateStore('counts');
        hooks.init?.(given);
      },
      process: (record) => {
        hooks.before?.(record);
        const count = (store.get(record.key) ?? 0) + 1;
        store.put(record.key, count);
        hooks.after?.(record);
        return context.forward({ ...record, value: String(count) });
      },
    };
  };
}

/** `topic key=value` of every record, values of the changelog as numbers. */
function recordsOf(batches: readonly EncodedBatch[]): string[] {
  const cursor = createRecordCursor();
  return batches.flatMap(({ topic, bytes }) => {
    const seen: string[] = [];
    for (const batch of batchesIn(bytes)) {
      cursor.open(batch);
      while (cursor.next()) {
        const { buffer, keyStart, keyEnd, valueStart, valueEnd } = cursor;
        const value = topic.endsWith('changelog')
          ? buffer.readBigInt64BE(valueStart)
          : buffer.toString('utf8', valueStart, valueEnd);
        seen.push(`${topic} ${buffer.toString('utf8', keyStart, keyEnd)}=${value}`);
      }
    }
    return seen;
  });
}

const input = (...keys: string[]) =>
  fetched('input', [
    fetchedBatch(
      0,
      keys.map((key) => ({ key, value: key })),
    ),
  ]);

test('outputs, changelog records and the next offset with stream time make one transaction', async () => {
  const { task, collector } = await runningTask(counting());
  task.add(input('a', 'b', 'a'));
  expect(await task.process(EVERYTHING)).toBe(3);
  await task.flush();
  const offsets = task.freeze();
  expect(offsets.get('input-0')).toEqual({
    topic: 'input',
    partition: 0,
    offset: 3,
    leaderEpoch: 3,
    metadata: 'millrace:1:1000 input=input-id app-counts-changelog=app-counts-changelog-id',
  });
  expect(recordsOf(await collector.seal())).toEqual([
    'output a=1',
    'output b=1',
    'output a=2',
    'app-counts-changelog a=2',
    'app-counts-changelog b=1',
  ]);
  expect(task.hasUncommitted).toBe(false);
});

test('after a reset neither frozen nor active writes are there, and the task starts where it committed', async () => {
  const { task, collector } = await runningTask(counting());
  task.add(input('a', 'a', 'a'));
  await task.process({ recordsMax: 1, deadlineMs: Infinity });
  await task.apply(new Map(), task.freeze());
  await collector.seal();
  await task.process({ recordsMax: 1, deadlineMs: Infinity });
  task.freeze();
  await task.process({ recordsMax: 1, deadlineMs: Infinity });
  task.reset();
  collector.discard();
  start(task, 1);
  task.add(input('a', 'a', 'a'));
  await task.process(EVERYTHING);
  expect(recordsOf(await collector.seal())).toEqual(['output a=2', 'output a=3']);
});

test('what a punctuator writes is committed with the current offset, though nothing was consumed', async () => {
  const { task, clock, collector } = await runningTask(
    counting({
      init: (context) => {
        context.schedule(1_000, 'wall-clock-time', (timestampMs) =>
          context.forward({ key: 'tick', value: String(timestampMs), timestampMs, headers: [] }),
        );
      },
    }),
  );
  expect(task.hasUncommitted).toBe(false);
  expect(task.nextPunctuationAtMs()).toBe(NOW_MS + 1_000);
  clock.advance(1_000);
  await task.punctuate();
  expect(task.hasUncommitted).toBe(true);
  expect(task.freeze().get('input-0')?.offset).toBe(0);
  expect(recordsOf(await collector.seal())).toEqual([`output tick=${NOW_MS + 1_000}`]);
});

test('a record that fails before it had effects becomes a dead letter, and the others go on', async () => {
  const { task, collector } = await runningTask(
    counting({
      before: ({ key }) => {
        if (key === 'bad') throw new Error('no');
      },
    }),
  );
  task.add(input('a', 'bad', 'a'));
  expect(await task.process(EVERYTHING)).toBe(3);
  expect(recordsOf(await collector.seal()).sort()).toEqual([
    'input.dlq bad=bad',
    'output a=1',
    'output a=2',
  ]);
});

test('a record that fails after its write asks for a rollback, and is a dead letter the next time', async () => {
  const { task, collector } = await runningTask(
    counting({
      after: ({ key }) => {
        if (key === 'bad') throw new Error('too late');
      },
    }),
  );
  task.add(input('a', 'bad', 'a'));
  await expect(task.process(EVERYTHING)).rejects.toThrow(RollbackNeeded);
  task.reset();
  collector.discard();
  start(task, 0);
  task.add(input('a', 'bad', 'a'));
  expect(await task.process(EVERYTHING)).toBe(3);
  task.freeze();
  expect(recordsOf(await collector.seal()).sort()).toEqual([
    'app-counts-changelog a=2',
    'input.dlq bad=bad',
    'output a=1',
    'output a=2',
  ]);
});

test('with the handler on fail, a bad record stops the thread with its place', async () => {
  const handlers = { deserialization: 'fail', processing: 'fail', production: 'fail' } as const;
  const { task } = await runningTask(counting(), { exceptionHandlers: handlers });
  task.add(fetched('input', [fetchedBatch(0, [{ key: null }])]));
  await expect(task.process(EVERYTHING)).rejects.toThrow(
    'deserialization of a record failed at input-0@0',
  );
});

test('a record whose timestamp lies before stream time does not turn it back', async () => {
  const times: number[] = [];
  const { task } = await runningTask(() => {
    let context: Context;
    return {
      init: (given) => {
        context = given;
      },
      process: () => {
        times.push(context.currentStreamTimeMs());
      },
    };
  });
  task.add(
    fetched('input', [
      fetchedBatch(0, [{ timestampMs: 500 }, { timestampMs: 100 }, { timestampMs: 900 }]),
    ]),
  );
  await task.process(EVERYTHING);
  expect(times).toEqual([500, 500, 900]);
});

test('a slice ends at its number of records', async () => {
  const { task } = await runningTask(counting());
  task.add(input('a', 'b', 'c'));
  expect(await task.process({ recordsMax: 2, deadlineMs: Infinity })).toBe(2);
  expect(task.hasInput()).toBe(true);
});

test('the position of a changelog stays where it was when its acknowledgement told no offset', async () => {
  const { task } = await runningTask(counting());
  const round = async (
    produced: [string, { baseOffset: number; nextOffset: number; leaderEpoch: number }][],
  ) => {
    task.add(fetched('input', [fetchedBatch(task.queues[0]!.position, [{ key: 'a' }])]));
    await task.process(EVERYTHING);
    await task.apply(new Map(produced), task.freeze());
    return task.state!.positions().changelogs.get('counts')?.offset;
  };
  expect(await round([])).toBeUndefined();
  expect(
    await round([['app-counts-changelog-0', { baseOffset: 7, nextOffset: 8, leaderEpoch: 1 }]]),
  ).toBe(8);
  expect(await round([])).toBe(8);
});
