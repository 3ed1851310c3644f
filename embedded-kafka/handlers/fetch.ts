/**
 * Fetch, with long poll: reads what a request or its session wants, until there is enough. Sizes are
 * bounded whatever the client asks for.
 */
import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import type { WrittenResponseOf } from '../../kafka/protocol/define-api.ts';
import { Errors } from '../../kafka/protocol/error-codes.ts';
import { fetchApi } from '../../kafka/protocol/messages/fetch.ts';
import type { RequestContext } from '../handler.ts';
import type { ErrorCodeNumber, Partition, ReadResult, TopicManager } from '../ports.ts';
import { type AnyHandler, defineHandler } from './define-handler.ts';
import {
  type FetchRequest,
  type FetchScope,
  FetchSessions,
  type WantedPartition,
} from './fetch-sessions.ts';

const FIRST_VERSION_WITH_TOPIC_IDS = 13;
/** A client that asks for more gets the rest with its next request. */
const RESPONSE_BYTES_MAX = 32 * 1024 * 1024;
const PARTITION_BYTES_MAX = 8 * 1024 * 1024;
const WAIT_MS_MAX = 60_000;
const NOTHING = Buffer.alloc(0);

type Response = WrittenResponseOf<typeof fetchApi>;
type TopicResponse = Response['responses'][number];
type PartitionResponse = TopicResponse['partitions'][number];

/** What a partition said in one round. */
interface Reading {
  readonly of: WantedPartition;
  readonly leaderEpoch: number;
  readonly result: ReadResult;
}

interface Round {
  /** Of what is to be answered. */
  readonly readings: readonly Reading[];
  readonly sizeBytes: number;
  /** There is something to say at once: an error, or a diverging epoch. */
  readonly isUrgent: boolean;
}

export function fetchHandler(topics: TopicManager, clock: Clock, random: Random): AnyHandler {
  const sessions = new FetchSessions(random);
  return defineHandler(fetchApi, (request, context) => {
    const scope = sessions.scopeOf(request, context.version >= FIRST_VERSION_WITH_TOPIC_IDS);
    if (typeof scope === 'number') return { errorCode: scope, sessionId: 0, responses: [] };
    return new Fetch(topics, clock, request, scope, context).run();
  });
}

/** One request on its way. */
class Fetch {
  readonly #topics: TopicManager;
  readonly #clock: Clock;
  readonly #request: FetchRequest;
  readonly #scope: FetchScope;
  /** A session may change under a request whose client has not waited for its answer. */
  readonly #partitions: readonly WantedPartition[];
  readonly #context: RequestContext;

  constructor(
    topics: TopicManager,
    clock: Clock,
    request: FetchRequest,
    scope: FetchScope,
    context: RequestContext,
  ) {
    this.#topics = topics;
    this.#clock = clock;
    this.#request = request;
    this.#scope = scope;
    this.#partitions = [...scope.partitions];
    this.#context = context;
  }

  async run(): Promise<Response> {
    const waitMs = Math.min(this.#request.maxWaitMs, WAIT_MS_MAX);
    const deadlineMs = this.#clock.monotonicMs() + waitMs;
    for (;;) {
      const round = this.#read();
      const leftMs = deadlineMs - this.#clock.monotonicMs();
      const isEnough = round.sizeBytes >= this.#request.minBytes || round.isUrgent;
      if (isEnough || leftMs <= 0 || this.#context.closed.aborted) return this.#answer(round);
      await this.#waitForAppend(leftMs);
    }
  }

  #answer({ readings }: Round): Response {
    for (const { of, result } of readings) of.told(result);
    this.#scope.moveToEnd(
      readings.filter(({ result }) => result.records.length > 0).map(({ of }) => of),
    );
    return {
      errorCode: Errors.NONE,
      sessionId: this.#scope.sessionId,
      responses: byTopic(readings),
    };
  }

  #read(): Round {
    let leftBytes = Math.min(this.#request.maxBytes, RESPONSE_BYTES_MAX);
    let sizeBytes = 0;
    let isUrgent = this.#partitions.length === 0;
    const readings: Reading[] = [];
    for (const each of this.#partitions) {
      const partition = this.#partition(each);
      const isKnown = typeof partition !== 'number';
      if (isKnown && this.#scope.isIncremental && each.isQuiet(partition)) continue;
      const result = isKnown
        ? this.#readPartition(partition, each, leftBytes, sizeBytes === 0)
        : unreadable(partition);
      sizeBytes += result.records.length;
      leftBytes = Math.max(0, leftBytes - result.records.length);
      isUrgent ||= result.error !== Errors.NONE || result.divergingEpoch !== undefined;
      if (this.#scope.isIncremental && !each.isNews(result)) continue;
      readings.push({ of: each, leaderEpoch: isKnown ? partition.leaderEpoch : -1, result });
    }
    return { readings, sizeBytes, isUrgent };
  }

  #readPartition(
    partition: Partition,
    { wanted }: WantedPartition,
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
  #partition({ topic, topicId, wanted }: WantedPartition): Partition | ErrorCodeNumber {
    const byId = this.#context.version >= FIRST_VERSION_WITH_TOPIC_IDS;
    const found = byId ? this.#topics.topicById(topicId) : this.#topics.topic(topic);
    if (found === undefined && byId) return Errors.UNKNOWN_TOPIC_ID;
    return found?.partitions[wanted.partition] ?? Errors.UNKNOWN_TOPIC_OR_PARTITION;
  }

  /** Resolves at the first append to any of the partitions, at the latest after `waitMs`. */
  #waitForAppend(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const { closed } = this.#context;
      const done = () => {
        for (const stop of stops) stop();
        resolve();
      };
      const stops: (() => void)[] = [];
      for (const each of this.#partitions) {
        const found = this.#partition(each);
        if (typeof found !== 'number') stops.push(found.onAppend(done));
      }
      stops.push(this.#clock.after(waitMs, done));
      closed.addEventListener('abort', done, { once: true });
      stops.push(() => closed.removeEventListener('abort', done));
    });
  }
}

/** In the order of the readings; a topic comes where its first partition does. */
function byTopic(readings: readonly Reading[]): TopicResponse[] {
  const topics = Map.groupBy(readings, ({ of }) => of.topicId + of.topic);
  return Array.from(topics.values(), (ofTopic) => ({
    topic: ofTopic[0]!.of.topic,
    topicId: ofTopic[0]!.of.topicId,
    partitions: ofTopic.map(({ of, result, leaderEpoch }) =>
      partitionResponse(of.wanted.partition, result, leaderEpoch),
    ),
  }));
}

function unreadable(error: ErrorCodeNumber): ReadResult {
  return {
    error,
    records: NOTHING,
    highWatermark: -1,
    lastStableOffset: -1,
    logStartOffset: -1,
    abortedTransactions: null,
  };
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
