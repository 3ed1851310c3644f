import { beforeEach, describe, expect, test } from 'vitest';
import { MillraceError } from '../../../base/errors.ts';
import { silentLog } from '../../../base/log.ts';
import { ManualClock } from '../../../base/manual-clock.ts';
import type { FetchedPartition, Fetcher, KafkaClient, Producer } from '../../../kafka/ports.ts';
import { BatchBuilder, stampOffsets } from '../../../kafka/records/batch-builder.ts';
import { readBatchHeader } from '../../../kafka/records/record-batch.ts';
import type { SchemaLog, SchemaLogRecord } from '../../../schemas/registry/schema-log.ts';
import { kafkaSchemaLog, SCHEMAS_TOPIC } from '../../../ticket-sales/app/kafka-schema-log.ts';
import { settle } from '../../kit/drive.ts';

type Pair = readonly [key: string, value: string | null];

/** One partition that a fetcher reads and a producer appends to; the test says what a poll answers. */
class FakeTopic {
  readonly seeks: number[] = [];
  readonly #polls: ((fetched: readonly FetchedPartition[] | Error) => void)[] = [];
  readonly #answers: (readonly FetchedPartition[] | Error)[] = [];
  endOffset = 0;
  isDuplicate = false;

  answer(fetched: Partial<FetchedPartition> | Error): void {
    const whole = fetched instanceof Error ? fetched : [{ ...nothing, ...fetched }];
    const poll = this.#polls.shift();
    if (poll === undefined) this.#answers.push(whole);
    else poll(whole);
  }

  readonly fetcher: Fetcher = {
    seek: (_topic, _partition, offset) => void this.seeks.push(offset),
    remove: () => {},
    pause: () => {},
    resume: () => {},
    poll: () =>
      new Promise((resolve, reject) => {
        const done = (fetched: readonly FetchedPartition[] | Error) =>
          fetched instanceof Error ? reject(fetched) : resolve(fetched);
        const ready = this.#answers.shift();
        if (ready === undefined) this.#polls.push(done);
        else done(ready);
      }),
    wakeup: () => this.answer({}),
    close: async () => {},
  };

  readonly producer: Producer = {
    send: async () => ({ partition: 0, offset: this.isDuplicate ? -1 : this.endOffset++ }),
    close: async () => {},
  } as Partial<Producer> as Producer;

  readonly kafka = {
    fetcher: () => this.fetcher,
    admin: {
      listOffsets: async () =>
        new Map([
          [`${SCHEMAS_TOPIC}-0`, { offset: this.endOffset, leaderEpoch: 0, timestampMs: 0 }],
        ]),
    },
  } as unknown as KafkaClient;
}

const nothing: FetchedPartition = {
  topic: SCHEMAS_TOPIC,
  partition: 0,
  batches: [],
  nextOffset: 0,
  lastLeaderEpoch: 0,
  highWatermark: 0,
  lastStableOffset: 0,
  logStartOffset: 0,
};

function fetched(baseOffset: number, ...pairs: readonly Pair[]): Partial<FetchedPartition> {
  const builder = new BatchBuilder({ sizeBytesMax: 100_000 });
  for (const [key, value] of pairs) {
    builder.append(0, Buffer.from(key), value === null ? null : Buffer.from(value));
  }
  const { bytes } = builder.finish(SCHEMAS_TOPIC, 0, 'none');
  stampOffsets(bytes, { baseOffset, leaderEpoch: 0 });
  const header = readBatchHeader(bytes, 0)!;
  return { batches: [{ buffer: bytes, header }], nextOffset: baseOffset + pairs.length };
}

let topic: FakeTopic;
let clock: ManualClock;
let log: SchemaLog;
let records: SchemaLogRecord[];

beforeEach(() => {
  topic = new FakeTopic();
  clock = new ManualClock();
  records = [];
  log = kafkaSchemaLog(topic.kafka, topic.producer, silentLog, clock);
});

const start = () => log.start((record) => records.push(record));

describe('the log of schemas on a topic', () => {
  test('starts when it has been read to the end that it had', async () => {
    topic.endOffset = 3;
    topic.answer(fetched(0, ['a', '1'], ['b', null]));
    const starting = start();
    await settle();
    let isStarted = false;
    void starting.then(() => {
      isStarted = true;
    });
    await settle();
    expect(isStarted).toBe(false);
    topic.answer(fetched(2, ['c', '3']));
    await starting;
    expect(records).toEqual([
      { offset: 0, key: 'a', value: '1' },
      { offset: 1, key: 'b', value: null },
      { offset: 2, key: 'c', value: '3' },
    ]);
    expect(topic.seeks).toEqual([0]);
    await log.close();
  });

  test('hands over only what lies behind its position, and waits for what is written', async () => {
    await start();
    topic.answer(fetched(0, ['a', '1']));
    const reading = log.readUpTo(2);
    topic.answer(fetched(0, ['a', '1'], ['b', '2'], ['c', '3']));
    await reading;
    expect(records.map(({ offset }) => offset)).toEqual([0, 1, 2]);
    await log.close();
  });

  test('tells the offset of what it appended, also when only a duplicate was acknowledged', async () => {
    await start();
    topic.endOffset = 7;
    expect(await log.append('a', '1')).toBe(7);
    topic.isDuplicate = true;
    expect(await log.append('a', '1')).toBe(7);
    await log.close();
  });

  test('reads the topic from its new start when it was made anew', async () => {
    await start();
    topic.answer(fetched(0, ['a', '1']));
    await settle();
    const error = new MillraceError('KAFKA_OFFSET_OUT_OF_RANGE', 'gone');
    topic.answer({ error, logStartOffset: 0 });
    await settle();
    clock.advance(1_000);
    topic.answer(fetched(0, ['z', '9']));
    await settle();
    expect(topic.seeks).toEqual([0, 0]);
    expect(records.map(({ key }) => key)).toEqual(['a', 'z']);
    await log.close();
  });

  test('goes on after any failure, from where it was, but not in a hurry', async () => {
    await start();
    topic.answer(fetched(0, ['a', '1']));
    await settle();
    topic.answer(new Error('cannot be read'));
    await settle();
    clock.advance(999);
    await settle();
    expect(topic.seeks).toEqual([0]);
    clock.advance(1);
    topic.answer(fetched(1, ['b', '2']));
    await settle();
    expect(topic.seeks).toEqual([0, 1]);
    expect(records.map(({ key }) => key)).toEqual(['a', 'b']);
    await log.close();
  });

  test('closing ends the reading, and tells whoever waits', async () => {
    await start();
    const reading = log.readUpTo(5);
    const refused = expect(reading).rejects.toMatchObject({ code: 'KAFKA_UNAVAILABLE' });
    await log.close();
    await refused;
  });

  test('closing does not wait for the pause after a failure', async () => {
    await start();
    topic.answer(new Error('cannot be read'));
    await settle();
    await log.close();
    expect(clock.monotonicMs()).toBe(0);
  });
});
