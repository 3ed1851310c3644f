/**
 * The transaction coordinator: owns every transactional id of this broker, persists each change in
 * `__transaction_state` before acting on it, writes the markers, and aborts what takes too long.
 * What may happen is decided by transitions.ts; here it is made durable and carried out.
 *
 * One transition per id at a time. Requests that meet another one wait for it, at most
 * `completionWaitMaxMs`, and are then told CONCURRENT_TRANSACTIONS (0 = at once, as Kafka does).
 */
import type { Clock } from '../../../base/clock.ts';
import type { Log } from '../../../base/log.ts';
import type { TopicPartition } from '../../../kafka/ports.ts';
import { Errors } from '../../../kafka/protocol/error-codes.ts';
import type { ErrorCodeNumber, Topic, TopicManager, TransactionVerifier } from '../../ports.ts';
import { type CoordinatorLog, replay } from '../coordinator-log.ts';
import { partitionForKey } from '../internal-topics.ts';
import type { MarkerWriter } from './marker-writer.ts';
import { findOrphans } from './orphans.ts';
import type { ProducerIds } from './producer-ids.ts';
import { decodeTransaction, encodeTombstone, encodeTransaction } from './transaction-log.ts';
import {
  NO_PRODUCER_EPOCH,
  NO_PRODUCER_ID,
  startedAtMs,
  type TransactionMetadata,
} from './transaction-metadata.ts';
import {
  complete,
  type Decision,
  decideAddPartitions,
  decideEnd,
  decideInit,
  type EndRequest,
  fenceAndAbort,
  newTransactionalId,
  type ProducerIdentity,
  verifyPartitions,
} from './transitions.ts';

export interface TransactionConfig {
  readonly maxTimeoutMs: number;
  /** How often open transactions are looked at for their timeout. */
  readonly abortTimedOutIntervalMs: number;
  readonly transactionalIdExpirationMs: number;
  readonly completionWaitMaxMs: number;
  /** The finalized feature `transaction.version`: 2, or less to serve V1 only. */
  readonly transactionVersion: number;
}

export interface TransactionCoordinatorOptions {
  readonly topics: TopicManager;
  /** `__transaction_state`. */
  readonly topic: Topic;
  readonly records: CoordinatorLog;
  readonly producerIds: ProducerIds;
  readonly markers: MarkerWriter;
  readonly clock: Clock;
  readonly log: Log;
  readonly config: TransactionConfig;
}

export interface InitProducerIdAnswer extends ProducerIdentity {
  readonly error: ErrorCodeNumber;
}

export type EndTransactionAnswer = InitProducerIdAnswer;

type VerifyRequest = Parameters<TransactionVerifier['verify']>[0];

interface Entry {
  current: TransactionMetadata;
  /** The transition under way; when it resolves, `current` has changed. */
  transition: Promise<void> | undefined;
  /** Markers of an ending transaction being written. */
  completion: Promise<void> | undefined;
}

export class TransactionCoordinator implements TransactionVerifier {
  readonly #options: TransactionCoordinatorOptions;
  readonly #entries = new Map<string, Entry>();
  #cancelReaper: (() => void) | undefined;

  constructor(options: TransactionCoordinatorOptions) {
    this.#options = options;
  }

  /** Replays the log, goes on with what was ending, and starts the reaper. */
  start(): void {
    for (const partition of this.#options.topic.partitions) {
      for (const record of replay(partition)) {
        if (record.kind !== 'record') continue;
        const read = decodeTransaction(record.key, record.value);
        if (read === undefined) continue;
        if (read.metadata === undefined) this.#entries.delete(read.transactionalId);
        else this.#entries.set(read.transactionalId, newEntry(read.metadata));
      }
    }
    for (const entry of this.#entries.values()) this.#completeIfEnding(entry);
    this.#abortOrphans();
    this.#scheduleReaper();
  }

  #abortOrphans(): void {
    const { topics, markers, clock, log } = this.#options;
    const all = Array.from(this.#entries.values(), (entry) => entry.current);
    const { owned, ownerless } = findOrphans(topics, all);
    const failed = (error: unknown) => log.error({ error }, 'orphaned transaction not aborted');
    for (const [transactionalId, orphans] of owned) {
      const entry = this.#entries.get(transactionalId);
      if (entry === undefined) continue;
      log.warn({ transactionalId }, 'transaction is incomplete after a power loss and is aborted');
      if (entry.current.phase.kind === 'ending') ownerless.push(...orphans);
      else this.#change(entry, fenceAndAbort(entry.current, clock.nowMs(), orphans)).catch(failed);
    }
    for (const orphan of ownerless) markers.write(orphan, [orphan], false).catch(failed);
  }

  /** Stops the reaper and waits for what has been begun, whether it succeeds or not. */
  async stop(): Promise<void> {
    this.#cancelReaper?.();
    const entries = Array.from(this.#entries.values());
    await Promise.allSettled(entries.map((entry) => entry.transition));
    await Promise.allSettled(entries.map((entry) => entry.completion));
  }

  async initProducerId(request: {
    readonly transactionalId: string | null;
    readonly timeoutMs: number;
    /** What the client believes to be; undefined = it starts anew. */
    readonly expected: ProducerIdentity | undefined;
  }): Promise<InitProducerIdAnswer> {
    const { transactionalId, timeoutMs } = request;
    const { producerIds, config, clock } = this.#options;
    if (transactionalId === null) {
      return { error: Errors.NONE, producerId: producerIds.allocate(), producerEpoch: 0 };
    }
    if (transactionalId === '') return refused(Errors.INVALID_REQUEST);
    if (timeoutMs <= 0 || timeoutMs > config.maxTimeoutMs) {
      return refused(Errors.INVALID_TRANSACTION_TIMEOUT);
    }
    const entry = this.#entryOrNew(transactionalId, timeoutMs);
    const allocate = () => producerIds.allocate();
    for (;;) {
      const answer = await this.#onceSettled(entry, async () => {
        const decision = decideInit(entry.current, request, allocate, clock.nowMs());
        if (decision.kind === 'answer') return refused(decision.error);
        const { producerId, producerEpoch, phase } = decision.next;
        const error = await this.#change(entry, decision.next);
        if (error !== Errors.NONE) return refused(error);
        // An open transaction was fenced off: when its markers are out, bump again for this client.
        return phase.kind === 'ending' ? 'fenced off' : { error, producerId, producerEpoch };
      });
      if (answer === undefined) return refused(Errors.CONCURRENT_TRANSACTIONS);
      if (answer !== 'fenced off') return answer;
    }
  }

  /**
   * AddPartitionsToTxn and AddOffsetsToTxn, durable when it resolves; also what V2 adds on the way. That is
   * only written: the data that follows is made durable in the same breath, and orphans.ts sees to the rest.
   */
  async addPartitions(
    request: ProducerIdentity & {
      readonly transactionalId: string;
      readonly partitions: readonly TopicPartition[];
      readonly clientVersion: 0 | 2;
    },
  ): Promise<ErrorCodeNumber> {
    if (request.transactionalId === '') return Errors.INVALID_REQUEST;
    const entry = this.#entries.get(request.transactionalId);
    if (entry === undefined) return Errors.INVALID_PRODUCER_ID_MAPPING;
    const error = await this.#onceSettled(entry, () => {
      const decision = decideAddPartitions(entry.current, request, this.#options.clock.nowMs());
      return this.#carryOut(entry, decision, request.clientVersion === 2 ? 'written' : 'durable');
    });
    return error ?? Errors.CONCURRENT_TRANSACTIONS;
  }

  async verify(request: VerifyRequest): Promise<ErrorCodeNumber> {
    const error = await this.#addOrVerify(request);
    // A partition knows stale epochs, not fencing: so does whoever asked on its behalf.
    return error === Errors.PRODUCER_FENCED ? Errors.INVALID_PRODUCER_EPOCH : error;
  }

  async #addOrVerify(request: VerifyRequest): Promise<ErrorCodeNumber> {
    const entry = this.#entries.get(request.transactionalId);
    if (request.addIfMissing && this.#options.config.transactionVersion >= 2) {
      const error = await this.addPartitions({ ...request, clientVersion: 2 });
      if (error !== Errors.NONE) return error;
    }
    // Also after adding: the reaper may have been faster than the append that follows.
    return verifyPartitions(entry?.current, request);
  }

  /** Answers as soon as the outcome is durable; the markers follow. */
  async endTransaction(
    request: EndRequest & { readonly transactionalId: string },
  ): Promise<EndTransactionAnswer> {
    if (request.transactionalId === '') return refused(Errors.INVALID_REQUEST);
    const entry = this.#entries.get(request.transactionalId);
    if (entry === undefined) return refused(Errors.INVALID_PRODUCER_ID_MAPPING);
    const { clock, producerIds } = this.#options;
    const allocate = () => producerIds.allocate();
    const answer = await this.#onceUnchanging(entry, async () => {
      const decision = decideEnd(entry.current, request, allocate, clock.nowMs());
      const error = await this.#carryOut(entry, decision, 'durable');
      if (error !== Errors.NONE) return refused(error);
      return { error, ...nextIdentity(decision.kind === 'change' ? decision.next : entry.current) };
    });
    return answer ?? refused(Errors.CONCURRENT_TRANSACTIONS);
  }

  describe(transactionalId: string): TransactionMetadata | undefined {
    const current = this.#entries.get(transactionalId)?.current;
    return current?.producerEpoch === NO_PRODUCER_EPOCH ? undefined : current;
  }

  list(): readonly TransactionMetadata[] {
    return Array.from(this.#entries.values(), (entry) => entry.current);
  }

  /** Forgets ids that have been idle for longer than their expiration. */
  async expire(): Promise<void> {
    const { clock, config, records, topic } = this.#options;
    const expiredBeforeMs = clock.nowMs() - config.transactionalIdExpirationMs;
    for (const [transactionalId, entry] of this.#entries) {
      const { current } = entry;
      const isIdle = entry.transition === undefined && current.phase.kind === 'idle';
      if (!isIdle || current.lastUpdateMs >= expiredBeforeMs) continue;
      this.#entries.delete(transactionalId);
      await records.append(partitionForKey(topic, transactionalId), [
        encodeTombstone(transactionalId),
      ]);
    }
  }

  #entryOrNew(transactionalId: string, timeoutMs: number): Entry {
    const existing = this.#entries.get(transactionalId);
    if (existing !== undefined) return existing;
    const { producerIds, clock } = this.#options;
    const producerId = producerIds.allocate();
    const created = newEntry(
      newTransactionalId(transactionalId, producerId, timeoutMs, clock.nowMs()),
    );
    this.#entries.set(transactionalId, created);
    return created;
  }

  async #carryOut(
    entry: Entry,
    decision: Decision,
    until: 'durable' | 'written',
  ): Promise<ErrorCodeNumber> {
    return decision.kind === 'answer' ? decision.error : this.#change(entry, decision.next, until);
  }

  /** Makes `next` durable, then current; nothing has changed when it cannot. Nobody else may be changing the entry. */
  async #change(
    entry: Entry,
    next: TransactionMetadata,
    until: 'durable' | 'written' = 'durable',
  ): Promise<ErrorCodeNumber> {
    const persisting = this.#persist(next, until);
    const transition = persisting.then(
      (error) => {
        entry.transition = undefined;
        if (error !== Errors.NONE) return;
        entry.current = next;
        this.#completeIfEnding(entry);
      },
      () => {
        entry.transition = undefined;
      },
    );
    entry.transition = transition;
    await transition;
    return persisting;
  }

  #persist(next: TransactionMetadata, until: 'durable' | 'written'): Promise<ErrorCodeNumber> {
    const partition = partitionForKey(this.#options.topic, next.transactionalId);
    return this.#options.records.append(partition, [encodeTransaction(next)], { until });
  }

  #completeIfEnding(entry: Entry): void {
    const isEnding = entry.current.phase.kind === 'ending' && entry.completion === undefined;
    if (!isEnding) return;
    entry.completion = this.#complete(entry)
      .catch((error: unknown) => {
        // The outcome is durable: the reaper, or the next start, sends the markers again.
        const { transactionalId } = entry.current;
        this.#options.log.error({ transactionalId, error }, 'transaction markers not written');
      })
      .finally(() => {
        entry.completion = undefined;
      });
  }

  async #complete(entry: Entry): Promise<void> {
    const { current } = entry;
    const { phase } = current;
    if (phase.kind !== 'ending') return;
    await this.#options.markers.write(current, phase.partitions.values(), phase.committed);
    const next = complete(current, phase, this.#options.clock.nowMs());
    // Written is enough: if it is lost, the markers are sent once more and find nothing open, and
    // whatever this id does next becomes durable behind it in the same log.
    const error = await this.#persist(next, 'written');
    if (error === Errors.NONE) entry.current = next;
  }

  /** Acts when nothing is under way; undefined when that takes too long, or an end is not complete. */
  #onceSettled<T>(entry: Entry, act: () => Promise<T>): Promise<T | undefined> {
    const isEnding = () => entry.current.phase.kind === 'ending';
    return this.#once(
      () => entry.transition ?? entry.completion,
      async () => (isEnding() ? undefined : act()),
    );
  }

  /** Acts when no change is under way; markers of the one before may be. */
  #onceUnchanging<T>(entry: Entry, act: () => Promise<T>): Promise<T | undefined> {
    return this.#once(() => entry.transition, act);
  }

  /**
   * Looks and acts in one breath: of many who wait for the same end, each must see what the one before
   * has begun. Undefined when it takes too long.
   */
  async #once<T>(
    underWay: () => Promise<void> | undefined,
    act: () => Promise<T>,
  ): Promise<T | undefined> {
    const { clock, config } = this.#options;
    const giveUpAtMs = clock.monotonicMs() + config.completionWaitMaxMs;
    for (;;) {
      const pending = underWay();
      if (pending === undefined) return act();
      const leftMs = giveUpAtMs - clock.monotonicMs();
      if (leftMs <= 0 || !(await this.#within(leftMs, pending))) return undefined;
    }
  }

  #within(limitMs: number, work: Promise<void>): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const cancel = this.#options.clock.after(limitMs, () => resolve(false));
      work.then(() => resolve(true), reject).finally(cancel);
    });
  }

  #scheduleReaper(): void {
    const { clock, config } = this.#options;
    this.#cancelReaper = clock.after(config.abortTimedOutIntervalMs, () => {
      this.#abortTimedOut();
      this.#scheduleReaper();
    });
  }

  #abortTimedOut(): void {
    const { clock, log } = this.#options;
    const nowMs = clock.nowMs();
    for (const entry of this.#entries.values()) {
      const { current } = entry;
      this.#completeIfEnding(entry);
      if (current.phase.kind !== 'ongoing' || entry.transition !== undefined) continue;
      if (startedAtMs(current.phase) + current.timeoutMs > nowMs) continue;
      const { transactionalId, timeoutMs } = current;
      log.info({ transactionalId, timeoutMs }, 'transaction timed out and is aborted');
      this.#change(entry, fenceAndAbort(current, nowMs)).catch((error: unknown) => {
        log.error({ transactionalId, error }, 'abort of a timed out transaction not written');
      });
    }
  }
}

function newEntry(current: TransactionMetadata): Entry {
  return { current, transition: undefined, completion: undefined };
}

function refused(error: ErrorCodeNumber): InitProducerIdAnswer {
  return { error, producerId: NO_PRODUCER_ID, producerEpoch: NO_PRODUCER_EPOCH };
}

/** What the client is to use from now on (V2); a rotation is already visible while markers are out. */
function nextIdentity({ producerId, producerEpoch, phase }: TransactionMetadata): ProducerIdentity {
  if (phase.kind === 'ending' && phase.nextProducerId !== NO_PRODUCER_ID) {
    return { producerId: phase.nextProducerId, producerEpoch: 0 };
  }
  return { producerId, producerEpoch };
}
