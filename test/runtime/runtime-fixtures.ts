/** Parts for tests of the runtime: a tiny topology, its plan, fetched batches, fakes of the ports. */
import { silentLog } from '../../base/log.ts';
import { ManualClock } from '../../base/manual-clock.ts';
import { seededRandom } from '../../base/random.ts';
import type { FetchedPartition } from '../../kafka/ports.ts';
import { BatchBuilder, sealBatch, stampOffsets } from '../../kafka/records/batch-builder.ts';
import type { FetchedBatch } from '../../kafka/records/types.ts';
import { planTopics, type TopicPlan } from '../../runtime/assignment/topic-plan.ts';
import { RecordCollector } from '../../runtime/commit/record-collector.ts';
import { type StreamsOptions, streamsConfig } from '../../runtime/streams-config.ts';
import { StreamTask, type StreamTaskContext } from '../../runtime/tasks/stream-task.ts';
import type { Serde } from '../../schemas/serde.ts';
import { int64Serde, stringSerde } from '../../schemas/serdes.ts';
import type { StoreSpec } from '../../stores/state-store.ts';
import { openTaskState } from '../../stores/task-state.ts';
import type { Processor } from '../../topology/processor.ts';
import type { BuiltTopology } from '../../topology/sub-topology.ts';
import { Topology } from '../../topology/topology.ts';
import { batchesIn } from '../kit/batches.ts';

export const NOW_MS = 1_700_000_000_000;

export interface TestRecord {
  readonly key?: string | null;
  readonly value?: string | null;
  readonly timestampMs?: number;
}

/** One batch of records as a broker would hand it out. */
export function fetchedBatch(baseOffset: number, records: readonly TestRecord[]): FetchedBatch {
  const builder = new BatchBuilder({ sizeBytesMax: 1_000_000 });
  for (const { key = 'k', value = 'v', timestampMs = 1_000 } of records) {
    builder.append(
      timestampMs,
      key === null ? null : Buffer.from(key),
      value === null ? null : Buffer.from(value),
    );
  }
  const { bytes } = builder.finish('any', 0, 'none');
  sealBatch(bytes);
  stampOffsets(bytes, { baseOffset, leaderEpoch: 3 });
  return batchesIn(bytes)[0]!;
}

export function fetched(
  topic: string,
  batches: readonly FetchedBatch[],
  nextOffset?: number,
): FetchedPartition {
  const last = batches.at(-1)?.header;
  const end = nextOffset ?? (last === undefined ? 0 : last.baseOffset + last.lastOffsetDelta + 1);
  return {
    topic,
    partition: 0,
    batches,
    nextOffset: end,
    lastLeaderEpoch: 3,
    highWatermark: end,
    lastStableOffset: end,
    logStartOffset: 0,
  };
}

export const countsStore: StoreSpec<string, number> = {
  kind: 'keyValue',
  name: 'counts',
  keySerde: stringSerde,
  valueSerde: int64Serde,
  persistence: 'memory',
  changelog: { configs: {} },
};

/** Of the sink, where a test wants another one. */
export interface SinkParts {
  readonly topic?: (record: { readonly value: string }) => string;
  readonly valueSerde?: Serde<string>;
}

/** `input` -> one processor with the store `counts` -> `output`. */
export function oneProcessorTopology(
  supplier: () => Processor<string, string, string, string>,
  sink: SinkParts = {},
  store: StoreSpec<string, number> = countsStore,
): BuiltTopology {
  return new Topology()
    .addSource({
      name: 'in',
      topics: ['input'],
      keySerde: stringSerde,
      valueSerde: stringSerde,
      nullKeys: false,
    })
    .addStateStore(store)
    .addProcessor({ name: 'work', parents: ['in'], stores: ['counts'], supplier })
    .addSink({
      name: 'out',
      topic: 'output',
      keySerde: stringSerde,
      valueSerde: stringSerde,
      ...sink,
      parents: ['work'],
    })
    .build();
}

export function planOf(topology: BuiltTopology): TopicPlan {
  const names = ['input', 'output', 'input.dlq', 'app-counts-changelog'];
  return planTopics(
    'app',
    topology,
    new Map(names.map((name) => [name, { name, topicId: `${name}-id`, partitions: 1 }])),
  );
}

export interface TaskRig {
  readonly task: StreamTask;
  readonly clock: ManualClock;
  readonly collector: RecordCollector;
  readonly plan: TopicPlan;
}

/** A running task of partition 0 at offset 0. */
export async function runningTask(
  supplier: () => Processor<string, string, string, string>,
  options: Partial<StreamsOptions> = {},
  parts: {
    readonly sink?: SinkParts;
    readonly store?: StoreSpec<string, number>;
    readonly partitionCount?: ((topic: string) => Promise<number | undefined>) | undefined;
  } = {},
): Promise<TaskRig> {
  const plan = planOf(oneProcessorTopology(supplier, parts.sink, parts.store));
  const clock = new ManualClock(NOW_MS);
  const collector = new RecordCollector({
    batchBytesMax: 100_000,
    compression: 'none',
    realName: plan.realName,
    topics: plan.topics,
    partitionCount: parts.partitionCount ?? (async () => undefined),
  });
  const context: StreamTaskContext = {
    config: streamsConfig({ applicationId: 'app', ...options }),
    collector,
    clock,
    random: seededRandom(1),
    log: silentLog,
    wakeup: () => {},
  };
  const task = new StreamTask(
    plan.subTopologies[0]!,
    0,
    [{ topic: 'input', partition: 0 }],
    context,
  );
  task.open(
    await openTaskState({
      directory: undefined,
      taskId: task.taskId,
      specs: [parts.store ?? countsStore],
      clock,
      bootId: 'boot',
      log: silentLog,
    }),
  );
  start(task, 0);
  return { task, clock, collector, plan };
}

export function start(task: StreamTask, offset: number): void {
  task.become({ kind: 'restoring', remainingRecords: 0, totalRecords: 0 });
  task.start(new Map([['input-0', { offset, leaderEpoch: -1, metadata: '' }]]));
}

export const EVERYTHING = { recordsMax: 1_000_000, deadlineMs: Infinity };
