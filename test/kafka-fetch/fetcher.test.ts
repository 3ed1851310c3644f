import { describe, expect, test } from 'vitest';
import { silentLog } from '../../base/log.ts';
import { ManualClock } from '../../base/manual-clock.ts';
import { seededRandom } from '../../base/random.ts';
import { createFetcher } from '../../kafka/fetcher.ts';
import type { FetchedPartition, FetcherOptions } from '../../kafka/ports.ts';
import type { ReceivedRequestOf, WrittenResponseOf } from '../../kafka/protocol/define-api.ts';
import { Errors } from '../../kafka/protocol/error-codes.ts';
import { fetchApi } from '../../kafka/protocol/messages/fetch.ts';
import { recordsIn, storedBatch, storedMarker } from '../kit/batches.ts';
import { drive, pass, settle } from '../kit/drive.ts';
import { disconnected, ScriptedCluster, type Sent } from '../kit/scripted-cluster.ts';

type Request = ReceivedRequestOf<typeof fetchApi>;
type Response = WrittenResponseOf<typeof fetchApi>;
type Partition = Response['responses'][number]['partitions'][number];
type Asked = Request['topics'][number]['partitions'][number];

/** A broker that answers every partition by `answer`; nothing to say = the long poll stays open. */
class FakeFetchBroker {
  readonly clock: ManualClock;
  readonly cluster = new ScriptedCluster();
  readonly requests: { readonly sent: Sent; readonly request: Request }[] = [];
  answer: (topic: string, asked: Asked, nodeId: number) => Partial<Partition> | undefined;
  #release = Promise.withResolvers<void>();

  constructor(answer: FakeFetchBroker['answer'], clock = new ManualClock()) {
    this.answer = answer;
    this.clock = clock;
    for (const partition of [0, 1, 2]) this.cluster.lead('in', partition, 1);
    this.cluster.on(fetchApi, (request, sent) => this.#fetch(request, sent));
  }

  /** Ends the long polls that are open; they are answered again. */
  release(): void {
    this.#release.resolve();
    this.#release = Promise.withResolvers();
  }

  fetcher(change: Partial<FetcherOptions> = {}) {
    const options: FetcherOptions = {
      isolation: 'read_committed',
      bufferedBytesMax: 1_000_000,
      partitionBytesMax: 100_000,
      maxWaitMs: 500,
      channel: 'fetch',
      ...change,
    };
    const deps = { clock: this.clock, random: seededRandom(1), log: silentLog };
    return createFetcher(this.cluster, options, deps);
  }

  askedOffsets(): number[] {
    return this.requests.flatMap(({ request }) =>
      request.topics.flatMap(({ partitions }) => partitions.map(({ fetchOffset }) => fetchOffset)),
    );
  }

  async #fetch(request: Request, sent: Sent): Promise<Response> {
    this.requests.push({ sent, request });
    for (;;) {
      const answers = request.topics.map(({ topic, partitions }) => ({
        topic,
        partitions: partitions.map(
          (asked) => [asked, this.answer(topic, asked, sent.nodeId)] as const,
        ),
      }));
      const isAnything = answers.some(({ partitions }) =>
        partitions.some(([, said]) => said !== undefined),
      );
      if (isAnything) {
        return {
          throttleTimeMs: 0,
          responses: answers.map(({ topic, partitions }) => ({
            topic,
            partitions: partitions.map(([asked, said]) => ({
              partitionIndex: asked.partition,
              errorCode: 0,
              highWatermark: 100,
              lastStableOffset: 100,
              logStartOffset: 0,
              abortedTransactions: null,
              records: null,
              ...said,
            })),
          })),
        };
      }
      await this.#release.promise;
    }
  }
}

/** A log of one-record batches at offsets 0, 1, 2 … up to `end`. */
function logUpTo(end: number): FakeFetchBroker['answer'] {
  return (_topic, { fetchOffset }) =>
    fetchOffset < end
      ? { records: storedBatch({ baseOffset: fetchOffset, values: [`v${fetchOffset}`] }) }
      : undefined;
}

async function pollOnce(broker: FakeFetchBroker, fetcher: ReturnType<FakeFetchBroker['fetcher']>) {
  return drive(broker.clock, fetcher.poll(1_000));
}

function seen(fetched: readonly FetchedPartition[]): string[] {
  return fetched.flatMap(({ batches }) => recordsIn(batches));
}

describe('reading ahead', () => {
  test('what comes in is handed out in order, and the position moves with it', async () => {
    const broker = new FakeFetchBroker(logUpTo(3));
    const fetcher = broker.fetcher();
    fetcher.seek('in', 0, 0);
    const records: string[] = [];
    while (records.length < 3) records.push(...seen(await pollOnce(broker, fetcher)));
    expect(records).toEqual(['0:v0', '1:v1', '2:v2']);
    await settle();
    expect(broker.askedOffsets()).toEqual([0, 1, 2, 3]);
  });

  test('one request is out per broker, on the fetcher’s own channel, at version 12', async () => {
    const broker = new FakeFetchBroker(() => undefined);
    broker.cluster.lead('in', 2, 2);
    const fetcher = broker.fetcher();
    for (const partition of [0, 1, 2]) fetcher.seek('in', partition, 0);
    await settle();
    fetcher.seek('in', 0, 7);
    await settle();
    expect(broker.requests.map(({ sent }) => [sent.nodeId, sent.channel, sent.version])).toEqual([
      [1, 'fetch', 12],
      [2, 'fetch', 12],
    ]);
    expect(broker.requests[0]!.request.topics[0]!.partitions).toHaveLength(2);
    expect(broker.requests[0]!.request).toMatchObject({
      sessionId: 0,
      sessionEpoch: 0,
      isolationLevel: 1,
    });
  });

  test('a request says the leader’s epoch and the epoch of what was read before', async () => {
    const broker = new FakeFetchBroker((_topic, { fetchOffset }) =>
      fetchOffset === 5
        ? { records: storedBatch({ baseOffset: 5, values: ['a'], leaderEpoch: 4 }) }
        : undefined,
    );
    broker.cluster.lead('in', 0, 1, 6);
    const fetcher = broker.fetcher();
    fetcher.seek('in', 0, 5, 3);
    await settle();
    const epochs = broker.requests.map(({ request }) => {
      const { currentLeaderEpoch, lastFetchedEpoch } = request.topics[0]!.partitions[0]!;
      return [currentLeaderEpoch, lastFetchedEpoch];
    });
    expect(epochs).toEqual([
      [6, 3],
      [6, 4],
    ]);
  });

  test('an answer to the position before a seek is thrown away', async () => {
    const broker = new FakeFetchBroker(() => undefined);
    const fetcher = broker.fetcher();
    fetcher.seek('in', 0, 0);
    await settle();
    fetcher.seek('in', 0, 50);
    broker.answer = logUpTo(51);
    broker.release();
    expect(seen(await pollOnce(broker, fetcher))).toEqual(['50:v50']);
    expect(broker.askedOffsets().slice(0, 2)).toEqual([0, 50]);
  });

  test('what is buffered is thrown away by a seek, and by remove', async () => {
    const broker = new FakeFetchBroker(logUpTo(1));
    const fetcher = broker.fetcher();
    fetcher.seek('in', 0, 0);
    fetcher.seek('in', 1, 0);
    await settle();
    fetcher.seek('in', 0, 1);
    fetcher.remove('in', 1);
    expect(seen(await fetcher.poll(0))).toEqual([]);
  });

  test('control batches and aborted data move the position and are not handed out', async () => {
    const bytes = Buffer.concat([
      storedBatch({ baseOffset: 0, producerId: 9, values: ['aborted'] }),
      storedMarker(1, 9, 'abort'),
    ]);
    const broker = new FakeFetchBroker((_topic, { fetchOffset }) =>
      fetchOffset === 0
        ? { records: bytes, abortedTransactions: [{ producerId: 9, firstOffset: 0 }] }
        : undefined,
    );
    const fetcher = broker.fetcher();
    fetcher.seek('in', 0, 0);
    expect(await pollOnce(broker, fetcher)).toMatchObject([{ batches: [], nextOffset: 2 }]);
  });

  test('read_uncommitted sees what was aborted', async () => {
    const broker = new FakeFetchBroker((_topic, { fetchOffset }) =>
      fetchOffset === 0
        ? {
            records: storedBatch({ baseOffset: 0, producerId: 9, values: ['a'] }),
            abortedTransactions: [{ producerId: 9, firstOffset: 0 }],
          }
        : undefined,
    );
    const fetcher = broker.fetcher({ isolation: 'read_uncommitted' });
    fetcher.seek('in', 0, 0);
    expect(seen(await pollOnce(broker, fetcher))).toEqual(['0:a']);
  });

  test('an idle partition tells its bounds once, and again when they move', async () => {
    let highWatermark = 10;
    const broker = new FakeFetchBroker((_topic, { fetchOffset }) => ({
      highWatermark,
      records: fetchOffset < 0 ? null : Buffer.alloc(0),
    }));
    const fetcher = broker.fetcher();
    fetcher.seek('in', 0, 10);
    expect(await pollOnce(broker, fetcher)).toMatchObject([{ highWatermark: 10, nextOffset: 10 }]);
    await settle();
    expect(await fetcher.poll(0)).toEqual([]);
    highWatermark = 11;
    expect(await pollOnce(broker, fetcher)).toMatchObject([{ highWatermark: 11 }]);
    await fetcher.close();
  });
});

describe('bounds', () => {
  const value = 'x'.repeat(1_000);
  const endless: FakeFetchBroker['answer'] = (_topic, { fetchOffset }) => ({
    records: storedBatch({ baseOffset: fetchOffset, values: [value] }),
  });

  test('a partition whose caller does not poll is not fetched beyond its share', async () => {
    const broker = new FakeFetchBroker(endless);
    const fetcher = broker.fetcher({ partitionBytesMax: 3_000 });
    fetcher.seek('in', 0, 0);
    await settle();
    await settle();
    expect(broker.requests.length).toBe(3);
    await fetcher.poll(0);
    await settle();
    expect(broker.requests.length).toBe(6);
  });

  test('nothing is fetched while bufferedBytesMax is held', async () => {
    const broker = new FakeFetchBroker(endless);
    const fetcher = broker.fetcher({ bufferedBytesMax: 5_000, partitionBytesMax: 4_000 });
    for (const partition of [0, 1, 2]) fetcher.seek('in', partition, 0);
    await settle();
    await settle();
    const requested = broker.requests.length;
    await settle();
    expect(broker.requests.length).toBe(requested);
    const held = (await fetcher.poll(0)).reduce((sum, { batches }) => sum + batches.length, 0);
    expect(held).toBeLessThanOrEqual(6);
  });

  test('a request asks for no more than there is room for', async () => {
    const broker = new FakeFetchBroker(endless);
    const fetcher = broker.fetcher({ bufferedBytesMax: 2_500, partitionBytesMax: 100_000 });
    fetcher.seek('in', 0, 0);
    await settle();
    const [first, second] = broker.requests.map(({ request }) => request.maxBytes);
    expect(first).toBe(2_500);
    expect(second).toBeLessThan(1_500);
  });

  test('who got data is asked for last the next time', async () => {
    const broker = new FakeFetchBroker((topic, asked) =>
      asked.partition === 0 ? endless(topic, asked, 1) : {},
    );
    const fetcher = broker.fetcher();
    for (const partition of [0, 1, 2]) fetcher.seek('in', partition, 0);
    await settle();
    const orders = broker.requests.map(({ request }) =>
      request.topics[0]!.partitions.map(({ partition }) => partition),
    );
    expect(orders.slice(0, 2)).toEqual([
      [0, 1, 2],
      [1, 2, 0],
    ]);
    await fetcher.close();
  });

  test('a paused partition keeps what it has, hands out nothing and is not fetched', async () => {
    const broker = new FakeFetchBroker(logUpTo(2));
    const fetcher = broker.fetcher();
    fetcher.seek('in', 0, 0);
    fetcher.pause('in', 0);
    await settle();
    expect(broker.requests).toEqual([]);
    fetcher.resume('in', 0);
    await settle();
    fetcher.pause('in', 0);
    expect(await fetcher.poll(0)).toEqual([]);
    const waiting = fetcher.poll(60_000);
    fetcher.resume('in', 0);
    expect(seen(await waiting)).toEqual(['0:v0', '1:v1']);
  });

  test('a seek does not end a pause', async () => {
    const broker = new FakeFetchBroker(logUpTo(9));
    const fetcher = broker.fetcher();
    fetcher.seek('in', 0, 0);
    fetcher.pause('in', 0);
    fetcher.seek('in', 0, 5);
    await settle();
    expect(broker.requests).toEqual([]);
  });
});

describe('poll', () => {
  test('it waits for data, but not longer than told', async () => {
    const broker = new FakeFetchBroker(() => undefined);
    const fetcher = broker.fetcher();
    fetcher.seek('in', 0, 0);
    const waiting = fetcher.poll(300);
    await pass(broker.clock, 299);
    await expect(Promise.race([waiting, Promise.resolve('waits')])).resolves.toBe('waits');
    await pass(broker.clock, 1);
    expect(await waiting).toEqual([]);
  });

  test('wakeup ends a waiting poll, or the next one when none is waiting', async () => {
    const broker = new FakeFetchBroker(() => undefined);
    const fetcher = broker.fetcher();
    const waiting = fetcher.poll(60_000);
    fetcher.wakeup();
    expect(await waiting).toEqual([]);
    fetcher.wakeup();
    expect(await fetcher.poll(60_000)).toEqual([]);
  });

  test('close ends a waiting poll and closes the channel', async () => {
    const broker = new FakeFetchBroker(() => undefined);
    const fetcher = broker.fetcher();
    fetcher.seek('in', 0, 0);
    const waiting = fetcher.poll(60_000);
    await fetcher.close();
    expect(await waiting).toEqual([]);
    expect(broker.cluster.closedChannels).toEqual(['fetch']);
  });
});

describe('what goes wrong', () => {
  test.each([
    'NOT_LEADER_OR_FOLLOWER',
    'FENCED_LEADER_EPOCH',
    'UNKNOWN_LEADER_EPOCH',
    'UNKNOWN_TOPIC_OR_PARTITION',
    'LEADER_NOT_AVAILABLE',
    'KAFKA_STORAGE_ERROR',
    'TOPIC_AUTHORIZATION_FAILED',
  ] as const)(
    '%s: new metadata, then the leader of now is asked; the caller sees nothing',
    async (name) => {
      const broker = new FakeFetchBroker((topic, asked, nodeId) =>
        nodeId === 1 ? { errorCode: Errors[name] } : logUpTo(1)(topic, asked, nodeId),
      );
      broker.cluster.onRefresh = () => broker.cluster.lead('in', 0, 2);
      const fetcher = broker.fetcher();
      fetcher.seek('in', 0, 0);
      const fetched = await pollOnce(broker, fetcher);
      expect(seen(fetched)).toEqual(['0:v0']);
      expect(fetched.every(({ error }) => error === undefined)).toBe(true);
      expect(broker.cluster.refreshed).toEqual([['in']]);
    },
  );

  test('a lost connection: the same', async () => {
    const broker = new FakeFetchBroker((topic, asked, nodeId) => {
      if (nodeId === 1) throw disconnected();
      return logUpTo(1)(topic, asked, nodeId);
    });
    broker.cluster.onRefresh = () => broker.cluster.lead('in', 0, 2);
    const fetcher = broker.fetcher();
    fetcher.seek('in', 0, 0);
    expect(seen(await pollOnce(broker, fetcher))).toEqual(['0:v0']);
  });

  test('a leader that stays away is looked for again and again, more and more patiently', async () => {
    const broker = new FakeFetchBroker(logUpTo(1));
    broker.cluster.leaders.clear();
    const fetcher = broker.fetcher();
    fetcher.seek('in', 0, 0);
    await pass(broker.clock, 10_000);
    const tries = broker.cluster.refreshed.length;
    expect(tries).toBeGreaterThan(10);
    expect(tries).toBeLessThan(40);
    broker.cluster.lead('in', 0, 1);
    expect(seen(await pollOnce(broker, fetcher))).toEqual(['0:v0']);
  });

  test('timers that fire a little early, as real ones do, strand nobody', async () => {
    class HastyClock extends ManualClock {
      override after(delayMs: number, callback: () => void): () => void {
        return super.after(delayMs - 0.5, callback);
      }
    }
    const broker = new FakeFetchBroker(logUpTo(1), new HastyClock());
    broker.cluster.leaders.clear();
    const fetcher = broker.fetcher();
    fetcher.seek('in', 0, 0);
    await pass(broker.clock, 1_000);
    broker.cluster.lead('in', 0, 1);
    expect(seen(await pollOnce(broker, fetcher))).toEqual(['0:v0']);
  });

  test('one partition’s trouble does not hold up the others of its broker', async () => {
    const broker = new FakeFetchBroker((topic, asked, nodeId) =>
      asked.partition === 1
        ? { errorCode: Errors.NOT_LEADER_OR_FOLLOWER }
        : logUpTo(1)(topic, asked, nodeId),
    );
    const fetcher = broker.fetcher();
    fetcher.seek('in', 0, 0);
    fetcher.seek('in', 1, 0);
    expect(seen(await pollOnce(broker, fetcher))).toEqual(['0:v0']);
  });

  test('damaged bytes are fetched again, never skipped', async () => {
    let isDamaged = true;
    const broker = new FakeFetchBroker((_topic, { fetchOffset }) => {
      if (fetchOffset > 0) return undefined;
      const records = storedBatch({ baseOffset: 0, values: ['a'] });
      if (isDamaged) records[records.length - 2]! ^= 1;
      isDamaged = false;
      return { records };
    });
    const fetcher = broker.fetcher();
    fetcher.seek('in', 0, 0);
    expect(seen(await pollOnce(broker, fetcher))).toEqual(['0:a']);
    expect(broker.askedOffsets().slice(0, 2)).toEqual([0, 0]);
  });

  test('an offset that the log does not have is reported once per seek', async () => {
    const broker = new FakeFetchBroker((topic, asked, nodeId) =>
      asked.fetchOffset < 20
        ? { errorCode: Errors.OFFSET_OUT_OF_RANGE, logStartOffset: 20 }
        : logUpTo(21)(topic, asked, nodeId),
    );
    const fetcher = broker.fetcher();
    for (const offset of [5, 6]) {
      fetcher.seek('in', 0, offset);
      expect(await pollOnce(broker, fetcher)).toMatchObject([
        { batches: [], nextOffset: offset, error: { code: 'KAFKA_OFFSET_OUT_OF_RANGE' } },
      ]);
      await pass(broker.clock, 5_000);
      expect(await fetcher.poll(0)).toEqual([]);
    }
    expect(broker.askedOffsets()).toEqual([5, 6]);
    fetcher.seek('in', 0, 20);
    expect(seen(await pollOnce(broker, fetcher))).toEqual(['20:v20']);
  });

  test('a log that was cut before the position is reported with the offset where it diverges', async () => {
    const broker = new FakeFetchBroker(() => ({ divergingEpoch: { epoch: 3, endOffset: 17 } }));
    const fetcher = broker.fetcher();
    fetcher.seek('in', 0, 30, 4);
    expect(await pollOnce(broker, fetcher)).toMatchObject([
      {
        nextOffset: 30,
        error: { code: 'KAFKA_OFFSET_OUT_OF_RANGE', facts: { divergingOffset: 17 } },
      },
    ]);
  });

  test('a broker that sends less than a batch is not asked in a spin', async () => {
    const cut = storedBatch({ baseOffset: 0, values: ['a'] }).subarray(0, 70);
    const broker = new FakeFetchBroker(() => ({ records: cut }));
    const fetcher = broker.fetcher();
    fetcher.seek('in', 0, 0);
    await pass(broker.clock, 10_000);
    expect(broker.requests.length).toBeLessThan(40);
  });
});
