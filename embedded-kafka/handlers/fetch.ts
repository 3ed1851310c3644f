/**
 * Fetch, with long poll and without sessions: every answer has session id 0, which tells a client to
 * name all its partitions each time. Sizes are bounded whatever the client asks for.
 */
import type { Clock } from '../../base/clock.ts';
import type { ReceivedRequestOf, WrittenResponseOf } from '../../kafka/protocol/define-api.ts';
import { Errors } from '../../kafka/protocol/error-codes.ts';
import { fetchApi } from '../../kafka/protocol/messages/fetch.ts';
import type { RequestContext } from '../handler.ts';
import type { ErrorCodeNumber, Partition, ReadResult, TopicManager } from '../ports.ts';
import { type AnyHandler, defineHandler } from './define-handler.ts';

const FIRST_VERSION_WITH_TOPIC_IDS = 13;
/** A client that asks for more gets the rest with its next request. */
const RESPONSE_BYTES_MAX = 32 * 1024 * 1024;
const PARTITION_BYTES_MAX = 8 * 1024 * 1024;
const WAIT_MS_MAX = 60_000;

type Request = ReceivedRequestOf<typeof fetchApi>;
type Response = WrittenResponseOf<typeof fetchApi>;
type TopicResponse = Response['responses'][number];
type PartitionResponse = TopicResponse['partitions'][number];
type FetchPartition = Request['topics'][number]['partitions'][number];

interface Round {
  readonly responses: TopicResponse[];
  readonly sizeBytes: number;
  /** There is something to say at once: an error, or a diverging epoch. */
  readonly isUrgent: boolean;
}

export function fetchHandler(topics: TopicManager, clock: Clock): AnyHandler {
  return defineHandler(fetchApi, (request, context) =>
    new Fetch(topics, clock, request, context).run(),
  );
}

/** One request on its way. */
class Fetch {
  readonly #topics: TopicManager;
  readonly #clock: Clock;
  readonly #request: Request;
  readonly #context: RequestContext;

  constructor(topics: TopicManager, clock: Clock, request: Request, context: RequestContext) {
    this.#topics = topics;
    this.#clock = clock;
    this.#request = request;
    this.#context = context;
  }

  async run(): Promise<Response> {
    if (this.#request.sessionId !== 0) {
      return { errorCode: Errors.FETCH_SESSION_ID_NOT_FOUND, sessionId: 0, responses: [] };
    }
    const waitMs = Math.min(this.#request.maxWaitMs, WAIT_MS_MAX);
    const deadlineMs = this.#clock.monotonicMs() + waitMs;
    for (;;) {
      const round = this.#read();
      const leftMs = deadlineMs - this.#clock.monotonicMs();
      const isEnough = round.sizeBytes >= this.#request.minBytes || round.isUrgent;
      if (isEnough || leftMs <= 0 || this.#context.closed.aborted) {
        return { errorCode: Errors.NONE, sessionId: 0, responses: round.responses };
      }
      await this.#waitForAppend(leftMs);
    }
  }

  #read(): Round {
    let leftBytes = Math.min(this.#request.maxBytes, RESPONSE_BYTES_MAX);
    let sizeBytes = 0;
    let isUrgent = this.#request.topics.length === 0;
    const responses = this.#request.topics.map(
      ({ topic, topicId, partitions }): TopicResponse => ({
        topic,
        topicId,
        partitions: partitions.map((wanted): PartitionResponse => {
          const partition = this.#partition(topic, topicId, wanted.partition);
          if (typeof partition === 'number') {
            isUrgent = true;
            return errorResponse(wanted.partition, partition);
          }
          const result = this.#readPartition(partition, wanted, leftBytes, sizeBytes === 0);
          sizeBytes += result.records.length;
          leftBytes = Math.max(0, leftBytes - result.records.length);
          isUrgent ||= result.error !== Errors.NONE || result.divergingEpoch !== undefined;
          return partitionResponse(wanted.partition, result, partition.leaderEpoch);
        }),
      }),
    );
    return { responses, sizeBytes, isUrgent };
  }

  #readPartition(
    partition: Partition,
    wanted: FetchPartition,
    leftBytes: number,
    isFirst: boolean,
  ): ReadResult {
    return partition.read({
      fetchOffset: wanted.fetchOffset,
      maxBytes: Math.min(wanted.partitionMaxBytes, leftBytes, PARTITION_BYTES_MAX),
      isolation: this.#request.isolationLevel === 1 ? 'read_committed' : 'read_uncommitted',
      currentLeaderEpoch: wanted.currentLeaderEpoch,
      lastFetchedEpoch: wanted.lastFetchedEpoch,
      // The first one with data makes progress even when its batch is larger than all limits.
      atLeastOneBatch: isFirst,
    });
  }

  /** The partition, or Kafka's code when there is none. */
  #partition(topic: string, topicId: string, index: number): Partition | ErrorCodeNumber {
    const byId = this.#context.version >= FIRST_VERSION_WITH_TOPIC_IDS;
    const found = byId ? this.#topics.topicById(topicId) : this.#topics.topic(topic);
    if (found === undefined && byId) return Errors.UNKNOWN_TOPIC_ID;
    return found?.partitions[index] ?? Errors.UNKNOWN_TOPIC_OR_PARTITION;
  }

  /** Resolves at the first append to any of the partitions, at the latest after `waitMs`. */
  #waitForAppend(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const { closed } = this.#context;
      const done = () => {
        for (const stop of stops) stop();
        resolve();
      };
      const stops = this.#request.topics.flatMap(({ topic, topicId, partitions }) =>
        partitions.map(({ partition }) => {
          const found = this.#partition(topic, topicId, partition);
          return typeof found === 'number' ? () => {} : found.onAppend(done);
        }),
      );
      stops.push(this.#clock.after(waitMs, done));
      closed.addEventListener('abort', done, { once: true });
      stops.push(() => closed.removeEventListener('abort', done));
    });
  }
}

function partitionResponse(
  partitionIndex: number,
  result: ReadResult,
  leaderEpoch: number,
): PartitionResponse {
  const isStale =
    result.error === Errors.FENCED_LEADER_EPOCH || result.error === Errors.UNKNOWN_LEADER_EPOCH;
  return {
    partitionIndex,
    errorCode: result.error,
    highWatermark: result.error === Errors.NONE ? result.highWatermark : -1,
    lastStableOffset: result.error === Errors.NONE ? result.lastStableOffset : -1,
    logStartOffset: result.logStartOffset,
    abortedTransactions:
      result.abortedTransactions?.map(({ producerId, firstOffset }) => ({
        producerId,
        firstOffset,
      })) ?? null,
    records: result.records,
    divergingEpoch: result.divergingEpoch ?? {},
    currentLeader: isStale ? { leaderEpoch } : {},
    snapshotId: {},
  };
}

function errorResponse(partitionIndex: number, errorCode: ErrorCodeNumber): PartitionResponse {
  return {
    partitionIndex,
    errorCode,
    highWatermark: -1,
    abortedTransactions: null,
    records: Buffer.alloc(0),
  };
}
