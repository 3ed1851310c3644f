import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../base/random.ts';
import { MemoryDisk } from '../../../embedded-kafka/disk/memory-disk.ts';
import type { RequestContext } from '../../../embedded-kafka/handler.ts';
import { dataPlaneHandlers } from '../../../embedded-kafka/handlers/data-plane.ts';
import type { TransactionVerifier } from '../../../embedded-kafka/ports.ts';
import { ZERO_UUID } from '../../../kafka/protocol/api.ts';
import {
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
} from '../../../kafka/protocol/codec.ts';
import type { MessageApi, RequestOf, ResponseOf } from '../../../kafka/protocol/define-api.ts';
import { Errors } from '../../../kafka/protocol/error-codes.ts';
import { deleteRecordsApi } from '../../../kafka/protocol/messages/delete-records.ts';
import { describeProducersApi } from '../../../kafka/protocol/messages/describe-producers.ts';
import { fetchApi } from '../../../kafka/protocol/messages/fetch.ts';
import { listOffsetsApi } from '../../../kafka/protocol/messages/list-offsets.ts';
import { offsetForLeaderEpochApi } from '../../../kafka/protocol/messages/offset-for-leader-epoch.ts';
import { produceApi } from '../../../kafka/protocol/messages/produce.ts';
import type { AnySchema } from '../../../kafka/protocol/schema.ts';
import { batchOf, openStorage, recordsIn, START_MS, values } from '../storage-fixture.ts';

type Verified = Parameters<TransactionVerifier['verify']>[0];

async function openBroker(disk = new MemoryDisk()) {
  const storage = await openStorage(disk);
  const { topics, clock } = storage;
  topics.createTopic({ name: 't', partitions: 2, configs: new Map() });
  topics.createTopic({ name: 'hidden', partitions: 1, configs: new Map(), isInternal: true });
  const verified: Verified[] = [];
  let verdict: number = Errors.NONE;
  const verifier: TransactionVerifier = {
    verify: async (request) => {
      verified.push(request);
      return verdict;
    },
  };
  const handlers = dataPlaneHandlers(topics, verifier, clock, seededRandom(1));

  /** Through the bytes of that version, as a client's request comes and goes. */
  async function send<Request extends AnySchema, Response extends AnySchema>(
    api: MessageApi<Request, Response>,
    version: number,
    request: RequestOf<MessageApi<Request, Response>>,
    context: Partial<RequestContext> = {},
  ): Promise<ResponseOf<MessageApi<Request, Response>> | undefined> {
    const handler = handlers.find((candidate) => candidate.api.key === api.key)!;
    const received = decodeRequest(api, version, encodeRequest(api, version, request));
    const response = await handler.handle(received, {
      version,
      connection: {
        connectionId: 1,
        clientSoftwareName: 'test',
        clientHost: 'client',
        localHost: 'broker',
        localPort: 1,
      },
      clientId: 'test',
      closed: new AbortController().signal,
      ...context,
    });
    if (response === undefined) return undefined;
    return decodeResponse(api, version, encodeResponse(api, version, response as never));
  }
  const refuseTransactions = (error: number) => {
    verdict = error;
  };
  return { ...storage, topicId: topics.topic('t')!.topicId, verified, refuseTransactions, send };
}

type TestBroker = Awaited<ReturnType<typeof openBroker>>;

function produceRequest(
  broker: TestBroker,
  version: number,
  byPartition: readonly Buffer[],
  more: {
    readonly acks?: number;
    readonly transactionalId?: string | null;
    readonly topic?: string;
  } = {},
) {
  const name = more.topic ?? 't';
  const topicId = broker.topics.topic(name)?.topicId ?? ZERO_UUID;
  return {
    transactionalId: more.transactionalId ?? null,
    acks: more.acks ?? -1,
    timeoutMs: 1000,
    topicData: [
      {
        ...(version >= 13 ? { topicId } : { name }),
        partitionData: byPartition.map((records, index) => ({ index, records })),
      },
    ],
  };
}

function fetchRequest(
  broker: TestBroker,
  version: number,
  offsets: readonly number[],
  more: {
    readonly maxWaitMs?: number;
    readonly minBytes?: number;
    readonly maxBytes?: number;
    readonly partitionMaxBytes?: number;
    readonly isolationLevel?: number;
  } = {},
) {
  return {
    maxWaitMs: more.maxWaitMs ?? 0,
    minBytes: more.minBytes ?? 1,
    maxBytes: more.maxBytes ?? 1_000_000,
    isolationLevel: more.isolationLevel ?? 0,
    topics: [
      {
        ...(version >= 13 ? { topicId: broker.topicId } : { topic: 't' }),
        partitions: offsets.map((fetchOffset, partition) => ({
          partition,
          fetchOffset,
          partitionMaxBytes: more.partitionMaxBytes ?? 1_000_000,
        })),
      },
    ],
    forgottenTopicsData: [],
  };
}

describe('Produce and Fetch', () => {
  test('carry records in every version that both sides speak', async () => {
    for (let version = produceApi.minVersion; version <= produceApi.maxVersion; version++) {
      const broker = await openBroker();
      const sent = produceRequest(broker, version, [batchOf(['a', 'b']), batchOf(['c'])]);
      const answer = await broker.send(produceApi, version, sent);
      const partitions = answer!.responses[0]!.partitionResponses;
      expect(
        partitions.map(({ index, errorCode, baseOffset }) => [index, errorCode, baseOffset]),
      ).toEqual([
        [0, 0, 0],
        [1, 0, 0],
      ]);
    }
    for (let version = fetchApi.minVersion; version <= fetchApi.maxVersion; version++) {
      const broker = await openBroker();
      await broker.send(
        produceApi,
        9,
        produceRequest(broker, 9, [batchOf(['a', 'b']), batchOf(['c'])]),
      );
      const answer = await broker.send(fetchApi, version, fetchRequest(broker, version, [1, 0]));
      const partitions = answer!.responses[0]!.partitions;
      expect(partitions.map(({ errorCode, highWatermark }) => [errorCode, highWatermark])).toEqual([
        [0, 2],
        [0, 1],
      ]);
      expect(partitions.map(({ records }) => values(recordsIn(records!)))).toEqual([
        ['a', 'b'],
        ['c'],
      ]);
    }
  });

  test('name what is not there as Kafka does', async () => {
    const broker = await openBroker();
    const codeOf = async (version: number, request: ReturnType<typeof produceRequest>) =>
      (await broker.send(produceApi, version, request))!.responses[0]!.partitionResponses.map(
        ({ errorCode }) => errorCode,
      );
    expect(await codeOf(9, produceRequest(broker, 9, [batchOf(['a'])], { topic: 'none' }))).toEqual(
      [Errors.UNKNOWN_TOPIC_OR_PARTITION],
    );
    expect(
      await codeOf(13, produceRequest(broker, 13, [batchOf(['a'])], { topic: 'none' })),
    ).toEqual([Errors.UNKNOWN_TOPIC_ID]);
    expect(
      await codeOf(9, produceRequest(broker, 9, [batchOf(['a'])], { topic: 'hidden' })),
    ).toEqual([Errors.INVALID_TOPIC_EXCEPTION]);
    expect(await codeOf(9, produceRequest(broker, 9, [batchOf(['a'])], { acks: 2 }))).toEqual([
      Errors.INVALID_REQUIRED_ACKS,
    ]);
    const three = [batchOf(['a']), batchOf(['b']), batchOf(['c'])];
    expect(await codeOf(9, produceRequest(broker, 9, three))).toEqual([
      0,
      0,
      Errors.UNKNOWN_TOPIC_OR_PARTITION,
    ]);
    const fetched = await broker.send(fetchApi, 13, {
      ...fetchRequest(broker, 13, [0]),
      topics: [
        {
          topicId: 'f'.repeat(32),
          partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1 }],
        },
      ],
    });
    expect(fetched!.responses[0]!.partitions[0]!.errorCode).toBe(Errors.UNKNOWN_TOPIC_ID);
  });

  test('with acks=0 answer nothing and still append', async () => {
    const broker = await openBroker();
    const request = produceRequest(broker, 9, [batchOf(['a'])], { acks: 0 });
    expect(await broker.send(produceApi, 9, request)).toBeUndefined();
    await expect.poll(() => broker.topics.partition('t', 0)!.highWatermark).toBe(1);
  });

  test('with acks=0 that cannot be appended close the connection', async () => {
    const broker = await openBroker();
    const request = produceRequest(broker, 9, [batchOf(['a'])], { acks: 0, topic: 'none' });
    await expect(broker.send(produceApi, 9, request)).rejects.toThrow(/UNKNOWN_TOPIC/);
  });

  test('of a transaction ask its coordinator first, and add partitions by themselves from version 12 on', async () => {
    for (const version of [11, 12]) {
      const broker = await openBroker();
      const identity = { producerId: 4, producerEpoch: 1, transactional: true };
      const batches = [batchOf(['a'], identity), batchOf(['b'], identity)];
      await broker.send(
        produceApi,
        version,
        produceRequest(broker, version, batches, { transactionalId: 'x' }),
      );
      expect(broker.verified).toEqual([
        {
          transactionalId: 'x',
          producerId: 4,
          producerEpoch: 1,
          partitions: [
            { topic: 't', partition: 0 },
            { topic: 't', partition: 1 },
          ],
          addIfMissing: version === 12,
        },
      ]);
    }
  });

  test('that the coordinator does not vouch for reach no log', async () => {
    const broker = await openBroker();
    broker.refuseTransactions(Errors.INVALID_TXN_STATE);
    const identity = { producerId: 4, transactional: true };
    const mixed = [batchOf(['a'], identity), batchOf(['plain'])];
    const answer = await broker.send(
      produceApi,
      12,
      produceRequest(broker, 12, mixed, { transactionalId: 'x' }),
    );
    expect(answer!.responses[0]!.partitionResponses.map(({ errorCode }) => errorCode)).toEqual([
      Errors.INVALID_TXN_STATE,
      0,
    ]);
    expect(broker.topics.partition('t', 0)!.highWatermark).toBe(0);
    const nameless = await broker.send(
      produceApi,
      12,
      produceRequest(broker, 12, [batchOf(['a'], identity)]),
    );
    expect(nameless!.responses[0]!.partitionResponses[0]!.errorCode).toBe(
      Errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    );
  });

  test('speak of an abortable transaction only to clients that know the word', async () => {
    const broker = await openBroker();
    broker.refuseTransactions(Errors.TRANSACTION_ABORTABLE);
    const batches = [batchOf(['a'], { producerId: 4, transactional: true })];
    const codes: number[] = [];
    for (const version of [10, 11]) {
      const request = produceRequest(broker, version, batches, { transactionalId: 'x' });
      const answer = await broker.send(produceApi, version, request);
      codes.push(answer!.responses[0]!.partitionResponses[0]!.errorCode);
    }
    expect(codes).toEqual([Errors.INVALID_TXN_STATE, Errors.TRANSACTION_ABORTABLE]);
  });

  test('tell which records were refused', async () => {
    const broker = await openBroker();
    const records = batchOf([
      { value: 'ok' },
      { value: 'late', timestampMs: START_MS + 9_000_000 },
    ]);
    const answer = await broker.send(produceApi, 9, produceRequest(broker, 9, [records]));
    expect(answer!.responses[0]!.partitionResponses[0]).toMatchObject({
      errorCode: Errors.INVALID_TIMESTAMP,
      recordErrors: [{ batchIndex: 1 }],
    });
  });
});

describe('a long poll', () => {
  test('ends as soon as there are enough bytes', async () => {
    const broker = await openBroker();
    let isAnswered = false;
    const polling = broker
      .send(fetchApi, 12, fetchRequest(broker, 12, [0, 0], { maxWaitMs: 10_000, minBytes: 100 }))
      .finally(() => {
        isAnswered = true;
      });
    await broker.send(produceApi, 9, produceRequest(broker, 9, [batchOf(['a'])]));
    await new Promise((resolve) => setImmediate(resolve));
    expect(isAnswered).toBe(false);
    await broker.send(produceApi, 9, produceRequest(broker, 9, [batchOf(['b'])]));
    const answer = await polling;
    expect(values(recordsIn(answer!.responses[0]!.partitions[0]!.records!))).toEqual(['a', 'b']);
  });

  test('ends with nothing when its time is up', async () => {
    const broker = await openBroker();
    const polling = broker.send(fetchApi, 12, fetchRequest(broker, 12, [0], { maxWaitMs: 500 }));
    broker.clock.advance(499);
    broker.clock.advance(1);
    expect((await polling)!.responses[0]!.partitions[0]).toMatchObject({ errorCode: 0 });
  });

  test('ends when the client is gone, leaving no timer behind', async () => {
    const broker = await openBroker();
    const gone = new AbortController();
    const request = fetchRequest(broker, 12, [0], { maxWaitMs: 500 });
    const polling = broker.send(fetchApi, 12, request, { closed: gone.signal });
    gone.abort();
    await polling;
    expect(broker.clock.nextTimerInMs()).toBeUndefined();
  });

  test('ends at once when something is wrong, or the topic is deleted meanwhile', async () => {
    const broker = await openBroker();
    const wrong = await broker.send(
      fetchApi,
      12,
      fetchRequest(broker, 12, [5], { maxWaitMs: 10_000 }),
    );
    expect(wrong!.responses[0]!.partitions[0]!.errorCode).toBe(Errors.OFFSET_OUT_OF_RANGE);
    const polling = broker.send(fetchApi, 12, fetchRequest(broker, 12, [0], { maxWaitMs: 10_000 }));
    broker.topics.deleteTopic('t');
    expect((await polling)!.responses[0]!.partitions[0]!.errorCode).toBe(
      Errors.UNKNOWN_TOPIC_OR_PARTITION,
    );
  });

  test('of a read_committed reader wakes when the transaction ends', async () => {
    const broker = await openBroker();
    const identity = { producerId: 4, transactional: true };
    await broker.send(
      produceApi,
      12,
      produceRequest(broker, 12, [batchOf(['a'], identity)], { transactionalId: 'x' }),
    );
    const polling = broker.send(
      fetchApi,
      12,
      fetchRequest(broker, 12, [0], { maxWaitMs: 10_000, isolationLevel: 1 }),
    );
    await broker.topics
      .partition('t', 0)!
      .appendMarker({ producerId: 4, producerEpoch: 1, coordinatorEpoch: 0, committed: false });
    const answer = (await polling)!.responses[0]!.partitions[0]!;
    expect(answer).toMatchObject({
      lastStableOffset: 2,
      abortedTransactions: [{ producerId: 4, firstOffset: 0 }],
    });
  });
});

describe('the size of a Fetch answer', () => {
  test('is bounded for all partitions together, but the first batch always comes', async () => {
    const broker = await openBroker();
    const batch = batchOf(['x'.repeat(500)]);
    for (let count = 0; count < 3; count++)
      await broker.send(produceApi, 9, produceRequest(broker, 9, [batch, batch]));
    const sizes = async (maxBytes: number, partitionMaxBytes: number) => {
      const answer = await broker.send(
        fetchApi,
        12,
        fetchRequest(broker, 12, [0, 0], { maxBytes, partitionMaxBytes }),
      );
      return answer!.responses[0]!.partitions.map(({ records }) => records!.length / batch.length);
    };
    expect(await sizes(10, 10)).toEqual([1, 0]);
    expect(await sizes(1_000_000, batch.length * 2)).toEqual([2, 2]);
    expect(await sizes(batch.length * 4, 1_000_000)).toEqual([3, 1]);
  });
});

describe('a fetch session', () => {
  const START = { sessionId: 0, sessionEpoch: 0 };

  /** Partitions 0 and 1, and what was answered for each: the values' bytes, or an error. */
  async function ask(
    broker: TestBroker,
    session: { readonly sessionId: number; readonly sessionEpoch: number },
    named: readonly (readonly [partition: number, fetchOffset: number])[],
    forgotten: readonly number[] = [],
    version = 12,
  ) {
    const answer = (await broker.send(fetchApi, version, {
      ...fetchRequest(broker, version, []),
      ...session,
      topics: [
        {
          ...(version >= 13 ? { topicId: broker.topicId } : { topic: 't' }),
          partitions: named.map(([partition, fetchOffset]) => ({
            partition,
            fetchOffset,
            partitionMaxBytes: 1_000_000,
          })),
        },
      ],
      forgottenTopicsData: forgotten.length === 0 ? [] : [{ topic: 't', partitions: forgotten }],
    }))!;
    const told = answer.responses.flatMap(({ partitions }) =>
      partitions.map(({ partitionIndex, errorCode, records }) =>
        errorCode === 0 ? [partitionIndex, records!.length] : [partitionIndex, { errorCode }],
      ),
    );
    return { error: answer.errorCode, sessionId: answer.sessionId, told };
  }

  async function opened() {
    const broker = await openBroker();
    const { sessionId, told } = await ask(broker, START, [
      [0, 0],
      [1, 0],
    ]);
    expect(told).toEqual([
      [0, 0],
      [1, 0],
    ]);
    return { broker, sessionId };
  }

  test('answers what has news only, and again until the position moves', async () => {
    const { broker, sessionId } = await opened();
    expect((await ask(broker, { sessionId, sessionEpoch: 1 }, [])).told).toEqual([]);
    const batch = batchOf(['x']);
    await broker.send(produceApi, 9, produceRequest(broker, 9, [batch]));
    const data = [[0, batch.length]];
    expect((await ask(broker, { sessionId, sessionEpoch: 2 }, [])).told).toEqual(data);
    expect((await ask(broker, { sessionId, sessionEpoch: 3 }, [])).told).toEqual(data);
    expect((await ask(broker, { sessionId, sessionEpoch: 4 }, [[0, 1]])).told).toEqual([]);
  });

  test('takes partitions in and forgets them, and ends with the last one', async () => {
    const { broker, sessionId } = await opened();
    const batch = batchOf(['x']);
    await broker.send(produceApi, 9, produceRequest(broker, 9, [batch, batch]));
    const one = await ask(broker, { sessionId, sessionEpoch: 1 }, [], [0]);
    expect(one.told).toEqual([[1, batch.length]]);
    const both = await ask(broker, { sessionId, sessionEpoch: 2 }, [[0, 0]]);
    expect(both.told).toHaveLength(2);
    const none = await ask(broker, { sessionId, sessionEpoch: 3 }, [], [0, 1]);
    expect(none).toEqual({ error: 0, sessionId: 0, told: [] });
  });

  test('tells errors at once and again, and their end', async () => {
    const { broker, sessionId } = await opened();
    const outOfRange = [[0, { errorCode: Errors.OFFSET_OUT_OF_RANGE }]];
    expect((await ask(broker, { sessionId, sessionEpoch: 1 }, [[0, 9]])).told).toEqual(outOfRange);
    expect((await ask(broker, { sessionId, sessionEpoch: 2 }, [])).told).toEqual(outOfRange);
    expect((await ask(broker, { sessionId, sessionEpoch: 3 }, [[0, 0]])).told).toEqual([[0, 0]]);
    expect((await ask(broker, { sessionId, sessionEpoch: 4 }, [])).told).toEqual([]);
  });

  test('lets each of its partitions have its turn when answers are small', async () => {
    const { broker, sessionId } = await opened();
    const batch = batchOf(['x']);
    for (let count = 0; count < 2; count++) {
      await broker.send(produceApi, 9, produceRequest(broker, 9, [batch, batch]));
    }
    const first = async (sessionEpoch: number) => {
      const request = fetchRequest(broker, 12, [], { maxBytes: 1 });
      const answer = await broker.send(fetchApi, 12, { ...request, sessionId, sessionEpoch });
      return answer!.responses[0]!.partitions.find(({ records }) => records!.length > 0)!
        .partitionIndex;
    };
    expect([await first(1), await first(2), await first(3)]).toEqual([0, 1, 0]);
  });

  test('is refused when it is unknown, out of step, or named by topic ids all of a sudden', async () => {
    const { broker, sessionId } = await opened();
    const errorOf = async (session: typeof START, version = 12) =>
      (await ask(broker, session, [], [], version)).error;
    expect(await errorOf({ sessionId: sessionId + 1, sessionEpoch: 1 })).toBe(
      Errors.FETCH_SESSION_ID_NOT_FOUND,
    );
    expect(await errorOf({ sessionId, sessionEpoch: 2 })).toBe(Errors.INVALID_FETCH_SESSION_EPOCH);
    expect(await errorOf({ sessionId, sessionEpoch: 1 }, 13)).toBe(
      Errors.FETCH_SESSION_TOPIC_ID_ERROR,
    );
    expect(await errorOf({ sessionId, sessionEpoch: 1 })).toBe(Errors.NONE);
  });

  test('is replaced by a new one, or ended, when its client says so', async () => {
    const { broker, sessionId } = await opened();
    const next = await ask(broker, { sessionId, sessionEpoch: 0 }, [[0, 0]]);
    expect(next.sessionId).not.toBe(sessionId);
    const ended = await ask(broker, { sessionId: next.sessionId, sessionEpoch: -1 }, [[0, 0]]);
    expect(ended).toMatchObject({ sessionId: 0, told: [[0, 0]] });
    for (const old of [sessionId, next.sessionId]) {
      const { error } = await ask(broker, { sessionId: old, sessionEpoch: 1 }, []);
      expect(error).toBe(Errors.FETCH_SESSION_ID_NOT_FOUND);
    }
  });
});

describe('ListOffsets', () => {
  test('finds both ends, times and the largest time', async () => {
    const broker = await openBroker();
    const records = [10, 30, 20].map((ms) => ({ value: 'v', timestampMs: START_MS + ms }));
    await broker.send(produceApi, 9, produceRequest(broker, 9, [batchOf(records)]));
    const identity = { producerId: 4, transactional: true };
    await broker.send(
      produceApi,
      12,
      produceRequest(broker, 12, [batchOf(['open'], identity)], { transactionalId: 'x' }),
    );
    const find = async (timestamp: number, isolationLevel = 0, version = 7) => {
      const answer = await broker.send(listOffsetsApi, version, {
        replicaId: -1,
        isolationLevel,
        topics: [{ name: 't', partitions: [{ partitionIndex: 0, timestamp }] }],
      });
      const { errorCode, offset, timestamp: at } = answer!.topics[0]!.partitions[0]!;
      return [errorCode, offset, at];
    };
    expect(await find(-2)).toEqual([0, 0, -1]);
    expect(await find(-1)).toEqual([0, 4, -1]);
    expect(await find(-1, 1)).toEqual([0, 3, -1]);
    expect(await find(START_MS + 11)).toEqual([0, 1, START_MS + 30]);
    expect(await find(START_MS + 31)).toEqual([0, -1, -1]);
    expect(await find(-3)).toEqual([0, 1, START_MS + 30]);
    expect(await find(-4)).toEqual([Errors.UNSUPPORTED_VERSION, -1, -1]);
    expect(await find(-4, 0, 8)).toEqual([0, 0, -1]);
    expect(await find(-9, 0, 8)).toEqual([Errors.UNSUPPORTED_VERSION, -1, -1]);
    const unknown = await broker.send(listOffsetsApi, 7, {
      replicaId: -1,
      topics: [
        {
          name: 't',
          partitions: [
            { partitionIndex: 9, timestamp: -1 },
            { partitionIndex: 0, timestamp: -1, currentLeaderEpoch: 7 },
          ],
        },
      ],
    });
    expect(unknown!.topics[0]!.partitions.map(({ errorCode }) => errorCode)).toEqual([
      Errors.UNKNOWN_TOPIC_OR_PARTITION,
      Errors.UNKNOWN_LEADER_EPOCH,
    ]);
  });
});

describe('the smaller ones', () => {
  test('OffsetForLeaderEpoch tells where an epoch ended', async () => {
    const broker = await openBroker();
    await broker.send(produceApi, 9, produceRequest(broker, 9, [batchOf(['a', 'b'])]));
    const answer = await broker.send(offsetForLeaderEpochApi, 4, {
      topics: [
        {
          topic: 't',
          partitions: [
            { partition: 0, leaderEpoch: 0 },
            { partition: 0, leaderEpoch: 3 },
            { partition: 5, leaderEpoch: 0 },
          ],
        },
      ],
    });
    expect(
      answer!.topics[0]!.partitions.map(({ errorCode, leaderEpoch, endOffset }) => [
        errorCode,
        leaderEpoch,
        endOffset,
      ]),
    ).toEqual([
      [0, 0, 2],
      [0, -1, -1],
      [Errors.UNKNOWN_TOPIC_OR_PARTITION, -1, -1],
    ]);
  });

  test('DeleteRecords moves the start and says where it is now', async () => {
    const broker = await openBroker();
    await broker.send(produceApi, 9, produceRequest(broker, 9, [batchOf(['a', 'b', 'c'])]));
    const answer = await broker.send(deleteRecordsApi, 2, {
      timeoutMs: 1000,
      topics: [
        {
          name: 't',
          partitions: [
            { partitionIndex: 0, offset: 2 },
            { partitionIndex: 1, offset: 2 },
          ],
        },
      ],
    });
    expect(answer!.topics[0]!.partitions).toEqual([
      { partitionIndex: 0, lowWatermark: 2, errorCode: 0 },
      { partitionIndex: 1, lowWatermark: -1, errorCode: Errors.OFFSET_OUT_OF_RANGE },
    ]);
  });

  test('DescribeProducers shows who writes and since when a transaction is open', async () => {
    const broker = await openBroker();
    const identity = { producerId: 4, producerEpoch: 2, transactional: true };
    await broker.send(
      produceApi,
      12,
      produceRequest(broker, 12, [batchOf(['a', 'b'], identity)], { transactionalId: 'x' }),
    );
    const answer = await broker.send(describeProducersApi, 0, {
      topics: [{ name: 't', partitionIndexes: [0, 9] }],
    });
    expect(answer!.topics[0]!.partitions).toMatchObject([
      {
        errorCode: 0,
        activeProducers: [
          {
            producerId: 4,
            producerEpoch: 2,
            lastSequence: 1,
            currentTxnStartOffset: 0,
            coordinatorEpoch: -1,
          },
        ],
      },
      { errorCode: Errors.UNKNOWN_TOPIC_OR_PARTITION, activeProducers: [] },
    ]);
  });
});
