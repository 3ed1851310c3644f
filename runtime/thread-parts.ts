/** Opens what a stream thread is made of, and ties it together. No decisions here. */
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import type { Fetcher, GroupMember, GroupMetadata, KafkaClient } from '../kafka/ports.ts';
import { createRecordCursor } from '../kafka/records/record-cursor.ts';
import type { BuiltTopology } from '../topology/sub-topology.ts';
import type { SubscriptionData } from './assignment/assignment-codec.ts';
import { type GroupEvents, streamsGroupProtocol } from './assignment/streams-group.ts';
import { planTopics, type Topics } from './assignment/topic-plan.ts';
import { atLeastOnceTarget, type CommitTarget, exactlyOnceTarget } from './commit/commit-target.ts';
import { type CommitAnnouncement, Committer } from './commit/committer.ts';
import { RecordCollector } from './commit/record-collector.ts';
import { RepartitionPurge } from './commit/repartition-purge.ts';
import { prepareSerdes } from './prepare-serdes.ts';
import { Restorer } from './restore/restorer.ts';
import { StandbyTasks } from './restore/standby-tasks.ts';
import type { StreamsConfig } from './streams-config.ts';
import type { StreamTask } from './tasks/stream-task.ts';
import { TaskManager } from './tasks/task-manager.ts';
import type { TaskStates } from './tasks/task-starter.ts';
import type { ThreadEvents } from './thread-events.ts';
import type { ThreadMemory } from './thread-memory.ts';

export interface ThreadContext {
  readonly name: string;
  /** Position among the threads of this process: part of transactional and static member ids. */
  readonly index: number;
  readonly processId: string;
  readonly config: StreamsConfig;
  readonly topology: BuiltTopology;
  readonly topics: Topics;
  /** Belongs to the thread, which closes it. */
  readonly client: KafkaClient;
  readonly states: TaskStates;
  readonly events: ThreadEvents;
  readonly memory: ThreadMemory;
  /** Real topic names whose committed batches are told while somebody wants them. */
  readonly listenedTopics: ReadonlySet<string>;
  /** Task id -> changelog records that this process had applied on disk when it started. */
  readonly onDisk: ReadonlyMap<string, number>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface ThreadCallbacks {
  readonly group: GroupEvents;
  readonly onTasksChange: () => void;
  readonly onCommitted: (announcement: CommitAnnouncement) => void;
  readonly groupMetadata: (
    tasks: readonly StreamTask[],
  ) => () => Promise<GroupMetadata | undefined>;
}

export interface ThreadParts {
  readonly fetcher: Fetcher;
  readonly member: GroupMember;
  readonly tasks: TaskManager;
  readonly collector: RecordCollector;
  readonly committer: Committer;
  readonly target: CommitTarget;
  readonly restorer: Restorer;
  readonly standbys: StandbyTasks;
  readonly purge: RepartitionPurge;
  prepareSerdes(signal: AbortSignal): Promise<void>;
  /** Fetcher, producers, connections. */
  close(): Promise<void>;
}

const FETCH_WAIT_MS = 500;
const PARTITION_BYTES_MAX = 1024 * 1024;
const RESTORE_BYTES_MAX = 8 * 1024 * 1024;

export function openThreadParts(context: ThreadContext, callbacks: ThreadCallbacks): ThreadParts {
  const { client, config, clock, random, log, events, memory } = context;
  const plan = planTopics(config.applicationId, context.topology, context.topics);
  const fetcher = openFetcher(client, `${context.name}-fetch`, config.bufferedBytesMax);
  const wakeup = () => fetcher.wakeup();
  const restorer = new Restorer({
    fetcher: openFetcher(client, `${context.name}-restore`, RESTORE_BYTES_MAX),
    cursor: createRecordCursor(),
    clock,
  });
  const collector = new RecordCollector({
    batchBytesMax: config.batchBytesMax,
    compression: config.compression,
    realName: plan.realName,
    topics: plan.topics,
    partitionCount: (topic) => client.partitionCount(topic),
  });
  const target = openTarget(context);
  const committer = new Committer({
    target,
    collector,
    clock,
    group: callbacks.groupMetadata,
    onCommitted: callbacks.onCommitted,
    onApplied: (sequence) => memory.setApplied(sequence),
    wakeup,
  });
  const tasks = new TaskManager({
    plan,
    fetcher,
    task: { config, collector, clock, random, log, wakeup },
    starter: { admin: client.admin, restorer, states: context.states, config, clock, random, log },
    onChange: callbacks.onTasksChange,
    onProgress: (progress) => events.restoreProgress(progress),
    onRunning: (task) => events.taskRunning(task.taskId, task.state?.directory, 'active'),
    onLeaving: (task) => events.taskLeaving(task.taskId),
  });
  const standbys = new StandbyTasks({
    thread: context.name,
    plan,
    admin: client.admin,
    fetcher: openFetcher(client, `${context.name}-standby`, RESTORE_BYTES_MAX),
    cursor: createRecordCursor(),
    states: context.states,
    deleteRetentionMs: config.changelogDeleteRetentionMs,
    clock,
    random,
    log,
    onChange: callbacks.onTasksChange,
    onRunning: (taskId, directory) => events.taskRunning(taskId, directory, 'standby'),
    onLeaving: (taskId) => events.taskLeaving(taskId),
  });
  const subscription = () => subscriptionData(context, tasks, standbys);
  const protocol = streamsGroupProtocol(
    { plan, standbyReplicas: config.numStandbyReplicas, log, subscription },
    callbacks.group,
  );
  const member = client.groupMember(
    {
      groupId: config.applicationId,
      // A killed process comes back to its place at once instead of waiting for its own session.
      groupInstanceId: `${config.groupInstanceId ?? context.processId}-${context.index}`,
      sessionTimeoutMs: config.sessionTimeoutMs,
      rebalanceTimeoutMs: config.rebalanceTimeoutMs,
      heartbeatIntervalMs: config.heartbeatIntervalMs,
    },
    protocol,
  );
  const close = async () => {
    await fetcher.close();
    await target.close();
    await client.close();
  };
  return {
    fetcher,
    member,
    tasks,
    collector,
    committer,
    target,
    restorer,
    standbys,
    purge: new RepartitionPurge({
      admin: client.admin,
      topics: plan.repartitionTopics,
      clock,
      log,
    }),
    prepareSerdes: (signal) => prepareSerdes(plan, { clock, random, log }, signal),
    close,
  };
}

function openFetcher(client: KafkaClient, channel: string, bufferedBytesMax: number): Fetcher {
  return client.fetcher({
    isolation: 'read_committed',
    bufferedBytesMax,
    partitionBytesMax: PARTITION_BYTES_MAX,
    maxWaitMs: FETCH_WAIT_MS,
    channel,
  });
}

function openTarget({
  client,
  config,
  processId,
  index,
  clock,
  random,
}: ThreadContext): CommitTarget {
  const { deliveryTimeoutMs, compression, transactionTimeoutMs } = config;
  if (config.processingGuarantee === 'at_least_once') {
    const producer = client.producer({ deliveryTimeoutMs, lingerMs: 0, compression });
    return atLeastOnceTarget(producer, client.admin, { clock, random, deliveryTimeoutMs });
  }
  const id = `${config.applicationId}-${config.groupInstanceId ?? processId}-${index}`;
  return exactlyOnceTarget(
    ['a', 'b'].map((turn) =>
      client.transactionalProducer(`${id}-${turn}`, { transactionTimeoutMs }),
    ),
  );
}

function subscriptionData(
  context: ThreadContext,
  tasks: TaskManager,
  standbys: StandbyTasks,
): SubscriptionData {
  return {
    processId: context.processId,
    endpoint: context.config.applicationServer,
    active: tasks.all().map(({ taskId }) => taskId),
    standby: standbys.taskIds(),
    onDisk: context.onDisk,
    agreed: context.config.agreedSettings,
  };
}
