import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { isMillraceError } from '../../base/errors.ts';
import { silentLog } from '../../base/log.ts';
import { ManualClock } from '../../base/manual-clock.ts';
import { seededRandom } from '../../base/random.ts';
import type { Producer } from '../../kafka/ports.ts';
import { createProducer, type ProducerOptions } from '../../kafka/producer.ts';
import { Errors } from '../../kafka/protocol/error-codes.ts';
import { initProducerIdApi } from '../../kafka/protocol/messages/init-producer-id.ts';
import { produceApi } from '../../kafka/protocol/messages/produce.ts';
import { readBatchHeader } from '../../kafka/records/record-batch.ts';
import { encodedBatch } from '../kit/batches.ts';
import { type AppendAnswer, IdempotentLog } from '../kit/idempotent-logs.ts';
import { turn, whileTimePasses } from '../kit/passing-time.ts';
import { disconnected, ScriptedCluster, unreachableBroker } from '../kit/scripted-cluster.ts';

/** What happens to one Produce request, and to the batch of each partition in it. */
type Fate =
  | 'append'
  | 'append, answer lost'
  | 'lost before'
  | 'unreachable'
  | { readonly errorCode: number; readonly appended?: boolean };

let clock: ManualClock;
let cluster: ScriptedCluster;
let logs: Map<number, IdempotentLog>;
/** Fates of the coming Produce requests; then 'append'. */
let fates: Fate[];
let nextProducerId: number;
/** Headers of all batches as they came, by partition. */
let arrivals: { partition: number; producerId: number; baseSequence: number; count: number }[];

beforeEach(() => {
  clock = new ManualClock(1_700_000_000_000);
  cluster = new ScriptedCluster();
  logs = new Map();
  fates = [];
  nextProducerId = 100;
  arrivals = [];
  for (let partition = 0; partition < 4; partition++) {
    cluster.lead('t', partition, partition % 2);
    logs.set(partition, new IdempotentLog());
  }
  cluster.on(initProducerIdApi, () => ({
    errorCode: 0,
    producerId: nextProducerId++,
    producerEpoch: 0,
  }));
  cluster.on(produceApi, ({ topicData }) => {
    const fate = fates.shift() ?? 'append';
    if (fate === 'unreachable') throw unreachableBroker();
    const responses = topicData.map(({ name, partitionData }) => ({
      name,
      partitionResponses: partitionData.map(({ index, records }) => ({
        index,
        ...meet(fate, index, Buffer.from(records ?? [])),
      })),
    }));
    if (fate === 'append, answer lost' || fate === 'lost before') throw disconnected();
    return { responses };
  });
});

function meet(fate: Fate, partition: number, records: Buffer): AppendAnswer {
  const header = readBatchHeader(records, 0);
  if (header !== undefined) {
    const { producerId, baseSequence, recordCount: count } = header;
    arrivals.push({ partition, producerId, baseSequence, count });
  }
  if (fate === 'lost before') return { errorCode: 0, baseOffset: -1 };
  const isError = typeof fate === 'object';
  if (isError && fate.appended !== true) return { errorCode: fate.errorCode, baseOffset: -1 };
  const answer = logs.get(partition)?.append(records) ?? { errorCode: -1, baseOffset: -1 };
  return isError ? { errorCode: fate.errorCode, baseOffset: -1 } : answer;
}

function open(options: Partial<ProducerOptions> = {}): Producer {
  return createProducer(
    cluster,
    { deliveryTimeoutMs: 5_000, lingerMs: 0, compression: 'none', ...options },
    { clock, random: seededRandom(7), log: silentLog },
  );
}

function record(value: string) {
  return { key: Buffer.from('key'), value: Buffer.from(value) };
}

/** 'ok', or the code it failed with. */
function outcome(sending: Promise<unknown>): Promise<string> {
  return sending.then(
    () => 'ok',
    (error: unknown) => (isMillraceError(error) ? error.code : String(error)),
  );
}

const valuesOf = (partition: number) => logs.get(partition)?.values;

describe('sending', () => {
  test('resolves with the offset of each record', async () => {
    const producer = open();
    const sent = await Promise.all(
      ['a', 'b', 'c'].map((value) => producer.send('t', 0, record(value))),
    );
    expect(sent).toEqual([0, 1, 2].map((offset) => ({ partition: 0, offset })));
    expect(valuesOf(0)).toEqual(['a', 'b', 'c']);
  });

  test('puts what was sent in one tick into one batch per partition and one request per broker', async () => {
    const producer = open();
    const sent = [0, 1, 2, 3, 0, 1].map((partition, index) =>
      producer.send('t', partition, record(`${index}`)),
    );
    await Promise.all(sent);
    expect(cluster.sentApis().filter((api) => api === 'Produce')).toHaveLength(2);
    expect(valuesOf(0)).toEqual(['0', '4']);
    expect(valuesOf(1)).toEqual(['1', '5']);
  });

  test('gathers records while a request is out, with one request per broker at a time', async () => {
    const producer = open();
    const gate = Promise.withResolvers<void>();
    let outNow = 0;
    let outMax = 0;
    cluster.on(produceApi, async ({ topicData }) => {
      outMax = Math.max(outMax, ++outNow);
      await gate.promise;
      outNow--;
      return {
        responses: topicData.map(({ name, partitionData }) => ({
          name,
          partitionResponses: partitionData.map(({ index, records }) => ({
            index,
            ...meet('append', index, Buffer.from(records ?? [])),
          })),
        })),
      };
    });
    const first = producer.send('t', 0, record('first'));
    await turn();
    const later = ['x', 'y', 'z'].map((value) => producer.send('t', 0, record(value)));
    const other = producer.send('t', 2, record('other'));
    await turn();
    gate.resolve();
    await Promise.all([first, ...later, other]);
    expect(outMax).toBe(1);
    expect(arrivals.map(({ partition, count }) => [partition, count])).toEqual([
      [0, 1],
      [2, 1],
      [0, 3],
    ]);
  });

  test('waits for its linger, unless somebody flushes', async () => {
    const producer = open({ lingerMs: 50 });
    const first = producer.send('t', 0, record('a'));
    await turn();
    expect(arrivals).toEqual([]);
    clock.advance(50);
    await first;
    const second = producer.send('t', 0, record('b'));
    await producer.flush();
    await second;
    expect(valuesOf(0)).toEqual(['a', 'b']);
  });

  test('cuts batches at their size limit and keeps their order', async () => {
    const producer = open({ batchBytesMax: 400 });
    const values = Array.from({ length: 30 }, (_, index) => `${index}`.padEnd(60, '.'));
    await Promise.all(values.map((value) => producer.send('t', 0, record(value))));
    expect(arrivals.length).toBeGreaterThan(5);
    expect(valuesOf(0)).toEqual(values);
  });

  test('refuses a record that its buffer has no room for, and says that it was not taken', async () => {
    const producer = open({ bufferBytesMax: 1_000 });
    const first = producer.send('t', 0, record('x'.repeat(700)));
    const second = producer.send('t', 0, record('y'.repeat(700)));
    await expect(second).rejects.toMatchObject({ code: 'KAFKA_RETRIABLE' });
    await expect(second).rejects.toThrow(/buffer is full/);
    await first;
    await producer.send('t', 0, record('y'.repeat(700)));
    expect(valuesOf(0)).toHaveLength(2);
  });

  test('sends whole batches and tells their ranges', async () => {
    const producer = open();
    const ranges = await producer.sendBatches([
      encodedBatch('t', 0, ['a', 'b']),
      encodedBatch('t', 0, ['c']),
      encodedBatch('t', 1, ['d']),
    ]);
    expect(ranges.get('t-0')).toEqual({ baseOffset: 0, nextOffset: 3, leaderEpoch: 0 });
    expect(ranges.get('t-1')).toEqual({ baseOffset: 0, nextOffset: 1, leaderEpoch: 0 });
    expect(valuesOf(0)).toEqual(['a', 'b', 'c']);
  });

  test('is refused after close, which first delivers what was sent before', async () => {
    const producer = open({ lingerMs: 1_000 });
    const sent = producer.send('t', 0, record('last'));
    await producer.close();
    await sent;
    expect(await outcome(producer.send('t', 0, record('late')))).toBe('KAFKA_FATAL');
    expect(cluster.closedChannels).toEqual(['producer']);
    expect(clock.nextTimerInMs()).toBeUndefined();
  });
});

describe('a batch that did not get through', () => {
  const retriable: [string, Fate][] = [
    ['its connection was lost before the broker read it', 'lost before'],
    ['its answer was lost', 'append, answer lost'],
    ['the broker could not be reached', 'unreachable'],
    ['the leader had moved', { errorCode: Errors.NOT_LEADER_OR_FOLLOWER }],
    ['the topic was not known yet', { errorCode: Errors.UNKNOWN_TOPIC_OR_PARTITION }],
    ['replicas were missing', { errorCode: Errors.NOT_ENOUGH_REPLICAS }],
    [
      'replicas were missing afterwards',
      { errorCode: Errors.NOT_ENOUGH_REPLICAS_AFTER_APPEND, appended: true },
    ],
    ['the broker ran out of time', { errorCode: Errors.REQUEST_TIMED_OUT, appended: true }],
  ];

  test.each(retriable)(
    'because %s is sent again, the same, and is in the log once',
    async (_, fate) => {
      const producer = open();
      await producer.send('t', 0, record('before'));
      fates.push(fate, fate);
      const sent = producer.send('t', 0, record('it'));
      const next = producer.send('t', 0, record('next'));
      await whileTimePasses(clock, Promise.all([sent, next]));
      await whileTimePasses(clock, producer.send('t', 0, record('after')));
      expect(valuesOf(0)).toEqual(['before', 'it', 'next', 'after']);
      const tries = arrivals.filter(({ baseSequence }) => baseSequence === 1);
      expect(new Set(tries.map((one) => JSON.stringify(one))).size).toBe(1);
      expect(cluster.sentApis().filter((api) => api === 'InitProducerId')).toHaveLength(1);
      expect(cluster.refreshed.length).toBeGreaterThan(0);
    },
  );

  test('goes to the new leader', async () => {
    const producer = open();
    fates.push({ errorCode: Errors.NOT_LEADER_OR_FOLLOWER });
    cluster.onRefresh = () => cluster.lead('t', 0, 9);
    await whileTimePasses(clock, producer.send('t', 0, record('a')));
    const nodes = cluster.sent.filter(({ api }) => api === 'Produce').map(({ nodeId }) => nodeId);
    expect(nodes).toEqual([0, 9]);
  });

  test('does not hold up other partitions, nor send them twice', async () => {
    const producer = open();
    cluster.on(produceApi, ({ topicData }) => {
      const isFirst = arrivals.length === 0;
      return {
        responses: topicData.map(({ name, partitionData }) => ({
          name,
          partitionResponses: partitionData.map(({ index, records }) => ({
            index,
            ...meet(
              isFirst && index === 0 ? { errorCode: Errors.NOT_LEADER_OR_FOLLOWER } : 'append',
              index,
              Buffer.from(records ?? []),
            ),
          })),
        })),
      };
    });
    const slow = producer.send('t', 0, record('slow'));
    await producer.send('t', 2, record('fast'));
    expect(valuesOf(2)).toEqual(['fast']);
    await whileTimePasses(clock, slow);
    expect(valuesOf(0)).toEqual(['slow']);
    expect(valuesOf(2)).toEqual(['fast']);
  });

  test('waits for a leader when there is none', async () => {
    const producer = open();
    cluster.leaders.delete('t-0');
    const sent = producer.send('t', 0, record('a'));
    await turn();
    expect(arrivals).toEqual([]);
    cluster.lead('t', 0, 1);
    await whileTimePasses(clock, sent);
    expect(valuesOf(0)).toEqual(['a']);
  });

  test('is acknowledged without an offset when the broker calls it a duplicate', async () => {
    const producer = open();
    fates.push({ errorCode: Errors.DUPLICATE_SEQUENCE_NUMBER });
    expect(await producer.send('t', 0, record('a'))).toEqual({ partition: 0, offset: -1 });
    fates.push({ errorCode: Errors.DUPLICATE_SEQUENCE_NUMBER });
    expect(await producer.sendBatches([encodedBatch('t', 1, ['b'])])).toEqual(new Map());
  });
});

describe('a batch whose time is over', () => {
  test('is ambiguous when an attempt may have been appended; then a new producer id takes over', async () => {
    const producer = open({ deliveryTimeoutMs: 1_000 });
    await producer.send('t', 0, record('before'));
    fates = Array<Fate>(100).fill('append, answer lost');
    const sent = outcome(producer.send('t', 0, record('it')));
    expect(await whileTimePasses(clock, sent)).toBe('KAFKA_AMBIGUOUS');
    fates = [];
    await whileTimePasses(clock, producer.send('t', 0, record('after')));
    expect(valuesOf(0)).toEqual(['before', 'it', 'after']);
    expect(arrivals.at(-1)).toMatchObject({ producerId: 101, baseSequence: 0 });
  });

  test('is ambiguous while its request is still out', async () => {
    const producer = open({ deliveryTimeoutMs: 1_000 });
    cluster.on(produceApi, () => new Promise<never>(() => {}));
    const sent = outcome(producer.send('t', 0, record('it')));
    expect(await whileTimePasses(clock, sent)).toBe('KAFKA_AMBIGUOUS');
  });

  test('is surely not in the log when every attempt was refused, and its sequence is used again', async () => {
    const producer = open({ deliveryTimeoutMs: 1_000 });
    await producer.send('t', 0, record('before'));
    fates = Array<Fate>(100).fill({ errorCode: Errors.NOT_ENOUGH_REPLICAS });
    const sent = producer.send('t', 0, record('it'));
    await expect(whileTimePasses(clock, sent)).rejects.toMatchObject({ code: 'KAFKA_RETRIABLE' });
    await expect(sent).rejects.toThrow(/within 1000 ms.*NOT_ENOUGH_REPLICAS/);
    fates = [];
    await whileTimePasses(clock, producer.send('t', 0, record('after')));
    expect(valuesOf(0)).toEqual(['before', 'after']);
    expect(arrivals.at(-1)).toMatchObject({ producerId: 100, baseSequence: 1 });
  });

  test('was never sent when no leader came', async () => {
    const producer = open({ deliveryTimeoutMs: 500 });
    cluster.leaders.delete('t-0');
    const sent = outcome(producer.send('t', 0, record('it')));
    expect(await whileTimePasses(clock, sent)).toBe('KAFKA_RETRIABLE');
    cluster.lead('t', 0, 1);
    await whileTimePasses(clock, producer.send('t', 0, record('after')));
    expect(valuesOf(0)).toEqual(['after']);
  });
});

describe('a refused batch', () => {
  test.each([
    ['MESSAGE_TOO_LARGE', Errors.MESSAGE_TOO_LARGE],
    ['TOPIC_AUTHORIZATION_FAILED', Errors.TOPIC_AUTHORIZATION_FAILED],
    ['INVALID_RECORD', Errors.INVALID_RECORD],
  ])('with %s fails for good and leaves no gap in the sequence', async (_, errorCode) => {
    const producer = open();
    await producer.send('t', 0, record('before'));
    fates.push({ errorCode });
    expect(await outcome(producer.send('t', 0, record('it')))).toBe('KAFKA_FATAL');
    await producer.send('t', 0, record('after'));
    expect(valuesOf(0)).toEqual(['before', 'after']);
  });
});

describe('a broker that lost track of the sequence', () => {
  test('gets the batch under a new producer id; other partitions finish under the old one', async () => {
    const producer = open();
    await Promise.all([0, 2].map((partition) => producer.send('t', partition, record('before'))));
    fates.push({ errorCode: Errors.OUT_OF_ORDER_SEQUENCE_NUMBER });
    await whileTimePasses(clock, producer.send('t', 0, record('it')));
    await whileTimePasses(clock, producer.send('t', 2, record('more')));
    expect(valuesOf(0)).toEqual(['before', 'it']);
    expect(valuesOf(2)).toEqual(['before', 'more']);
    expect(arrivals.slice(-2)).toMatchObject([
      { partition: 0, producerId: 101, baseSequence: 0 },
      { partition: 2, producerId: 101, baseSequence: 0 },
    ]);
  });

  test('makes a batch ambiguous that an earlier attempt may have appended: it is not sent twice', async () => {
    const producer = open();
    await producer.send('t', 0, record('before'));
    fates.push('append, answer lost', { errorCode: Errors.OUT_OF_ORDER_SEQUENCE_NUMBER });
    const sent = outcome(producer.send('t', 0, record('it')));
    expect(await whileTimePasses(clock, sent)).toBe('KAFKA_AMBIGUOUS');
    await whileTimePasses(clock, producer.send('t', 0, record('after')));
    expect(valuesOf(0)).toEqual(['before', 'it', 'after']);
  });
});

describe('the producer id', () => {
  test('is asked for until there is one', async () => {
    let errorCode: number = Errors.COORDINATOR_LOAD_IN_PROGRESS;
    cluster.on(initProducerIdApi, () => ({ errorCode, producerId: 5, producerEpoch: 0 }));
    const producer = open();
    const sent = producer.send('t', 0, record('a'));
    await turn();
    errorCode = 0;
    await whileTimePasses(clock, sent);
    expect(arrivals[0]).toMatchObject({ producerId: 5, baseSequence: 0 });
  });

  test('that is forbidden fails what waits for it, at once', async () => {
    const errorCode = Errors.CLUSTER_AUTHORIZATION_FAILED;
    cluster.on(initProducerIdApi, () => ({ errorCode, producerId: -1, producerEpoch: -1 }));
    expect(await outcome(open().send('t', 0, record('a')))).toBe('KAFKA_FATAL');
  });
});

const fate: fc.Arbitrary<Fate> = fc.constantFrom<Fate>(
  'append',
  'append',
  'append, answer lost',
  'lost before',
  'unreachable',
  { errorCode: Errors.NOT_LEADER_OR_FOLLOWER },
  { errorCode: Errors.REQUEST_TIMED_OUT, appended: true },
  { errorCode: Errors.NOT_ENOUGH_REPLICAS },
  { errorCode: Errors.MESSAGE_TOO_LARGE },
);

test('whatever happens to requests, what is acknowledged is in the log once and in order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fate, { maxLength: 60 }),
      fc.array(fc.record({ partition: fc.nat(3), pauseMs: fc.nat(300) }), {
        minLength: 1,
        maxLength: 40,
      }),
      async (planned, sends) => {
        fates = [...planned];
        for (const partition of logs.keys()) logs.set(partition, new IdempotentLog());
        const producer = open({ deliveryTimeoutMs: 400, batchBytesMax: 200 });
        const outcomes: { partition: number; value: string; result: Promise<string> }[] = [];
        for (const [index, { partition, pauseMs }] of sends.entries()) {
          const value = `value-${index}`;
          const result = outcome(producer.send('t', partition, record(value)));
          outcomes.push({ partition, value, result });
          if (pauseMs > 200) await whileTimePasses(clock, clock.sleep(pauseMs - 200));
        }
        await whileTimePasses(clock, producer.close());
        for (const { partition, value, result } of outcomes) {
          const copies = valuesOf(partition)?.filter((one) => one === value).length;
          const code = await result;
          if (code === 'ok') expect(copies, value).toBe(1);
          else if (code === 'KAFKA_AMBIGUOUS') expect(copies, value).toBeLessThanOrEqual(1);
          else expect(copies, `${value} ${code}`).toBe(0);
        }
        for (const { values } of logs.values()) {
          const order = values.map((value) => Number(value.slice('value-'.length)));
          expect(order).toEqual([...order].sort((a, b) => a - b));
        }
      },
    ),
    { numRuns: 150 },
  );
}, 120_000);
