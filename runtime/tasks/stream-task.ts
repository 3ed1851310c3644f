/**
 * One active task: a sub-topology for one partition, its queues, stores and schedules. The stream
 * thread decides when it runs and commits; the task knows how.
 *
 * T1. While running, every record goes queue -> graph -> overlay and collector; nothing reaches
 *     Kafka or the disk before the thread's commit.
 * T2. After a failed commit reset() forgets everything since the last applied commit: overlays,
 *     queues, the graph with whatever its processors remember. The task then starts anew.
 */
import { assert } from '../../base/assert.ts';
import { isMillraceError, MillraceError } from '../../base/errors.ts';
import {
  type CommittedOffset,
  type FetchedPartition,
  type OffsetToCommit,
  type ProducedRange,
  partitionKey,
  type TopicPartition,
} from '../../kafka/ports.ts';
import { createRecordCursor } from '../../kafka/records/record-cursor.ts';
import { UnknownSchemaError } from '../../schemas/serde.ts';
import type { KeyValueStore, TaskState } from '../../stores/state-store.ts';
import type {
  Cancellable,
  PunctuationType,
  Punctuator,
  RecordMetadata,
  StreamRecord,
} from '../../topology/processor.ts';
import {
  buildProcessorGraph,
  type GraphHost,
  type ProcessorGraph,
} from '../../topology/processor-graph.ts';
import type { SinkNode } from '../../topology/sub-topology.ts';
import { type SubTopologyPlan, taskId, topicIdsOf } from '../assignment/topic-plan.ts';
import { changelogPositions } from '../commit/changelog-positions.ts';
import { encodeOffsetMetadata, encodeTopicIds, streamTimeOf } from '../commit/offset-metadata.ts';
import type { RecordCollector } from '../commit/record-collector.ts';
import { type DuePunctuation, PunctuationQueue, punctuationStartMs } from '../punctuation-queue.ts';
import type { StreamsConfig } from '../streams-config.ts';
import { CountedStore, EffectCounter } from './effect-counter.ts';
import { InputSelector } from './input-selector.ts';
import { type DecoderContext, RecordDecoder } from './record-decoder.ts';
import { RecordFailures } from './record-failures.ts';
import { RecordQueue } from './record-queue.ts';
import { learnSchema } from './state-schemas.ts';
import { RollbackNeeded, TaskStoreFailed } from './task-failures.ts';
import { type TaskLifecycle, transition } from './task-lifecycle.ts';
import { withinTime } from './time-limit.ts';

export interface StreamTaskContext extends DecoderContext {
  readonly config: StreamsConfig;
  readonly collector: RecordCollector;
  /** Something of this task can go on: the thread should not sleep. */
  readonly wakeup: () => void;
}

/** How far a slice of processing may go. */
export interface SliceBudget {
  readonly recordsMax: number;
  /** On the monotonic clock. */
  readonly deadlineMs: number;
}

/** Looking at the clock costs more than a small record: once per so many. */
const CLOCK_EVERY_RECORDS = 32;
/** Entries of stores with a TTL that one turn of expiry looks at. */
const EXPIRE_ENTRIES = 500;

export class StreamTask implements GraphHost {
  readonly taskId: string;
  readonly applicationId: string;
  readonly partition: number;
  readonly plan: SubTopologyPlan;
  readonly queues: readonly RecordQueue[];
  lastCommitAtMs = 0;
  readonly #context: StreamTaskContext;
  readonly #effects = new EffectCounter();
  readonly #failures: RecordFailures;
  readonly #inputs: InputSelector;
  readonly #topicIds: string;
  #lifecycle: TaskLifecycle = { kind: 'created' };
  #state: TaskState | undefined;
  #graph: ProcessorGraph | undefined;
  #streamTimers = new PunctuationQueue();
  #wallClockTimers = new PunctuationQueue();
  #streamTimeMs = -1;
  #current: RecordQueue | undefined;
  #consumedRecords = 0;
  #committedEffects = 0;
  #droppedRecords = 0;
  #commitRequested = false;
  #committedPositions: readonly number[] = [];

  constructor(
    plan: SubTopologyPlan,
    partition: number,
    topics: readonly TopicPartition[],
    context: StreamTaskContext,
  ) {
    this.plan = plan;
    this.partition = partition;
    this.taskId = taskId(plan.subTopology.id, partition);
    this.applicationId = context.config.applicationId;
    this.#context = context;
    this.#failures = new RecordFailures(this.taskId, context);
    const present = new Set(topics.map(({ topic }) => topic));
    this.queues = plan.sources
      .filter(({ topic }) => present.has(topic))
      .map((source) => {
        const decoder = new RecordDecoder(source.node, context);
        const parts = { cursor: createRecordCursor(), decoder, onUnparked: context.wakeup };
        return new RecordQueue(source, partition, parts);
      });
    this.#topicIds = encodeTopicIds(topicIdsOf(plan));
    const { clock, config } = context;
    this.#inputs = new InputSelector(this.queues, { maxTaskIdleMs: config.maxTaskIdleMs, clock });
  }

  // ── Life ─────────────────────────────────────────────────────────────────────────────────────

  get lifecycle(): TaskLifecycle {
    return this.#lifecycle;
  }

  become(next: TaskLifecycle): void {
    this.#lifecycle = transition(this.#lifecycle, next);
  }

  get isRunning(): boolean {
    return this.#lifecycle.kind === 'running';
  }

  /** undefined for a task without stores, and before open(). */
  get state(): TaskState | undefined {
    return this.#state;
  }

  /** Gives the task its opened stores (undefined: it was closed or wiped). */
  open(state: TaskState | undefined): void {
    this.#state = state;
  }

  /** Restored: begins at the committed offsets. Processors are built and initialised here. */
  start(offsets: ReadonlyMap<string, CommittedOffset>): void {
    this.#streamTimeMs = -1;
    for (const queue of this.queues) {
      const committed = offsets.get(partitionKey(queue.source.topic, this.partition));
      assert(committed !== undefined && committed.offset >= 0, 'a task starts at known offsets');
      queue.seek(committed.offset, committed.leaderEpoch);
      this.#streamTimeMs = Math.max(this.#streamTimeMs, streamTimeOf(committed.metadata));
    }
    this.#committedPositions = this.queues.map(({ position }) => position);
    this.#streamTimers = new PunctuationQueue();
    this.#wallClockTimers = new PunctuationQueue();
    this.#graph = buildProcessorGraph(this.plan.subTopology, this);
    this.#graph.init();
    this.become({ kind: 'running' });
  }

  /** Forgets everything uncommitted; stores stay open as they are on disk. */
  reset(): void {
    this.#graph?.close();
    this.#graph = undefined;
    this.#state?.dropUncommitted();
    for (const queue of this.queues) queue.seek(queue.position, queue.leaderEpoch);
    this.#consumedRecords = 0;
    this.#committedEffects = this.#effects.count;
    this.#commitRequested = false;
    this.#current = undefined;
    if (this.#lifecycle.kind !== 'closed') this.become({ kind: 'created' });
  }

  /** Uncommitted writes are forgotten; the stores are closed (clean: with the mark). */
  async close(options: { readonly clean: boolean }): Promise<void> {
    this.reset();
    for (const queue of this.queues) queue.close();
    this.become({ kind: 'closed', clean: options.clean });
    await this.#state?.close(options);
    this.#state = undefined;
  }

  // ── Processing ───────────────────────────────────────────────────────────────────────────────

  add(fetched: FetchedPartition): void {
    for (const queue of this.queues) {
      if (queue.source.topic === fetched.topic) queue.add(fetched);
    }
  }

  /** True when process() would do something now. */
  hasInput(): boolean {
    return this.isRunning && this.#inputs.next(this.#streamTimeMs) !== undefined;
  }

  /** Records processed. Throws RollbackNeeded, TaskStoreFailed, or PROCESSING_FAILED ('fail'). */
  async process(budget: SliceBudget): Promise<number> {
    const { clock } = this.#context;
    let count = 0;
    while (count < budget.recordsMax) {
      const queue = this.#inputs.next(this.#streamTimeMs);
      if (queue === undefined) break;
      const pending = this.#processHead(queue);
      if (pending !== undefined) await pending;
      queue.consume();
      this.#consumedRecords++;
      count++;
      if (count % CLOCK_EVERY_RECORDS === 0 && clock.monotonicMs() >= budget.deadlineMs) break;
    }
    this.#current = undefined;
    return count;
  }

  /** Fires what is due, at most once per schedule. */
  async punctuate(): Promise<void> {
    const { clock } = this.#context;
    if (this.#streamTimeMs >= 0) await this.#fire(this.#streamTimers.due(this.#streamTimeMs));
    // Set back, the wall clock would silence them for as long; it is what they are told, no more.
    await this.#fire(this.#wallClockTimers.due(clock.monotonicMs(), clock.nowMs()));
  }

  /** Deletes a few entries whose TTL is over: ordinary writes of the open transaction. */
  async expire(): Promise<void> {
    const state = this.#state;
    if (state === undefined) return;
    state.setTimestamp(Math.max(this.#streamTimeMs, 0));
    await this.#guarded(async () => {
      this.#effects.count += await state.expireSome(EXPIRE_ENTRIES);
    });
  }

  /** On the monotonic clock: of the next wall-clock punctuation; Infinity when there is none. */
  nextPunctuationAtMs(): number {
    return this.#wallClockTimers.nextDueMs() ?? Infinity;
  }

  /** On the monotonic clock: when input that is let gather will be processed; Infinity when none is. */
  get lingersUntilMs(): number {
    return this.#inputs.lingersUntilMs;
  }

  // ── Committing ───────────────────────────────────────────────────────────────────────────────

  get isCommitRequested(): boolean {
    return this.#commitRequested;
  }

  /** Something was consumed, written or sent since the last freeze. */
  get hasUncommitted(): boolean {
    return (
      this.isRunning &&
      (this.#consumedRecords > 0 || this.#effects.count !== this.#committedEffects)
    );
  }

  /** Only the position moved (over control batches, say): worth a commit, but no hurry. */
  get hasMovedOnly(): boolean {
    return (
      this.isRunning &&
      this.queues.some(({ position }, index) => position !== this.#committedPositions[index])
    );
  }

  /** Since the last freeze. */
  get consumedRecords(): number {
    return this.#consumedRecords;
  }

  /** Records known to be in the input's logs and not processed. */
  get lagRecords(): number {
    return this.queues.reduce((sum, { lag }) => sum + lag, 0);
  }

  /** Records that processors left out on purpose, since the task came here. */
  get droppedRecords(): number {
    return this.#droppedRecords;
  }

  get uncommittedBytes(): number {
    return this.#state?.uncommittedBytes() ?? 0;
  }

  /** Lets processors forward what they held back. */
  async flush(): Promise<void> {
    this.#current = undefined;
    await this.#guarded(() => this.#graph!.flush());
  }

  /** Moves the uncommitted writes aside and their changelog records into the collector. */
  freeze(): ReadonlyMap<string, TopicPartition & OffsetToCommit> {
    const frozen = this.#state?.freeze();
    const topics = new Map(
      this.plan.changelogs
        .filter(({ isSourceTopic }) => !isSourceTopic)
        .map(({ spec, topic }) => [spec.name, topic]),
    );
    frozen?.forEachLogged((write) => {
      const topic = topics.get(write.storeName);
      if (topic !== undefined) this.#context.collector.collectWrite(topic, this.partition, write);
    });
    this.#consumedRecords = 0;
    this.#committedEffects = this.#effects.count;
    this.#commitRequested = false;
    return this.offsets();
  }

  /** Next offsets to process, as a transaction carries them. */
  offsets(): ReadonlyMap<string, TopicPartition & OffsetToCommit> {
    const metadata = encodeOffsetMetadata(this.#streamTimeMs, this.#topicIds);
    return new Map(
      this.queues.map(({ source: { topic }, partition, position: offset, leaderEpoch }) => [
        partitionKey(topic, partition),
        { topic, partition, offset, leaderEpoch, metadata },
      ]),
    );
  }

  /** Input positions that are committed. */
  committed(): readonly (TopicPartition & { readonly offset: number })[] {
    return this.queues.map(({ source: { topic }, partition }, index) => ({
      topic,
      partition,
      offset: this.#committedPositions[index] ?? 0,
    }));
  }

  /** The transaction with the frozen writes has committed. Rejects TaskStoreFailed. */
  async apply(
    produced: ReadonlyMap<string, ProducedRange>,
    offsets: ReadonlyMap<string, TopicPartition & OffsetToCommit>,
  ): Promise<void> {
    const nowMs = this.#context.clock.nowMs();
    this.lastCommitAtMs = nowMs;
    this.#committedPositions = this.queues.map(
      ({ source }) => offsets.get(partitionKey(source.topic, this.partition))?.offset ?? -1,
    );
    for (const [index, queue] of this.queues.entries()) {
      this.#failures.committed(queue, this.#committedPositions[index]!);
    }
    const state = this.#state;
    if (state === undefined) return;
    try {
      const before = state.positions().changelogs;
      const task = { changelogs: this.plan.changelogs, partition: this.partition };
      const transaction = { produced, offsets, committedAtMs: nowMs };
      const changelogs = changelogPositions(task, before, transaction);
      const inputs = new Map([...offsets].map(([key, { offset }]) => [key, offset]));
      await state.apply({ changelogs, inputs });
      if (state.checkpointDue()) await state.checkpointFlushed();
    } catch (error) {
      throw new TaskStoreFailed(this.taskId, error);
    }
  }

  // ── What the graph asks of its host ──────────────────────────────────────────────────────────

  store(name: string): KeyValueStore<unknown, unknown> {
    assert(this.#state !== undefined, `task ${this.taskId} has no stores`);
    return new CountedStore(this.#state.store<unknown, unknown>(name), this.#effects);
  }

  collect(sink: SinkNode, record: StreamRecord<unknown, unknown>): void {
    this.#context.collector.collect(sink, record, this.partition);
    this.#effects.count++;
  }

  schedule(
    nodeName: string,
    intervalMs: number,
    type: PunctuationType,
    punctuator: Punctuator,
  ): Cancellable {
    const isStreamTime = type === 'stream-time';
    const nowMs = isStreamTime ? this.#streamTimeMs : this.#context.clock.monotonicMs();
    const startMs = punctuationStartMs(type, intervalMs, nowMs);
    const timers = isStreamTime ? this.#streamTimers : this.#wallClockTimers;
    return timers.schedule(nodeName, startMs, intervalMs, punctuator);
  }

  /** Said per record at debug only: a stream may be full of them. */
  recordDropped(nodeName: string, reason: string): void {
    this.#droppedRecords++;
    const at = this.recordMetadata();
    const facts = { taskId: this.taskId, nodeName, reason, ...at };
    this.#context.log.debug(facts, 'a record was left out');
  }

  requestCommit(): void {
    this.#commitRequested = true;
  }

  recordMetadata(): RecordMetadata | undefined {
    const queue = this.#current;
    if (queue === undefined) return undefined;
    return { topic: queue.source.topic, partition: this.partition, offset: queue.headOffset };
  }

  streamTimeMs(): number {
    return this.#streamTimeMs;
  }

  systemTimeMs(): number {
    return this.#context.clock.nowMs();
  }

  monotonicMs(): number {
    return this.#context.clock.monotonicMs();
  }

  // ── Parts ────────────────────────────────────────────────────────────────────────────────────

  /** A promise only when the graph returned one. */
  #processHead(queue: RecordQueue): Promise<void> | undefined {
    this.#current = queue;
    if (queue.head(this.#streamTimeMs) === 'bad') {
      this.#failures.deadLetter('deserialization', queue.source.node.name, queue, queue.failure);
      this.#effects.count++;
      return undefined;
    }
    const { record } = queue;
    if (record.timestampMs > this.#streamTimeMs) this.#streamTimeMs = record.timestampMs;
    if (this.#failures.hasRolledBack(queue)) return undefined;
    this.#state?.setTimestamp(record.timestampMs);
    const effectsBefore = this.#effects.count;
    try {
      const pending = this.#placed(this.#graph!.process(queue.source.name, record));
      if (pending === undefined) return undefined;
      return pending.catch((error) => this.#failed(queue, error, effectsBefore));
    } catch (error) {
      return this.#failed(queue, error, effectsBefore);
    }
  }

  /**
   * Records for topics that were not known get their partition before the next record is looked at: what
   * cannot be produced is then the failure of the record that it came from.
   */
  #placed(processed: void | Promise<void>): void | Promise<void> {
    const { collector } = this.#context;
    if (processed !== undefined) {
      return this.#inTime(processed).then(() =>
        collector.isWaiting ? collector.placeWaiting() : undefined,
      );
    }
    return collector.isWaiting ? collector.placeWaiting() : undefined;
  }

  /** Nothing is committed any more by a thread that has stopped: what the work does later is lost. */
  #inTime(work: Promise<void>): Promise<void> {
    const { clock, config } = this.#context;
    const limitMs = config.maxPollIntervalMs;
    const late = () => {
      const at = this.recordMetadata();
      const where = at === undefined ? '' : ` with ${at.topic}-${at.partition}@${at.offset}`;
      const who = `node ${this.#graph!.currentNodeName()} of task ${this.taskId}`;
      return new MillraceError('PROCESSING_STUCK', `${who} takes over ${limitMs} ms${where}`, {
        hint: 'Give what it waits for a time limit of its own, or raise maxPollIntervalMs.',
      });
    };
    return withinTime(work, { clock, limitMs, late });
  }

  /** A promise only when it is not the record's fault, and rejected then. */
  #failed(queue: RecordQueue, thrown: unknown, effectsBefore: number): Promise<never> | undefined {
    if (isStoreFailure(thrown)) throw new TaskStoreFailed(this.taskId, thrown);
    if (thrown instanceof UnknownSchemaError) return this.#learn(thrown);
    if (isMillraceError(thrown, 'STATE_UNREADABLE', 'PROCESSING_STUCK')) throw thrown;
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    const stage = isMillraceError(error, 'SERIALIZATION') ? 'production' : 'processing';
    const nodeName = this.#graph!.currentNodeName();
    if (this.#effects.count === effectsBefore) {
      this.#failures.deadLetter(stage, nodeName, queue, error);
      return undefined;
    }
    this.#failures.rollBack(stage, nodeName, queue, error);
    throw new RollbackNeeded(this.taskId, error);
  }

  /** A value of the state was written with another schema: what met it comes again. */
  async #learn(missing: UnknownSchemaError): Promise<never> {
    const { subTopology } = this.plan;
    await learnSchema(subTopology.stores, missing, this.#context);
    throw new RollbackNeeded(this.taskId, missing);
  }

  async #fire(due: Iterable<DuePunctuation>): Promise<void> {
    this.#current = undefined;
    for (const { punctuator, timestampMs } of due) {
      this.#state?.setTimestamp(Math.max(this.#streamTimeMs, 0));
      await this.#guarded(() => punctuator(timestampMs));
    }
  }

  /** Runs user code that belongs to no record. */
  async #guarded(run: () => void | Promise<void>): Promise<void> {
    try {
      await this.#placed(run());
    } catch (error) {
      if (isStoreFailure(error)) throw new TaskStoreFailed(this.taskId, error);
      if (error instanceof UnknownSchemaError) return this.#learn(error);
      if (isMillraceError(error, 'STATE_UNREADABLE', 'PROCESSING_STUCK')) throw error;
      const nodeName = this.#graph!.currentNodeName();
      throw new MillraceError(
        'PROCESSING_FAILED',
        `node ${nodeName} of task ${this.taskId} failed`,
        { cause: error },
      );
    }
  }
}

function isStoreFailure(error: unknown): boolean {
  return isMillraceError(error, 'STORE_IO', 'STORE_CORRUPT', 'STORE_CLOSED', 'STORE_DISK_FULL');
}
