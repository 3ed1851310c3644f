/**
 * A task's FULL start, the same after an assignment and after any failure (design §1, 6b):
 * stable committed offsets -> open stores -> high watermark -> restore -> where to begin.
 * Runs beside the stream thread's loop; the thread makes the task run when this resolves.
 */
import { backoffMs } from '../../base/backoff.ts';
import type { Clock } from '../../base/clock.ts';
import { isMillraceError, MillraceError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import {
  type Admin,
  type CommittedOffset,
  partitionKey,
  type TopicPartition,
} from '../../kafka/ports.ts';
import type { TaskState } from '../../stores/state-store.ts';
import { topicIdsOf } from '../assignment/topic-plan.ts';
import { topicIdsOf as committedTopicIds } from '../commit/offset-metadata.ts';
import { planRestore } from '../restore/restore-plan.ts';
import {
  ChangelogDiverged,
  type RestoreProgress,
  type RestoreRange,
  type Restorer,
} from '../restore/restorer.ts';
import type { StreamsConfig } from '../streams-config.ts';
import type { StreamTask } from './stream-task.ts';
import { TaskStoreFailed } from './task-failures.ts';

/** The stores of tasks, as the state directory gives them. */
export interface TaskStates {
  /** undefined for a task without stores. Wipes and opens again what is corrupt. */
  open(task: Pick<StreamTask, 'taskId' | 'plan'>): Promise<TaskState | undefined>;
  /** Deletes what a closed task has on disk. */
  destroy(taskId: string): Promise<void>;
}

export interface TaskStarterContext {
  readonly admin: Admin;
  readonly restorer: Restorer;
  readonly states: TaskStates;
  readonly config: StreamsConfig;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly onProgress: (progress: RestoreProgress) => void;
  /** Awaited before a task's stores are wiped: readers must be closed. */
  readonly onLeaving: (task: StreamTask) => Promise<void>;
}

export type StartOffsets = ReadonlyMap<string, CommittedOffset>;

const WAITING_LOG_MS = 5_000;
const RETRY = { initialMs: 50, maxMs: 5_000 };

/** Rejects TaskStoreFailed, RestoreCancelled, LOG_LOST, KAFKA_FATAL and the like; retries what may be retried. */
export async function prepareTask(
  context: TaskStarterContext,
  task: StreamTask,
  signal: AbortSignal,
): Promise<StartOffsets> {
  const partitions = task.queues.map(({ source: { topic }, partition }) => ({ topic, partition }));
  const committed = await patiently(context, signal, () =>
    stableOffsets(context, task, partitions, signal),
  );
  refuseReplacedTopics(task, committed);
  for (;;) {
    if (task.state === undefined) {
      task.open(await patiently(context, signal, () => openStores(context, task)));
    }
    const { state } = task;
    if (state === undefined) break;
    const ranges = await patiently(context, signal, () =>
      restoreRanges(context, task, state, committed),
    );
    if (ranges !== undefined && (await restored(context, task, state, ranges, signal))) {
      // What was read came from the topics of the plan only if they still are.
      await patiently(context, signal, () => refuseTopicsReplacedSince(context, task));
      break;
    }
    await context.onLeaving(task);
    task.open(undefined);
    await state.wipe();
  }
  return patiently(context, signal, () => withStartOffsets(context, task, committed));
}

async function openStores(
  { states }: TaskStarterContext,
  task: StreamTask,
): Promise<TaskState | undefined> {
  try {
    return await states.open(task);
  } catch (error) {
    if (!isMillraceError(error, 'STORE_IO', 'STORE_DISK_FULL', 'STORE_CORRUPT')) throw error;
    throw new TaskStoreFailed(task.taskId, error);
  }
}

async function stableOffsets(
  { admin, config, clock, log }: TaskStarterContext,
  task: StreamTask,
  partitions: readonly TopicPartition[],
  signal: AbortSignal,
): Promise<StartOffsets> {
  // Normally over within the transaction timeout and the broker's reaper; a transaction that hangs in
  // the broker itself is waited for as well: skipping it could lose what it commits.
  const sinceMs = clock.monotonicMs();
  let toldAtMs = -Infinity;
  const onWaiting = () => {
    const nowMs = clock.monotonicMs();
    if (nowMs - toldAtMs < WAITING_LOG_MS) return;
    toldAtMs = nowMs;
    const facts = { taskId: task.taskId, waitedMs: Math.round(nowMs - sinceMs) };
    log.warn(facts, 'waiting for a transaction of the previous owner to end');
  };
  return admin.committedOffsets(config.applicationId, partitions, {
    requireStable: true,
    signal,
    onWaiting,
  });
}

/** Throws LOG_LOST: what was committed belongs to other topics than those that had their names at the start. */
function refuseReplacedTopics(task: StreamTask, committed: StartOffsets): void {
  const planned = topicIdsOf(task.plan);
  for (const { metadata } of committed.values()) {
    for (const [topic, topicId] of committedTopicIds(metadata)) {
      const found = planned.get(topic) ?? topicId;
      if (found === topicId) continue;
      throw topicReplaced(task, 'since the last commit', { topic, topicId, found });
    }
  }
}

/**
 * Rejects LOG_LOST: a topic has been replaced since this instance has planned with it. Everything is read
 * by name: an instance that takes over would take what the new topic holds for the state.
 */
async function refuseTopicsReplacedSince(
  { admin }: TaskStarterContext,
  task: StreamTask,
): Promise<void> {
  const planned = topicIdsOf(task.plan);
  const current = await admin.describeTopics([...planned.keys()]);
  for (const [topic, topicId] of planned) {
    const found = current.get(topic)?.topicId ?? topicId;
    if (found === topicId) continue;
    throw topicReplaced(task, 'since this instance was started', { topic, topicId, found });
  }
}

function topicReplaced(
  { taskId }: StreamTask,
  since: string,
  facts: { readonly topic: string; readonly topicId: string; readonly found: string },
): MillraceError {
  return new MillraceError('LOG_LOST', `task ${taskId}: ${facts.topic} was created anew ${since}`, {
    hint: "A changelog: bring it back, or reset the application. A source topic that is new on purpose: set the group's offsets.",
    facts,
  });
}

/** undefined: the stores cannot be trusted and have to be wiped. */
async function restoreRanges(
  context: TaskStarterContext,
  task: StreamTask,
  state: TaskState,
  committed: StartOffsets,
): Promise<readonly RestoreRange[] | undefined> {
  const { admin, config, clock, log } = context;
  const { changelogs } = task.plan;
  const { partition, taskId } = task;
  const partitions = changelogs.map(({ topic }) => ({ topic, partition }));
  if (partitions.length === 0) return [];
  const ends = await admin.listOffsets(partitions, 'latest', 'read_uncommitted');
  const starts = await admin.listOffsets(partitions, 'earliest', 'read_uncommitted');
  // After the offsets, and before anything is wiped because of them.
  await refuseTopicsReplacedSince(context, task);
  const time = { nowMs: clock.nowMs(), deleteRetentionMs: config.changelogDeleteRetentionMs };
  const ranges: RestoreRange[] = [];
  for (const changelog of changelogs) {
    const key = partitionKey(changelog.topic, partition);
    const highWatermark = ends.get(key)!.offset;
    const logStartOffset = starts.get(key)!.offset;
    // A source topic goes on beyond what has been processed: the rest is input, not state.
    const consumed = Math.max(committed.get(key)?.offset ?? 0, logStartOffset);
    const endOffset = changelog.isSourceTopic ? Math.min(highWatermark, consumed) : highWatermark;
    const position = state.positions().changelogs.get(changelog.spec.name);
    const decision = planRestore(
      changelog,
      partition,
      position,
      { logStartOffset, endOffset },
      time,
    );
    if (decision.kind === 'wipe') {
      log.warn(
        { taskId, reason: decision.reason },
        'wiping the state of a task; it is restored from its changelogs',
      );
      return undefined;
    }
    ranges.push(decision.range);
  }
  return ranges;
}

async function restored(
  { restorer, log, onProgress }: TaskStarterContext,
  task: StreamTask,
  state: TaskState,
  ranges: readonly RestoreRange[],
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await restorer.restore({ taskId: task.taskId, state, ranges, onProgress }, signal);
    return true;
  } catch (error) {
    if (!(error instanceof ChangelogDiverged)) throw error;
    log.warn(
      { taskId: task.taskId, err: error },
      'wiping the state of a task; it is restored from its changelogs',
    );
    return false;
  }
}

/** Where nothing is committed yet, the source's reset policy decides. */
async function withStartOffsets(
  { admin, config }: TaskStarterContext,
  task: StreamTask,
  committed: StartOffsets,
): Promise<StartOffsets> {
  const offsets = new Map(committed);
  for (const { source, partition } of task.queues) {
    const key = partitionKey(source.topic, partition);
    if ((committed.get(key)?.offset ?? -1) >= 0) continue;
    const spec = source.node.offsetReset ?? config.offsetReset;
    const listed = await admin.listOffsets(
      [{ topic: source.topic, partition }],
      spec,
      'read_uncommitted',
    );
    offsets.set(key, { offset: listed.get(key)!.offset, leaderEpoch: -1, metadata: '' });
  }
  return offsets;
}

/** Kafka away is not a decision: try again until it answers or the signal aborts. */
async function patiently<T>(
  { clock, random, log }: TaskStarterContext,
  signal: AbortSignal,
  attemptOnce: () => Promise<T>,
): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await attemptOnce();
    } catch (error) {
      // A lock is another thread's that is still closing the same stores.
      if (!isMillraceError(error, 'KAFKA_RETRIABLE', 'KAFKA_UNAVAILABLE', 'STATE_DIR_LOCKED')) {
        throw error;
      }
      log.warn({ attempt, err: error }, 'a task cannot start yet; trying again');
      await clock.sleep(backoffMs(attempt, RETRY, random), signal);
      if (signal.aborted)
        throw new MillraceError('STREAMS_STATE', 'stopped while waiting for Kafka', {
          cause: error,
        });
    }
  }
}
