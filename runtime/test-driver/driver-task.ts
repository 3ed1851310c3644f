/**
 * One sub-topology as the driver's only task of it: processor graph, state in memory, schedules. After
 * every record and punctuation it does what a commit does: flush, encode the writes, apply them.
 */
import { assert } from '../../base/assert.ts';
import type { Clock } from '../../base/clock.ts';
import { MillraceError } from '../../base/errors.ts';
import { silentLog } from '../../base/log.ts';
import { UnknownSchemaError } from '../../schemas/serde.ts';
import type { KeyValueStore, TaskPositions } from '../../stores/state-store.ts';
import { LocalTaskState } from '../../stores/task-state.ts';
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
import type { SinkNode, SourceNode, SubTopology } from '../../topology/sub-topology.ts';
import { PunctuationQueue, punctuationStartMs } from '../punctuation-queue.ts';
import { type DriverRecord, decodeRecord } from './driver-record.ts';

const PARTITION = 0;
const NO_POSITIONS: TaskPositions = { changelogs: new Map(), inputs: new Map() };

export interface DriverTaskContext {
  readonly applicationId: string;
  readonly clock: Clock;
  produce(sink: SinkNode, record: StreamRecord<unknown, unknown>): void;
  recordDropped(nodeName: string, reason: string): void;
}

export class DriverTask implements GraphHost {
  readonly applicationId: string;
  readonly taskId: string;
  readonly partition = PARTITION;
  readonly #context: DriverTaskContext;
  readonly #subTopology: SubTopology;
  readonly #sources: ReadonlyMap<string, SourceNode>;
  readonly #state: LocalTaskState;
  readonly #graph: ProcessorGraph;
  readonly #streamTimers = new PunctuationQueue();
  readonly #wallClockTimers = new PunctuationQueue();
  #streamTimeMs = -1;
  #metadata: RecordMetadata | undefined;

  constructor(subTopology: SubTopology, context: DriverTaskContext) {
    this.applicationId = context.applicationId;
    this.taskId = `${subTopology.id}_${PARTITION}`;
    this.#context = context;
    this.#subTopology = subTopology;
    this.#sources = sourcesByTopic(subTopology);
    this.#state = new LocalTaskState(
      {
        directory: undefined,
        taskId: this.taskId,
        specs: subTopology.stores,
        clock: context.clock,
        bootId: 'test-driver',
        log: silentLog,
      },
      undefined,
      () => false,
    );
    this.#graph = buildProcessorGraph(subTopology, this);
    this.#graph.init();
  }

  async process(record: DriverRecord, offset: number): Promise<void> {
    const source = this.#sources.get(record.topic);
    assert(source !== undefined, `task ${this.taskId} does not read ${record.topic}`);
    const timed = this.#extractTimestamp(source, await decode(record, source));
    if (timed === undefined) return this.recordDropped(source.name, 'negative timestamp');
    this.#streamTimeMs = Math.max(this.#streamTimeMs, timed.timestampMs);
    this.#state.setTimestamp(timed.timestampMs);
    this.#metadata = { topic: record.topic, partition: PARTITION, offset };
    await this.#run(() => this.#graph.process(record.topic, timed));
    await this.#punctuate(this.#streamTimers, this.#streamTimeMs);
    await this.#commit();
  }

  async punctuateWallClock(): Promise<void> {
    await this.#punctuate(this.#wallClockTimers, this.systemTimeMs());
    await this.#commit();
  }

  stores(): ReadonlyMap<string, KeyValueStore<unknown, unknown>> {
    return new Map(this.#subTopology.stores.map(({ name }) => [name, this.store(name)]));
  }

  async close(): Promise<void> {
    this.#graph.close();
    await this.#state.close({ clean: true });
  }

  // --- what the graph asks of its host ---

  store(name: string): KeyValueStore<unknown, unknown> {
    return this.#state.store(name);
  }

  collect(sink: SinkNode, record: StreamRecord<unknown, unknown>): void {
    this.#context.produce(sink, record);
  }

  schedule(
    nodeName: string,
    intervalMs: number,
    type: PunctuationType,
    punctuator: Punctuator,
  ): Cancellable {
    const startMs = punctuationStartMs(type, intervalMs, this.systemTimeMs());
    const timers = type === 'stream-time' ? this.#streamTimers : this.#wallClockTimers;
    return timers.schedule(nodeName, startMs, intervalMs, punctuator);
  }

  /** Nothing to ask for: the driver commits after every record. */
  requestCommit(): void {}

  recordMetadata(): RecordMetadata | undefined {
    return this.#metadata;
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

  recordDropped(nodeName: string, reason: string): void {
    this.#context.recordDropped(nodeName, reason);
  }

  #extractTimestamp(
    { timestampExtractor }: SourceNode,
    record: StreamRecord<unknown, unknown>,
  ): StreamRecord<unknown, unknown> | undefined {
    if (timestampExtractor === undefined) return record;
    const { value, timestampMs } = record;
    const partitionTimeMs = this.#streamTimeMs;
    const extractedMs = timestampExtractor({ timestampMs, value, partitionTimeMs });
    return extractedMs < 0 ? undefined : { ...record, timestampMs: extractedMs };
  }

  async #punctuate(timers: PunctuationQueue, nowMs: number): Promise<void> {
    this.#metadata = undefined;
    for (const { punctuator, timestampMs } of timers.due(nowMs)) {
      this.#state.setTimestamp(Math.max(this.#streamTimeMs, 0));
      await this.#run(() => punctuator(timestampMs));
    }
  }

  async #commit(): Promise<void> {
    await this.#run(() => this.#graph.flush());
    if (!this.#state.hasUncommitted()) return;
    this.#state.freeze();
    await this.#state.apply(NO_POSITIONS);
  }

  async #run(userCode: () => void | Promise<void>): Promise<void> {
    try {
      await userCode();
    } catch (cause) {
      const nodeName = this.#graph.currentNodeName();
      throw new MillraceError(
        'PROCESSING_FAILED',
        `node ${nodeName} of task ${this.taskId} failed: ${cause instanceof Error ? cause.message : cause}`,
        { cause, facts: { nodeName, taskId: this.taskId } },
      );
    }
  }
}

function sourcesByTopic({ nodes }: SubTopology): ReadonlyMap<string, SourceNode> {
  const sources = nodes.filter((node) => node.kind === 'source');
  return new Map(sources.flatMap((source) => source.topics.map((topic) => [topic, source])));
}

/** Throws DESERIALIZATION for what an application would dead-letter. */
async function decode(
  record: DriverRecord,
  source: SourceNode,
): Promise<StreamRecord<unknown, unknown>> {
  const bad = (why: string) => new MillraceError('DESERIALIZATION', `${record.topic}: ${why}`);
  if (record.key === null && source.nullKeys === false) throw bad('the key is null');
  if (record.value === null && source.nullValues === false) throw bad('the value is null');
  if (record.timestampMs < 0) throw bad(`timestamp ${record.timestampMs} is negative`);
  try {
    return decodeRecord(record, source);
  } catch (error) {
    if (!(error instanceof UnknownSchemaError)) throw error;
    await source.keySerde.resolve?.(error.schemaId);
    await source.valueSerde.resolve?.(error.schemaId);
    return decodeRecord(record, source);
  }
}
