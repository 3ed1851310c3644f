/**
 * The public face of the engine, in Kafka Streams' words: start, close, state, listeners, pause,
 * resume, and the queries' port. Lives on the main thread; the work is done by stream threads.
 */
import { type Clock, systemClock } from '../base/clock.ts';
import { isMillraceError, MillraceError } from '../base/errors.ts';
import { type Log, silentLog } from '../base/log.ts';
import { type Random, systemRandom } from '../base/random.ts';
import type {
  CommitNotice,
  InstanceInfo,
  LocalStore,
  PartitionLocation,
  QueryableStreams,
  StreamsState,
  TaskInfo,
} from '../interactive-queries/queryable-streams.ts';
import type { KafkaConnection } from '../kafka/connection.ts';
import { createKafkaClient } from '../kafka/kafka-client.ts';
import { partitionForKey } from '../kafka/murmur2.ts';
import type { KafkaClient } from '../kafka/ports.ts';
import type { BytesStoreEngine } from '../stores/bytes-store.ts';
import { openStateDirectory, type StateDirectory } from '../stores/state-directory.ts';
import type { StoreSpec } from '../stores/state-store.ts';
import type { BuiltTopology } from '../topology/sub-topology.ts';
import type { HostTasks } from './assignment/assignment-codec.ts';
import { prepareTopics } from './assignment/internal-topics.ts';
import { planTopics, type TopicPlan } from './assignment/topic-plan.ts';
import { CommitListeners } from './queries/commit-listeners.ts';
import { instances } from './queries/host-map.ts';
import { KafkaProbe } from './queries/kafka-probe.ts';
import { LocalStores } from './queries/local-stores.ts';
import { type StoreHome, StoreHomes } from './queries/store-homes.ts';
import type { RestoreProgress } from './restore/restorer.ts';
import { startThread } from './start-thread.ts';
import { type StreamsConfig, type StreamsOptions, streamsConfig } from './streams-config.ts';
import type { ThreadCommit, ThreadEvents, ThreadState } from './thread-events.ts';
import type { ThreadHandle } from './thread-handle.ts';
import { isTopologyModule, loadTopology, type TopologyModule } from './topology-module.ts';

export interface KafkaStreamsOptions {
  readonly config: StreamsOptions;
  /** A built topology runs in the caller's loop only (numStreamThreads 0); workers import a module. */
  readonly topology: BuiltTopology | TopologyModule;
  /** One connection per stream thread and one for this object; a function where each needs its own port. */
  readonly connection: KafkaConnection | (() => KafkaConnection);
  readonly clock?: Clock;
  readonly random?: Random;
  readonly log?: Log;
  /** For simulation: so many stream threads in the caller's loop (numStreamThreads 0). Default: one. */
  readonly threadsInLoop?: number;
  /** For simulation: clients over another transport (numStreamThreads 0). */
  readonly createClient?: () => KafkaClient;
  /** For simulation: where bytes of stores are kept. */
  readonly storeEngine?: BytesStoreEngine;
}

export type UncaughtExceptionDecision = 'REPLACE_THREAD' | 'SHUTDOWN_CLIENT';
export type StateListener = (state: StreamsState, before: StreamsState) => void;

interface Started {
  readonly topology: BuiltTopology;
  readonly plan: TopicPlan;
  readonly homes: StoreHomes;
  readonly client: KafkaClient;
  readonly directory: StateDirectory;
  readonly probe: KafkaProbe;
  /** Task id -> changelog records applied, of tasks that ran here before. */
  readonly onDisk: ReadonlyMap<string, number>;
}

interface RunningThread {
  readonly handle: ThreadHandle;
  state: ThreadState;
  tasks: readonly TaskInfo[];
}

const REPLACE_DELAY_MS = 1_000;
const RETRY_START_MS = 500;
const CLOSE_TIMEOUT_MS = 30_000;

export class KafkaStreams implements QueryableStreams {
  readonly config: StreamsConfig;
  readonly applicationId: string;
  readonly #options: KafkaStreamsOptions;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Log;
  readonly #threads = new Map<number, RunningThread>();
  readonly #stopping = new AbortController();
  readonly #stateListeners = new Set<StateListener>();
  readonly #restoreListeners = new Set<(progress: RestoreProgress) => void>();
  readonly #commitListeners: CommitListeners;
  readonly #localStores: LocalStores;
  #onUncaught: (error: Error) => UncaughtExceptionDecision = () => 'SHUTDOWN_CLIENT';
  #state: StreamsState = 'CREATED';
  #started: Started | undefined;
  #hosts: readonly HostTasks[] = [];
  #closing: Promise<boolean> | undefined;
  #failure: Error | undefined;

  /** Throws CONFIG_INVALID. */
  constructor(options: KafkaStreamsOptions) {
    this.config = streamsConfig(options.config);
    if (this.config.numStreamThreads > 0 && !isTopologyModule(options.topology)) {
      throw new MillraceError(
        'CONFIG_INVALID',
        'worker threads need the topology as { module, export }',
        {
          hint: 'Functions cannot be posted. Give a module, or numStreamThreads 0.',
        },
      );
    }
    this.applicationId = this.config.applicationId;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? systemRandom;
    this.#log = options.log ?? silentLog;
    this.#commitListeners = new CommitListeners((topics) => this.#listen(topics), this.#log);
    this.#localStores = new LocalStores({
      engine: options.storeEngine,
      clock: this.#clock,
      log: this.#log,
    });
  }

  // ── Life ─────────────────────────────────────────────────────────────────────────────────────

  /**
   * Locks the state directory, waits for Kafka and the source topics, creates internal topics and
   * starts the threads. Rejects STATE_DIR_LOCKED, PARTITIONS_CHANGED, TOPOLOGY_INVALID, KAFKA_FATAL;
   * STREAMS_STATE when it is closed meanwhile.
   * Tasks run once state() is RUNNING.
   */
  async start(): Promise<void> {
    if (this.#state !== 'CREATED') {
      throw new MillraceError('STREAMS_STATE', `start() in state ${this.#state}`);
    }
    this.#become('REBALANCING');
    try {
      this.#started = await this.#open();
      const count = this.config.numStreamThreads || (this.#options.threadsInLoop ?? 1);
      for (let index = 0; index < count; index++) this.#startThread(index);
    } catch (error) {
      if (this.#stopping.signal.aborted) {
        throw new MillraceError('STREAMS_STATE', 'closed while starting', { cause: error });
      }
      await this.#fail(error);
      throw error;
    }
  }

  /** Commits, leaves the group, closes everything. False when the time was up before that. Idempotent. */
  close({ timeoutMs = CLOSE_TIMEOUT_MS }: { readonly timeoutMs?: number } = {}): Promise<boolean> {
    this.#closing ??= this.#close(timeoutMs);
    return this.#closing;
  }

  state(): StreamsState {
    return this.#state;
  }

  /** What ended it, in state ERROR. */
  failure(): Error | undefined {
    return this.#failure;
  }

  onStateChange(listener: StateListener): () => void {
    this.#stateListeners.add(listener);
    return () => this.#stateListeners.delete(listener);
  }

  onRestore(listener: (progress: RestoreProgress) => void): () => void {
    this.#restoreListeners.add(listener);
    return () => this.#restoreListeners.delete(listener);
  }

  /** What to do when a stream thread has died. Default: shut this client down. */
  setUncaughtExceptionHandler(handler: (error: Error) => UncaughtExceptionDecision): void {
    this.#onUncaught = handler;
  }

  pause(): void {
    for (const { handle } of this.#threads.values()) handle.pause();
  }

  resume(): void {
    for (const { handle } of this.#threads.values()) handle.resume();
  }

  // ── Queries ──────────────────────────────────────────────────────────────────────────────────

  kafkaSilentForMs(): number {
    return this.#started?.probe.silentForMs() ?? Infinity;
  }

  stores(): readonly { readonly spec: StoreSpec; readonly partitionCount: number }[] {
    return (this.#started?.plan.subTopologies ?? []).flatMap(({ subTopology, taskCount }) =>
      subTopology.stores.map((spec) => ({ spec, partitionCount: taskCount })),
    );
  }

  locateKey(storeName: string, keyBytes: Buffer): PartitionLocation {
    const home = this.#homeOf(storeName);
    return home.location(partitionForKey(keyBytes, 0, keyBytes.length, home.taskIds.length));
  }

  locatePartition(storeName: string, partition: number): PartitionLocation {
    return this.#homeOf(storeName).location(partition);
  }

  openLocal(storeName: string, partition: number): LocalStore | Promise<LocalStore> {
    const { isInMemory, taskIds } = this.#homeOf(storeName);
    if (isInMemory) {
      throw new MillraceError(
        'QUERY_UNSUPPORTED',
        `store ${storeName} is kept in memory by its task alone`,
        {
          hint: 'Declare it with persistence "leveldb" to query it.',
        },
      );
    }
    const id = taskIds[partition];
    if (id === undefined) return { kind: 'not-here' };
    const lag = (role: TaskInfo['role']) =>
      role === 'active' ? 0 : (this.#task(id)?.remainingRestoreRecords ?? 0);
    const open = this.#localStores.open(id, storeName, lag);
    if (open instanceof Promise) return open.then((later) => later ?? this.#notOpen(id));
    return open ?? this.#notOpen(id);
  }

  #notOpen(id: string): LocalStore {
    const task = this.#task(id);
    if (task === undefined) return { kind: 'not-here' };
    return { kind: 'restoring', remainingRecords: task.remainingRestoreRecords };
  }

  #task(id: string): TaskInfo | undefined {
    return this.tasks().find((info) => info.taskId === id);
  }

  instances(): readonly InstanceInfo[] {
    if (this.#started === undefined) return [];
    return instances(this.#hosts, this.#started.directory.processId, this.#started.topology);
  }

  tasks(): readonly TaskInfo[] {
    return [...this.#threads.values()].flatMap(({ tasks }) => tasks);
  }

  onCommitted(
    topics: readonly string[],
    wanted: () => boolean,
    listener: (notice: CommitNotice) => void,
  ): () => void {
    return this.#commitListeners.add({ topics, wanted, listener });
  }

  // ── Parts ────────────────────────────────────────────────────────────────────────────────────

  async #open(): Promise<Started> {
    const topology = await loadTopology(this.#options.topology);
    const { stateDir: root, applicationId } = this.config;
    const parts = { clock: this.#clock, random: this.#random, log: this.#log };
    const { storeEngine } = this.#options;
    const engine = storeEngine === undefined ? {} : { engine: storeEngine };
    const directory = await openStateDirectory({ root, applicationId, ...parts, ...engine });
    const client = this.#createClient();
    try {
      const { signal } = this.#stopping;
      const onWaiting = (error: Error) => this.#log.warn({ err: error }, 'waiting for Kafka');
      await client.waitUntilReachable(signal, onWaiting);
      const onMissing = (missing: readonly string[]) => {
        this.#log.warn({ topics: missing }, 'waiting for topics that do not exist');
      };
      const context = { admin: client.admin, ...parts, onMissing };
      const topics = await this.#patiently(onWaiting, () =>
        prepareTopics(context, topology, this.config, signal),
      );
      const plan = planTopics(applicationId, topology, topics);
      const homes = new StoreHomes(plan, directory.processId);
      const probe = new KafkaProbe(client.admin, parts, [...plan.bySourceTopic.keys()].slice(0, 1));
      const onDisk = new Map(
        (await directory.dormantTasks(new Set())).map(({ taskId: id, positions }) => [
          id,
          [...positions.changelogs.values()].reduce((sum, { offset }) => sum + offset, 0),
        ]),
      );
      return { topology, plan, homes, client, directory, probe, onDisk };
    } catch (error) {
      await client.close();
      await directory.close();
      throw error;
    }
  }

  /** Kafka may go away again between two requests: that ends no start. */
  async #patiently<T>(onWaiting: (error: Error) => void, attempt: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        const mayPass = isMillraceError(error, 'KAFKA_RETRIABLE', 'KAFKA_UNAVAILABLE');
        if (!mayPass || this.#stopping.signal.aborted) throw error;
        onWaiting(error);
        await this.#clock.sleep(RETRY_START_MS, this.#stopping.signal);
      }
    }
  }

  #createClient(): KafkaClient {
    const { connection, createClient } = this.#options;
    if (createClient !== undefined) return createClient();
    const to = typeof connection === 'function' ? connection() : connection;
    return createKafkaClient({
      connection: to,
      clock: this.#clock,
      random: this.#random,
      log: this.#log,
    });
  }

  #startThread(index: number): void {
    const { directory, plan, topology } = this.#started!;
    const { connection } = this.#options;
    const handle = startThread({
      index,
      config: this.config,
      topology: this.config.numStreamThreads === 0 ? topology : this.#options.topology,
      topics: plan.topics,
      processId: directory.processId,
      bootId: directory.bootId,
      directory: directory.directory,
      connection: () => (typeof connection === 'function' ? connection() : connection),
      createClient: () => this.#createClient(),
      storeEngine: this.#options.storeEngine,
      listenedTopics: this.#commitListeners.topics(),
      onDisk: this.#started!.onDisk,
      clock: this.#clock,
      random: this.#random,
      log: this.#log.child({ thread: index }),
      events: (memory) => this.#threadEvents(index, memory),
    });
    const thread: RunningThread = { handle, state: 'CREATED', tasks: [] };
    this.#threads.set(index, thread);
    void handle.done.then(
      () => this.#threadEnded(index, thread, undefined),
      (error) => this.#threadEnded(index, thread, asError(error)),
    );
  }

  #threadEvents(index: number, memory: ThreadHandle['memory']): ThreadEvents {
    return {
      stateChanged: (state) => {
        const thread = this.#threads.get(index);
        if (thread !== undefined) thread.state = state;
        this.#derive();
      },
      tasksChanged: (tasks) => {
        const thread = this.#threads.get(index);
        if (thread !== undefined) thread.tasks = tasks;
      },
      hostsChanged: (hosts) => {
        this.#hosts = hosts;
        this.#started!.homes.hostsChanged(hosts);
      },
      committed: (commit) => this.#committed(commit),
      taskRunning: (id, directory, role) => {
        const { plan } = this.#started!;
        const found = plan.subTopologies.find(({ subTopology }) =>
          id.startsWith(`${subTopology.id}_`),
        );
        if (directory === undefined || found === undefined) return;
        const specs = found.subTopology.stores;
        this.#localStores.taskRunning(id, { directory, specs, memory, role });
      },
      taskLeaving: (id) => this.#localStores.taskLeaving(id),
      restoreProgress: (progress) => {
        for (const listener of this.#restoreListeners) listener(progress);
      },
    };
  }

  #committed({ sequence, taskIds, partitions, outputs, committedAtMs }: ThreadCommit): void {
    this.#started!.probe.heard();
    this.#localStores.announced(taskIds, sequence);
    this.#commitListeners.tell({ taskPartitions: partitions, outputs, committedAtMs });
  }

  #listen(topics: readonly string[]): void {
    for (const { handle } of this.#threads.values()) handle.listen(topics);
  }

  async #threadEnded(
    index: number,
    thread: RunningThread,
    error: Error | undefined,
  ): Promise<void> {
    const { memory, threadId } = thread.handle;
    thread.state = 'DEAD';
    thread.tasks = [];
    if (error === undefined) return;
    // A worker that crashed has left its stores open.
    await this.#localStores.threadEnded(memory);
    if (threadId > 0) await this.#started!.directory.releaseThread(threadId);
    if (this.#stopping.signal.aborted) return;
    this.#log.error({ thread: index, err: error }, 'a stream thread died');
    if (this.#onUncaught(error) === 'SHUTDOWN_CLIENT') {
      await this.#fail(error);
      return;
    }
    this.#derive();
    await this.#clock.sleep(REPLACE_DELAY_MS, this.#stopping.signal);
    if (!this.#stopping.signal.aborted) this.#startThread(index);
  }

  async #fail(error: unknown): Promise<void> {
    this.#failure ??= asError(error);
    if (this.#state !== 'PENDING_SHUTDOWN' && this.#state !== 'NOT_RUNNING')
      this.#become('PENDING_ERROR');
    await this.close();
  }

  /** The client is RUNNING when all its threads are. */
  #derive(): void {
    if (this.#state !== 'REBALANCING' && this.#state !== 'RUNNING') return;
    const states = [...this.#threads.values()].map(({ state }) => state);
    this.#become(states.every((state) => state === 'RUNNING') ? 'RUNNING' : 'REBALANCING');
  }

  #become(state: StreamsState): void {
    const before = this.#state;
    if (before === state) return;
    this.#state = state;
    this.#log.info({ state, before }, 'streams state');
    for (const listener of this.#stateListeners) listener(state, before);
  }

  async #close(timeoutMs: number): Promise<boolean> {
    if (this.#state !== 'PENDING_ERROR') this.#become('PENDING_SHUTDOWN');
    this.#stopping.abort();
    const threads = [...this.#threads.values()].map(({ handle }) => handle);
    for (const handle of threads) handle.stop();
    const timer = new AbortController();
    const inTime = await Promise.race([
      Promise.allSettled(threads.map(({ done }) => done)).then(() => true),
      this.#clock.sleep(timeoutMs, timer.signal).then(() => false),
    ]);
    timer.abort();
    if (!inTime) await Promise.allSettled(threads.map((handle) => handle.kill()));
    await this.#localStores.close();
    this.#started?.probe.stop();
    await this.#started?.client.close();
    // What it says of this process is on disk since the start: nothing can be lost here any more.
    await this.#started?.directory.close().catch((error) => {
      this.#log.warn({ err: error }, 'the state directory did not close well');
    });
    this.#become(this.#failure === undefined ? 'NOT_RUNNING' : 'ERROR');
    return inTime;
  }

  #homeOf(storeName: string): StoreHome {
    const home = this.#started?.homes.of(storeName);
    if (home !== undefined) return home;
    throw new MillraceError('STORE_UNKNOWN', `no store is called ${storeName}`);
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
