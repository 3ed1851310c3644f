/**
 * Sends what waits in the partitions' queues: one Produce request per broker at a time, one batch of
 * each of its partitions in it. Decides by verdict.ts what an answer means, and renews the producer id
 * when a partition's sequence is no longer known. Deadlines are its owner's business.
 */
import { unreachable } from '../../base/assert.ts';
import { backoffMs } from '../../base/backoff.ts';
import { isMillraceError, MillraceError } from '../../base/errors.ts';
import type { ClientDeps } from '../client-deps.ts';
import { errorFor } from '../kafka-error.ts';
import { partitionKey } from '../ports.ts';
import { Errors } from '../protocol/error-codes.ts';
import { produceApi } from '../protocol/messages/produce.ts';
import type { EncodedBatch } from '../records/types.ts';
import type { Cluster } from '../wire.ts';
import { Alarm } from './alarm.ts';
import { askIdentity } from './identity.ts';
import type { PartitionQueue } from './partition-queue.ts';
import type { PendingBatch, ProducerIdentity } from './pending-batch.ts';
import { answersByPartition, type ProduceAnswer, produceRequest } from './produce-request.ts';
import { verdictOn } from './verdict.ts';

const REQUEST_BYTES_MAX = 16 * 1024 * 1024;
/** Version 13 names topics by id. */
const PRODUCE_VERSION_MAX = 12;
const RETRY_BACKOFF = { initialMs: 20, maxMs: 1_000 };
const NO_OFFSET = -1;

interface Departure {
  readonly queue: PartitionQueue;
  readonly batch: PendingBatch;
}

export class Sender {
  readonly #cluster: Cluster;
  readonly #channel: string;
  readonly #requestTimeoutMs: number;
  readonly #deps: ClientDeps;
  /** What to do when no producer id is to be had for a reason that trying again does not heal. */
  readonly #onFatal: (error: MillraceError) => void;
  /** Queues with something to send and nothing out. */
  readonly #waiting = new Set<PartitionQueue>();
  readonly #busyNodes = new Set<number>();
  readonly #alarm: Alarm;
  #identity: ProducerIdentity | undefined;
  #isAskingIdentity = false;
  #identityFailures = 0;
  #isRefreshing = false;
  #isPumpScheduled = false;
  #isStopped = false;
  /** While true nothing lingers. */
  isHurried = false;

  constructor(
    cluster: Cluster,
    options: { readonly channel: string; readonly requestTimeoutMs: number },
    deps: ClientDeps,
    onFatal: (error: MillraceError) => void,
  ) {
    this.#cluster = cluster;
    this.#channel = options.channel;
    this.#requestTimeoutMs = options.requestTimeoutMs;
    this.#deps = deps;
    this.#onFatal = onFatal;
    this.#alarm = new Alarm(deps.clock, () => this.#pump());
  }

  /**
   * The queue has something new. What is added until the end of this turn of the event loop goes along:
   * answers of one commit bring a burst of requests, each in an event of its own.
   */
  wake(queue: PartitionQueue): void {
    if (queue.inFlight !== undefined || queue.isEmpty) return;
    this.#waiting.add(queue);
    this.pumpSoon();
  }

  pumpSoon(): void {
    if (this.#isPumpScheduled || this.#isStopped) return;
    this.#isPumpScheduled = true;
    void this.#deps.clock.turn().then(() => {
      this.#isPumpScheduled = false;
      this.#pump();
    });
  }

  /** Takes the batch out, wherever it is, and fails it: with `error`, or as ambiguous. */
  giveUp(queue: PartitionQueue, batch: PendingBatch, error: MillraceError): void {
    if (queue.inFlight === batch) batch.mayBeInLog = true;
    else queue.drop(batch);
    this.#leaveSequence(queue, batch);
    batch.fail(error);
    if (queue.isEmpty) this.#waiting.delete(queue);
  }

  stop(): void {
    this.#isStopped = true;
    this.#alarm.clear();
  }

  #pump(): void {
    if (this.#isStopped || this.#waiting.size === 0) return;
    const identity = this.#identity;
    if (identity === undefined) void this.#obtainIdentity();
    else {
      for (const [nodeId, queues] of this.#shareOut()) {
        const departures = depart(queues, identity);
        if (departures.length > 0) void this.#produce(nodeId, departures);
      }
    }
  }

  /** Queues that may go now, by leader, leaving out brokers that have not answered yet. */
  #shareOut(): Map<number, PartitionQueue[]> {
    const nowMs = this.#deps.clock.monotonicMs();
    const shares = new Map<number, PartitionQueue[]>();
    const leaderless = new Set<string>();
    for (const queue of this.#waiting) {
      const readyAtMs = queue.readyAtMs(this.isHurried);
      if (readyAtMs > nowMs) {
        this.#alarm.setAt(readyAtMs);
        continue;
      }
      const leader = this.#cluster.leaderOf(queue.topic, queue.partition);
      if (leader === undefined) {
        this.#pause(queue);
        leaderless.add(queue.topic);
      } else if (!this.#busyNodes.has(leader.nodeId)) {
        const share = shares.get(leader.nodeId);
        if (share === undefined) shares.set(leader.nodeId, [queue]);
        else share.push(queue);
      }
    }
    if (leaderless.size > 0) void this.#refresh([...leaderless]);
    return shares;
  }

  async #produce(nodeId: number, departures: readonly Departure[]): Promise<void> {
    for (const { queue } of departures) this.#waiting.delete(queue);
    this.#busyNodes.add(nodeId);
    try {
      const answers = await this.#request(nodeId, departures);
      for (const { queue, batch } of departures) {
        this.#judge(queue, batch, answers.get(partitionKey(queue.topic, queue.partition)));
      }
    } catch (error) {
      for (const { queue, batch } of departures) this.#lose(queue, batch, error);
    } finally {
      this.#busyNodes.delete(nodeId);
      for (const { queue } of departures) this.wake(queue);
      this.#pump();
    }
    const failed = departures.filter(({ queue }) => queue.failures > 0);
    if (failed.length > 0) await this.#refresh(failed.map(({ queue }) => queue.topic));
  }

  async #request(nodeId: number, departures: readonly Departure[]) {
    const batches = departures.map(({ batch }) => batch.encoded as EncodedBatch);
    const response = await this.#cluster.request(
      {
        nodeId,
        channel: this.#channel,
        timeoutMs: this.#requestTimeoutMs,
        versionAtMost: PRODUCE_VERSION_MAX,
      },
      produceApi,
      produceRequest(batches, this.#requestTimeoutMs),
    );
    return answersByPartition(response);
  }

  #judge(queue: PartitionQueue, batch: PendingBatch, answer: ProduceAnswer | undefined): void {
    const { errorCode, errorMessage } = answer ?? NO_ANSWER;
    const verdict = verdictOn(errorCode);
    if (batch.isSettled) {
      // Given up while it was out; its sequence has been left behind.
      queue.inFlight = undefined;
      return;
    }
    const what = `producing to ${partitionKey(queue.topic, queue.partition)}`;
    switch (verdict.kind) {
      case 'acknowledged':
      case 'duplicate':
        queue.inFlight = undefined;
        queue.failures = 0;
        batch.acknowledge(
          verdict.kind === 'duplicate' ? NO_OFFSET : (answer?.baseOffset ?? NO_OFFSET),
        );
        return;
      case 'resend':
        batch.mayBeInLog ||= verdict.mayBeInLog;
        this.#sendAgain(queue, batch, errorFor(errorCode, what, errorMessage));
        return;
      case 'renew-identity':
        this.#startOver(queue, batch, errorFor(errorCode, what, errorMessage));
        return;
      case 'refused':
        queue.inFlight = undefined;
        this.#leaveSequence(queue, batch);
        batch.fail(errorFor(errorCode, what, errorMessage));
        return;
      default:
        unreachable(verdict);
    }
  }

  /** The request failed as a whole. Only a broker that could not be reached surely has nothing. */
  #lose(queue: PartitionQueue, batch: PendingBatch, error: unknown): void {
    if (batch.isSettled) {
      queue.inFlight = undefined;
      return;
    }
    const wasNeverSent = isMillraceError(
      error,
      'KAFKA_UNAVAILABLE',
      'KAFKA_AUTHENTICATION',
      'KAFKA_FATAL',
    );
    batch.mayBeInLog ||= !wasNeverSent;
    this.#sendAgain(queue, batch, asMillraceError(error));
  }

  #sendAgain(queue: PartitionQueue, batch: PendingBatch, error: MillraceError): void {
    batch.lastError = error;
    queue.putBack();
    this.#pause(queue);
  }

  #startOver(queue: PartitionQueue, batch: PendingBatch, error: MillraceError): void {
    this.#deps.log.warn(
      { topic: queue.topic, partition: queue.partition, error: error.message },
      'the broker lost track of our sequence; going on under a new producer id',
    );
    this.#renewIdentity(batch.stamp?.identity);
    if (batch.mayBeInLog) {
      // An earlier attempt may have been appended before the broker lost track: not to be sent twice.
      queue.inFlight = undefined;
      batch.fail(error);
      return;
    }
    batch.clearStamp();
    this.#sendAgain(queue, batch, error);
  }

  /** After a batch was given up: its sequence is free again, or nobody can tell. */
  #leaveSequence(queue: PartitionQueue, batch: PendingBatch): void {
    if (batch.mayBeInLog) this.#renewIdentity(batch.stamp?.identity);
    else queue.rewind(batch);
  }

  #renewIdentity(from: ProducerIdentity | undefined): void {
    if (this.#identity === from) this.#identity = undefined;
  }

  async #obtainIdentity(): Promise<void> {
    if (this.#isAskingIdentity) return;
    this.#isAskingIdentity = true;
    const { clock, log, random } = this.#deps;
    try {
      this.#identity = await askIdentity(this.#cluster, this.#channel);
      this.#identityFailures = 0;
    } catch (error) {
      log.warn({ error: asMillraceError(error).message }, 'no producer id yet');
      if (isMillraceError(error, 'KAFKA_FATAL', 'KAFKA_AUTHENTICATION')) this.#onFatal(error);
      await clock.sleep(backoffMs(this.#identityFailures++, RETRY_BACKOFF, random));
    } finally {
      this.#isAskingIdentity = false;
    }
    this.#pump();
  }

  async #refresh(topics: readonly string[]): Promise<void> {
    if (this.#isRefreshing || this.#isStopped) return;
    this.#isRefreshing = true;
    try {
      await this.#cluster.refreshMetadata([...new Set(topics)]);
    } catch (error) {
      this.#deps.log.debug({ error }, 'metadata cannot be had now');
    } finally {
      this.#isRefreshing = false;
    }
    this.#pump();
  }

  #pause(queue: PartitionQueue): void {
    const { clock, random } = this.#deps;
    queue.retryAtMs = clock.monotonicMs() + backoffMs(queue.failures++, RETRY_BACKOFF, random);
    this.#alarm.setAt(queue.retryAtMs);
  }
}

/** A broker that does not mention a partition has told us nothing. */
const NO_ANSWER = { errorCode: Errors.UNKNOWN_SERVER_ERROR, errorMessage: 'not in the answer' };

/** Takes a batch of each queue, as many as fit into one request. */
function depart(queues: readonly PartitionQueue[], identity: ProducerIdentity): Departure[] {
  const departures: Departure[] = [];
  let sizeBytes = 0;
  for (const queue of queues) {
    if (sizeBytes >= REQUEST_BYTES_MAX) break;
    const batch = queue.take(identity);
    if (batch?.encoded === undefined) continue;
    sizeBytes += batch.encoded.bytes.length;
    departures.push({ queue, batch });
  }
  return departures;
}

function asMillraceError(error: unknown): MillraceError {
  if (isMillraceError(error)) return error;
  return new MillraceError('INTERNAL', `unexpected: ${String(error)}`, { cause: error });
}
