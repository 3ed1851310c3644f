import { describe, expect, test } from 'vitest';
import { MillraceError } from '../../base/errors.ts';
import { createRecordCursor } from '../../kafka/records/record-cursor.ts';
import type { EncodedBatch } from '../../kafka/records/types.ts';
import { RollbackNeeded } from '../../runtime/tasks/task-failures.ts';
import { taskInfo } from '../../runtime/tasks/task-info.ts';
import { type Serde, UnknownSchemaError } from '../../schemas/serde.ts';
import { int64Serde, stringSerde } from '../../schemas/serdes.ts';
import type { KeyValueStore } from '../../stores/state-store.ts';
import type { Processor, ProcessorContext, StreamRecord } from '../../topology/processor.ts';
import { batchesIn } from '../kit/batches.ts';
import {
  countsStore,
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
  expect(task.nextPunctuationAtMs()).toBe(clock.monotonicMs() + 1_000);
  clock.advance(1_000);
  await task.punctuate();
  expect(task.hasUncommitted).toBe(true);
  expect(task.freeze().get('input-0')?.offset).toBe(0);
  expect(recordsOf(await collector.seal())).toEqual([`output tick=${NOW_MS + 1_000}`]);
});

test('a wall clock that is set back or forward silences no punctuator and hurries none', async () => {
  const told: number[] = [];
  const { task, clock } = await runningTask(
    counting({
      init: (context) => {
        context.schedule(1_000, 'wall-clock-time', (timestampMs) => {
          told.push(timestampMs);
        });
      },
    }),
  );
  clock.jumpWallClock(-3_600_000);
  clock.advance(1_000);
  await task.punctuate();
  expect(told).toEqual([NOW_MS - 3_599_000]);
  clock.jumpWallClock(7_200_000);
  await task.punctuate();
  expect(told).toHaveLength(1);
  clock.advance(1_000);
  await task.punctuate();
  expect(told).toEqual([NOW_MS - 3_599_000, NOW_MS + 3_602_000]);
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

describe('state that this version has not written', () => {
  /** Counts as ever, once `resolve` was asked; until then, and with a bad schema, as the test says. */
  function olderCounts(resolve: (schemaId: number) => Promise<void>): typeof countsStore {
    let isKnown = false;
    const valueSerde: Serde<number> = {
      ...int64Serde,
      decode: (bytes, start, end) => {
        if (!isKnown) throw new UnknownSchemaError(7);
        return int64Serde.decode(bytes, start, end);
      },
      resolve: async (schemaId) => {
        await resolve(schemaId);
        isKnown = true;
      },
    };
    return { ...countsStore, valueSerde };
  }

  /** A count is there, and no object of it is in any cache. */
  async function taskWithState(store: typeof countsStore) {
    const rig = await runningTask(counting(), {}, { store });
    const { task, collector } = rig;
    task.add(input('a'));
    await task.process(EVERYTHING);
    await task.apply(new Map(), task.freeze());
    await collector.seal();
    task.reset();
    start(task, 1);
    task.add(input('a', 'a'));
    return rig;
  }

  test('is asked for once, and the record that met it comes again', async () => {
    const asked: number[] = [];
    const store = olderCounts(async (schemaId) => {
      asked.push(schemaId);
    });
    const { task, collector } = await taskWithState(store);
    await expect(task.process(EVERYTHING)).rejects.toThrow(RollbackNeeded);
    task.reset();
    collector.discard();
    start(task, 1);
    task.add(input('a', 'a'));
    await task.process(EVERYTHING);
    expect(recordsOf(await collector.seal())).toEqual(['output a=2']);
    expect(asked).toEqual([7]);
  });

  test('and that nobody knows stops the thread: no record is put aside for it', async () => {
    const store = olderCounts(() =>
      Promise.reject(new MillraceError('SCHEMA_UNKNOWN', 'no such schema')),
    );
    const { task, collector } = await taskWithState(store);
    await expect(task.process(EVERYTHING)).rejects.toMatchObject({ code: 'STATE_UNREADABLE' });
    expect(recordsOf(await collector.seal())).toEqual([]);
  });

  test('and that is none at all stops the thread as well', async () => {
    const decode = () => {
      throw new MillraceError('DESERIALIZATION', 'not a count');
    };
    const store = { ...countsStore, valueSerde: { ...int64Serde, decode } };
    const { task, collector } = await taskWithState(store);
    await expect(task.process(EVERYTHING)).rejects.toMatchObject({ code: 'STATE_UNREADABLE' });
    expect(recordsOf(await collector.seal())).toEqual([]);
  });
});

test('what user code waits for without end stops the thread, and names the record: it is no dead letter', async () => {
  const { task, clock, collector } = await runningTask(() => ({
    process: (record) => (record.key === 'b' ? new Promise(() => {}) : undefined),
  }));
  task.add(input('a', 'b'));
  const processing = task.process(EVERYTHING);
  await clock.turn();
  clock.advance(300_000);
  await expect(processing).rejects.toMatchObject({
    code: 'PROCESSING_STUCK',
    message: 'node work of task 0_0 takes over 300000 ms with input-0@1',
  });
  expect(recordsOf(await collector.seal())).toEqual([]);
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

/** Forwards everything to a sink that finds its topic, or fails, in the way of the test. */
async function dynamicTask(
  parts: {
    readonly topic?: (value: string) => string;
    readonly encode?: (value: string) => void;
    readonly partitionCount?: (topic: string) => Promise<number | undefined>;
  },
  options: Parameters<typeof runningTask>[1] = {},
) {
  const valueSerde: Serde<string> = {
    ...stringSerde,
    encode: (value, target, at) => {
      parts.encode?.(value);
      return stringSerde.encode(value, target, at);
    },
  };
  const sink = {
    topic: ({ value }: { value: string }) => parts.topic?.(value) ?? 'output',
    valueSerde,
  };
  const supplier = () => {
    let context: Context;
    return {
      init: (given: Context) => {
        context = given;
      },
      process: (record: StreamRecord<string, string>) => context.forward(record),
    };
  };
  return runningTask(supplier, options, { sink, partitionCount: parts.partitionCount });
}

const withStage = (batches: readonly EncodedBatch[]) => {
  const cursor = createRecordCursor();
  return batches
    .filter(({ topic }) => topic === 'input.dlq')
    .flatMap(({ bytes }) => batchesIn(bytes))
    .flatMap((batch) => {
      const stages: string[] = [];
      cursor.open(batch);
      while (cursor.next()) {
        const stage = cursor.headers().find(({ key }) => key === 'millrace.dlq.stage');
        stages.push(
          `${cursor.buffer.toString('utf8', cursor.keyStart, cursor.keyEnd)} ${stage?.value}`,
        );
      }
      return stages;
    });
};

const throwIf = (isBad: boolean) => {
  if (isBad) throw new TypeError('cannot be written');
};

test.each([
  ['whose value cannot be encoded', { encode: (value: string) => throwIf(value === 'bad') }],
  [
    'whose topic cannot be chosen',
    {
      topic: (value: string) => {
        throwIf(value === 'bad');
        return 'output';
      },
    },
  ],
])('a record %s is a failure of production, of that record alone', async (_, parts) => {
  const { task, collector } = await dynamicTask(parts);
  task.add(input('a', 'bad', 'b'));
  expect(await task.process(EVERYTHING)).toBe(3);
  const batches = await collector.seal();
  expect(recordsOf(batches).sort()).toEqual(['input.dlq bad=bad', 'output a=a', 'output b=b']);
  expect(withStage(batches)).toEqual(['bad production']);
});

test('with the production handler on fail it stops the thread, and says which record of which topic', async () => {
  const { task } = await dynamicTask(
    { encode: (value) => throwIf(value === 'bad') },
    {
      exceptionHandlers: {
        deserialization: 'continue',
        processing: 'continue',
        production: 'fail',
      },
    },
  );
  task.add(input('a', 'bad'));
  await expect(task.process(EVERYTHING)).rejects.toMatchObject({
    code: 'PROCESSING_FAILED',
    facts: { topic: 'input', partition: 0, offset: 1 },
  });
});

test('a topic that is asked for only when a record chooses it is found before the next record', async () => {
  const asked: string[] = [];
  const { task, collector } = await dynamicTask({
    topic: () => 'found',
    partitionCount: async (topic) => {
      asked.push(topic);
      return 1;
    },
  });
  task.add(input('a', 'b'));
  await task.process(EVERYTHING);
  expect(collector.isWaiting).toBe(false);
  expect(recordsOf(await collector.seal())).toEqual(['found a=a', 'found b=b']);
  expect(asked).toEqual(['found']);
});

test('a record that chose a topic that does not exist is a dead letter after the rollback', async () => {
  const parts = { topic: (value: string) => (value === 'bad' ? 'nowhere' : 'output') };
  const { task, collector } = await dynamicTask(parts);
  task.add(input('a', 'bad', 'b'));
  await expect(task.process(EVERYTHING)).rejects.toThrow(RollbackNeeded);
  task.reset();
  collector.discard();
  start(task, 0);
  task.add(input('a', 'bad', 'b'));
  expect(await task.process(EVERYTHING)).toBe(3);
  const batches = await collector.seal();
  expect(recordsOf(batches).sort()).toEqual(['input.dlq bad=bad', 'output a=a', 'output b=b']);
  expect(withStage(batches)).toEqual(['bad production']);
});

test('while Kafka cannot tell a topic, its records wait for the commit instead of failing', async () => {
  let isAway = true;
  const { task, collector } = await dynamicTask({
    topic: () => 'found',
    partitionCount: async () => {
      if (isAway) throw new MillraceError('KAFKA_RETRIABLE', 'away');
      return 1;
    },
  });
  task.add(input('a', 'b'));
  expect(await task.process(EVERYTHING)).toBe(2);
  expect(collector.isWaiting).toBe(true);
  isAway = false;
  expect(recordsOf(await collector.seal())).toEqual(['found a=a', 'found b=b']);
});

test('records that a processor leaves out are counted', async () => {
  const { task } = await runningTask(() => {
    let context: Context;
    return {
      init: (given) => {
        context = given;
      },
      process: ({ key }) => {
        if (key === 'useless') context.recordDropped?.('useless');
      },
    };
  });
  task.add(input('a', 'useless', 'useless'));
  await task.process(EVERYTHING);
  expect(task.droppedRecords).toBe(2);
  expect(taskInfo(task, { thread: 't', isPaused: false }).droppedRecords).toBe(2);
});
