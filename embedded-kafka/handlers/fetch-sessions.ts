/**
 * Fetch sessions (KIP-227): what a client has asked for and been told, so that its next request names
 * only what is new, and its answer only what has news. Owns which sessions there are and what a request
 * means to them; reading and waiting is fetch.ts. Nothing of it is kept on the disk: a client whose
 * session is gone is told so, and names everything anew.
 */
import type { Random } from '../../base/random.ts';
import type { ReceivedRequestOf } from '../../kafka/protocol/define-api.ts';
import { Errors } from '../../kafka/protocol/error-codes.ts';
import type { fetchApi } from '../../kafka/protocol/messages/fetch.ts';
import type { ErrorCodeNumber, Partition, ReadResult } from '../ports.ts';

export type FetchRequest = ReceivedRequestOf<typeof fetchApi>;

const NO_SESSION = 0;
/** Asks for a new session, in place of the named one if there is. */
const INITIAL_EPOCH = 0;
/** Ends the named session, or wants none. */
const FINAL_EPOCH = -1;
const EPOCH_MAX = 0x7fffffff;
/** Beyond, the one that was used longest ago goes. */
const SESSIONS_MAX = 1000;
const NOTHING_TOLD = -1;

/** A partition that a client wants, and what it has been told of it. */
export class WantedPartition {
  readonly topic: string;
  readonly topicId: string;
  #wanted: FetchRequest['topics'][number]['partitions'][number];
  /** From where it is wanted now, and there was no news. */
  #isRead = false;
  #highWatermark = NOTHING_TOLD;
  #lastStableOffset = NOTHING_TOLD;
  #logStartOffset = NOTHING_TOLD;

  constructor(topic: string, topicId: string, wanted: WantedPartition['wanted']) {
    this.topic = topic;
    this.topicId = topicId;
    this.#wanted = wanted;
  }

  get wanted(): FetchRequest['topics'][number]['partitions'][number] {
    return this.#wanted;
  }

  /** From another place. */
  move(wanted: WantedPartition['wanted']): void {
    this.#wanted = wanted;
    this.#isRead = false;
  }

  /** Not worth a reading, as most partitions are at most times: it would find what is told already. */
  isQuiet({ highWatermark, logStartOffset }: Partition): boolean {
    return (
      this.#isRead &&
      highWatermark === this.#highWatermark &&
      highWatermark <= this.#wanted.fetchOffset &&
      logStartOffset === this.#logStartOffset
    );
  }

  /** Is this reading worth an answer? */
  isNews(result: ReadResult): boolean {
    const isNews =
      result.records.length > 0 ||
      result.error !== Errors.NONE ||
      result.divergingEpoch !== undefined ||
      result.highWatermark !== this.#highWatermark ||
      result.lastStableOffset !== this.#lastStableOffset ||
      result.logStartOffset !== this.#logStartOffset;
    this.#isRead = !isNews;
    return isNews;
  }

  /** Errors are told again, and so is their end. */
  told({ error, highWatermark, lastStableOffset, logStartOffset }: ReadResult): void {
    this.#highWatermark = error === Errors.NONE ? highWatermark : NOTHING_TOLD;
    this.#lastStableOffset = lastStableOffset;
    this.#logStartOffset = logStartOffset;
  }
}

/** What one request wants, whether it names it or its session does. */
export interface FetchScope {
  /** 0 = there is none. */
  readonly sessionId: number;
  /** In the order in which they are to be read. */
  readonly partitions: Iterable<WantedPartition>;
  /** Only what has news is answered. */
  readonly isIncremental: boolean;
  /** These were answered with records: others come first the next time. */
  moveToEnd(partitions: readonly WantedPartition[]): void;
}

interface Session {
  readonly id: number;
  /** Of the next request. */
  epoch: number;
  readonly usesTopicIds: boolean;
  readonly partitions: Map<string, WantedPartition>;
}

export class FetchSessions {
  /** By id; the one that was used last is at the end. */
  readonly #sessions = new Map<number, Session>();
  #lastId: number;

  /** Ids begin anywhere: one from before a restart must not be somebody else's now. */
  constructor(random: Random) {
    this.#lastId = Math.floor(random.next() * EPOCH_MAX);
  }

  /** What the request wants; or why it is refused. */
  scopeOf(request: FetchRequest, usesTopicIds: boolean): FetchScope | ErrorCodeNumber {
    const { sessionId, sessionEpoch } = request;
    if (sessionEpoch !== INITIAL_EPOCH && sessionEpoch !== FINAL_EPOCH) {
      return this.#goOn(request, usesTopicIds);
    }
    this.#sessions.delete(sessionId);
    const named = [...namedIn(request)];
    if (sessionEpoch === FINAL_EPOCH || named.length === 0) return withoutSession(named);
    return scopeOf(this.#open(named, usesTopicIds), false);
  }

  #open(named: readonly WantedPartition[], usesTopicIds: boolean): Session {
    const id = this.#lastId === EPOCH_MAX ? 1 : this.#lastId + 1;
    const partitions = new Map(named.map((each) => [keyOf(each, usesTopicIds), each]));
    const session = { id, epoch: 1, usesTopicIds, partitions };
    this.#lastId = id;
    this.#sessions.set(id, session);
    for (const oldest of this.#sessions.keys()) {
      if (this.#sessions.size <= SESSIONS_MAX) break;
      this.#sessions.delete(oldest);
    }
    return session;
  }

  #goOn(request: FetchRequest, usesTopicIds: boolean): FetchScope | ErrorCodeNumber {
    const session = this.#sessions.get(request.sessionId);
    if (session === undefined) return Errors.FETCH_SESSION_ID_NOT_FOUND;
    if (session.epoch !== request.sessionEpoch) return Errors.INVALID_FETCH_SESSION_EPOCH;
    if (session.usesTopicIds !== usesTopicIds) return Errors.FETCH_SESSION_TOPIC_ID_ERROR;
    session.epoch = session.epoch === EPOCH_MAX ? 1 : session.epoch + 1;
    this.#sessions.delete(session.id);
    for (const named of namedIn(request)) {
      const key = keyOf(named, usesTopicIds);
      const before = session.partitions.get(key);
      if (before === undefined) session.partitions.set(key, named);
      else before.move(named.wanted);
    }
    for (const { topic, topicId, partitions } of request.forgottenTopicsData) {
      for (const partition of partitions) {
        session.partitions.delete(`${usesTopicIds ? topicId : topic}-${partition}`);
      }
    }
    if (session.partitions.size === 0) return withoutSession([]);
    this.#sessions.set(session.id, session);
    return scopeOf(session, true);
  }
}

function* namedIn({ topics }: FetchRequest): Iterable<WantedPartition> {
  for (const { topic, topicId, partitions } of topics) {
    for (const wanted of partitions) yield new WantedPartition(topic, topicId, wanted);
  }
}

function withoutSession(partitions: readonly WantedPartition[]): FetchScope {
  return { sessionId: NO_SESSION, partitions, isIncremental: false, moveToEnd: () => {} };
}

function scopeOf({ id, partitions, usesTopicIds }: Session, isIncremental: boolean): FetchScope {
  return {
    sessionId: id,
    partitions: partitions.values(),
    isIncremental,
    moveToEnd: (answered) => {
      for (const each of answered) {
        const key = keyOf(each, usesTopicIds);
        // It may have been forgotten meanwhile, by a request that did not wait for this answer.
        if (partitions.get(key) !== each) continue;
        partitions.delete(key);
        partitions.set(key, each);
      }
    },
  };
}

function keyOf({ topic, topicId, wanted }: WantedPartition, usesTopicIds: boolean): string {
  return `${usesTopicIds ? topicId : topic}-${wanted.partition}`;
}
