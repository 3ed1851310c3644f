/**
 * One partition: validation in front of the log, producer state beside it, visibility behind it.
 * High watermark = what is durable; nobody reads beyond it. All decisions of an append are made
 * synchronously, in the order of the calls; only the answer to acks=-1 waits for the disk.
 */
import type { Clock } from '../../base/clock.ts';
import { isMillraceError, MillraceError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { Errors } from '../../kafka/protocol/error-codes.ts';
import { stampOffsets } from '../../kafka/records/batch-builder.ts';
import { buildControlBatch } from '../../kafka/records/control-batch.ts';
import { lastOffset, readBatchHeader } from '../../kafka/records/record-batch.ts';
import type { BatchHeader, FetchedBatch } from '../../kafka/records/types.ts';
import {
  abortedIn,
  atMaxTimestamp,
  batchesFrom,
  endOffsetOf,
  firstAtTimestamp,
  readLog,
} from '../log/log-reader.ts';
import type { PartitionLog } from '../log/partition-log.ts';
import type { RecentBytesBudget } from '../log/recent-bytes.ts';
import { openLog } from '../log/recovery.ts';
import type { Syncer } from '../log/syncer.ts';
import type {
  AppendRequest,
  AppendResult,
  Disk,
  ErrorCodeNumber,
  Partition,
  ProducerStateView,
  ReadRequest,
  ReadResult,
  TransactionMarker,
} from '../ports.ts';
import { DurableWaiters } from './durable-waiters.ts';
import { compareLeaderEpoch, LeaderEpochs, UNDEFINED_EPOCH } from './leader-epochs.ts';
import { derivedState } from './partition-state.ts';
import type { RememberedBatch } from './producer-entry.ts';
import { ProducerStates } from './producer-states.ts';
import { type RecordsRefusal, splitBatches, validateRecords } from './record-validation.ts';
import type { TopicConfig } from './topic-config.ts';

const NOTHING = Buffer.alloc(0);
const NO_OFFSET = -1;
const ALL_REPLICAS = -1;

/** What all partitions of a broker share. */
export interface PartitionEnvironment {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly log: Log;
  readonly budget: RecentBytesBudget;
  readonly syncer: Syncer;
  /** Grows with every unclean start of the broker. */
  readonly leaderEpoch: number;
}

export interface PartitionOptions {
  readonly topic: string;
  readonly partition: number;
  readonly directory: string;
  readonly config: () => TopicConfig;
}

export class SegmentedPartition implements Partition {
  readonly topic: string;
  readonly partition: number;
  readonly log: PartitionLog;
  readonly producerStates: ProducerStates;
  readonly config: () => TopicConfig;
  readonly #environment: PartitionEnvironment;
  readonly #epochs = new LeaderEpochs();
  readonly #listeners = new Set<() => void>();
  readonly #waiters = new DurableWaiters();

  /** Reads what is on the disk; call settle() before use. */
  constructor(environment: PartitionEnvironment, options: PartitionOptions) {
    this.topic = options.topic;
    this.partition = options.partition;
    this.config = options.config;
    this.#environment = environment;
    this.producerStates = new ProducerStates(environment.clock);
    this.log = openLog({
      ...environment,
      directory: options.directory,
      settings: options.config,
      state: derivedState(this.producerStates, this.#epochs),
      onSynced: (offset) => this.#onSynced(offset),
    });
  }

  /** Resolves when everything found on the disk is durable. Rejects with STORE_IO. */
  async settle(): Promise<void> {
    this.#epochs.assign(this.leaderEpoch, this.log.endOffset);
    await this.log.settle();
  }

  get highWatermark(): number {
    return this.log.syncedOffset;
  }

  get lastStableOffset(): number {
    const stable = this.producerStates.lastStableOffset(this.highWatermark);
    return Math.max(stable, Math.min(this.logStartOffset, this.highWatermark));
  }

  get logStartOffset(): number {
    return this.log.logStartOffset;
  }

  get leaderEpoch(): number {
    return this.#environment.leaderEpoch;
  }

  // ── Writing ──────────────────────────────────────────────────────────────────────────────────

  /** Rejects when the broker is stopping because a disk failed: nobody knows what was kept. */
  append(request: AppendRequest): Promise<AppendResult> {
    const { syncer } = this.#environment;
    if (syncer.failure !== undefined) return Promise.reject(syncer.failure);
    if (this.log.isClosed)
      return this.#refuse({ error: Errors.UNKNOWN_TOPIC_OR_PARTITION, message: 'deleted' });
    return request.internal === true ? this.#appendInternal(request) : this.#appendClient(request);
  }

  #appendClient(request: AppendRequest): Promise<AppendResult> {
    const config = this.config();
    const validated = validateRecords(request.records, config, this.#environment.clock.nowMs());
    if (validated.kind === 'refused') return this.#refuse(validated.refusal);
    const { batch } = validated;
    if (batch.header.producerId >= 0) {
      const supportsEpochBump = request.supportsEpochBump === true;
      const rules = { checksSequence: true, supportsEpochBump };
      const verdict = this.producerStates.judge(batch.header, rules);
      if (verdict.kind === 'refused') return this.#refuse(verdict.refusal);
      if (verdict.kind === 'repeated') return this.#repeat(verdict.batch, request.acks);
    }
    return this.#write([batch], request.acks);
  }

  #appendInternal(request: AppendRequest): Promise<AppendResult> {
    const batches = splitBatches(request.records);
    for (const { header } of batches) {
      if (header.producerId < 0) continue;
      const rules = { checksSequence: false, supportsEpochBump: false };
      const verdict = this.producerStates.judge(header, rules);
      if (verdict.kind === 'refused') return this.#refuse(verdict.refusal);
    }
    return this.#write(batches, request.acks, request.lazily);
  }

  appendMarker(marker: TransactionMarker): Promise<AppendResult> {
    const { syncer, clock } = this.#environment;
    if (syncer.failure !== undefined) return Promise.reject(syncer.failure);
    if (this.log.isClosed)
      return this.#refuse({ error: Errors.UNKNOWN_TOPIC_OR_PARTITION, message: 'deleted' });
    const refusal = this.producerStates.refuseMarker(marker);
    if (refusal !== undefined) return this.#refuse(refusal);
    const buffer = buildControlBatch({
      kind: marker.committed ? 'commit' : 'abort',
      producerId: marker.producerId,
      producerEpoch: marker.producerEpoch,
      coordinatorEpoch: marker.coordinatorEpoch,
      timestampMs: clock.nowMs(),
    });
    return this.#write([{ buffer, header: readBatchHeader(buffer, 0)! }], ALL_REPLICAS);
  }

  /** Stamps and appends accepted batches. */
  #write(
    accepted: readonly FetchedBatch[],
    acks: number,
    lazily: boolean = false,
  ): Promise<AppendResult> {
    const usesAppendTime = this.config().timestampType === 'LogAppendTime';
    const logAppendTimeMs = usesAppendTime ? this.#environment.clock.nowMs() : -1;
    const baseOffset = this.log.endOffset;
    const batches = this.#stamp(accepted, baseOffset, usesAppendTime ? logAppendTimeMs : undefined);
    try {
      this.log.append(batches, lazily);
    } catch (error) {
      return this.#refuseAfterFailure(error);
    }
    const last = lastOffset(batches.at(-1)!.header);
    const { logStartOffset } = this;
    return this.#whenDurable(last, acks, {
      error: Errors.NONE,
      baseOffset,
      logAppendTimeMs,
      logStartOffset,
    });
  }

  #stamp(
    accepted: readonly FetchedBatch[],
    baseOffset: number,
    logAppendTimeMs: number | undefined,
  ): FetchedBatch[] {
    let next = baseOffset;
    return accepted.map(({ buffer, header }) => {
      const stamp = { baseOffset: next, leaderEpoch: this.leaderEpoch };
      stampOffsets(buffer, logAppendTimeMs === undefined ? stamp : { ...stamp, logAppendTimeMs });
      next += header.lastOffsetDelta + 1;
      return { buffer, header: readBatchHeader(buffer, 0)! };
    });
  }

  /** The answer that the batch got when it came first; for acks=-1 still not before it is durable. */
  #repeat(batch: RememberedBatch, acks: number): Promise<AppendResult> {
    const usesAppendTime = this.config().timestampType === 'LogAppendTime';
    return this.#whenDurable(batch.lastOffset, acks, {
      error: Errors.NONE,
      baseOffset: batch.baseOffset,
      logAppendTimeMs: usesAppendTime ? batch.timestampMs : -1,
      logStartOffset: this.logStartOffset,
    });
  }

  async #whenDurable(last: number, acks: number, result: AppendResult): Promise<AppendResult> {
    const isDurable = last < this.highWatermark;
    if (acks === ALL_REPLICAS && !isDurable) await this.#waiters.wait(last);
    return result;
  }

  #refuse({ error, message, recordErrors }: RecordsRefusal): Promise<AppendResult> {
    return Promise.resolve({
      error,
      errorMessage: message,
      ...(recordErrors === undefined ? {} : { recordErrors }),
      baseOffset: NO_OFFSET,
      logAppendTimeMs: -1,
      logStartOffset: this.logStartOffset,
    });
  }

  #refuseAfterFailure(error: unknown): Promise<AppendResult> {
    if (!isMillraceError(error, 'STORE_DISK_FULL', 'STORE_IO')) return Promise.reject(error);
    const { topic, partition } = this;
    this.#environment.log.error({ topic, partition, error }, 'append failed');
    return this.#refuse({ error: Errors.KAFKA_STORAGE_ERROR, message: error.message });
  }

  #onSynced(offset: number): void {
    this.producerStates.synced(offset);
    this.#waiters.release(offset);
    for (const listener of [...this.#listeners]) listener();
  }

  // ── Reading ──────────────────────────────────────────────────────────────────────────────────

  read(request: ReadRequest): ReadResult {
    const { fetchOffset, isolation } = request;
    if (this.log.isClosed) return this.#readError(Errors.UNKNOWN_TOPIC_OR_PARTITION);
    const epochError = compareLeaderEpoch(request.currentLeaderEpoch, this.leaderEpoch);
    if (epochError !== Errors.NONE) return this.#readError(epochError);
    const divergingEpoch = this.#divergingEpoch(request);
    if (divergingEpoch?.epoch === UNDEFINED_EPOCH) {
      return this.#readError(Errors.OFFSET_OUT_OF_RANGE);
    }
    if (divergingEpoch !== undefined) return { ...this.#readError(Errors.NONE), divergingEpoch };
    if (fetchOffset < this.logStartOffset || fetchOffset > this.log.endOffset) {
      return this.#readError(Errors.OFFSET_OUT_OF_RANGE);
    }
    const isCommitted = isolation === 'read_committed';
    try {
      const records = readLog(this.log, {
        offset: fetchOffset,
        limitOffset: isCommitted ? this.lastStableOffset : this.highWatermark,
        bytesMax: request.maxBytes,
        atLeastOneBatch: request.atLeastOneBatch,
      });
      const upperOffset = isCommitted ? endOffsetOf(records) : undefined;
      const aborted =
        upperOffset === undefined ? [] : abortedIn(this.log, fetchOffset, upperOffset);
      return {
        ...this.#readError(Errors.NONE),
        records,
        abortedTransactions: isCommitted ? aborted : null,
      };
    } catch (error) {
      return this.#readError(this.#readFailure(error));
    }
  }

  #readError(error: ErrorCodeNumber): ReadResult {
    return {
      error,
      records: NOTHING,
      highWatermark: this.highWatermark,
      lastStableOffset: this.lastStableOffset,
      logStartOffset: error === Errors.NONE ? this.logStartOffset : -1,
      abortedTransactions: null,
    };
  }

  #readFailure(error: unknown): ErrorCodeNumber {
    const { topic, partition } = this;
    const isCorrupt = isMillraceError(error, 'RECORD_CORRUPT');
    if (!isCorrupt && !isMillraceError(error, 'STORE_IO')) throw error;
    this.#environment.log.error({ topic, partition, error }, 'read failed');
    return isCorrupt ? Errors.CORRUPT_MESSAGE : Errors.KAFKA_STORAGE_ERROR;
  }

  /** Set when the log was cut below what the client has already read. */
  #divergingEpoch(request: ReadRequest): ReadResult['divergingEpoch'] {
    if (request.lastFetchedEpoch === UNDEFINED_EPOCH) return undefined;
    const end = this.endOffsetForEpoch(request.lastFetchedEpoch);
    const isBehind = end.leaderEpoch < request.lastFetchedEpoch;
    if (!isBehind && end.endOffset >= request.fetchOffset) return undefined;
    return { epoch: end.leaderEpoch, endOffset: end.endOffset };
  }

  onAppend(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  offsetForTimestamp(
    timestampMs: number,
  ): { readonly offset: number; readonly timestampMs: number } | undefined {
    return firstAtTimestamp(this.log, timestampMs, this.logStartOffset);
  }

  maxTimestamp(): { readonly offset: number; readonly timestampMs: number } {
    return atMaxTimestamp(this.log) ?? { offset: NO_OFFSET, timestampMs: -1 };
  }

  endOffsetForEpoch(leaderEpoch: number): {
    readonly leaderEpoch: number;
    readonly endOffset: number;
  } {
    return this.#epochs.endOffsetFor(leaderEpoch, this.highWatermark);
  }

  producers(): readonly ProducerStateView[] {
    return this.producerStates.views();
  }

  batches(): Iterable<{ readonly buffer: Buffer; readonly header: BatchHeader }> {
    return batchesFrom(this.log, this.logStartOffset);
  }

  sizeBytes(): number {
    return this.log.sizeBytes();
  }

  // ── Life ─────────────────────────────────────────────────────────────────────────────────────

  /** Durable when it resolves; -1 means the high watermark. Files go with the next maintenance. */
  async deleteRecordsBefore(offset: number): Promise<ErrorCodeNumber> {
    if (this.log.isClosed) return Errors.UNKNOWN_TOPIC_OR_PARTITION;
    if (!this.config().isDeleted) return Errors.POLICY_VIOLATION;
    const target = offset === NO_OFFSET ? this.highWatermark : offset;
    if (target < 0 || target > this.highWatermark) return Errors.OFFSET_OUT_OF_RANGE;
    if (target > this.logStartOffset) this.log.updateFacts({ logStartOffset: target });
    return Errors.NONE;
  }

  /** Makes everything durable and closes the files. */
  async close(): Promise<void> {
    await this.log.close();
    this.#dismiss(new MillraceError('STORE_CLOSED', `${this.topic}-${this.partition} is closed`));
  }

  /** Closes without care: the files will be removed, or the broker is stopping after a failure. */
  abandon(reason: MillraceError): void {
    this.log.closeFiles();
    this.#dismiss(reason);
  }

  #dismiss(reason: MillraceError): void {
    this.#waiters.dismiss(reason);
    for (const listener of [...this.#listeners]) listener();
  }
}
