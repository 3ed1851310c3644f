/**
 * Fetcher: reads partitions ahead of its caller, who owns the positions. Owns which partitions are
 * fetched from whom and when; what an answer means is fetch/partition-answer.ts.
 *
 * 1. At most one Fetch per broker is out, on this fetcher's own channel.
 * 2. An answer counts only for the position it was asked for: a seek makes older ones void.
 * 3. Nothing is fetched while `bufferedBytesMax` is held; one partition holds at most about twice
 *    `partitionBytesMax`. Only the last answers of each broker can go beyond.
 * 4. Where a broker keeps a session, it is told and tells only what is new: see fetch-session.ts.
 * 5. A lost broker, a moved leader, damaged bytes: asked again for ever, with backoff. Only an offset
 *    that the log does not have is reported, once per seek.
 */
import { backoffMs } from '../base/backoff.ts';
import { MillraceError } from '../base/errors.ts';
import type { ClientDeps } from './client-deps.ts';
import { FetchPartition } from './fetch/fetch-partition.ts';
import { type NodeFetch, planFetches } from './fetch/fetch-plan.ts';
import { buildFetchRequest, FETCH_VERSION_MAX } from './fetch/fetch-request.ts';
import { FetchSession } from './fetch/fetch-session.ts';
import { judgePartition, type PartitionResponse } from './fetch/partition-answer.ts';
import { type FetchedPartition, type Fetcher, type FetcherOptions, partitionKey } from './ports.ts';
import type { ResponseOf } from './protocol/define-api.ts';
import { Errors, errorName } from './protocol/error-codes.ts';
import { fetchApi } from './protocol/messages/fetch.ts';
import type { Cluster } from './wire.ts';

const BACKOFF = { initialMs: 20, maxMs: 1_000 };
/** Beyond the long poll, for the answer to travel. */
const ANSWER_SLACK_MS = 10_000;
/** This many failures in a row are worth a warning. */
const FAILURES_TO_WARN = 5;
const SESSION_REFUSALS: ReadonlySet<number> = new Set([
  Errors.FETCH_SESSION_ID_NOT_FOUND,
  Errors.INVALID_FETCH_SESSION_EPOCH,
]);

export function createFetcher(
  cluster: Cluster,
  options: FetcherOptions,
  deps: ClientDeps,
): Fetcher {
  return new PrefetchingFetcher(cluster, options, deps);
}

class PrefetchingFetcher implements Fetcher {
  readonly #cluster: Cluster;
  readonly #options: FetcherOptions;
  readonly #deps: ClientDeps;
  /** In the order in which they are asked for; who got data goes to the end. */
  readonly #partitions = new Map<string, FetchPartition>();
  readonly #busyNodes = new Set<number>();
  /** By node id. */
  readonly #sessions = new Map<number, FetchSession>();
  #bufferedBytes = 0;
  #isRefreshing = false;
  #isPumpScheduled = false;
  #isClosed = false;
  #isWoken = false;
  #wakePoll: (() => void) | undefined;

  constructor(cluster: Cluster, options: FetcherOptions, deps: ClientDeps) {
    this.#cluster = cluster;
    this.#options = options;
    this.#deps = deps;
  }

  seek(topic: string, partition: number, offset: number, leaderEpoch = -1): void {
    const key = partitionKey(topic, partition);
    const before = this.#drop(key);
    const position = { offset, leaderEpoch };
    const isPaused = before?.isPaused ?? false;
    this.#partitions.set(key, new FetchPartition({ topic, partition, key }, position, isPaused));
    this.#schedulePump();
  }

  remove(topic: string, partition: number): void {
    this.#drop(partitionKey(topic, partition));
    this.#schedulePump();
  }

  pause(topic: string, partition: number): void {
    const state = this.#partitions.get(partitionKey(topic, partition));
    if (state !== undefined) state.isPaused = true;
  }

  resume(topic: string, partition: number): void {
    const state = this.#partitions.get(partitionKey(topic, partition));
    if (state === undefined || !state.isPaused) return;
    state.isPaused = false;
    if (state.hasBuffered) this.#wakePoll?.();
    this.#schedulePump();
  }

  async poll(maxWaitMs: number): Promise<readonly FetchedPartition[]> {
    const ready = this.#take();
    if (ready.length > 0 || maxWaitMs <= 0 || this.#isWoken || this.#isClosed) {
      this.#isWoken = false;
      return ready;
    }
    await this.#waitForData(maxWaitMs);
    this.#isWoken = false;
    return this.#take();
  }

  /** Kept for the next poll when none is waiting, so that no wake-up is lost between two polls. */
  wakeup(): void {
    this.#isWoken = true;
    this.#wakePoll?.();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#partitions.clear();
    this.#bufferedBytes = 0;
    this.#cluster.closeChannel(this.#options.channel);
    this.#wakePoll?.();
  }

  #drop(key: string): FetchPartition | undefined {
    const state = this.#partitions.get(key);
    if (state === undefined) return undefined;
    this.#bufferedBytes -= state.bufferedBytes;
    this.#partitions.delete(key);
    return state;
  }

  #take(): FetchedPartition[] {
    const taken: FetchedPartition[] = [];
    for (const state of this.#partitions.values()) {
      if (state.isPaused || !state.hasBuffered) continue;
      this.#bufferedBytes -= state.bufferedBytes;
      taken.push(...state.take());
    }
    if (taken.length > 0) this.#schedulePump();
    return taken;
  }

  #waitForData(maxWaitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        cancel();
        if (this.#wakePoll === wake) this.#wakePoll = undefined;
        resolve();
      };
      const cancel = this.#deps.clock.after(maxWaitMs, wake);
      // One caller polls; should there be two, the earlier one goes home with nothing.
      this.#wakePoll?.();
      this.#wakePoll = wake;
    });
  }

  /** Later in this turn, so that many seeks become one request. */
  #schedulePump(): void {
    if (this.#isPumpScheduled || this.#isClosed) return;
    this.#isPumpScheduled = true;
    queueMicrotask(() => {
      this.#isPumpScheduled = false;
      this.#pump();
    });
  }

  /** Gives work to every broker that has none out. */
  #pump(): void {
    if (this.#isClosed) return;
    const { fetches, leaderless } = planFetches({
      partitions: this.#partitions.values(),
      leaderOf: (topic, partition) => this.#cluster.leaderOf(topic, partition),
      busyNodes: this.#busyNodes,
      bufferedBytes: this.#bufferedBytes,
      limits: this.#options,
    });
    for (const fetch of fetches) void this.#fetch(fetch);
    if (leaderless.length > 0) void this.#findLeaders(leaderless);
  }

  async #fetch({ nodeId, partitions, maxWaitMs, answerBytesMax }: NodeFetch): Promise<void> {
    const { channel, isolation, partitionBytesMax } = this.#options;
    const timeoutMs = maxWaitMs + ANSWER_SLACK_MS;
    const session = this.#sessionWith(nodeId);
    this.#busyNodes.add(nodeId);
    for (const { state } of partitions) state.isInFlight = true;
    const limits = { maxWaitMs, answerBytesMax, partitionBytesMax, isolation };
    const request = buildFetchRequest(session.next(partitions), limits);
    try {
      const response = await this.#cluster.request(
        { nodeId, channel, timeoutMs, versionAtMost: FETCH_VERSION_MAX },
        fetchApi,
        request,
      );
      this.#handle(session, response);
    } catch (error) {
      session.lost();
      for (const { state } of partitions) this.#fail(state, 'leader-unknown', error);
    } finally {
      for (const { state } of partitions) state.isInFlight = false;
      this.#busyNodes.delete(nodeId);
      this.#schedulePump();
    }
  }

  #sessionWith(nodeId: number): FetchSession {
    let session = this.#sessions.get(nodeId);
    if (session === undefined) {
      session = new FetchSession();
      this.#sessions.set(nodeId, session);
    }
    return session;
  }

  #handle(session: FetchSession, response: ResponseOf<typeof fetchApi>): void {
    const { errorCode, sessionId, responses } = response;
    // Asked again at once, by name: without a session there is nothing to refuse.
    if (session.isOpen && SESSION_REFUSALS.has(errorCode)) {
      session.refused();
      return;
    }
    if (errorCode !== Errors.NONE) {
      throw new MillraceError('KAFKA_RETRIABLE', `Fetch: ${errorName(errorCode)}`);
    }
    for (const { topic, partitions } of responses) {
      for (const partition of partitions) {
        const key = partitionKey(topic, partition.partitionIndex);
        const state = session.asked(key);
        const isCurrent = state !== undefined && this.#partitions.get(key) === state;
        if (isCurrent) this.#handlePartition(state, partition);
      }
    }
    session.accepted(sessionId);
  }

  #handlePartition(state: FetchPartition, response: PartitionResponse): void {
    try {
      const answer = judgePartition(state, response, this.#options.isolation);
      switch (answer.kind) {
        case 'data':
          this.#bufferedBytes -= state.bufferedBytes;
          state.accept(answer.fetched, answer.sizeBytes);
          this.#bufferedBytes += state.bufferedBytes;
          if (answer.sizeBytes > 0) this.#moveToEnd(state);
          break;
        case 'report':
          state.stop(answer.fetched);
          break;
        case 'find-leader':
          this.#fail(state, 'leader-unknown', answer.reason);
          break;
        case 'try-later':
          this.#fail(state, 'backing-off', answer.reason);
          break;
      }
    } catch (error) {
      // Damaged bytes: the log or the way here. What was never right must not be skipped.
      this.#deps.log.error({ partition: state.key, error }, 'cannot read what the broker sent');
      this.#fail(state, 'backing-off', error);
    }
    if (state.hasBuffered && !state.isPaused) this.#wakePoll?.();
  }

  #moveToEnd(state: FetchPartition): void {
    this.#partitions.delete(state.key);
    this.#partitions.set(state.key, state);
  }

  #fail(state: FetchPartition, next: 'leader-unknown' | 'backing-off', reason: unknown): void {
    state.failures++;
    const facts = { partition: state.key, failures: state.failures, reason };
    if (state.failures === FAILURES_TO_WARN) this.#deps.log.warn(facts, 'fetching fails');
    else this.#deps.log.debug(facts, 'fetching failed, will try again');
    if (next === 'leader-unknown') state.stage = 'leader-unknown';
    else this.#backOff(state);
  }

  #backOff(state: FetchPartition): void {
    const { clock, random } = this.#deps;
    const delayMs = backoffMs(Math.max(0, state.failures - 1), BACKOFF, random);
    state.stage = 'backing-off';
    clock.after(delayMs, () => {
      if (state.stage === 'backing-off') state.stage = 'ready';
      this.#schedulePump();
    });
  }

  /** One metadata request for all that miss their leader; then each is ready, or backs off. */
  async #findLeaders(leaderless: readonly FetchPartition[]): Promise<void> {
    if (this.#isRefreshing) return;
    this.#isRefreshing = true;
    try {
      await this.#cluster.refreshMetadata([...new Set(leaderless.map(({ topic }) => topic))]);
    } catch (error) {
      this.#deps.log.debug({ error }, 'cannot fetch metadata, will try again');
    }
    this.#isRefreshing = false;
    for (const state of leaderless) {
      if (!state.wantsFetch) continue;
      const isFound = this.#cluster.leaderOf(state.topic, state.partition) !== undefined;
      if (!isFound) state.failures++;
      if (isFound && state.failures === 0) state.stage = 'ready';
      else this.#backOff(state);
    }
    this.#schedulePump();
  }
}
